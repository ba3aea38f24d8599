//! Ways to put a certificate or a token into a file.

use super::kinds::held::Format;
use super::pki::{openssl, run};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Makes the file from `held.pem` in `directory`, and gives its name there.
pub(super) fn make(format: Format, ends: i64, program: &Path, directory: &Path) -> Result<String> {
    let file = format!("store.{}", format.word());
    match format {
        Format::Pem => {
            fs::copy(directory.join("held.pem"), directory.join(&file))?;
        }
        Format::Der => {
            openssl(directory, &format!("x509 -in held.pem -outform der -out {file}"))?;
        }
        Format::Appended => {
            openssl(directory, "x509 -in held.pem -outform der -out held.der")?;
            let der = fs::read(directory.join("held.der"))?;
            let mut bytes = fs::read(program).context("failed to read the program")?;
            bytes.extend_from_slice(&der);
            bytes.extend_from_slice(&u32::try_from(der.len())?.to_be_bytes());
            fs::write(directory.join(&file), bytes)?;
        }
        Format::Jks | Format::Pkcs12 => {
            let kind = if format == Format::Jks { "JKS" } else { "PKCS12" };
            let arguments = format!(
                "-importcert -noprompt -alias held -file held.pem -keystore {file} -storetype {kind} \
                 -storepass changeit"
            );
            run(Command::new("keytool").args(arguments.split_whitespace()).current_dir(directory))?;
        }
        Format::TarGz => {
            run(Command::new("tar").args(["-czf", &file, "held.pem"]).current_dir(directory))?;
        }
        Format::Zip => {
            // What makes JARs makes archives that everybody reads.
            run(Command::new("jar").args(["--create", "--file", &file, "held.pem"]).current_dir(directory))?;
        }
        Format::Jwt => {
            let claims = format!("{{\"iss\":\"soak\",\"sub\":\"service\",\"exp\":{ends}}}");
            let parts = [r#"{"alg":"HS256","typ":"JWT"}"#, &claims, "a signature that nobody verifies"];
            let token = parts.map(|part| base64url(part.as_bytes())).join(".");
            fs::write(directory.join(&file), token)?;
        }
    }
    Ok(file)
}

/// SHA-256 of the token that [`make`] made, as openssl tells it.
pub(super) fn token_sha256(directory: &Path) -> Result<String> {
    let told = openssl(directory, "dgst -sha256 -r store.jwt")?;
    Ok(told.split_whitespace().next().context("no digest")?.to_owned())
}

/// RFC 4648, section 5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(DIGITS[(word >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_base64_without_padding() {
        for (text, expected) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg")] {
            assert_eq!(base64url(text.as_bytes()), expected);
        }
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
    }
}
