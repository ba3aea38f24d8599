//! Key stores that OpenSSL and keytool made.

use crate::{CA, made, scan};
use notafter_core::{Container, Inventory, ServiceName};
use notafter_inventory::{Passwords, ScanOptions, scan_tree};

fn places(inventory: &Inventory) -> Vec<(&str, Container, Option<&str>)> {
    let places = inventory.credentials.iter().flat_map(|credential| &credential.places);
    let mut places: Vec<_> =
        places.map(|place| (place.path.as_str(), place.container, place.private_key.as_deref())).collect();
    places.sort_unstable();
    places
}

#[test]
fn pkcs12_stores_under_usual_passwords_are_opened() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "{CA} make() {{ name=$1; shift; openssl pkcs12 -export -inkey key.pem -in ca.pem -out $name.p12 \"$@\"; }}
        make aes -passout pass:changeit
        make aes-128 -passout pass:changeit -certpbe AES-128-CBC -keypbe AES-128-CBC -macalg SHA512
        make des -passout pass:password -certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg SHA1
        make des2 -passout pass:test -certpbe PBE-SHA1-2DES -keypbe PBE-SHA1-2DES
        make clear -passout pass:changeit -nomac
        make empty -passout pass:
        make rc2 -legacy -passout pass:changeit -certpbe PBE-SHA1-RC2-40 -keypbe PBE-SHA1-3DES ||
            {{ echo 'SKIPPED: this OpenSSL has no legacy provider, RC2 is not tested' >&2; [ x${{NOTAFTER_REQUIRE_ALL:-0}} != x1 ]; }}
        rm ca.pem key.pem"
    );
    if !made("openssl", &script, directory.path()) {
        return;
    }
    let inventory = scan(&directory);
    assert_eq!(inventory.credentials.len(), 1);
    assert_eq!(inventory.opaque, []);
    let mut names = vec!["/aes-128.p12", "/aes.p12", "/clear.p12", "/des.p12", "/des2.p12", "/empty.p12"];
    if directory.path().join("rc2.p12").exists() {
        names.push("/rc2.p12");
    }
    let container = |name| if name == "/clear.p12" { Container::DerInFile } else { Container::Pkcs12 };
    let expected: Vec<_> = names.into_iter().map(|name| (name, container(name), Some(name))).collect();
    assert_eq!(places(&inventory), expected);
}

#[test]
fn a_pkcs12_store_under_an_unknown_password_is_told_and_opened_with_a_given_one() {
    let directory = tempfile::tempdir().unwrap();
    let password = "correct horse \u{e9}\u{1f40e}";
    let script = format!(
        "{CA} openssl pkcs12 -export -inkey key.pem -in ca.pem -passout 'pass:{password}' -out a.p12
        openssl pkcs12 -export -inkey key.pem -in ca.pem -passout 'pass:{password}' -out b.p12 \
            -certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES
        printf 'data: {{ store: \"%s\" }}\n' $(base64 -w0 a.p12) > secret.yaml
        rm ca.pem key.pem"
    );
    if !made("openssl", &script, directory.path()) {
        return;
    }
    let locked = scan(&directory);
    assert_eq!(locked.credentials, []);
    let told: Vec<_> = locked.opaque.iter().map(|told| (told.path.as_str(), told.reason.as_str())).collect();
    let reason = "a PKCS #12 store under a password that is not known";
    assert_eq!(told, [("/a.p12", reason), ("/b.p12", reason), ("/secret.yaml", reason)]);
    let mut options = ScanOptions::default();
    options.passwords.add("wrong".to_owned());
    options.passwords.add(password.to_owned());
    let opened = scan_tree(directory.path(), &ServiceName::new("node").unwrap(), &options).unwrap();
    assert_eq!(
        places(&opened),
        [
            ("/a.p12", Container::Pkcs12, Some("/a.p12")),
            ("/b.p12", Container::Pkcs12, Some("/b.p12")),
            ("/secret.yaml", Container::Pkcs12, Some("/secret.yaml"))
        ]
    );
    assert_eq!(opened.opaque, []);
    assert!(!format!("{options:?} {opened:?}").contains("horse"), "a password is a secret");
    assert_eq!(format!("{:?}", Passwords::default()), "Passwords(0)");
}

#[test]
fn stores_of_keytool_are_read_and_their_keys_are_noted() {
    let directory = tempfile::tempdir().unwrap();
    let script = "
        for type in JKS JCEKS PKCS12; do
            keytool -genkeypair -alias own -keyalg EC -dname CN=own-$type -validity 9 -storetype $type \
                -keystore $type.store -storepass unusual -keypass unusual
            keytool -exportcert -alias own -keystore $type.store -storepass unusual -file $type.der
            keytool -importcert -noprompt -alias other -file $type.der -storetype $type \
                -keystore $type.trust -storepass changeit
        done
        rm ./*.der";
    if !made("keytool", script, directory.path()) {
        return;
    }
    let inventory = scan(&directory);
    let expected = [
        ("/JCEKS.store", Container::Jks, Some("/JCEKS.store")),
        ("/JCEKS.trust", Container::Jks, Some("/JCEKS.store")),
        ("/JKS.store", Container::Jks, Some("/JKS.store")),
        ("/JKS.trust", Container::Jks, Some("/JKS.store")),
        ("/PKCS12.trust", Container::Pkcs12, None),
    ];
    assert_eq!(places(&inventory), expected);
    let told: Vec<&str> = inventory.opaque.iter().map(|told| told.path.as_str()).collect();
    assert_eq!(told, ["/PKCS12.store"]);
}

#[test]
fn a_private_key_is_matched_to_its_certificate_wherever_it_lies() {
    let directory = tempfile::tempdir().unwrap();
    let script = "
        mkdir tls other
        pair() { openssl req -x509 -nodes -subj /CN=$1 -days 9 -out tls/$1.pem -keyout tls/$1.key \
            -addext keyUsage=digitalSignature -newkey \"$2\" -pkeyopt \"$3\" 2>&1; }
        pair ec ec ec_paramgen_curve:P-256
        pair rsa rsa rsa_keygen_bits:2048
        openssl req -x509 -nodes -newkey ed25519 -subj /CN=ed -days 9 -out tls/ed.pem -keyout other/ed.key
        openssl rsa -in tls/rsa.key -traditional -out tls/rsa.key
        openssl pkey -in tls/ec.key -outform DER -out other/ec.der
        cp tls/ec.pem other/ec.pem; cp tls/rsa.pem other/alone.pem; rm tls/ec.key
        cat tls/ed.pem other/ed.key > other/both.pem";
    if !made("openssl", script, directory.path()) {
        return;
    }
    let inventory = scan(&directory);
    let keys: Vec<_> = places(&inventory).into_iter().map(|(path, _, key)| (path, key)).collect();
    let expected = [
        ("/other/alone.pem", Some("/tls/rsa.key")),
        ("/other/both.pem", Some("/other/both.pem")),
        ("/other/ec.pem", Some("/other/ec.der")),
        ("/tls/ec.pem", Some("/other/ec.der")),
        ("/tls/ed.pem", Some("/other/both.pem")),
        ("/tls/rsa.pem", Some("/tls/rsa.key")),
    ];
    assert_eq!(keys, expected);
    let mut algorithms: Vec<&str> = inventory
        .credentials
        .iter()
        .filter_map(|credential| credential.key.as_ref())
        .map(|key| key.algorithm.as_str())
        .collect();
    algorithms.sort_unstable();
    assert_eq!(algorithms, ["ed25519", "p256", "rsa-2048"]);
}
