//! Credentials that OpenSSL, OpenSSH and GnuPG made, with the ends that they were told.
#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod forms;
mod processes;
mod stores;

use notafter_core::{Credential, CredentialKind, Inventory, ServiceName, UnixTime};
use notafter_inventory::{ScanOptions, scan_tree};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Runs `script`; false where `program` is not installed, which the environment may forbid.
fn made(program: &str, script: &str, directory: &Path) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
    if !found.status.success() {
        let required = std::env::var("NOTAFTER_REQUIRE_ALL").is_ok_and(|value| value == "1");
        assert!(!required, "{program} is required and missing");
        return false;
    }
    let ran = Command::new("sh").args(["-euc", script]).current_dir(directory).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    true
}

/// Whether `program` is there, which the environment may require.
fn made_with(program: &str) -> bool {
    made(program, "true", Path::new("/"))
}

fn scan(directory: &TempDir) -> Inventory {
    scan_root(directory.path())
}

fn scan_root(root: &Path) -> Inventory {
    scan_tree(root, &ServiceName::new("node").unwrap(), &ScanOptions::default()).unwrap()
}

fn of_kind(inventory: &Inventory, kind: CredentialKind) -> Vec<&Credential> {
    inventory.credentials.iter().filter(|credential| credential.kind == kind).collect()
}

fn at(text: &str) -> UnixTime {
    UnixTime::parse(text).unwrap()
}

const CA: &str = r#"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out ca.pem -subj /CN=ca -days 9
printf '[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\ncrlnumber = number\ndefault_md = sha256\n' > ca.cnf
: > index.txt
echo 0A > number
"#;

#[test]
fn revocation_lists_end_with_their_next_update() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "{CA} openssl ca -config ca.cnf -gencrl -keyfile key.pem -cert ca.pem -crl_lastupdate 20300101000000Z \
         -crl_nextupdate 20300201000000Z -out list.pem; openssl crl -in list.pem -outform DER -out list.der
         (echo x; cat list.der) > inside.bin"
    );
    if !made("openssl", &script, directory.path()) {
        return;
    }
    let inventory = scan(&directory);
    let lists = of_kind(&inventory, CredentialKind::Crl);
    assert_eq!(lists.len(), 1);
    assert_eq!(lists[0].not_after, at("2030-02-01T00:00:00Z"));
    assert_eq!((lists[0].subject.as_str(), lists[0].serial.as_str()), ("CRL of CN=ca", "A"));
    assert_eq!(lists[0].places.len(), 3, "{:?}", lists[0].places);
}

#[test]
fn ocsp_responses_end_with_their_next_update() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "{CA} openssl ocsp -index index.txt -CA ca.pem -rsigner ca.pem -rkey key.pem -issuer ca.pem \
         -serial 0x1234 -ndays 5 -reqout ask.der -noverify
         openssl ocsp -index index.txt -CA ca.pem -rsigner ca.pem -rkey key.pem -reqin ask.der -ndays 5 \
         -respout answer.der
         openssl ocsp -respin answer.der -resp_text -noverify | sed -n 's/ *Next Update: //p' | head -1 > told
         date -u -d \"$(cat told)\" +%s > secs"
    );
    if !made("openssl", &script, directory.path()) {
        return;
    }
    let secs: i64 = std::fs::read_to_string(directory.path().join("secs")).unwrap().trim().parse().unwrap();
    let inventory = scan(&directory);
    let answers = of_kind(&inventory, CredentialKind::Ocsp);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].not_after.as_secs(), secs);
    assert_eq!(answers[0].serial, "1234");
}

#[test]
fn ssh_certificates_end_where_ssh_keygen_ended_them() {
    let directory = tempfile::tempdir().unwrap();
    let script = "
        for type in ed25519 rsa ecdsa; do ssh-keygen -q -t $type -N '' -f $type; done
        ssh-keygen -q -t ed25519 -N '' -f ca
        export TZ=UTC
        ssh-keygen -q -s ca -I user -n me -z 7 -V 20300101000000:20300201000000 ed25519.pub
        ssh-keygen -q -s ca -I host -h -V 20300101000000:20300201000000 rsa.pub
        ssh-keygen -q -s ca -I ever ecdsa.pub";
    if !made("ssh-keygen", script, directory.path()) {
        return;
    }
    let inventory = scan(&directory);
    let mut ends: Vec<(&str, UnixTime)> = of_kind(&inventory, CredentialKind::SshCertificate)
        .into_iter()
        .map(|found| (found.subject.as_str(), found.not_after))
        .collect();
    ends.sort_unstable();
    let last = at("2030-01-31T23:59:59Z");
    let expected = [
        ("SSH host certificate host", last),
        ("SSH user certificate ever", UnixTime::NO_EXPIRY),
        ("SSH user certificate user", last),
    ];
    assert_eq!(ends, expected);
}

