//! Whole files to begin with, made by the tools of the system at the time of the run: nothing binary lies in the
//! repository.

use crate::printer;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// Program, and what it makes in the current directory.
const RECIPES: [(&str, &str); 7] = [
    (
        "openssl",
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out ca.pem -subj /CN=ca
         openssl x509 -in ca.pem -outform DER -out ca.der
         openssl pkey -in key.pem -outform DER -out key.der
         openssl pkcs12 -export -inkey key.pem -in ca.pem -passout pass: -iter 1 -out aes.p12
         openssl pkcs12 -export -inkey key.pem -in ca.pem -passout pass: -iter 1 -out des.p12 \
             -certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES
         printf '[ca]\\ndefault_ca = d\\n[d]\\ndatabase = i\\ncrlnumber = n\\ndefault_md = sha256\\n' > ca.cnf
         : > i; echo 0A > n
         openssl ca -config ca.cnf -gencrl -keyfile key.pem -cert ca.pem -crldays 9 | openssl crl -outform DER -out list.der
         openssl ocsp -index i -CA ca.pem -rsigner ca.pem -rkey key.pem -issuer ca.pem -serial 1 -ndays 5 \
             -respout answer.der -noverify
         printf '{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":[{\"type\":\"cryptographic-asset\",' > bill.json
         printf '\"name\":\"a\",\"cryptoProperties\":{\"assetType\":\"certificate\",\"certificateProperties\":' >> bill.json
         printf '{\"notValidAfter\":\"2030-01-01T00:00:00Z\"}}}]}' >> bill.json
         printf 'TOKEN=eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE5MDY1MDI0MDB9.WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo ' > token
         printf 'a. 9 SOA b. c. 1 9 9 9 9\\na. 9 RRSIG SOA 13 1 9 20300102030405 20260102030405 7 a. WloK\\n' > zone
         printf '{\"signatures\":[{}],\"signed\":{\"_type\":\"root\",\"expires\":\"2031-05-06T07:08:09Z\"}}' > root.json",
    ),
    (
        "gpg",
        "mkdir -m 700 home; export GNUPGHOME=$PWD/home
         gpg -q --batch --passphrase '' --quick-gen-key 'K <k@example.org>' ed25519 sign 100d
         cp home/pubring.kbx ring.kbx; gpg --export > ring.gpg; gpg --armor --export > ring.asc; gpgconf --kill all || true; rm -r home",
    ),
    (
        "ssh-keygen",
        "ssh-keygen -q -t ed25519 -N '' -f ssh; ssh-keygen -q -t ed25519 -N '' -f ssh-ca
         ssh-keygen -q -s ssh-ca -I user -n me -V 20300101:20300201 ssh.pub; rm ssh ssh-ca",
    ),
    ("keytool", "keytool -importcert -noprompt -file ca.pem -storetype JKS -keystore a.jks -storepass changeit"),
    ("python3", include_str!("says.sh")),
    ("python3", include_str!("pack.sh")),
    (
        "tar",
        "tar -cf a.tar ca.pem ca.der; gzip -k a.tar; tar -cf layer.tar.gz a.tar; tar -cJf a.tar.xz ca.pem
         mkdir image; cp a.tar image/layer.tar
         printf '{\"rootfs\":{\"diff_ids\":[\"sha256:0\"]},\"history\":[{\"created_by\":\"ADD a\"}]}' > image/config.json
         printf '[{\"Config\":\"config.json\",\"Layers\":[\"layer.tar\"]}]' > image/manifest.json
         tar -C image -cf image.tar manifest.json config.json layer.tar; rm -r image
         python3 -m zipfile -c a.zip ca.pem ca.der || true; ar r a.deb ca.pem a.tar.xz || true",
    ),
];

/// The files, with their names. A recipe whose program is missing is skipped aloud.
pub(super) fn make(directory: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    for (program, script) in RECIPES {
        let there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output()?;
        if !there.status.success() {
            printer::text(&format!("SKIPPED: {program} is not installed, its files are not mutated\n"));
            continue;
        }
        let made = Command::new("sh").args(["-euc", script]).current_dir(directory).output()?;
        ensure!(made.status.success(), "{program}: {}", String::from_utf8_lossy(&made.stderr));
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((
            name,
            std::fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?,
        ));
    }
    ensure!(!files.is_empty(), "nothing to begin with: none of the programs is installed");
    files.sort();
    Ok(files)
}
