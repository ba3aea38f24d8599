//! The form before rpm 4.16: a hash table of Berkeley DB, whose values are the headers. Numbers are in the byte order of
//! the machine that wrote it (Berkeley DB, `src/dbinc/db_page.h`).

use std::cell::Cell;

/// Where the first page has its magic, how long pages are, and the number of the last one.
const MAGIC_AT: usize = 12;
const MAGIC: u32 = 0x0006_1561;
const PAGE_LEN_AT: usize = 20;
const LAST_PAGE_AT: usize = 32;
/// What pages are told apart by.
const TYPE_AT: usize = 25;
const UNSORTED_HASH_PAGE: u8 = 2;
const HASH_PAGE: u8 = 13;
const OVERFLOW_PAGE: u8 = 7;
/// Where a page has the number of the next one of a chain, how many items it has, and where its items begin: of an overflow
/// page, how many bytes it holds.
const NEXT_AT: usize = 16;
const ENTRIES_AT: usize = 20;
const FREE_AT: usize = 22;
const PAGE_HEAD_LEN: usize = 26;
/// An item that lies in the page itself, and one that fills pages of its own: their first, and its length.
const IN_PAGE: u8 = 1;
const OFF_PAGE: u8 = 3;
const FIRST_PAGE_AT: usize = 4;
const ITEM_LEN_AT: usize = 8;
/// Shorter values hold no header: the number of the next package has four bytes.
const SHORTEST_HEADER: usize = 8;

/// Hands each header to `look`.
pub(super) fn read(database: Vec<u8>, look: &mut dyn FnMut(&[u8])) {
    let Some(table) = Table::of(&database) else { return };
    for page in (1..=table.last_page).map_while(|number| table.page(number)) {
        for value in table.values(page).filter(|value| value.len() > SHORTEST_HEADER) {
            look(&value);
        }
    }
}

struct Table<'a> {
    bytes: &'a [u8],
    page_len: usize,
    last_page: u32,
    is_big_endian: bool,
    /// How many pages of values were not read yet: no two values share one.
    unread: Cell<usize>,
}

impl<'a> Table<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let magic: [u8; 4] = *bytes.get(MAGIC_AT..)?.first_chunk()?;
        let is_big_endian = match (u32::from_le_bytes(magic), u32::from_be_bytes(magic)) {
            (MAGIC, _) => false,
            (_, MAGIC) => true,
            _ => return None,
        };
        let mut table = Self { bytes, page_len: 0, last_page: 0, is_big_endian, unread: Cell::new(0) };
        table.page_len = usize::try_from(table.word(bytes, PAGE_LEN_AT)?).ok()?;
        table.last_page = table.word(bytes, LAST_PAGE_AT)?;
        // From 512 bytes to 64 KiB, DB->set_pagesize(3).
        if !(512..=65_536).contains(&table.page_len) || !table.page_len.is_power_of_two() {
            return None;
        }
        table.unread = Cell::new(bytes.len() / table.page_len);
        Some(table)
    }

    fn page(&self, number: u32) -> Option<&'a [u8]> {
        let at = usize::try_from(number).ok()?.checked_mul(self.page_len)?;
        self.bytes.get(at..)?.get(..self.page_len)
    }

    /// The values of a page of the table, behind the key of each; none of any other page.
    fn values(&self, page: &'a [u8]) -> impl Iterator<Item = Vec<u8>> {
        let is_table = matches!(page[TYPE_AT], UNSORTED_HASH_PAGE | HASH_PAGE);
        let count = if is_table { self.half(page, ENTRIES_AT).unwrap_or(0) } else { 0 };
        let offset = |index: usize| self.half(page, PAGE_HEAD_LEN + 2 * index);
        // Items are laid from the end of the page on, so each ends where the one before it begins.
        (1..count).step_by(2).filter_map(move |index| {
            let item = page.get(offset(index)?..offset(index - 1)?)?;
            match *item.first()? {
                IN_PAGE => Some(item[1..].to_vec()),
                OFF_PAGE => self.chain(item),
                _ => None,
            }
        })
    }

    /// What fills pages of its own.
    fn chain(&self, item: &[u8]) -> Option<Vec<u8>> {
        let len = usize::try_from(self.word(item, ITEM_LEN_AT)?).ok()?;
        let mut value = Vec::new();
        let mut next = self.word(item, FIRST_PAGE_AT)?;
        while value.len() < len {
            self.unread.set(self.unread.get().checked_sub(1)?);
            let page = self.page(next).filter(|page| page[TYPE_AT] == OVERFLOW_PAGE)?;
            let held = page.get(PAGE_HEAD_LEN..)?.get(..self.half(page, FREE_AT)?)?;
            value.extend_from_slice(&held[..held.len().min(len - value.len())]);
            next = self.word(page, NEXT_AT)?;
        }
        Some(value)
    }

    fn word(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let four = *bytes.get(at..)?.first_chunk()?;
        Some(if self.is_big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    }

    fn half(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let two = *bytes.get(at..)?.first_chunk()?;
        Some(usize::from(if self.is_big_endian { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_LEN: usize = 512;

    /// A table with one value in its page and one in two pages of its own.
    fn table(word: fn(u32) -> [u8; 4], half: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let mut whole = vec![0; 4 * PAGE_LEN];
        let mut put = |page: usize, at: usize, bytes: &[u8]| {
            let at = page * PAGE_LEN + at;
            whole[at..at + bytes.len()].copy_from_slice(bytes);
        };
        put(0, MAGIC_AT, &word(MAGIC));
        put(0, PAGE_LEN_AT, &word(512));
        put(0, LAST_PAGE_AT, &word(3));
        put(1, TYPE_AT, &[HASH_PAGE]);
        put(1, ENTRIES_AT, &half(4));
        for (index, offset) in [507_u16, 486, 481, 469].into_iter().enumerate() {
            put(1, PAGE_HEAD_LEN + 2 * index, &half(offset));
        }
        put(1, 486, &[&[IN_PAGE][..], &[b'a'; 20]].concat());
        put(1, 469, &[&[OFF_PAGE, 0, 0, 0][..], &word(2), &word(500)].concat());
        for (page, next, held) in [(2, 3, 486_u16), (3, 0, 14)] {
            put(page, TYPE_AT, &[OVERFLOW_PAGE]);
            put(page, NEXT_AT, &word(next));
            put(page, FREE_AT, &half(held));
            put(page, PAGE_HEAD_LEN, &vec![b'b'; usize::from(held)]);
        }
        whole
    }

    #[test]
    fn a_database_of_either_byte_order_is_read_and_one_that_is_damaged_claims_less() {
        let tables = [table(u32::to_le_bytes, u16::to_le_bytes), table(u32::to_be_bytes, u16::to_be_bytes)];
        for whole in tables {
            let mut found = Vec::new();
            read(whole.clone(), &mut |blob| found.push(blob.to_vec()));
            assert_eq!(found, [vec![b'a'; 20], vec![b'b'; 500]]);
            super::super::survives_damage(read, &whole, whole.len());
        }
    }
}
