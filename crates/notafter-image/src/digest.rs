//! Content digests, and readers that compute them on the way.

use sha2::{Digest as _, Sha256, Sha512};
use std::fmt;
use std::io::{self, Read};

/// A digest as OCI writes it, `sha256:…` or `sha512:…`, with as many lower-case hexadecimal digits as it needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Digest(String);

impl Digest {
    /// Only what this accepts ever becomes a part of a path.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wanted = match text.split_once(':') {
            Some(("sha256", hex)) => (hex, 64),
            Some(("sha512", hex)) => (hex, 128),
            _ => return Err(format!("`{}` is no sha256 or sha512 digest", text.escape_debug())),
        };
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match wanted {
            (hex, len) if hex.len() == len && hex.bytes().all(is_hex) => Ok(Self(text.to_owned())),
            _ => Err(format!("`{}` is no digest", text.escape_debug())),
        }
    }

    /// The SHA-256 of `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex(&Sha256::digest(bytes))))
    }

    pub(crate) fn algorithm(&self) -> &str {
        self.0.split_once(':').map_or("", |(algorithm, _)| algorithm)
    }

    pub(crate) fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// The digest of `bytes` by the algorithm of this one.
    pub(crate) fn like(&self, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::like(self);
        hasher.update(bytes);
        hasher.finish()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[derive(Debug)]
enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    fn like(digest: &Digest) -> Self {
        match digest.algorithm() {
            "sha512" => Self::Sha512(Sha512::new()),
            _ => Self::Sha256(Sha256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Digest {
        Digest(match self {
            Self::Sha256(hasher) => format!("sha256:{}", hex(&hasher.finalize())),
            Self::Sha512(hasher) => format!("sha512:{}", hex(&hasher.finalize())),
        })
    }
}

/// Computes the digest of everything that is read through it.
#[derive(Debug)]
pub(crate) struct Hashing<R> {
    reader: R,
    hasher: Hasher,
}

impl<R: Read> Hashing<R> {
    /// By the algorithm of `model`.
    pub(crate) fn like(model: &Digest, reader: R) -> Self {
        Self { reader, hasher: Hasher::like(model) }
    }

    /// By SHA-256.
    pub(crate) fn sha256(reader: R) -> Self {
        Self { reader, hasher: Hasher::Sha256(Sha256::new()) }
    }

    /// Reads to the end; the digest of all of it.
    pub(crate) fn finish(mut self) -> io::Result<Digest> {
        let mut buffer = vec![0; 1 << 17];
        while self.read(&mut buffer)? > 0 {}
        Ok(self.hasher.finish())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..len]);
        Ok(len)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digests_are_digests() {
        let good = Digest::of(b"");
        assert_eq!(
            good.to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(Digest::parse(&good.to_string()), Ok(good.clone()));
        let long = format!("sha512:{}", "a".repeat(128));
        assert!(Digest::parse(&long).is_ok_and(|digest| digest.like(b"x").algorithm() == "sha512"));
        for bad in ["", "sha256:", "sha256:../../etc/passwd", "md5:d41d8cd98f00b204e9800998ecf8427e"] {
            assert!(Digest::parse(bad).is_err(), "{bad}");
        }
        assert!(Digest::parse(&good.to_string().to_uppercase()).is_err());
        assert_eq!(Hashing::sha256(&b""[..]).finish().unwrap(), good);
    }
}
