//! A clean workspace, and for each rule the sabotage that this rule alone catches.

use super::super::{Dependency, DependencyKind, Member, Source, TextFile, Workspace, check};
use super::RULES;
use super::leftovers::NOTES;
use super::paths::PLACES;

fn member(name: &str, directory: &str) -> Member {
    Member {
        name: name.to_owned(),
        directory: directory.to_owned(),
        description: Some("What it is for.".to_owned()),
        roots: vec![format!("{directory}/src/lib.rs")],
        dependencies: Vec::new(),
    }
}

fn depend(workspace: &mut Workspace, from: &str, name: &str, kind: DependencyKind, source: Source) {
    let member = workspace.members.iter_mut().find(|member| member.name == from).unwrap();
    member.dependencies.push(Dependency { name: name.to_owned(), kind, source });
}

fn write(workspace: &mut Workspace, path: &str, text: &str) {
    workspace.files.retain(|file| file.path != path);
    workspace.files.push(TextFile::new(path, text));
}

/// A small workspace that breaks no rule.
fn clean() -> Workspace {
    let mut workspace = Workspace {
        members: vec![
            member("notafter-core", "crates/notafter-core"),
            member("notafter-sys", "crates/notafter-sys"),
            member("notafter-clock", "crates/notafter-clock"),
            member("notafter-runner", "crates/notafter-runner"),
            member("o2-fixtures", "fixtures/o2"),
        ],
        files: Vec::new(),
    };
    let forbid = "//! What it is for.\n#![forbid(unsafe_code)]\n";
    for name in ["notafter-core", "notafter-clock", "notafter-runner"] {
        write(&mut workspace, &format!("crates/{name}/src/lib.rs"), forbid);
    }
    write(
        &mut workspace,
        "crates/notafter-sys/src/lib.rs",
        "//! Raw operations.\n//! # Safety\nunsafe fn f() {}\n",
    );
    write(&mut workspace, "crates/notafter-runner/src/host_clock.rs", "fn f() { Instant::now(); }\n");
    write(&mut workspace, "crates/notafter-core/src/tests.rs", "fn f() { Instant::now(); }\n");
    write(&mut workspace, "fixtures/o2/src/lib.rs", "fn f() { SystemTime::now(); }\n");
    let manifest = "[workspace.dependencies]\nnotafter-core = { path = \"a\" }\nserde = \"1\"\n\
                    yaml = { package = \"saphyr\", version = \"2\" }\n\n[workspace.lints]\na = \"b\"\n";
    write(&mut workspace, "Cargo.toml", manifest);
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    write(&mut workspace, "Cargo.lock", &format!("[[package]]\nsource = \"{registry}\"\n"));
    write(&mut workspace, "docs/dependencies.md", "| `serde` | data |\n| `saphyr` | text |\n");
    write(&mut workspace, "docs/SUMMARY.md", "- [Dependencies](dependencies.md)\n");
    write(
        &mut workspace,
        "README.md",
        "## It's here\n[a `b`](docs/dependencies.md) [c](#its-here) [d](crates/)\n",
    );
    depend(&mut workspace, "notafter-clock", "notafter-core", DependencyKind::Normal, Source::Path);
    depend(&mut workspace, "notafter-clock", "o2-fixtures", DependencyKind::Development, Source::Path);
    depend(&mut workspace, "notafter-core", "serde", DependencyKind::Normal, Source::Outside);
    depend(&mut workspace, "notafter-core", "saphyr", DependencyKind::Normal, Source::Outside);
    workspace
}

/// A change that breaks exactly one rule.
type Sabotage = (&'static str, &'static str, fn(&mut Workspace));

