//! `notafter at`: commands of this machine under a shifted clock.

use super::needs::{are_installed, repository};
use super::scene::{Scene, shown};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Programs that print the year, in every kind of runtime that this machine has.
const YEARS: [(&str, &[&str]); 5] = [
    ("date", &["-u", "+%Y"]),
    (
        "python3",
        &[
            "-c",
            "import datetime; print(datetime.datetime.now(datetime.UTC).year if hasattr(datetime, 'UTC') else datetime.datetime.utcnow().year)",
        ],
    ),
    ("node", &["-e", "console.log(new Date().getUTCFullYear())"]),
    ("perl", &["-e", "print 1900 + (gmtime)[5], qq(\\n)"]),
    ("java", &["Year.java"]),
];
const YEAR_IN_JAVA: &str = "class Year { public static void main(String[] a) { System.out.println(java.time.Year.now(java.time.ZoneOffset.UTC)); } }";
const YEAR_IN_GO: &str =
    "package main\nimport (\"fmt\"; \"time\")\nfunc main() { fmt.Println(time.Now().UTC().Year()) }\n";

fn at(scene: &Scene, instant: &str, command: &[&str]) -> Output {
    let arguments = [&["at", instant, "--"], command].concat();
    scene.command(&arguments).output().unwrap()
}

pub(super) fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", shown(&output));
}

#[test]
fn every_runtime_sees_the_shifted_year() {
    let scene = Scene::with("Year.java", YEAR_IN_JAVA);
    for (program, arguments) in YEARS {
        if !are_installed(&[program]) {
            continue;
        }
        for (instant, year) in [("2031-06-01T00:00:00Z", "2031"), ("2018-12-06T00:00:00Z", "2018")] {
            let output = at(&scene, instant, &[&[program], arguments].concat());
            assert_eq!(shown(&output), format!("exit 0\n--- stdout\n{year}"), "{program}");
        }
    }
}

#[test]
fn a_static_go_program_sees_the_shifted_year() {
    if !are_installed(&["go"]) {
        return;
    }
    let scene = Scene::with("year.go", YEAR_IN_GO);
    let mut build = Command::new("go");
    build.args(["build", "-o", "year", "year.go"]).current_dir(scene.path()).env("CGO_ENABLED", "0");
    build.env("GOCACHE", scene.path().join("cache")).env("GOFLAGS", "-mod=mod");
    run(&mut build);
    let output = at(&scene, "2031-06-01T00:00:00Z", &["./year"]);
    assert_eq!(shown(&output), "exit 0\n--- stdout\n2031");
}

/// Builds the guest that waits in every way, linked as told.
pub(super) fn waits(scene: &Scene, compiler: &str, linking: &[&str]) -> PathBuf {
    guest(scene, "waits", compiler, &[linking, &["-lpthread", "-lrt"]].concat())
}

/// Compiles a program of `fixtures/guests`.
pub(super) fn guest(scene: &Scene, name: &str, compiler: &str, linking: &[&str]) -> PathBuf {
    let source = repository().join(format!("fixtures/guests/{name}.c"));
    let guest = scene.path().join(name);
    run(Command::new(compiler).args(["-O1", "-o"]).arg(&guest).arg(source).args(linking));
    guest
}

#[test]
fn every_way_of_waiting_ends_as_it_does_natively() {
    let scene = Scene::new();
    for (compiler, linking) in
        [("cc", &[][..]), ("cc", &["-static"]), ("cc", &["-static-pie"]), ("musl-gcc", &["-static"])]
    {
        if !are_installed(&[compiler]) {
            continue;
        }
        let guest = waits(&scene, compiler, linking);
        let start = |mut command: Command| command.stdout(Stdio::piped()).spawn().unwrap();
        let native = start(Command::new(&guest));
        let shifted = ["+1y", "2018-11-01T00:00:00Z"]
            .map(|instant| (instant, start(scene.command(&["at", instant, "--", guest.to_str().unwrap()]))));
        let native = native.wait_with_output().unwrap();
        for (instant, child) in shifted {
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
            compare(&native, &output, &format!("{compiler} {linking:?} at {instant}"));
        }
    }
}

/// Each wait must return the same and last as long; a busy machine may be late, never early.
pub(super) fn compare(native: &Output, shifted: &Output, what: &str) {
    let lines = |output: &Output| -> Vec<Vec<String>> {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    };
    let (native, shifted) = (lines(native), lines(shifted));
    assert_eq!(native.len(), shifted.len(), "{what}: {shifted:?}");
    for (native, shifted) in native.iter().zip(&shifted) {
        assert_eq!(native[..2], shifted[..2], "{what}");
        let took: u32 = shifted[2].parse().unwrap();
        assert!((199..1200).contains(&took), "{what}: {shifted:?}");
    }
}

#[test]
fn the_exit_code_is_the_commands_own() {
    let scene = Scene::new();
    for (command, code) in
        [(&["sh", "-c", "exit 7"][..], 7), (&["no-such-command"], 127), (&["/etc/passwd"], 126)]
    {
        assert_eq!(at(&scene, "+1d", command).status.code(), Some(code), "{command:?}");
    }
    assert_eq!(at(&scene, "tomorrow", &["true"]).status.code(), Some(125));
    assert_eq!(at(&scene, "+1d", &[]).status.code(), Some(125));
}

#[test]
fn a_command_that_a_signal_ends_is_seen_to_end_by_it() {
    use std::os::unix::process::ExitStatusExt;
    let output = at(&Scene::new(), "+1d", &["sh", "-c", "kill -TERM $$"]);
    assert_eq!(output.status.signal(), Some(15));
}

#[test]
fn a_signal_to_the_front_reaches_the_command() {
    let scene = Scene::new();
    let script = "trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child =
        scene.command(&["at", "+1d", "--", "sh", "-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let pid = i32::try_from(child.id()).unwrap();
    run(Command::new("kill").args(["-TERM", &pid.to_string()]));
    assert_eq!(lines.next().unwrap().unwrap(), "caught");
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn what_a_command_leaves_behind_goes_on_under_the_same_clock() {
    let scene = Scene::new();
    let script = "(sleep 0.3; date -u +%Y > late) > /dev/null 2>&1 & echo gone";
    let output = at(&scene, "2031-06-01T00:00:00Z", &["sh", "-c", script]);
    assert_eq!(shown(&output), "exit 0\n--- stdout\ngone");
    let late = scene.path().join("late");
    for _ in 0..500 {
        if std::fs::read_to_string(&late).is_ok_and(|year| !year.is_empty()) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(std::fs::read_to_string(late).unwrap(), "2031\n");
}
