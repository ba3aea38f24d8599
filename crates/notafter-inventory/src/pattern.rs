//! Patterns of paths to the files that they match.

use crate::Error;
use crate::tree::{Listing, Root, list_below};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// One part of a pattern, between two slashes.
#[derive(Debug, PartialEq, Eq)]
enum Segment {
    /// `**`: any number of directories, none included.
    AnyDepth,
    /// A name as it stands.
    Literal(String),
    /// A name with wildcards.
    Wild(Vec<Token>),
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// `?`.
    AnyOne,
    /// `*`.
    AnyRun,
    /// `[a-z]`, or `[!a-z]`.
    Class { negated: bool, ranges: Vec<(char, char)> },
    /// A character as it stands.
    One(char),
}

/// The files that one pattern matches, and what could not be listed on the way.
pub(crate) fn expand(root: &Root, text: &str) -> Result<Listing, Error> {
    let segments = parse(text).map_err(|reason| Error::Pattern { pattern: text.to_owned(), reason })?;
    let mut listing = Listing::default();
    descend(root, Path::new("/"), &segments, &mut listing);
    if listing.files.is_empty() && listing.opaque.is_empty() {
        return Err(Error::NoMatch { pattern: text.to_owned() });
    }
    Ok(listing)
}

/// Follows `segments` down from `inside`, a path without links.
fn descend(root: &Root, inside: &Path, segments: &[Segment], listing: &mut Listing) {
    match segments {
        [] => add(root, inside, listing),
        [Segment::Literal(name), rest @ ..] => match root.resolve(&inside.join(name)) {
            Ok(next) => descend(root, &next, rest, listing),
            Err(error) if matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::NotFound) => {}
            Err(error) => listing.add_opaque(&inside.join(name), &error),
        },
        [Segment::Wild(tokens), rest @ ..] => {
            for name in names(root, inside, listing) {
                let characters: Vec<char> = name.to_string_lossy().chars().collect();
                if matches(tokens, &characters)
                    && let Ok(next) = root.resolve(&inside.join(&name))
                {
                    descend(root, &next, rest, listing);
                }
            }
        }
        [Segment::AnyDepth, rest @ ..] => {
            descend_any_depth(root, inside, rest, listing);
        }
    }
}

/// Real directories only, or links could lead in circles; links to files do count.
fn descend_any_depth(root: &Root, inside: &Path, rest: &[Segment], listing: &mut Listing) {
    let mut pending: Vec<PathBuf> = vec![inside.to_owned()];
    while let Some(directory) = pending.pop() {
        if !rest.is_empty() {
            descend(root, &directory, rest, listing);
        }
        for entry in root.entries(&directory, listing) {
            let path = directory.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => pending.push(path),
                Ok(kind) if rest.is_empty() && (kind.is_file() || kind.is_symlink()) => {
                    if let Ok(file) = root.resolve(&path)
                        && root.host_path(&file).is_file()
                    {
                        listing.add_file(root, &file);
                    }
                }
                _ => {}
            }
        }
    }
}

/// A whole pattern has matched `inside`.
fn add(root: &Root, inside: &Path, listing: &mut Listing) {
    let host = root.host_path(inside);
    if host.is_dir() {
        list_below(root, inside, listing);
    } else if host.is_file() {
        listing.add_file(root, inside);
    }
}

/// The names in the directory `inside`; none where it is no directory.
fn names(root: &Root, inside: &Path, listing: &mut Listing) -> Vec<std::ffi::OsString> {
    if !root.host_path(inside).is_dir() {
        return vec![];
    }
    root.entries(inside, listing).iter().map(std::fs::DirEntry::file_name).collect()
}

fn parse(text: &str) -> Result<Vec<Segment>, &'static str> {
    let relative = text.strip_prefix('/').ok_or("it must begin with `/`")?;
    if text.contains(['{', '}']) {
        return Err("braces are not supported; write one pattern for each alternative");
    }
    let names = relative.split('/').filter(|name| !name.is_empty() && *name != ".");
    names
        .map(|name| match name {
            ".." => Err("`..` is not supported"),
            "**" => Ok(Segment::AnyDepth),
            _ if name.contains(['*', '?', '[']) => Ok(Segment::Wild(tokens(name)?)),
            _ => Ok(Segment::Literal(name.to_owned())),
        })
        .collect()
}

fn tokens(name: &str) -> Result<Vec<Token>, &'static str> {
    let mut tokens = vec![];
    let mut rest = name.chars();
    while let Some(character) = rest.next() {
        tokens.push(match character {
            '*' => Token::AnyRun,
            '?' => Token::AnyOne,
            '[' => {
                let (class, after) = rest.as_str().split_once(']').ok_or("`[` has no `]`")?;
                rest = after.chars();
                self::class(class)?
            }
            other => Token::One(other),
        });
    }
    Ok(tokens)
}

fn class(text: &str) -> Result<Token, &'static str> {
    let listed = text.strip_prefix(['!', '^']);
    let characters: Vec<char> = listed.unwrap_or(text).chars().collect();
    let mut ranges = vec![];
    let mut rest = &characters[..];
    loop {
        rest = match rest {
            [first, '-', last, after @ ..] => {
                ranges.push((*first, *last));
                after
            }
            [one, after @ ..] => {
                ranges.push((*one, *one));
                after
            }
            [] if ranges.is_empty() => return Err("`[]` lists no character"),
            [] => return Ok(Token::Class { negated: listed.is_some(), ranges }),
        };
    }
}

/// Remembers the last `*` only: a later one makes an earlier choice irrelevant, so the time stays quadratic at worst.
fn matches(tokens: &[Token], name: &[char]) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut last_run: Option<(usize, usize)> = None;
    while at < name.len() {
        let fits = match tokens.get(token) {
            Some(Token::AnyRun) => {
                last_run = Some((token, at));
                token += 1;
                continue;
            }
            Some(Token::AnyOne) => true,
            Some(Token::One(wanted)) => *wanted == name[at],
            Some(Token::Class { negated, ranges }) => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&name[at])) != *negated
            }
            None => false,
        };
        if fits {
            (token, at) = (token + 1, at + 1);
        } else if let Some((run, from)) = last_run {
            (token, at) = (run + 1, from + 1);
            last_run = Some((run, from + 1));
        } else {
            return false;
        }
    }
    tokens[token..].iter().all(|rest| *rest == Token::AnyRun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_names() {
        for (pattern, name, expected) in [
            ("*", "anything", true),
            ("*.pem", "a.pem", true),
            ("*.pem", ".pem", true),
            ("*.pem", "a.pem.bak", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("tls.?", "tls.k", true),
            ("tls.?", "tls.", false),
            ("[a-c]?[!0-9]", "bxz", true),
            ("[a-c]?[!0-9]", "bx1", false),
            ("[a-c]*", "dx", false),
            ("ca[-_]1", "ca-1", true),
        ] {
            let characters: Vec<char> = name.chars().collect();
            assert_eq!(matches(&tokens(pattern).unwrap(), &characters), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        let told: Vec<_> = ["etc/x", "/etc/../x", "/etc/{a,b}", "/etc/[a", "/etc/[]"]
            .iter()
            .map(|text| parse(text).unwrap_err())
            .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        it must begin with `/`
        `..` is not supported
        braces are not supported; write one pattern for each alternative
        `[` has no `]`
        `[]` lists no character
        ");
    }
}
