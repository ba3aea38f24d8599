//! Manual pages: groff formats them without a warning, and they say what the help says.

use super::needs::are_installed;
use super::scene::Scene;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pages, in a folder that was not there.
fn written(scene: &Scene) -> Vec<PathBuf> {
    let text = scene.run(&["man", "share/man1"]);
    assert!(text.starts_with("exit 0\n") && text.contains("man -l share/man1/notafter.1"), "{text}");
    let entries = std::fs::read_dir(scene.path().join("share/man1")).unwrap();
    let mut pages: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    pages
}

/// A page as plain text in endless lines; every warning is a failure.
fn formatted(page: &Path) -> String {
    let output = Command::new("groff")
        .args(["-man", "-ww", "-Tascii", "-P-c", "-P-b", "-P-o", "-P-u", "-rLL=2000n"])
        .arg(page)
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{}: {complaints}", page.display());
    String::from_utf8(output.stdout).unwrap()
}

fn options(text: &str) -> BTreeSet<String> {
    let words = text.split(|char: char| !(char.is_ascii_alphanumeric() || char == '-'));
    words
        .filter(|word| word.starts_with("--") && !word.trim_start_matches('-').is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_has_a_page_that_says_what_its_help_says() {
    if !are_installed(&["groff"]) {
        return;
    }
    let scene = Scene::new();
    let pages = written(&scene);
    let names = |page: &PathBuf| page.file_stem().unwrap().to_str().unwrap().to_owned();
    assert!(pages.iter().map(names).any(|name| name == "notafter-man"), "{pages:?}");
    for page in &pages {
        let name = names(page);
        let command = name.strip_prefix("notafter-");
        let help = scene.run(&command.into_iter().chain(["--help"]).collect::<Vec<_>>());
        let text = formatted(page);
        let about = help.lines().nth(2).unwrap();
        // The help is wrapped, and the page is not.
        assert!(text.contains(&format!("{name} - {about}")), "{about}\n{text}");
        let ends: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let head = ends.first().unwrap().split_whitespace().collect::<Vec<_>>();
        let foot = ends.last().unwrap().split_whitespace().collect::<Vec<_>>();
        let title = format!("{}(1)", name.to_uppercase());
        assert_eq!(head, [&title, "notafter", &title]);
        assert_eq!(foot, ["notafter", env!("CARGO_PKG_VERSION"), &title]);
        let (said, expected) = (options(&text), options(&help));
        assert!(said.is_superset(&expected), "{name} lacks {:?}", expected.difference(&said));
        match command {
            Some(_) => assert!(text.contains("notafter(1)"), "{text}"),
            None => {
                for command in pages.iter().map(names).filter(|page| *page != name) {
                    assert!(text.contains(&format!("{command}(1)")), "{command}: {text}");
                }
                for words in ["EXIT STATUS", "Inconclusive: the gate could not look", "NOTAFTER_KEY_PASSWORD"]
                {
                    assert!(text.contains(words), "{words}: {text}");
                }
            }
        }
    }
}

#[test]
fn the_viewer_of_manuals_shows_them() {
    if !are_installed(&["man"]) {
        return;
    }
    let scene = Scene::new();
    written(&scene);
    // What shows a page without a terminal, whatever this user has set.
    let mut man = Command::new("man");
    man.args(["--warnings", "-l"])
        .arg(scene.path().join("share/man1/notafter.1"))
        .env("MANWIDTH", "80")
        .env("LC_ALL", "C")
        .env_remove("MANPAGER");
    let output = man.env("PAGER", "cat").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(text.contains("What in this build breaks on the day something in it expires?"), "{text}");
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let scene = Scene::with("file", "");
    let text = scene.run(&["man", "file/below"]);
    assert!(text.starts_with("exit 3\n"), "{text}");
    assert!(text.contains("file/below cannot be written"), "{text}");
}
