//! The tutorial and the recipes, run from top to bottom as their readers do: what they show is what comes out, exit codes
//! included.

use super::needs::{can_run_with, or_skipped, repository};
use super::walkthrough::follow;

fn page(name: &str) -> String {
    std::fs::read_to_string(repository().join("docs").join(name)).unwrap()
}

#[test]
fn the_tutorial_does_what_it_shows() {
    if !can_run_with(&["nginx", "openssl"]) {
        return;
    }
    follow(&page("tutorial.md")).unwrap_or_else(|why| panic!("docs/tutorial.md: {why}"));
}

/// What it would not notice, a reader would.
#[test]
fn a_tutorial_that_shows_something_else_fails() {
    let text = "```console\n$ printf 'one 1.5\\ntwo %s\\nthree\\n' 0123456789abcdef; exit 3\none 2.25\n...\nthree\n$ echo $?\n3\n```\n";
    follow(text).unwrap();
    for (from, to, why) in [
        (
            "one 2.25",
            "one",
            "line 2: printf 'one 1.5\\ntwo %s\\nthree\\n' 0123456789abcdef; exit 3: the page shows `one`",
        ),
        ("\nthree\n$", "\nfour\n$", "the page shows `four`"),
        ("three\n$ echo", "three\nfour\n$ echo", "the page shows `four`"),
        ("...\n", "", "the page shows `three`"),
        ("...", "two abcdefgh", "the page shows `two abcdefgh`"),
        ("...\nthree\n", "", "the page shows `the end`"),
        ("\n3\n", "\n1\n", "line 6: echo $?: the page shows `1`"),
        ("$ echo $?\n3\n", "", "exit 3 of the last command is not shown"),
        ("$ echo $?\n3\n", "$ true\n", "line 6: exit 3 of the command before it is not shown"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let told = follow(&changed).unwrap_err();
        assert!(told.contains(why), "{to}: {told}");
    }
    let told = follow("```sh\nfalse\ntrue\n```\n").unwrap_err();
    assert!(told.contains("exit 1 of\nfalse\n"), "{told}");
    // `...` stands for no lines, too, and for text within a line.
    follow("```console\n$ echo one two\n...\none ...\n...\n```\n").unwrap();
}

/// What a recipe is, and what it runs beside this tool.
const RECIPES: [(&str, &[&str]); 6] = [
    ("mTLS", &["nginx"]),
    ("Rotation as in Kubernetes", &["nginx"]),
    ("A revocation list", &["nginx"]),
    ("A token", &["python3"]),
    ("SSH", &["sshd", "ssh", "ssh-keygen"]),
    ("SQL roles", &["postgres", "initdb"]),
];

/// The recipes with their headings.
fn recipes(page: &str) -> Vec<(&str, &str)> {
    let sections = page.split("\n## ").skip(1).map(|section| section.split_once('\n').unwrap());
    sections.filter(|(_, text)| text.contains("```")).collect()
}

/// Follows one of them, where the machine has what it runs.
fn cook(heading: &str) {
    let (_, programs) = RECIPES.iter().find(|(name, _)| *name == heading).unwrap();
    if !can_run_with(programs) {
        return;
    }
    let page = page("recipes.md");
    let (_, recipe) = recipes(&page).into_iter().find(|(name, _)| *name == heading).unwrap();
    follow(recipe).unwrap_or_else(|why| panic!("docs/recipes.md: {heading}: {why}"));
}

#[test]
fn every_recipe_is_followed_and_gates_what_it_holds() {
    let page = page("recipes.md");
    let headings: Vec<&str> = recipes(&page).iter().map(|(heading, _)| *heading).collect();
    assert_eq!(headings, RECIPES.map(|(heading, _)| heading));
    for (heading, recipe) in recipes(&page) {
        assert!(recipe.contains("\n$ notafter replay ") && recipe.contains("\nreplay:\n"), "{heading}");
    }
}

#[test]
fn the_recipe_for_mtls_does_what_it_shows() {
    cook("mTLS");
}

#[test]
fn the_recipe_for_rotations_does_what_it_shows() {
    cook("Rotation as in Kubernetes");
}

#[test]
fn the_recipe_for_revocation_lists_does_what_it_shows() {
    cook("A revocation list");
}

#[test]
fn the_recipe_for_tokens_does_what_it_shows() {
    cook("A token");
}

#[test]
fn the_recipe_for_ssh_does_what_it_shows() {
    if !or_skipped(nix::unistd::geteuid().is_root(), "root, for sshd to become another user") {
        return;
    }
    cook("SSH");
}

#[test]
fn the_recipe_for_sql_roles_does_what_it_shows() {
    cook("SQL roles");
}
