//! Programs in unusual surroundings: limits, address spaces, root directories, mounts, filters, sanitizers. In each, every
//! way of waiting ends as it does natively, or the program is refused.

use super::at::{compare, run, waits};
use super::needs::{are_installed, or_skipped, repository};
use super::scene::{Scene, shown};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// How the guest, the last word, is started.
const LAYOUTS: [(&str, &[&str]); 6] = [
    ("little address space", &["sh", "-c", "ulimit -v 200000; exec \"$0\""]),
    ("a stack without a limit", &["sh", "-c", "ulimit -s unlimited; exec \"$0\""]),
    ("no randomisation", &["setarch", "-R"]),
    ("mappings from below", &["setarch", "-L"]),
    ("a root directory of its own", &["chroot"]),
    (
        "nothing but its file may be executed",
        &[
            "unshare",
            "-rm",
            "sh",
            "-c",
            "mount -t tmpfs -o noexec none /dev/shm && mount -t tmpfs -o noexec none /run && exec \"$0\"",
        ],
    ),
];

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Runs the guest natively, ahead and behind at once, and compares.
fn waits_as_natively(scene: &Scene, what: &str, how: &[&str], guest: &Path) {
    let guest = guest.to_str().unwrap();
    let mut line = how.to_vec();
    if how == ["chroot"] {
        line.extend([scene.path().to_str().unwrap(), "/waits"]);
    } else {
        line.push(guest);
    }
    let mut native = Command::new(line[0]);
    native.args(&line[1..]);
    let native = start(native);
    let shifted = ["+1y", "2018-11-01T00:00:00Z"]
        .map(|instant| (instant, start(scene.command(&[&["at", instant, "--"], line.as_slice()].concat()))));
    let native = native.wait_with_output().unwrap();
    assert!(native.status.success(), "{what}: {}", shown(&native));
    for (instant, child) in shifted {
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), output.stderr.as_slice()),
            (Some(0), &[][..]),
            "{what}: {}",
            shown(&output)
        );
        compare(&native, &output, &format!("{what} at {instant}"));
        let seen = String::from_utf8_lossy(&output.stdout).split(' ').next().unwrap().parse::<i64>().unwrap();
        let (low, high) =
            if instant == "+1y" { (1_800_000_000, i64::MAX) } else { (1_541_030_400, 1_541_034_000) };
        assert!((low..high).contains(&seen), "{what} at {instant}: it read {seen}");
    }
}

/// Whether the machine lets this be done natively. Root can; containers may forbid namespaces.
fn can_be_done(how: &[&str]) -> bool {
    let tried = match how {
        ["chroot"] => Command::new("chroot").args(["/", "true"]).output(),
        ["unshare", ..] => Command::new("unshare").args(["-rm", "true"]).output(),
        _ => return true,
    };
    tried.is_ok_and(|output| output.status.success())
}

#[test]
fn every_layout_of_a_process_waits_as_it_does_natively() {
    let scene = Scene::new();
    if !are_installed(&["cc", "setarch", "unshare"]) {
        return;
    }
    let guest = waits(&scene, "cc", &["-static"]);
    for (what, how) in LAYOUTS {
        if or_skipped(can_be_done(how), &format!("the right to {}, for {what}", how[0])) {
            waits_as_natively(&scene, what, how, &guest);
        }
    }
}

#[test]
fn a_program_behind_a_filter_of_its_own_waits_as_it_does_natively() {
    let scene = Scene::new();
    if !are_installed(&["cc"]) {
        return;
    }
    let filtered = scene.path().join("filtered");
    let source = repository().join("fixtures/guests/filtered.c");
    run(Command::new("cc").arg("-o").arg(&filtered).arg(source));
    let guest = waits(&scene, "cc", &[]);
    waits_as_natively(&scene, "a filter of its own", &[filtered.to_str().unwrap()], &guest);
}

#[test]
fn programs_with_sanitizers_wait_as_they_do_natively() {
    let scene = Scene::new();
    if !are_installed(&["cc"]) {
        return;
    }
    for sanitizer in ["-fsanitize=address", "-fsanitize=thread"] {
        let guest = waits(&scene, "cc", &[sanitizer]);
        waits_as_natively(&scene, sanitizer, &["env"], &guest);
    }
}

/// The clock page comes in through a descriptor. Where the soft limit leaves none, the limit is raised until the page is
/// there; the hard one is the machine's word.
#[test]
fn a_program_without_a_descriptor_to_spare_is_shifted_or_refused() {
    let scene = Scene::new();
    if !are_installed(&["busybox"]) {
        return;
    }
    let run = |script: &str| {
        scene.command(&["at", "2031-06-01T00:00:00Z", "--", "sh", "-c", script]).output().unwrap()
    };
    let soft = run("ulimit -S -n 3; exec busybox sh -c 'ulimit -n; exec busybox date -u +%Y'");
    assert_eq!(shown(&soft), "exit 0\n--- stdout\n3\n2031");
    let hard = run("ulimit -n 3; exec busybox date -u +%Y");
    let told = String::from_utf8_lossy(&hard.stderr).into_owned();
    let refused =
        told.contains("cannot be given the clock page: Too many open files") && hard.stdout.is_empty();
    assert!(shown(&hard) == "exit 0\n--- stdout\n2031" || refused, "{}", shown(&hard));
}
