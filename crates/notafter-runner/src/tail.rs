//! The ends of logs.

/// The last bytes of `text`, at most `limit`, from the beginning of a line where the cut leaves one whole.
pub(crate) fn tail(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut from = text.len() - limit;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let cut = &text[from..];
    match cut.find('\n') {
        Some(end) if end + 1 < cut.len() && !text[..from].ends_with('\n') => &cut[end + 1..],
        _ => cut,
    }
}

#[cfg(test)]
mod tests {
    use super::tail;

    #[test]
    fn a_tail_begins_with_a_whole_line_and_never_inside_a_character() {
        for (text, limit, expected) in [
            ("short", 10, "short"),
            ("one\ntwo\nthree\n", 8, "three\n"),
            ("one\ntwo\n", 4, "two\n"),
            ("no line break here", 4, "here"),
            ("ääää", 3, "ä"),
            ("endless\n", 3, "ss\n"),
        ] {
            assert_eq!(tail(text, limit), expected, "{text:?} {limit}");
        }
    }
}
