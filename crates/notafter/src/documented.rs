//! Command lines in documents are ones that this tool takes.
//!
//! What they come to is for other tests; `tests/e2e/tutorial.rs` runs whole pages.

use crate::args::Cli;
use clap::Parser;
use clap::error::ErrorKind;
use std::fs;
use std::path::{Path, PathBuf};

/// What stands for this tool in a command line.
const CALLS: [&[&str]; 2] = [&["notafter"], &["cargo", "run", "--release", "--"]];

/// The words of each command in a line of a shell, as far as documents use one: quotes, comments, pipes, lists.
/// Redirections and variables that are set before a command are left out.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    for char in line.chars().chain([' ']) {
        match (quote, char) {
            (Some(open), _) if char == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(char),
            // What a command puts there.
            (None, '(') if word.as_ref().is_some_and(|word| word.ends_with('$')) => quote = Some(')'),
            (None, '\'' | '"') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ' | '|' | ';' | '&') => {
                let is_set = |word: &str| {
                    let name = word.split_once('=').map(|(name, _)| name);
                    name.is_some_and(|name| name.chars().all(|char| char.is_ascii_uppercase() || char == '_'))
                };
                if let (Some(word), Some(command)) = (word.take(), commands.last_mut()) {
                    let is_left_out = word.starts_with(['>', '<']) || (command.is_empty() && is_set(&word));
                    command.extend((!is_left_out).then_some(word));
                }
                if char != ' ' {
                    commands.push(Vec::new());
                }
            }
            (None, _) => word.get_or_insert_default().push(char),
        }
    }
    commands
}

/// The lines of shells in a document, with those that go on in the next one as one. What a script is given to read is
/// another file's text.
fn lines(page: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let (mut language, mut goes_on, mut until) = (None, false, None);
    for line in page.lines() {
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            language = language.is_none().then_some(fence);
            continue;
        }
        let command = match language {
            Some("sh") => Some(line),
            Some("console") => line.strip_prefix("$ ").or(goes_on.then_some(line)),
            _ => None,
        };
        let Some(command) = command else { continue };
        if until.is_some() {
            until = until.filter(|end| *end != command);
            continue;
        }
        until = command.split_once("<<'").and_then(|(_, rest)| rest.split_once('\'')).map(|(end, _)| end);
        let continued = goes_on;
        goes_on = command.ends_with('\\');
        let command = command.trim_end_matches('\\');
        match found.last_mut().filter(|_| continued) {
            Some(last) => last.push_str(command),
            None => found.push(command.to_owned()),
        }
    }
    found
}

/// The arguments of this tool, for a command that calls it.
fn arguments(command: &[String]) -> Option<&[String]> {
    CALLS.iter().find_map(|call| {
        let (head, rest) = command.split_at_checked(call.len())?;
        (head == *call).then_some(rest)
    })
}

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.extend(["README.md", "CONTRIBUTING.md", "ci/examples/README.md"].map(|path| root.join(path)));
    paths
}

#[test]
fn this_tool_takes_every_command_line_that_a_document_shows() {
    let mut met = 0;
    for path in documents() {
        for line in lines(&fs::read_to_string(&path).unwrap()) {
            for command in commands(&line) {
                let Some(arguments) = arguments(&command) else { continue };
                met += 1;
                let words = ["notafter".to_owned()].into_iter().chain(arguments.iter().cloned());
                let taken = match Cli::try_parse_from(words) {
                    Ok(_) => Ok(()),
                    Err(told) if told.kind() == ErrorKind::DisplayHelp => Ok(()),
                    Err(told) => Err(told),
                };
                taken.unwrap_or_else(|told| panic!("{}: {line}: {told}", path.display()));
            }
        }
    }
    assert!(met > 60, "only {met} command lines");
}

#[test]
fn a_line_of_a_shell_is_taken_apart_as_a_shell_does() {
    let check = |line: &str, expected: &[&[&str]]| {
        let found: Vec<Vec<String>> = commands(line).into_iter().filter(|it| !it.is_empty()).collect();
        assert_eq!(found, expected, "{line}");
    };
    check("notafter at +1y -- date   # tomorrow", &[&["notafter", "at", "+1y", "--", "date"]]);
    check("tar c build | notafter scan -", &[&["tar", "c", "build"], &["notafter", "scan", "-"]]);
    check("notafter verify $(cat a b) c", &[&["notafter", "verify", "$cat a b", "c"]]);
    check("LIFE=2y notafter gate a 'b  c' >d", &[&["notafter", "gate", "a", "b  c"]]);
    check("notafter init && notafter plan a#b", &[&["notafter", "init"], &["notafter", "plan", "a#b"]]);
    let page =
        "```sh\na \\\n  b\ncat >x <<'END'\nnotafter nonsense\nEND\nc\n```\nd\n```console\n$ e\nf\n```\n";
    assert_eq!(lines(page), ["a   b", "cat >x <<'END'", "c", "e"]);
}
