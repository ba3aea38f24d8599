//! Variables in the values of Compose files: every form that its specification has.

use crate::variables::{ExpandError, Expansion, Lookup};

/// References within defaults of references.
const MAX_DEPTH: usize = 8;

/// Puts in the values of `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:+other}`, `${NAME+other}`,
/// `${NAME:?why}` and `${NAME?why}`; defaults may hold references. `$$` is a dollar sign. What is put in is not looked at
/// again.
///
/// A variable that is not set and has no default is an error: Compose would warn and go on with nothing.
pub(crate) fn interpolate(
    text: &str,
    lookup: Lookup<'_>,
    max_bytes: usize,
) -> Result<(String, Expansion), ExpandError> {
    if !text.contains('$') {
        return match text.len() > max_bytes {
            true => Err(ExpandError::TooLong),
            false => Ok((text.to_owned(), Expansion::Literal)),
        };
    }
    let mut left = max_bytes;
    let mut expansion = Expansion::Literal;
    let value = expand(text, lookup, MAX_DEPTH, &mut left, &mut expansion)?;
    Ok((value, expansion))
}

fn expand(
    text: &str,
    lookup: Lookup<'_>,
    depth: usize,
    left: &mut usize,
    expansion: &mut Expansion,
) -> Result<String, ExpandError> {
    let mut value = String::new();
    let mut put = |piece: &str, left: &mut usize| {
        *left = left.checked_sub(piece.len()).ok_or(ExpandError::TooLong)?;
        value.push_str(piece);
        Ok(())
    };
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        put(&rest[..at], left)?;
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            put("$", left)?;
            rest = after;
            continue;
        }
        *expansion = Expansion::Expanded;
        let (inner, after) = match rest.strip_prefix('{') {
            Some(inner) => {
                let end = closing(inner).ok_or(ExpandError::Malformed)?;
                (&inner[..end], &inner[end + 1..])
            }
            None => rest.split_at(name_len(rest)),
        };
        let word = |word: &str, left: &mut usize, expansion: &mut Expansion| {
            let depth = depth.checked_sub(1).ok_or(ExpandError::Malformed)?;
            expand(word, lookup, depth, left, expansion)
        };
        let (name, operator) = inner.split_at(name_len(inner));
        if name.is_empty() {
            return Err(ExpandError::Malformed);
        }
        let set = lookup(name);
        let filled = set.clone().filter(|value| !value.is_empty());
        let undefined = || ExpandError::Undefined { name: name.to_owned() };
        let found = if operator.is_empty() {
            set.ok_or_else(undefined)?
        } else if let Some(default) = operator.strip_prefix(":-") {
            filled.map_or_else(|| word(default, left, expansion), Ok)?
        } else if let Some(default) = operator.strip_prefix('-') {
            set.map_or_else(|| word(default, left, expansion), Ok)?
        } else if let Some(other) = operator.strip_prefix(":+") {
            filled.map_or(Ok(String::new()), |_| word(other, left, expansion))?
        } else if let Some(other) = operator.strip_prefix('+') {
            set.map_or(Ok(String::new()), |_| word(other, left, expansion))?
        } else if let Some(why) = operator.strip_prefix(":?") {
            filled.ok_or_else(|| ExpandError::Required { name: name.to_owned(), why: why.to_owned() })?
        } else if let Some(why) = operator.strip_prefix('?') {
            set.ok_or_else(|| ExpandError::Required { name: name.to_owned(), why: why.to_owned() })?
        } else {
            return Err(ExpandError::Malformed);
        };
        put(&found, left)?;
        rest = after;
    }
    put(rest, left)?;
    Ok(value)
}

/// How many bytes at the start of `text` can name a variable.
fn name_len(text: &str) -> usize {
    let is_first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    match text.bytes().next() {
        Some(first) if is_first(first) => {
            text.bytes().take_while(|byte| is_first(*byte) || byte.is_ascii_digit()).count()
        }
        _ => 0,
    }
}

/// Where the brace is that closes the reference in which `text` begins.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'$' if bytes.get(at + 1) == Some(&b'{') => {
                open += 1;
                at += 1;
            }
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "A" => Some("a$B".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn every_form_of_the_specification() {
        for (text, expected) in [
            ("plain", "plain"),
            ("<$A>-${A}", "<a$B>-a$B"),
            ("$$A $${A}", "$A ${A}"),
            ("${EMPTY}", ""),
            ("${NONE:-x y}", "x y"),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY-x}", ""),
            ("${NONE-x}", "x"),
            ("${A:+set}|${EMPTY:+set}|${EMPTY+set}|${NONE+set}", "set||set|"),
            ("${A:?why}${EMPTY?why}", "a$B"),
            ("${NONE:-${EMPTY:-${A}}}!", "a$B!"),
            ("${NONE:-a}b}", "ab}"),
            ("${NONE:-http://host:80/}", "http://host:80/"),
        ] {
            assert_eq!(interpolate(text, &lookup, 1_000).unwrap().0, expected, "{text}");
        }
        assert_eq!(interpolate("$$", &lookup, 10).unwrap().1, Expansion::Literal);
        assert_eq!(interpolate("$A", &lookup, 10).unwrap().1, Expansion::Expanded);
    }

    #[test]
    fn what_cannot_be_put_in_is_an_error() {
        let of = |text: &str| interpolate(text, &lookup, 100).unwrap_err();
        let undefined = ExpandError::Undefined { name: "NONE".to_owned() };
        assert_eq!(of("$NONE"), undefined);
        assert_eq!(of("${A:+${NONE}}"), undefined);
        let required = |why: &str| ExpandError::Required { name: "NONE".to_owned(), why: why.to_owned() };
        assert_eq!(of("${NONE:?say it}"), required("say it"));
        for text in ["$", "$1", "${", "${}", "${A", "${A:}", "${A:=x}", "${ A}", "${1}"] {
            assert_eq!(of(text), ExpandError::Malformed, "{text}");
        }
        let deep = format!("{}x{}", "${NONE:-".repeat(50), "}".repeat(50));
        assert_eq!(of(&deep), ExpandError::Malformed);
        assert_eq!(interpolate(&"$A".repeat(40), &lookup, 100), Err(ExpandError::TooLong));
    }
}
