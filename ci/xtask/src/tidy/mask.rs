//! Rust source with comments and literals blanked out: enough of a lexer that a rule about code does not trip over
//! what a comment or a message says.

/// What the text at a position belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Region {
    BlockComment { depth: u32 },
    Code,
    LineComment,
    RawString { hashes: usize },
    String,
}

/// `source` with every character of comments and of string and character literals replaced by a space. Line breaks
/// stay, so that lines and columns (in characters) are those of `source`.
pub(super) fn mask(source: &str) -> String {
    let characters: Vec<char> = source.chars().collect();
    let mut masked = String::with_capacity(source.len());
    let mut region = Region::Code;
    let mut position = 0;
    while let Some(rest) = characters.get(position..).filter(|rest| !rest.is_empty()) {
        let (next, length) = advance(region, rest, position.checked_sub(1).map(|before| characters[before]));
        let visible = region == Region::Code && next == Region::Code && !is_character_literal(rest, length);
        for character in rest.iter().take(length) {
            masked.push(if visible || *character == '\n' { *character } else { ' ' });
        }
        region = next;
        position += length;
    }
    masked
}

/// The region after the next token of `rest`, and that token's length; at least 1.
fn advance(region: Region, rest: &[char], before: Option<char>) -> (Region, usize) {
    match region {
        Region::BlockComment { depth } => match rest {
            ['*', '/', ..] if depth == 1 => (Region::Code, 2),
            ['*', '/', ..] => (Region::BlockComment { depth: depth - 1 }, 2),
            ['/', '*', ..] => (Region::BlockComment { depth: depth + 1 }, 2),
            _ => (region, 1),
        },
        Region::Code => open(rest, before),
        Region::LineComment if rest.first() == Some(&'\n') => (Region::Code, 1),
        Region::LineComment => (region, 1),
        Region::RawString { hashes } => {
            let ends = rest.first() == Some(&'"')
                && rest.iter().skip(1).take_while(|c| **c == '#').count() >= hashes;
            if ends { (Region::Code, 1 + hashes) } else { (region, 1) }
        }
        Region::String => match rest {
            ['\\', _, ..] => (region, 2),
            ['"', ..] => (Region::Code, 1),
            _ => (region, 1),
        },
    }
}

/// As [`advance`], from code on.
fn open(rest: &[char], before: Option<char>) -> (Region, usize) {
    match rest {
        ['/', '/', ..] => (Region::LineComment, 2),
        ['/', '*', ..] => (Region::BlockComment { depth: 1 }, 2),
        ['"', ..] => (Region::String, 1),
        ['\'', '\\', ..] => (Region::Code, character_length(rest)),
        ['\'', _, '\'', ..] => (Region::Code, 3),
        // `r"` and `r#"`, with `b` or `c` before it or not; but neither `r#keyword` nor an identifier that ends in r.
        ['r', after @ ..] if !before.is_some_and(|c| is_identifier(c) && !matches!(c, 'b' | 'c')) => {
            let hashes = after.iter().take_while(|c| **c == '#').count();
            match after.get(hashes) {
                Some('"') => (Region::RawString { hashes }, hashes + 2),
                _ => (Region::Code, 1),
            }
        }
        _ => (Region::Code, 1),
    }
}

/// The length of a character literal that begins with an escape.
fn character_length(rest: &[char]) -> usize {
    rest.iter().skip(3).position(|c| *c == '\'').map_or(rest.len(), |end| end + 4)
}

fn is_character_literal(token: &[char], length: usize) -> bool {
    length > 1 && token.first() == Some(&'\'')
}

fn is_identifier(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &str) {
        assert_eq!(mask(source), expected, "{source:?}");
        assert_eq!(mask(source).chars().count(), source.chars().count(), "{source:?}");
    }

    #[test]
    fn comments_go_and_lines_stay() {
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */ d */ e", "a                   e");
        check("a /*\n*/ b", "a   \n   b");
        check("/// unsafe\nfn f() {}", "          \nfn f() {}");
    }

    #[test]
    fn literals_go() {
        check(r#"f("unsafe") + g"#, "f(        ) + g");
        check(r#"f("\"{") + g"#, "f(     ) + g");
        check(r##"f(r#"a"b"#, b)"##, "f(        , b)");
        check(r#"f(br"{", b"{", c)"#, "f(b    , b   , c)");
        check("f('{', '\\'', '\\u{7b}', b'{')", "f(   ,     ,         , b   )");
    }

    #[test]
    fn what_looks_like_a_literal_stays() {
        check("fn f<'a>(x: &'a str) -> &'a str {", "fn f<'a>(x: &'a str) -> &'a str {");
        check("let r#type = var;", "let r#type = var;");
        check("a / b * c", "a / b * c");
        check("'outer: loop { break 'outer; }", "'outer: loop { break 'outer; }");
    }

    #[test]
    fn an_unfinished_literal_ends_with_the_file() {
        for source in ["\"abc", "r#\"abc", "/* abc", "'\\", "'\\n", "r#", "\"\\"] {
            assert_eq!(mask(source).chars().count(), source.chars().count(), "{source:?}");
        }
    }
}
