//! Java key stores of the forms JKS and JCEKS: which certificate has its private key beside it.
//!
//! Certificates lie there in the clear, keys under a password. Nothing is decrypted.

/// How stores of both forms begin, without the version.
pub const JKS_MAGICS: [&[u8]; 2] = [b"\xfe\xed\xfe\xed\0\0\0", b"\xce\xce\xce\xce\0\0\0"];

const PRIVATE_KEY: u32 = 1;
const TRUSTED: u32 = 2;
/// As many entries as are read.
const MAX_ENTRIES: u32 = 100_000;

/// Where the certificates begin that a private key of the store belongs to, in bytes. What follows an entry of an
/// unknown kind is not read: its length is not told.
#[must_use]
pub fn jks_certificates_with_keys(store: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    // A store that ends early tells what it holds up to there.
    _ = read(store, &mut found);
    found
}

fn read(store: &[u8], found: &mut Vec<usize>) -> Option<()> {
    if !JKS_MAGICS.iter().any(|magic| store.starts_with(magic)) {
        return None;
    }
    let mut fields = Fields { store, at: 4 };
    let version = fields.u32()?;
    for _ in 0..fields.u32()?.min(MAX_ENTRIES) {
        let kind = fields.u32()?;
        fields.text()?; // alias
        fields.skip(8)?; // creation
        match kind {
            PRIVATE_KEY => {
                fields.long()?;
                for index in 0..fields.u32()? {
                    let begin = fields.certificate(version)?;
                    if index == 0 {
                        found.push(begin);
                    }
                }
            }
            TRUSTED => {
                fields.certificate(version)?;
            }
            _ => return None,
        }
    }
    Some(())
}

struct Fields<'a> {
    store: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    fn skip(&mut self, len: usize) -> Option<()> {
        self.at = self.at.checked_add(len).filter(|end| *end <= self.store.len())?;
        Some(())
    }

    fn u32(&mut self) -> Option<u32> {
        let bytes = self.store.get(self.at..self.at + 4)?;
        self.at += 4;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }

    /// Text with its length in two bytes.
    fn text(&mut self) -> Option<()> {
        let bytes = self.store.get(self.at..self.at + 2)?;
        let len = usize::from(u16::from_be_bytes(bytes.try_into().ok()?));
        self.skip(2 + len)
    }

    /// Bytes with their length in four; where they begin.
    fn long(&mut self) -> Option<usize> {
        let len = usize::try_from(self.u32()?).ok()?;
        let begin = self.at;
        self.skip(len)?;
        Some(begin)
    }

    fn certificate(&mut self, version: u32) -> Option<usize> {
        if version == 2 {
            self.text()?; // X.509
        }
        self.long()
    }
}
