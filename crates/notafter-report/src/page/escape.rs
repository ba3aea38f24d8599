//! Text from outside, made harmless. A certificate's subject may hold an escape sequence that clears the screen, or
//! a bidirectional override that turns `block` into something else.

use std::borrow::Cow;
use unicode_width::UnicodeWidthChar;

/// More marks than this over one letter reach into the lines above and below.
const MARKS_PER_LETTER: usize = 2;

/// Whether `char` could move the cursor, reorder its neighbours or stand there unseen.
pub(crate) fn is_hostile(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{200b}'..='\u{200f}'     // zero-width characters and directional marks
            | '\u{2028}'..='\u{202e}'     // line separators, bidirectional embeddings and overrides
            | '\u{2060}'..='\u{206f}'     // invisible operators, bidirectional isolates
            | '\u{fff9}'..='\u{fffb}'     // interlinear annotations
            | '\u{e0000}'..='\u{e0fff}') // tags and unseen variation selectors
}

/// Shows every hostile character as `\u{…}` (`\n`, `\t` and `\r` as such) and leaves the rest alone. Escaping twice
/// changes nothing.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    let mut marks = 0;
    for char in text.chars() {
        marks = if char.width() == Some(0) { marks + 1 } else { 0 };
        if is_hostile(char) || marks > MARKS_PER_LETTER {
            safe.extend(char.escape_default());
        } else {
            safe.push(char);
        }
    }
    Cow::Owned(safe)
}

/// At most `max` characters of `text`; what is cut off is counted.
pub(crate) fn clip(text: &str, max: usize) -> Cow<'_, str> {
    let len = text.chars().count();
    if len <= max {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(max).collect();
    Cow::Owned(format!("{kept}… ({} more characters)", len - max))
}

/// One line of a log without its colours (which are no danger and only clutter), tabs as spaces, of bearable length.
pub(crate) fn log_line(line: &str) -> String {
    const MAX: usize = 300;
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("\u{1b}[") {
        let (before, sequence) = rest.split_at(at);
        plain.push_str(before);
        let parameters = sequence[2..].trim_start_matches(|char: char| char.is_ascii_digit() || char == ';');
        rest = match parameters.strip_prefix('m') {
            Some(after) => after,
            None => {
                plain.push('\u{1b}');
                &sequence[1..]
            }
        };
    }
    plain.push_str(rest);
    clip(&plain.replace('\t', "    "), MAX).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_reorders_or_hides_is_shown_as_an_escape() {
        for (text, shown) in [
            ("CN=hss", "CN=hss"),
            ("CN=Käse 検証", "CN=Käse 検証"),
            ("\u{1b}[2J\u{1b}]0;x\u{7}", "\\u{1b}[2J\\u{1b}]0;x\\u{7}"),
            ("a\nallow: b\r\tc", "a\\nallow: b\\r\\tc"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}kcolb\u{2066}", "\\u{202e}kcolb\\u{2066}"),
            ("pay\u{200b}pal\u{feff}", "pay\\u{200b}pal\\u{feff}"),
            ("e\u{301}\u{301}\u{301}\u{301}", "e\u{301}\u{301}\\u{301}\\u{301}"),
        ] {
            assert_eq!(escape(text), shown);
            assert_eq!(escape(shown), shown, "twice");
        }
    }

    #[test]
    fn long_text_is_clipped_at_a_character() {
        assert_eq!(clip("äöü", 3), "äöü");
        assert_eq!(clip("äöüß!", 3), "äöü… (2 more characters)");
    }

    #[test]
    fn logs_lose_colours_and_nothing_else() {
        assert_eq!(log_line("\u{1b}[1;31mERROR\u{1b}[0m\tbad \r"), "ERROR    bad");
        assert_eq!(log_line("\u{1b}[2Jx\u{1b}[m\u{1b}["), "\u{1b}[2Jx\u{1b}[");
    }
}
