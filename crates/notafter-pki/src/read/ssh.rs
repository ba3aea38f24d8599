//! OpenSSH certificates (PROTOCOL.certkeys of OpenSSH).

use super::certificate::fingerprint;
use super::compact::base64_run;
use super::pem::decode_base64;
use notafter_core::{Credential, CredentialKind, UnixTime};

/// What stands between the algorithm of an SSH certificate and its base64.
pub const SSH_CERTIFICATE_MARK: &[u8] = b"-cert-v01@openssh.com ";

/// Longer certificates do not count, in bytes of base64.
const MAX_LEN: usize = 64 * 1024;

/// The certificate whose base64 begins at the first byte, right behind [`SSH_CERTIFICATE_MARK`], and the length of
/// that base64.
#[must_use]
pub fn ssh_certificate_after(bytes: &[u8]) -> Option<(Credential, usize)> {
    let run = base64_run(&bytes[..bytes.len().min(MAX_LEN)]);
    let blob = decode_base64(run)?;
    Some((certificate(&blob)?, run.len()))
}

fn certificate(blob: &[u8]) -> Option<Credential> {
    let mut wire = Wire(blob);
    let algorithm = wire.text()?;
    let key = algorithm.strip_suffix("-cert-v01@openssh.com")?;
    let key_fields = match key {
        "ssh-ed25519" => 1,
        "ssh-rsa" | "rsa-sha2-256" | "rsa-sha2-512" | "sk-ssh-ed25519" => 2,
        "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => 2,
        "sk-ecdsa-sha2-nistp256" => 3,
        "ssh-dss" => 4,
        _ => return None,
    };
    wire.string()?; // nonce
    for _ in 0..key_fields {
        wire.string()?;
    }
    let serial = wire.u64()?;
    let kind = match wire.u32()? {
        1 => "user",
        2 => "host",
        _ => return None,
    };
    let id: String = wire.text()?.chars().filter(|character| !character.is_control()).collect();
    wire.string()?; // principals
    let (from, before) = (wire.u64()?, wire.u64()?);
    for _ in 0..5 {
        wire.string()?; // critical options, extensions, reserved, signature key, signature
    }
    if !wire.0.is_empty() {
        return None;
    }
    // 0 and the largest number stand for "always" and "forever".
    let not_before = if from == 0 { UnixTime::MIN } else { instant(from) };
    let not_after = if before == u64::MAX { UnixTime::NO_EXPIRY } else { instant(before.saturating_sub(1)) };
    Some(Credential {
        subject: format!("SSH {kind} certificate {id}"),
        serial: format!("{serial:X}"),
        not_before,
        not_after,
        ..Credential::found(CredentialKind::SshCertificate, fingerprint(blob))
    })
}

fn instant(secs: u64) -> UnixTime {
    UnixTime::clamped(i64::try_from(secs).unwrap_or(i64::MAX))
}

/// Fields as SSH writes them (RFC 4251 §5).
struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u32()?).ok()?;
        self.take(len)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.string()?).ok()
    }
}
