//! Whole files to broken ones.

use crate::chaos::random::Random;

/// Bytes that mean something to one format or the other.
const TELLING: [u8; 12] = [0, 1, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff, 0x30, b'-', b'"', b'\n'];

/// Breaks `file` in one to eight places.
pub(super) fn mutate(mut file: Vec<u8>, others: &[(String, Vec<u8>)], random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(8) {
        let len = file.len();
        let at = index(random, len);
        let end = (at + index(random, 64) + 1).min(len);
        match random.below(8) {
            0 | 1 if len > 0 => file[at] ^= 1 << random.below(8),
            2 | 3 if len > 0 => file[at] = TELLING[index(random, TELLING.len())],
            4 => {
                file.drain(at.min(len)..end);
            }
            5 => {
                let copied = file[at.min(len)..end].to_vec();
                file.splice(at..at, copied);
            }
            6 => {
                let (_, other) = &others[index(random, others.len())];
                let from = index(random, other.len());
                let until = (from + index(random, 512)).min(other.len());
                file.splice(at..at, other[from..until].iter().copied());
            }
            7 => file.truncate(at),
            _ => {}
        }
    }
    file
}

/// Below `len`; 0 where that is 0.
pub(super) fn index(random: &mut Random, len: usize) -> usize {
    usize::try_from(random.below(len as u64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_broken_in_the_same_way_from_the_same_seed() {
        let others = [("a".to_owned(), vec![7; 100]), ("b".to_owned(), Vec::new())];
        let broken = |seed| {
            let mut random = Random::from_seed(seed);
            (0..200).map(|_| mutate(b"-----BEGIN A-----".to_vec(), &others, &mut random)).collect::<Vec<_>>()
        };
        assert_eq!(broken(3), broken(3));
        assert!(broken(3).iter().filter(|file| *file != b"-----BEGIN A-----").count() > 150);
        assert_eq!(broken(4).len(), 200);
    }
}