const SABOTAGES: &[Sabotage] = &[
    ("clocks", "a clock read in a library", |workspace| {
        write(workspace, "crates/notafter-core/src/a.rs", "fn f() { Instant::now(); }\n");
    }),
    ("clocks", "clippy silenced in a library", |workspace| {
        write(
            workspace,
            "crates/notafter-core/src/a.rs",
            "#[expect(clippy::disallowed_methods)]\nfn f() {}\n",
        );
    }),
    ("clocks", "a kernel clock read outside the engine", |workspace| {
        write(workspace, "crates/notafter-core/src/a.rs", "fn f() { rustix::time::clock_gettime(id); }\n");
    }),
    ("clocks", "a file of the right name in the wrong crate", |workspace| {
        write(workspace, "crates/notafter-core/src/host_clock.rs", "fn f() { SystemTime::now(); }\n");
    }),
    ("dependencies", "a crate without a reason", |workspace| {
        depend(workspace, "notafter-core", "jiff", DependencyKind::Development, Source::Outside);
    }),
    ("dependencies", "an empty reason", |workspace| {
        write(workspace, "docs/dependencies.md", "| `serde` | |\n| `saphyr` | text |\n");
    }),
    ("dependencies", "a reason without its crate", |workspace| {
        write(workspace, "docs/dependencies.md", "| `serde` | a |\n| `saphyr` | b |\n| `jiff` | time |\n");
    }),
    ("dependencies", "a declaration that nobody uses", |workspace| {
        workspace.members[0].dependencies.retain(|dependency| dependency.name != "saphyr");
    }),
    ("dependencies", "no reasons at all", |workspace| {
        workspace.files.retain(|file| file.path != "docs/dependencies.md");
        write(workspace, "docs/SUMMARY.md", "");
        write(workspace, "README.md", "");
    }),
    ("descriptions", "a crate that does not say what it is for", |workspace| {
        workspace.members[4].description = None;
    }),
    ("descriptions", "an empty description", |workspace| {
        workspace.members[0].description = Some(" ".to_owned());
    }),
    ("documents", "a link that leads nowhere", |workspace| {
        write(workspace, "crates/notafter-core/README.md", "[a](../notafter-core/src/a.rs)\n");
    }),
    ("documents", "a link out of the repository", |workspace| {
        write(workspace, "CHANGELOG.md", "[a](../README.md)\n");
    }),
    ("documents", "a heading that is gone", |workspace| {
        write(workspace, "CHANGELOG.md", "[a](README.md#there)\n");
    }),
    ("documents", "a page that the book does not list", |workspace| {
        write(workspace, "docs/more.md", "# More\n");
    }),
    ("documents", "a page that the book lists twice", |workspace| {
        write(workspace, "docs/SUMMARY.md", "- [a](dependencies.md)\n- [b](./dependencies.md)\n");
    }),
    ("documents", "a page that links out of the book", |workspace| {
        write(
            workspace,
            "docs/dependencies.md",
            "| `serde` | data |\n| `saphyr` | text |\n[a](../README.md)\n",
        );
    }),
    ("leftovers", "a note in a script", |workspace| {
        write(workspace, "ci/run", &format!("# {}: later\n", NOTES[0]));
    }),
    ("leftovers", "a note in a comment", |workspace| {
        write(workspace, "crates/notafter-core/src/a.rs", &format!("// {}\n", NOTES[1]));
    }),
    ("leftovers", "a test that is switched off", |workspace| {
        write(workspace, "crates/notafter-core/tests/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}\n");
    }),
    ("lock", "a crate from a git repository", |workspace| {
        write(workspace, "Cargo.lock", "source = \"git+https://github.com/a/b#c\"\n");
    }),
    ("lock", "no lock file", |workspace| workspace.files.retain(|file| file.path != "Cargo.lock")),
    ("paths", "a path of somebody's machine in a document", |workspace| {
        write(workspace, "README.md", &format!("Run `{}me/notafter`.\n", PLACES[0]));
    }),
    ("paths", "a path of somebody's machine in a test", |workspace| {
        write(
            workspace,
            "crates/notafter-core/tests/a.rs",
            &format!("const P: &str = \"{}a\";\n", PLACES[3]),
        );
    }),
    ("ranks", "a dependency that rises", |workspace| {
        depend(workspace, "notafter-core", "notafter-clock", DependencyKind::Normal, Source::Path);
    }),
    ("ranks", "a dependency of tests that rises", |workspace| {
        depend(workspace, "notafter-clock", "notafter-runner", DependencyKind::Development, Source::Path);
    }),
    ("ranks", "a dependency sideways", |workspace| {
        depend(workspace, "notafter-core", "notafter-sys", DependencyKind::Build, Source::Path);
    }),
    ("ranks", "a dependency of the product on a fixture", |workspace| {
        depend(workspace, "notafter-runner", "o2-fixtures", DependencyKind::Normal, Source::Path);
    }),
    ("ranks", "an unknown crate", |workspace| {
        workspace.members.push(member("notafter-new", "crates/notafter-new"));
        let forbid = "#![forbid(unsafe_code)]\n";
        write(workspace, "crates/notafter-new/src/lib.rs", forbid);
    }),
    ("sizes", "a file too long to read", |workspace| {
        write(workspace, "crates/notafter-core/src/a.rs", &"fn f() {}\n".repeat(501));
    }),
    ("sizes", "a reason that says nothing", |workspace| {
        let text = format!("//! What it is.\n//! size:\n{}", "fn f() {}\n".repeat(500));
        write(workspace, "crates/notafter-core/src/a.rs", &text);
    }),
    ("unsafe-code", "unsafe code in a library", |workspace| {
        write(workspace, "crates/notafter-core/src/a.rs", "fn f() { unsafe { g() } }\n");
    }),
    ("unsafe-code", "unsafe code in a test", |workspace| {
        write(workspace, "crates/notafter-core/tests/a.rs", "unsafe extern \"C\" {}\n");
    }),
    ("unsafe-code", "raw operations that do not say what keeps them sound", |workspace| {
        write(workspace, "crates/notafter-sys/src/a.rs", "//! Raw operations.\nunsafe fn f() {}\n");
    }),
    ("unsafe-code", "a root that does not forbid it", |workspace| {
        write(workspace, "crates/notafter-core/src/lib.rs", "// #![forbid(unsafe_code)]\n");
    }),
    ("unsafe-code", "a root that is not there", |workspace| {
        workspace.members[0].roots.push("crates/notafter-core/src/main.rs".to_owned());
    }),
];

