//! The certificates of a case: as the scenario declares them, or as files that openssl makes.

use super::calendar::{asn1, rfc3339};
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Who makes the certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// The gate, as the scenario says.
    ByGate,
    /// openssl, beforehand: the gate finds them.
    ByOpenssl,
}

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Ed25519,
    P256,
    P384,
    Rsa2048,
}

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Intermediate,
    Root,
    /// Of a host of the certificate's own name.
    Server,
}

/// A certificate to make.
#[derive(Debug, Clone, Copy)]
pub(super) struct Certificate {
    pub(super) name: &'static str,
    /// None for a root.
    pub(super) issuer: Option<&'static str>,
    pub(super) role: Role,
    pub(super) from: i64,
    pub(super) until: i64,
    pub(super) key: Key,
}

/// A revocation list that revokes nobody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crl {
    pub(super) name: &'static str,
    pub(super) issuer: &'static str,
    pub(super) from: i64,
    pub(super) until: i64,
}

/// All of a case, issuers first.
#[derive(Debug, Clone, Default)]
pub(super) struct Pki {
    pub(super) certificates: Vec<Certificate>,
    pub(super) crls: Vec<Crl>,
}

impl Pki {
    /// What stands under `credentials:`.
    pub(super) fn yaml(&self) -> String {
        let mut text = String::from("credentials:\n");
        for certificate in &self.certificates {
            let Certificate { name, from, until, .. } = certificate;
            let issuer = certificate.issuer.map_or(String::new(), |issuer| format!("issuer: {issuer}, "));
            let role = match certificate.role {
                Role::Client => "usage: [client]".to_owned(),
                Role::Intermediate => "ca: intermediate".to_owned(),
                Role::Root => "ca: root".to_owned(),
                Role::Server => format!("dns: [{name}], usage: [server]"),
            };
            let key = match certificate.key {
                Key::Ed25519 => "ed25519",
                Key::P256 => "p256",
                Key::P384 => "p384",
                Key::Rsa2048 => "rsa2048",
            };
            let validity = format!("{{ from: {}, until: {} }}", rfc3339(*from), rfc3339(*until));
            let _ = writeln!(
                text,
                "  {name}: {{ x509: {{ {issuer}{role}, subject: \"CN={name}\", key: {key}, validity: {validity} }} }}"
            );
        }
        for Crl { name, issuer, from, until } in &self.crls {
            let validity = format!("{{ from: {}, until: {} }}", rfc3339(*from), rfc3339(*until));
            let _ = writeln!(text, "  {name}: {{ crl: {{ issuer: {issuer}, validity: {validity} }} }}");
        }
        text
    }

    /// Makes `NAME.pem`, `NAME.chain.pem` (with the intermediates above it) and `NAME.key` in `directory`.
    pub(super) fn make(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory)?;
        for certificate in &self.certificates {
            self.make_one(certificate, directory)
                .with_context(|| format!("failed to make the certificate of {}", certificate.name))?;
        }
        for crl in &self.crls {
            configure(crl.issuer, directory, "")?;
            let (from, until) = (asn1(crl.from), asn1(crl.until));
            let (name, issuer) = (crl.name, crl.issuer);
            openssl(
                directory,
                &format!(
                    "ca -config {issuer}.cnf -gencrl -keyfile {issuer}.key -cert {issuer}.pem \
                     -crl_lastupdate {from} -crl_nextupdate {until} -out {name}.pem"
                ),
            )?;
        }
        Ok(())
    }

    fn make_one(&self, certificate: &Certificate, directory: &Path) -> Result<()> {
        let Certificate { name, issuer, from, until, .. } = certificate;
        let key = match certificate.key {
            Key::Ed25519 => "-algorithm ed25519",
            Key::P256 => "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
            Key::P384 => "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
            Key::Rsa2048 => "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
        };
        let extensions = match certificate.role {
            Role::Client => "extendedKeyUsage=clientAuth\nkeyUsage=critical,digitalSignature".to_owned(),
            Role::Intermediate | Role::Root => {
                "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign".to_owned()
            }
            Role::Server => {
                format!(
                    "extendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\nsubjectAltName=DNS:{name}"
                )
            }
        };
        let signer = issuer.unwrap_or(name);
        configure(signer, directory, &extensions)?;
        openssl(directory, &format!("genpkey {key} -out {name}.key"))?;
        openssl(
            directory,
            &format!("req -new -config {signer}.cnf -key {name}.key -subj /CN={name} -out {name}.csr"),
        )?;
        let signs = match issuer {
            Some(issuer) => format!("-keyfile {issuer}.key -cert {issuer}.pem"),
            None => format!("-selfsign -keyfile {name}.key"),
        };
        let (from, until) = (asn1(*from), asn1(*until));
        openssl(
            directory,
            &format!(
                "ca -batch -notext -config {signer}.cnf {signs} -in {name}.csr -out {name}.pem \
                 -startdate {from} -enddate {until}"
            ),
        )?;
        fs::write(directory.join(format!("{name}.chain.pem")), self.chain(name, directory)?)?;
        Ok(())
    }

    /// The certificate and the intermediates above it, as PEM.
    fn chain(&self, name: &str, directory: &Path) -> Result<String> {
        let mut text = String::new();
        let mut at = Some(name);
        while let Some(certificate) = self.certificates.iter().find(|other| Some(other.name) == at) {
            if certificate.role != Role::Root {
                text += &fs::read_to_string(directory.join(format!("{}.pem", certificate.name)))?;
            }
            at = certificate.issuer;
        }
        Ok(text)
    }
}

/// What `openssl ca` wants to read before it signs anything.
fn configure(signer: &str, directory: &Path, extensions: &str) -> Result<()> {
    let index = directory.join(format!("{signer}.index"));
    if !index.exists() {
        fs::write(&index, "")?;
        fs::write(directory.join(format!("{signer}.crlnumber")), "01\n")?;
        fs::write(directory.join(format!("{signer}.index.attr")), "unique_subject = no\n")?;
    }
    let text = format!(
        "[req]\ndistinguished_name=name\nprompt=no\n[name]\n[ca]\ndefault_ca=ca_default\n[ca_default]\n\
         database={signer}.index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=default\ncrlnumber={signer}.crlnumber\ncrl_extensions=list\npolicy=any\nx509_extensions=extensions\n\
         [any]\ncommonName=supplied\n[list]\nauthorityKeyIdentifier=keyid\n[extensions]\nsubjectKeyIdentifier=hash\n{extensions}\n"
    );
    fs::write(directory.join(format!("{signer}.cnf")), text)?;
    Ok(())
}

/// SHA-256 of a certificate or revocation list, as lower-case hex.
pub(super) fn sha256(directory: &Path, file: &str, what: &str) -> Result<String> {
    let told = openssl(directory, &format!("{what} -in {file} -noout -fingerprint -sha256"))?;
    let (_, digest) = told.trim().split_once('=').with_context(|| format!("no digest in {told:?}"))?;
    Ok(digest.replace(':', "").to_ascii_lowercase())
}

/// Runs openssl with these arguments, none of which holds a space.
pub(super) fn openssl(directory: &Path, arguments: &str) -> Result<String> {
    run(Command::new("openssl").args(arguments.split_whitespace()).current_dir(directory))
}

/// What a command writes to its standard output.
pub(super) fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("failed to run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
