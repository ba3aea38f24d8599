//! Links between documents lead somewhere, and the book in `docs/` has every page of it in its summary.
//!
//! A page of the book links to nothing outside of it: as a book it is read without the repository around it.

use super::super::{TextFile, Workspace};
use super::Violation;
use std::collections::BTreeSet;

pub(super) const NAME: &str = "documents";

const BOOK: &str = "docs/";
const SUMMARY: &str = "docs/SUMMARY.md";

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut listed = BTreeSet::new();
    for file in workspace.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (line, link) in links(file) {
            let mut violation = |message| {
                violations.push(Violation { rule: NAME, path: file.path.clone(), line: Some(line), message });
            };
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = link.split_once('#').map_or((link, None), |(path, at)| (path, Some(at)));
            let Some(target) = resolved(&file.path, path) else {
                violation(format!("`{link}` leads out of the repository"));
                continue;
            };
            if file.path == SUMMARY && !listed.insert(target.clone()) {
                violation(format!("{target} is listed twice"));
            }
            if file.path.starts_with(BOOK) && !target.starts_with(BOOK) {
                violation(format!("`{link}` leads out of the book; name the file without a link"));
            } else if !exists(workspace, &target) {
                violation(format!("`{link}` leads nowhere"));
            } else if let Some(heading) = heading
                && !workspace.file(&target).is_some_and(|page| anchors(page).any(|it| it == heading))
            {
                violation(format!("{target} has no heading `#{heading}`"));
            }
        }
    }
    let pages = workspace.files.iter().map(|file| &file.path).filter(|path| path.starts_with(BOOK));
    let pages = pages.filter(|path| path.ends_with(".md") && *path != SUMMARY);
    violations.extend(pages.filter(|path| !listed.contains(*path)).map(|path| Violation {
        rule: NAME,
        path: path.clone(),
        line: None,
        message: format!("{SUMMARY} does not list it"),
    }));
    violations
}

/// Lines outside blocks of code, with their numbers.
fn prose(file: &TextFile) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    file.numbered().map(|(number, line)| (number, line.text.as_str())).filter(move |(_, text)| {
        let fence = text.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

/// Where links lead, as it stands there, with the numbers of their lines.
fn links(file: &TextFile) -> impl Iterator<Item = (usize, &str)> {
    prose(file).flat_map(|(number, text)| {
        // Between backquotes, every second piece, nothing is a link.
        let pieces = text.split('`').step_by(2);
        let targets = pieces.flat_map(|piece| piece.split("](").skip(1));
        targets.filter_map(move |rest| rest.split_once(')').map(|(link, _)| (number, link)))
    })
}

/// A path from the root of the repository, for one that stands in `file`; none where it leads out.
fn resolved(file: &str, path: &str) -> Option<String> {
    if path.is_empty() {
        return Some(file.to_owned());
    }
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether a file or a directory with files lies there.
fn exists(workspace: &Workspace, path: &str) -> bool {
    let below = |file: &TextFile| {
        file.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path.is_empty() || workspace.files.iter().any(below)
}

/// What links may name of a page, as GitHub and mdBook derive it from its headings.
fn anchors(page: &TextFile) -> impl Iterator<Item = String> {
    prose(page).filter(|(_, text)| text.starts_with('#')).map(|(_, text)| {
        let heading = text.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|char| char.is_alphanumeric() || "-_ ".contains(*char));
        kept.map(|char| if char == ' ' { '-' } else { char }).collect()
    })
}
