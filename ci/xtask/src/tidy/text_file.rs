//! A text file of the repository, split into lines that know what they are.

use super::mask::mask;

/// One line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLine {
    /// As it stands in the file, without its line break.
    pub text: String,
    /// The same with comments and literals blanked, where the file is Rust.
    pub code: String,
    /// Whether it belongs to tests: in a file of tests, or in an item under `#[cfg(test)]`.
    pub is_test: bool,
}

/// A text file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// Relative to the root of the repository, with `/`.
    pub path: String,
    /// Its lines, from the first on.
    pub lines: Vec<SourceLine>,
}

impl TextFile {
    /// Splits `text`.
    #[must_use]
    pub fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") { mask(text) } else { text.to_owned() };
        let tests = test_lines(&code, is_test_path(path));
        let lines = text
            .lines()
            .zip(code.lines())
            .zip(tests)
            .map(|((text, code), is_test)| SourceLine {
                text: text.to_owned(),
                code: code.to_owned(),
                is_test,
            })
            .collect();
        Self { path: path.to_owned(), lines }
    }

    /// Whether it is Rust source.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Lines with their numbers, from 1.
    pub fn numbered(&self) -> impl Iterator<Item = (usize, &SourceLine)> {
        (1..).zip(&self.lines)
    }
}

/// Whether a whole file holds tests or benchmarks, by its path.
fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "benches" | "tests" | "tests.rs"))
}

/// For each line of masked source, whether it belongs to tests.
fn test_lines(code: &str, whole_file: bool) -> Vec<bool> {
    let mut open_test_item = false;
    let mut depth = 0_usize;
    let mut tests = Vec::new();
    for line in code.lines() {
        let starts = depth == 0 && line.trim_start().starts_with("#[cfg(test)]");
        open_test_item |= starts;
        tests.push(whole_file || open_test_item);
        if !open_test_item {
            continue;
        }
        for character in line.chars() {
            match character {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                ';' if depth == 0 => open_test_item = false,
                _ => {}
            }
            if character == '}' && depth == 0 {
                open_test_item = false;
            }
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests_of(path: &str, text: &str) -> Vec<usize> {
        let file = TextFile::new(path, text);
        file.numbered().filter(|(_, line)| line.is_test).map(|(number, _)| number).collect()
    }

    #[test]
    fn an_item_under_cfg_test_is_test_up_to_its_last_brace() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { \"}\"; }\n}\nfn c() {}\n";
        assert_eq!(tests_of("src/a.rs", text), [2, 3, 4, 5]);
    }

    #[test]
    fn a_declared_test_module_is_one_item() {
        assert_eq!(tests_of("src/a.rs", "#[cfg(test)]\nmod tests;\nfn c() {}\n"), [1, 2]);
        assert_eq!(tests_of("src/a.rs", "#[cfg(test)] use a::b;\nfn c() {}\n"), [1]);
        assert_eq!(tests_of("src/a.rs", "#[cfg(test)]\nfn b(c: [u8; 2]) {\n}\nfn d() {}\n"), [1, 2, 3]);
    }

    #[test]
    fn files_of_tests_are_test_throughout() {
        for path in ["src/tests.rs", "crates/a/tests/e2e.rs", "crates/a/src/tests/b.rs", "benches/b.rs"] {
            assert_eq!(tests_of(path, "fn a() {}\n"), [1], "{path}");
        }
        for path in ["src/latest.rs", "src/attests/a.rs"] {
            assert!(tests_of(path, "fn a() {}\n").is_empty(), "{path}");
        }
    }
}
