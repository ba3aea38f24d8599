//! Commands that are written as one text, as shells split them.

/// The words of `text`: split at blanks, with single and double quotes and backslashes. None where a quote is left open,
/// or the last character escapes nothing.
pub(crate) fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            char if char.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        char => word.push(char),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            char @ ('"' | '\\' | '$' | '`') => word.push(char),
                            char => word.extend(['\\', char]),
                        },
                        char => word.push(char),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            char => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        let of = |text: &str| split(text).unwrap();
        assert_eq!(of("  redis-server  --save '' \n"), ["redis-server", "--save", ""]);
        assert_eq!(of(r#"sh -c "echo \"a b\" \n" c\ d"#), ["sh", "-c", r#"echo "a b" \n"#, "c d"]);
        assert_eq!(of("a'b c'd"), ["ab cd"]);
        assert!(of(" ").is_empty());
        for open in ["'a", "\"a", "a\\", "\"a\\"] {
            assert_eq!(split(open), None, "{open}");
        }
    }
}
