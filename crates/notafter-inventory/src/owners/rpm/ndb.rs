//! The form that SUSE uses (rpm, `lib/backend/ndb/rpmpkg.c`): pages of slots, and each slot tells where the blob of a
//! package lies. Numbers have the lowest byte first.

use super::le32;

const DATABASE_MAGIC: u32 = u32::from_le_bytes(*b"RpmP");
const SLOT_MAGIC: u32 = u32::from_le_bytes(*b"Slot");
const BLOB_MAGIC: u32 = u32::from_le_bytes(*b"BlbS");
/// Where the head of the file has the number of pages of slots; the head itself takes the place of two slots.
const PAGES_AT: usize = 12;
const HEAD_SLOTS: usize = 2;
const PAGE_LEN: usize = 4096;
const SLOT_LEN: usize = 16;
/// In which blobs are placed, in bytes.
const BLOCK_LEN: usize = 16;
/// What stands before the bytes of a blob: magic, number of the package, generation, length.
const BLOB_HEAD_LEN: usize = 16;

/// Hands each header to `look`.
pub(super) fn read(database: Vec<u8>, look: &mut dyn FnMut(&[u8])) {
    if le32(&database, 0) != Some(DATABASE_MAGIC) {
        return;
    }
    let pages = le32(&database, PAGES_AT).and_then(|pages| usize::try_from(pages).ok()).unwrap_or(0);
    let slots = &database[..pages.saturating_mul(PAGE_LEN).min(database.len())];
    // No two blobs lie in one place: all together they are no longer than the file.
    let mut left = database.len();
    for slot in slots.chunks_exact(SLOT_LEN).skip(HEAD_SLOTS) {
        let Some(blob) = blob(&database, slot) else { continue };
        left = match left.checked_sub(blob.len()) {
            Some(left) => left,
            None => return,
        };
        look(blob);
    }
}

/// What a slot in use points to; none where it lies.
fn blob<'a>(database: &'a [u8], slot: &[u8]) -> Option<&'a [u8]> {
    let package = le32(slot, 4).filter(|package| le32(slot, 0) == Some(SLOT_MAGIC) && *package != 0)?;
    let at = usize::try_from(le32(slot, 8)?).ok()?.checked_mul(BLOCK_LEN)?;
    let whole = database.get(at..)?;
    let is_its = le32(whole, 0) == Some(BLOB_MAGIC) && le32(whole, 4) == Some(package);
    let len = usize::try_from(le32(whole, 12).filter(|_| is_its)?).ok()?;
    whole.get(BLOB_HEAD_LEN..)?.get(..len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_damaged_claims_less() {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let at = u32::try_from(PAGE_LEN / BLOCK_LEN).unwrap();
        let mut whole = words(&[DATABASE_MAGIC, 0, 1, 1, 3, 0, 0, 0]);
        whole.extend(words(&[SLOT_MAGIC, 1, at, 3, SLOT_MAGIC, 0, 0, 0, SLOT_MAGIC, 2, at + 3, 2]));
        whole.resize(PAGE_LEN, 0);
        whole.extend(words(&[BLOB_MAGIC, 1, 1, 20]));
        whole.extend([b'a'; 32]);
        whole.extend(words(&[BLOB_MAGIC, 2, 1, 10]));
        whole.extend([b'b'; 16]);
        let mut found = Vec::new();
        read(whole.clone(), &mut |blob| found.push(blob.to_vec()));
        assert_eq!(found, [vec![b'a'; 20], vec![b'b'; 10]]);
        super::super::survives_damage(read, &whole, whole.len());
    }
}
