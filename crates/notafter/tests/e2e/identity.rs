//! Who a program is: what changes its user, its limits or what may be looked at, is shifted all the same, or refused by its
//! name; and under the clock it is what it would be without.

use super::at::run;
use super::needs::{are_installed, or_skipped, repository};
use super::scene::{Scene, shown};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const INSTANT: &str = "2031-06-01T00:00:00Z";
const YEAR: &str = "exit 0\n--- stdout\n2031";
const OTHER_USER: [&str; 4] = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"];

/// Commands that become somebody else and print the year.
const CHANGES: [&[&str]; 8] = [
    &["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "date", "-u", "+%Y"],
    &["setpriv", "--inh-caps=-all", "--bounding-set=-all", "date", "-u", "+%Y"],
    &["su", "nobody", "-s", "/bin/sh", "-c", "date -u +%Y"],
    &["runuser", "-u", "nobody", "--", "date", "-u", "+%Y"],
    &["capsh", "--drop=all", "--user=nobody", "--", "-c", "date -u +%Y"],
    // As gosu and su-exec do it.
    &["perl", "-e", "$) = '54321 54321'; $( = 54321; $< = $> = 54321; exec qw(date -u +%Y)"],
    &["prlimit", "--nproc=50", "--as=500000000", "--cpu=5", "--core=0", "date", "-u", "+%Y"],
    &["unshare", "--fork", "--pid", "--mount-proc", "sh", "-c", "test $$ = 1 && date -u +%Y"],
];

fn is_root() -> bool {
    or_skipped(nix::unistd::geteuid().is_root(), "root, to become another user")
}

fn at(scene: &Scene, command: &[&str]) -> Output {
    scene.command(&[&["at", INSTANT, "--"], command].concat()).output().unwrap()
}

/// The tool, run by a plain user.
fn at_as_other_user(scene: &Scene, command: &[&str]) -> Output {
    let own = scene.path().join("notafter");
    if !own.exists() {
        // The build directory may be closed to others.
        std::fs::copy(env!("CARGO_BIN_EXE_notafter"), &own).unwrap();
        scene.open_to_others();
    }
    let mut line = Command::new(OTHER_USER[0]);
    line.args(&OTHER_USER[1..]).arg(own).args(["at", INSTANT, "--"]).args(command);
    line.current_dir(scene.path()).output().unwrap()
}

fn copy_of_date(scene: &Scene, name: &str, mode: u32) -> String {
    let path = scene.path().join(name);
    std::fs::copy("/bin/date", &path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn programs_that_become_somebody_else_see_the_shifted_clock() {
    let scene = Scene::new();
    if !is_root() {
        return;
    }
    for command in CHANGES {
        if !are_installed(&command[..1]) {
            continue;
        }
        let may = Command::new(command[0]).args(&command[1..]).output().unwrap();
        if or_skipped(may.status.success(), &format!("the right to {command:?}")) {
            assert_eq!(shown(&at(&scene, command)), YEAR, "{command:?}");
        }
    }
}

#[test]
fn programs_with_privileges_of_their_own_see_the_shifted_clock() {
    let scene = Scene::new();
    if !is_root() || !are_installed(&["cc", "setpriv", "setcap"]) {
        return;
    }
    let set_user_id = copy_of_date(&scene, "set-user-id", 0o4755);
    let capable = copy_of_date(&scene, "capable", 0o755);
    run(Command::new("setcap").args(["cap_net_raw+ep", &capable]));
    let unreadable = copy_of_date(&scene, "unreadable", 0o111);
    for program in [&set_user_id, &capable, &unreadable] {
        assert_eq!(shown(&at(&scene, &[program, "-u", "+%Y"])), YEAR, "{program}");
    }
    for program in [&set_user_id, &capable] {
        assert_eq!(shown(&at_as_other_user(&scene, &[program, "-u", "+%Y"])), YEAR, "{program}");
    }
    // What they give, they give under the clock too.
    let tells = scene.path().join("tells").to_str().unwrap().to_owned();
    let source = repository().join("fixtures/guests/privileges.c");
    run(Command::new("cc").args(["-static", "-o", &tells]).arg(source));
    for privilege in [&["chmod", "4755"][..], &["setcap", "cap_net_raw+ep"]] {
        run(Command::new("chmod").args(["755", &tells]));
        run(Command::new(privilege[0]).arg(privilege[1]).arg(&tells));
        let native = Command::new(OTHER_USER[0]).args(&OTHER_USER[1..]).arg(&tells).output().unwrap();
        let shifted = at(&scene, &[&OTHER_USER[..], &[&tells]].concat());
        assert_eq!(shown(&native), shown(&shifted), "{privilege:?}");
    }
    // A user namespace gives no right over a program that its user may not read.
    let refused = at_as_other_user(&scene, &[&unreadable, "-u", "+%Y"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && refused.stdout.is_empty(), "{}", shown(&refused));
    assert!(told.contains("unreadable was killed because it cannot be shifted"), "{told}");
}

/// What the kernel says of a process, and what it was given.
const SELF_PORTRAIT: &str = "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Sig(Blk|Ign|Cgt)|TracerPid)' /proc/self/status; pwd; umask; env | grep -v '^_=' | sort; \
     nice; ls -l /proc/self/fd | sed 's/.* \\([0-9]* -> .*\\)/\\1/; s/pipe:.*/pipe/' | grep -v /proc/; cat /proc/self/limits; cat; echo $0 $#";

#[test]
fn a_command_is_under_the_clock_what_it_is_without() {
    let scene = Scene::new();
    let words = ["sh", "-c", SELF_PORTRAIT, "name", "one", "two"];
    let feed = |command: &mut Command| {
        let input = std::fs::File::open(repository().join("LICENSE-MIT")).unwrap();
        let output = std::fs::File::create(scene.path().join("said")).unwrap();
        command.current_dir(scene.path()).env_clear().env("PATH", super::needs::PATH).env("OWN", "a b=c\nd");
        command.stdin(input).stdout(output).status().unwrap();
        std::fs::read_to_string(scene.path().join("said")).unwrap()
    };
    let native = feed(Command::new(words[0]).args(&words[1..]));
    let shifted = feed(&mut scene.command(&[&["at", INSTANT, "--"], words.as_slice()].concat()));
    assert!(native.contains("CapEff") && native.ends_with("name 2\n"), "{native}");
    assert_eq!(native, shifted);
}

#[test]
fn a_plain_users_command_cannot_reach_its_supervisor() {
    let scene = Scene::new();
    if !is_root() || !are_installed(&["python3", "setpriv"]) {
        return;
    }
    let script = std::fs::read_to_string(repository().join("fixtures/guests/attack.py")).unwrap();
    std::fs::write(scene.path().join("attack.py"), script).unwrap();
    let attack = at_as_other_user(&scene, &["sh", "-c", "python3 attack.py $PPID"]);
    let said = String::from_utf8_lossy(&attack.stdout).into_owned();
    assert_eq!(said.matches(": refused\n").count(), 10, "{}", shown(&attack));
}

#[test]
fn a_supervisor_that_is_killed_takes_its_command_along() {
    let scene = Scene::new();
    let output = at(&scene, &["sh", "-c", "echo $$; kill -KILL $PPID; exec sleep 1000"]);
    assert_eq!(output.status.code(), Some(125), "{}", shown(&output));
    let pid = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let stat = Path::new("/proc").join(pid).join("comm");
    for _ in 0..500 {
        if !std::fs::read_to_string(&stat).is_ok_and(|name| name == "sleep\n" || name == "sh\n") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("it lives on");
}

/// A stopped group, one that goes on, what is left to be reaped, and an end by a signal to everything.
#[test]
fn stopped_groups_and_zombies_are_the_commands_own() {
    let scene = Scene::new();
    let script = "sh -c 'kill -STOP $$; exit 5' & \
                  until grep -q 'State:.T' /proc/$!/status; do sleep 0.01; done; echo stopped; \
                  kill -CONT $!; wait $!; echo $?; \
                  (sleep 0 & echo $! >child; exec sleep 1000) & \
                  until grep -qs 'State:.Z' /proc/$(cat child)/status; do sleep 0.01; done; echo zombie; \
                  kill $!; wait $!; echo $?; (sh -c 'kill -9 $$') ; echo $?";
    let output = at(&scene, &["bash", "-c", script]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        (output.status.code(), said.as_str()),
        (Some(0), "stopped\n5\nzombie\n143\n137\n"),
        "{}",
        shown(&output)
    );
}

#[test]
fn a_terminal_is_the_commands_own() {
    let scene = Scene::new();
    if !are_installed(&["python3", "bash"]) {
        return;
    }
    let script = repository().join("fixtures/guests/terminal.py");
    for place in ["inside", "outside"] {
        let play = |prefix: &[&str]| {
            let output = Command::new("python3")
                .arg(&script)
                .arg(place)
                .args(prefix)
                .current_dir(scene.path())
                .output();
            let output = output.unwrap();
            assert!(output.status.success(), "{place} {prefix:?}: {}", shown(&output));
            String::from_utf8(output.stdout).unwrap()
        };
        let native = play(&["env"]);
        let shifted = play(&[env!("CARGO_BIN_EXE_notafter"), "at", INSTANT, "--"]);
        assert_eq!(native.replace("\n0: ", "\n1: "), shifted, "{place}");
    }
}