#[test]
fn openpgp_keys_end_where_gpg_says() {
    let directory = tempfile::tempdir().unwrap();
    let script = "
        export GNUPGHOME=$PWD/home; mkdir -m 700 home
        gpg -q --batch --passphrase '' --quick-gen-key 'Key <k@example.org>' ed25519 sign 100d
        fpr=$(gpg --with-colons -k | grep '^fpr:' | head -1 | cut -d: -f10)
        gpg -q --batch --passphrase '' --quick-add-key $fpr cv25519 encr 10d
        gpg -q --batch --passphrase '' --quick-add-key $fpr ed25519 sign never
        gpg -q --batch --passphrase '' --quick-gen-key 'Ever <e@example.org>' rsa2048 sign never
        gpg --export > ring.gpg; gpg --armor --export > ring.asc
        gpg --with-colons --show-keys ring.gpg | grep -E '^(pub|sub):' | cut -d: -f5,7 > told
        gpgconf --kill all || true; rm -rf home";
    if !made("gpg", script, directory.path()) {
        return;
    }
    let told = std::fs::read_to_string(directory.path().join("told")).unwrap();
    let end =
        |text: &str| text.parse().map_or(UnixTime::NO_EXPIRY, |first: i64| UnixTime::clamped(first - 1));
    let mut told: Vec<(String, UnixTime)> = told
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(id, first_invalid)| (id.to_owned(), end(first_invalid)))
        .collect();
    told.sort();
    assert_eq!(told.len(), 4);
    let inventory = scan(&directory);
    let keys = of_kind(&inventory, CredentialKind::OpenPgpKey);
    let mut found: Vec<(String, UnixTime)> =
        keys.iter().map(|key| (key.serial.clone(), key.not_after)).collect();
    found.sort();
    assert_eq!(found, told);
    assert!(keys.iter().all(|key| key.places.len() == 2), "armoured and binary are one key: {keys:?}");
}

#[test]
fn the_key_rings_of_debian_end_where_gpg_says() {
    let rings = Path::new("/usr/share/keyrings");
    let directory = tempfile::tempdir().unwrap();
    let script = "export GNUPGHOME=$PWD
        for ring in /usr/share/keyrings/debian-archive-*.gpg; do
            gpg --with-colons --show-keys $ring | grep -E '^(pub|sub):' | cut -d: -f5,7
        done > told";
    if !rings.join("debian-archive-keyring.gpg").exists() || !made("gpg", script, directory.path()) {
        return;
    }
    let told = std::fs::read_to_string(directory.path().join("told")).unwrap();
    let inventory = scan_tree(rings, &ServiceName::new("node").unwrap(), &ScanOptions::default()).unwrap();
    for (id, end) in told.lines().filter_map(|line| line.split_once(':')) {
        let key = inventory.credentials.iter().find(|key| key.serial == id).unwrap();
        let written = key.written_end().map_or_else(String::new, |end| end.as_secs().to_string());
        assert_eq!(written, end, "{id} {}", key.subject);
    }
}

#[test]
fn tokens_and_documents_are_found_and_lookalikes_are_not() {
    let directory = tempfile::tempdir().unwrap();
    // The token of RFC 7519 §3.1: it ends at 1300819380.
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0\
                 dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let signed = r#"{"_type":"root","expires":"2031-05-06T07:08:09Z","version":3}"#;
    write("env", &format!("TOKEN={token}\n"));
    write("root.json", &format!(r#"{{"signatures":[{{}}],"signed":{signed}}}"#));
    write("leap-seconds.list", "#$\t 3676924800\n#@\t 3896899200\n2272060800\t10\n");
    write("unsigned.json", &format!(r#"{{"signed":{signed}}}"#));
    write("settings.json", r#"{"expires":"2031-05-06T07:08:09Z"}"#);
    write("cut", &token[..token.len() / 2]);
    write("other", "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.AAAA");
    write("notes", "#@ home 12\n# expires 2030\n");
    let inventory = scan(&directory);
    let mut found: Vec<(&str, UnixTime)> = inventory
        .credentials
        .iter()
        .map(|credential| (credential.places[0].path.as_str(), credential.not_after))
        .collect();
    found.sort_unstable();
    let expected = [
        ("/env", UnixTime::clamped(1_300_819_379)),
        ("/leap-seconds.list", UnixTime::clamped(3_896_899_200 - 2_208_988_800)),
        ("/root.json", at("2031-05-06T07:08:08Z")),
    ];
    assert_eq!(found, expected);
    assert!(!format!("{inventory:?}").contains(token), "a token is a secret");
}

#[test]
fn certificates_without_armour_and_in_joined_strings_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let script = r#"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out a.pem -subj /CN=a \
            -days 9 -addext keyUsage=digitalSignature
        digits=$(grep -v -- ----- a.pem | tr -d '\n')
        printf '{"keys":[{"kty":"EC","x5c":["%s"]}]}' $digits > jwks.json
        printf 'users:\n- user: { client-certificate-data: %s }\n' $(base64 -w0 a.pem) > config
        sed 's/.*/  "&\\n" +/' a.pem > joined.js
        sed 's/.*/  "&\\n"/' a.pem > joined.c
        grep -v -- ----- a.pem | sed 's/.*/  "&" +/' > digits.java
        base64 a.pem | sed 's/^/    /' > lines.yaml
        echo hello > text
        openssl smime -sign -in text -signer a.pem -inkey key.pem -nodetach -out smime.eml
        openssl cms -sign -in text -signer a.pem -inkey key.pem -nodetach -stream -outform DER | base64 > stream.p7
        openssl smime -sign -in text -signer a.pem -inkey key.pem -out detached.eml
        openssl x509 -in a.pem -outform DER | base64 -w0 | tr +/ -_ | tr -d = > url
        rm key.pem text"#;
    if !made("openssl", script, directory.path()) {
        return;
    }
    let inventory = scan(&directory);
    assert_eq!(inventory.credentials.len(), 1);
    let places: Vec<&str> = inventory.credentials[0].places.iter().map(|place| place.path.as_str()).collect();
    let expected = [
        "/a.pem",
        "/config",
        "/detached.eml",
        "/digits.java",
        "/joined.c",
        "/joined.js",
        "/jwks.json",
        "/lines.yaml",
        "/smime.eml",
        "/stream.p7",
        "/url",
    ];
    assert_eq!(places, expected);
}