#[test]
fn a_clean_workspace_breaks_no_rule() {
    assert_eq!(check(&clean()), []);
}

#[test]
fn each_sabotage_is_caught_by_its_rule_alone() {
    for (rule, what, sabotage) in SABOTAGES {
        let mut workspace = clean();
        sabotage(&mut workspace);
        let mut found: Vec<&str> = check(&workspace).iter().map(|violation| violation.rule).collect();
        found.dedup();
        assert_eq!(found, [*rule], "{what}");
    }
}

#[test]
fn each_rule_has_a_sabotage() {
    for rule in RULES {
        assert!(SABOTAGES.iter().any(|(name, _, _)| *name == rule.name), "{}", rule.name);
    }
}

#[test]
fn what_only_looks_like_a_violation_passes() {
    let mut workspace = clean();
    let code =
        "//! unsafe, Instant::now\nconst A: &str = \"unsafe { Instant::now() }\";\nfn not_unsafe() {}\n";
    write(&mut workspace, "crates/notafter-core/src/a.rs", code);
    let long = format!("//! size: one table\n{}", "fn f() {}\n".repeat(501));
    write(&mut workspace, "crates/notafter-core/src/b.rs", &long);
    let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n", "    fn f() {}\n".repeat(501));
    write(&mut workspace, "crates/notafter-core/src/c.rs", &tested);
    write(&mut workspace, "crates/notafter-clock/src/a.rs", "fn f() { clock_gettime(id); }\n");
    write(
        &mut workspace,
        "CHANGELOG.md",
        "`[a](b.md)`\n```md\n[a](b.md)\n```\n[c](https://example.org/d.md)\n",
    );
    write(&mut workspace, "ci/run", "mktemp -d tmp.XXXXXX\ncd \"$1/work/here\" && ls ./root/a\n");
    assert_eq!(check(&workspace), []);
}

#[test]
fn violations_say_where_and_what() {
    let mut workspace = clean();
    write(&mut workspace, "crates/notafter-core/src/a.rs", "\nfn f() { Instant::now(); }\n");
    depend(&mut workspace, "notafter-core", "notafter-clock", DependencyKind::Normal, Source::Path);
    let found: Vec<String> = check(&workspace).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(found.join("\n"), @r"
    crates/notafter-core/src/a.rs:2: `Instant::now` reads an ambient clock; take the time as an argument [clocks]
    crates/notafter-core/Cargo.toml: notafter-core (rank 0) depends on notafter-clock (rank 1); dependencies fall strictly in rank [ranks]
    ");
}
