//! A project that is not ours runs its scenarios as tests, in a directory of its own.

use super::runs::can_run;
use super::scene::shown;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The project in a directory of its own, and a tool that notes each of its calls.
struct Project {
    home: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let project = Self { home };
        copy(&Path::new(REPOSITORY).join("fixtures/stranger"), &project.path());
        let crates = fs::canonicalize(Path::new(REPOSITORY).join("crates")).unwrap();
        let manifest = project.path().join("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap().replace("../../crates", crates.to_str().unwrap());
        fs::write(manifest, text).unwrap();
        // The versions that are there, so that nothing has to be fetched.
        fs::copy(Path::new(REPOSITORY).join("Cargo.lock"), project.path().join("Cargo.lock")).unwrap();
        let script = format!(
            "#!/bin/sh\necho \"$*\" >>'{}'\nexec '{}' \"$@\"\n",
            project.calls_file().display(),
            env!("CARGO_BIN_EXE_notafter")
        );
        fs::write(project.tool(), script).unwrap();
        fs::set_permissions(project.tool(), fs::Permissions::from_mode(0o755)).unwrap();
        project
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("project")
    }

    fn tool(&self) -> PathBuf {
        self.home.path().join("notafter")
    }

    fn calls_file(&self) -> PathBuf {
        self.home.path().join("calls")
    }

    /// How often the tool was called since the last time that this was asked.
    fn calls(&self) -> usize {
        let calls = fs::read_to_string(self.calls_file()).unwrap_or_default();
        _ = fs::remove_file(self.calls_file());
        calls.lines().count()
    }

    /// `cargo nextest ARGUMENTS` in the project, with nothing in the environment of this test's own run.
    fn nextest(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("cargo");
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let foreign =
                ["NEXTEST", "CARGO_PKG", "CARGO_BIN", "CARGO_MANIFEST", "__NEXTEST", "LD_LIBRARY_PATH"];
            if foreign.iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command.arg("nextest").args(arguments).current_dir(self.path()).env("NOTAFTER", self.tool());
        // Kept between runs of this test, where there is no reason to build it anew.
        command.env("CARGO_TARGET_DIR", Path::new(REPOSITORY).join("target/stranger"));
        command.env("CARGO_NET_OFFLINE", "true").env("CARGO_TERM_COLOR", "never");
        command.output().unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true if entry.file_name() == "target" => {}
            true => copy(&entry.path(), &target),
            false => _ = fs::copy(entry.path(), target).unwrap(),
        }
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_project_of_somebody_else_runs_its_scenarios_as_tests() {
    if !can_run() {
        return;
    }
    let project = Project::new();

    // Listing runs nothing, and is the same every time.
    let list = ["list", "--message-format", "oneline", "-E", "binary(scenarios)"];
    let listed = project.nextest(&list);
    let names = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert_eq!(
        names.lines().collect::<Vec<_>>(),
        [
            "stranger::scenarios door::licensed::opens",
            "stranger::scenarios watch::answers",
            "stranger::scenarios watch::runs"
        ],
        "{}",
        shown(&listed)
    );
    assert_eq!(project.nextest(&list).stdout, listed.stdout);
    assert_eq!(project.calls(), 0);

    // Three tests of two gates, and one of the project's own.
    let ran = project.nextest(&["run", "--profile", "ci"]);
    assert!(stderr(&ran).contains("4 tests run: 4 passed, 0 skipped"), "{}", shown(&ran));
    assert_eq!(project.calls(), 2, "one run of a scenario serves all of its checks");
    let junit = project.path().join("target/nextest/ci/junit.xml");
    assert!(fs::read_to_string(junit).unwrap().contains("watch::answers"));

    // Each part of a partition gates what its tests need.
    let parts =
        ["slice:1/2", "slice:2/2"].map(|part| stderr(&project.nextest(&["run", "--partition", part])));
    assert!(parts.iter().all(|part| part.contains("2 tests run: 2 passed")), "{parts:?}");
    project.calls();

    // An archive runs where the project lies elsewhere.
    let archive = project.home.path().join("tests.tar.zst");
    let archive = archive.to_str().unwrap();
    let packed = project.nextest(&["archive", "--archive-file", archive]);
    assert!(packed.status.success(), "{}", shown(&packed));
    let elsewhere = project.home.path().join("elsewhere");
    fs::rename(project.path(), &elsewhere).unwrap();
    fs::create_dir(project.path()).unwrap();
    let remap = ["run", "--archive-file", archive, "--workspace-remap", elsewhere.to_str().unwrap()];
    let ran = project.nextest(&remap);
    assert!(stderr(&ran).contains("4 tests run: 4 passed, 0 skipped"), "{}", shown(&ran));
    project.calls();

    // What breaks fails, and says why; what comes out otherwise than told fails too.
    let watch = elsewhere.join("scenarios/watch.yaml");
    let text = fs::read_to_string(&watch).unwrap();
    fs::write(&watch, text.replace("-ge 2030", "-eq 2030")).unwrap();
    let door = elsewhere.join("scenarios/door/scenario.yaml");
    let text = fs::read_to_string(&door).unwrap();
    fs::write(&door, text.replace("17:46:40Z", "17:46:41Z")).unwrap();
    fs::write(elsewhere.join("scenarios/broken.yaml"), "checks: [").unwrap();
    let ran = project.nextest(&[remap.as_slice(), &["--no-fail-fast"]].concat());
    let told = stderr(&ran);
    assert_eq!(ran.status.code(), Some(100), "{}", shown(&ran));
    assert!(told.contains("5 tests run: 2 passed, 3 failed"), "{}", shown(&ran));
    let all = format!("{told}{}", String::from_utf8_lossy(&ran.stdout));
    for part in [
        "answers falls",
        "block: watch breaks on 2031-01-01T00:00:00Z",
        "NOT AS TOLD",
        "told 2030-03-17T17:46:41Z; came out 2030-03-17T17:46:40Z",
        "broken::scenario",
    ] {
        assert!(all.contains(part), "{part:?} is not in\n{all}");
    }

    // Without the tool nothing passes.
    fs::remove_file(project.tool()).unwrap();
    let ran = project.nextest(&[remap.as_slice(), &["--no-fail-fast"]].concat());
    assert!(stderr(&ran).contains("5 tests run: 1 passed, 4 failed"), "{}", shown(&ran));
}
