//! The outline of DER (X.690 §8 and §10): tags and definite, minimal lengths.

/// Identifier octets that certificates use.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
    pub(crate) const CONTEXT_0: u8 = 0xa0;
    pub(crate) const CONTEXT_3: u8 = 0xa3;
    /// `[1] IMPLICIT BIT STRING`, and the same as written by encoders that keep the constructed bit.
    pub(crate) const UNIQUE_IDS: [u8; 4] = [0x81, 0x82, 0xa1, 0xa2];
    pub(super) const CONSTRUCTED: u8 = 0x20;
    pub(super) const HIGH_NUMBER: u8 = 0x1f;
}

/// Deeper than any certificate: names end at 5, extensions at 4 (their values are opaque octets).
const MAX_DEPTH: u32 = 16;

/// One element.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) contents: &'a [u8],
}

impl<'a> Element<'a> {
    pub(crate) fn reader(&self) -> Reader<'a> {
        Reader::new(self.contents)
    }
}

/// The first identifier octet, the length of the header and the length of the contents.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (&identifier, rest) = bytes.split_first()?;
    if identifier & tag::HIGH_NUMBER == tag::HIGH_NUMBER {
        return None; // no certificate needs tag numbers above 30 outside of opaque values
    }
    let (&first, rest) = rest.split_first()?;
    if first < 0x80 {
        return Some((identifier, 2, usize::from(first)));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return None; // indefinite, or beyond 4 GiB
    }
    let octets = rest.get(..count)?;
    let len = octets
        .iter()
        .try_fold(0_usize, |len, &octet| len.checked_mul(256)?.checked_add(usize::from(octet)))?;
    let minimal = octets[0] != 0 && len >= 0x80;
    minimal.then_some((identifier, 2 + count, len))
}

/// Length in bytes of the DER element that begins at the first byte, header included, judged by its header alone: the
/// element may reach beyond the end of `bytes`. None where no definite, minimal header stands there.
#[must_use]
pub fn element_len(bytes: &[u8]) -> Option<usize> {
    let (_, header_len, len) = header(bytes)?;
    header_len.checked_add(len)
}

/// Reads one element after the other.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element; none where nothing or nothing whole is left.
    pub(crate) fn next(&mut self) -> Option<Element<'a>> {
        let (identifier, header_len, len) = header(self.rest)?;
        let end = header_len.checked_add(len)?;
        let contents = self.rest.get(header_len..end)?;
        self.rest = &self.rest[end..];
        Some(Element { tag: identifier, contents })
    }

    /// Whether the next and only element has this tag; `check` then looks at it.
    pub(crate) fn holds_just(mut self, wanted: u8, check: impl FnOnce(Self) -> bool) -> bool {
        self.take(wanted).is_some_and(|element| check(element.reader())) && self.is_at_end()
    }

    /// Whether every element has this tag and passes `check`.
    pub(crate) fn holds_only(mut self, wanted: u8, check: impl Fn(Self) -> bool) -> bool {
        while !self.is_at_end() {
            if !self.take(wanted).is_some_and(|element| check(element.reader())) {
                return false;
            }
        }
        true
    }

    /// The next element, if it has this tag; otherwise the reader stays where it is.
    pub(crate) fn take(&mut self, wanted: u8) -> Option<Element<'a>> {
        let mut ahead = self.clone();
        let element = ahead.next().filter(|element| element.tag == wanted)?;
        *self = ahead;
        Some(element)
    }
}

/// Whether `bytes` are elements that fill it exactly, at every level of constructed elements.
pub(crate) fn is_filled_exactly(bytes: &[u8]) -> bool {
    fn check(bytes: &[u8], depth: u32) -> bool {
        let mut reader = Reader::new(bytes);
        while !reader.is_at_end() {
            let Some(element) = reader.next() else { return false };
            let constructed = element.tag & tag::CONSTRUCTED != 0;
            if constructed && (depth == 0 || !check(element.contents, depth - 1)) {
                return false;
            }
        }
        true
    }
    check(bytes, MAX_DEPTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_definite_and_minimal() {
        for (bytes, expected) in [
            (&[0x30, 0x00][..], Some(2)),
            (&[0x30, 0x7f], Some(129)),
            (&[0x30, 0x81, 0x80], Some(131)),
            (&[0x30, 0x82, 0x01, 0x00], Some(260)),
            (&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], Some(0xffff_ffff + 6)),
            (&[0x30, 0x80], None),
            (&[0x30, 0x81, 0x7f], None),
            (&[0x30, 0x82, 0x00, 0xff], None),
            (&[0x30, 0x82, 0x01], None),
            (&[0x30, 0x85, 1, 1, 1, 1, 1], None),
            (&[0x3f, 0x01], None),
            (&[0x30], None),
            (&[], None),
        ] {
            assert_eq!(element_len(bytes), expected, "{bytes:02x?}");
        }
    }

    #[test]
    fn constructed_elements_must_be_filled_by_their_children() {
        assert!(is_filled_exactly(&[0x30, 0x03, 0x02, 0x01, 0x05]));
        assert!(!is_filled_exactly(&[0x30, 0x04, 0x02, 0x01, 0x05, 0x00]));
        assert!(!is_filled_exactly(&[0x30, 0x03, 0x02, 0x02, 0x05]));
        assert!(is_filled_exactly(&[0x04, 0x02, 0xff, 0xff]), "octets are opaque");
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = (0..60).fold(Vec::new(), |inner, _| {
            let mut outer = vec![0x30, u8::try_from(inner.len()).unwrap()];
            outer.extend(inner);
            outer
        });
        assert!(!is_filled_exactly(&nested));
    }
}
