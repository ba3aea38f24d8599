//! What every back end promises.

use crate::scene::{LONG, host_clock, idle, name, run, sandbox, server, shell, wait_for_end, wait_for_log};
use notafter_backend::{
    Bind, ConnectFailure, Error, ExecOutcome, FileLayout, FileSpec, LaunchSpec, RootTree, ServiceState,
    StopReason, VolumeContent, VolumeMount,
};
use notafter_core::{Motion, Replacement, Restrictions, RootAccess, VolumeName, VolumeState};
use std::io::Read;
use std::time::Duration;

type Behaviour = (&'static str, fn());

pub(crate) const ALL: &[Behaviour] = &[
    ("a_bound_binary_runs_in_an_empty_tree", a_bound_binary_runs_in_an_empty_tree),
    ("a_command_inside_ends_with_its_code_and_output", a_command_inside_ends_with_its_code_and_output),
    ("a_command_that_cannot_start_says_why", a_command_that_cannot_start_says_why),
    ("a_command_that_takes_too_long_is_killed", a_command_that_takes_too_long_is_killed),
    ("a_connection_comes_from_the_place_of_a_service", a_connection_comes_from_the_place_of_a_service),
    ("a_connection_that_fails_says_how", a_connection_that_fails_says_how),
    ("a_main_process_runs_and_ends", a_main_process_runs_and_ends),
    ("a_native_clock_cannot_be_moved", a_native_clock_cannot_be_moved),
    ("a_restart_keeps_carried_volumes_and_empties_fresh_ones", a_restart_keeps_carried_volumes),
    ("a_service_that_ignores_sigterm_is_killed_after_the_grace", a_service_that_ignores_sigterm_is_killed),
    ("a_service_without_command_is_a_place_for_commands", a_service_without_command_is_idle),
    ("an_unpacked_tree_is_never_written_to", an_unpacked_tree_is_never_written_to),
    ("files_are_laid_in_with_mode_and_links_followed", files_are_laid_in),
    ("files_are_replaced_under_a_service_in_four_ways", files_are_replaced),
    ("long_output_keeps_its_ends", long_output_keeps_its_ends),
    ("names_resolve_between_services", names_resolve_between_services),
    ("unknown_services_are_errors", unknown_services_are_errors),
];

fn a_main_process_runs_and_ends() {
    let mut sandbox = sandbox(&["a"]);
    sandbox.launch(&shell("a", "echo out; echo err >&2; read x < /gate; exit 7")).unwrap();
    // No such file: the shell goes on and exits.
    assert_eq!(wait_for_end(&mut *sandbox, "a"), 7);
    let log = sandbox.log(&name("a")).unwrap();
    assert!(log.text.starts_with("out\nerr\n"), "{}", log.text);
    assert_eq!(log.written, log.text.len() as u64);

    sandbox.launch(&shell("a", "echo again; exec sleep 1000")).unwrap();
    let log = wait_for_log(&mut *sandbox, "a", "again");
    assert_eq!(log, "again\n", "a log begins with its launch");
    assert_eq!(sandbox.state(&name("a")).unwrap(), ServiceState::Running);
    sandbox.stop(&name("a"), StopReason::Restart { grace: LONG }).unwrap();
    let before = host_clock();
    let ServiceState::Ended { code, at } = sandbox.state(&name("a")).unwrap() else { panic!() };
    assert_eq!(code, 128 + 15);
    assert!(at <= before && before.second.secs_since(at.second) < 60);

    sandbox.launch(&shell("a", "kill -SEGV $$")).unwrap();
    assert_eq!(wait_for_end(&mut *sandbox, "a"), 128 + 11);
    assert_eq!(sandbox.close().unwrap().iter().find(|remark| remark.contains("could not")), None);
}

fn a_service_that_ignores_sigterm_is_killed() {
    let mut sandbox = sandbox(&["a"]);
    sandbox.launch(&shell("a", "trap '' TERM; echo up; while :; do sleep 1000; done")).unwrap();
    wait_for_log(&mut *sandbox, "a", "up");
    sandbox.stop(&name("a"), StopReason::Restart { grace: Duration::from_millis(50) }).unwrap();
    let state = sandbox.state(&name("a")).unwrap();
    assert!(matches!(state, ServiceState::Ended { code: 137, .. }), "{state:?}");
}

fn a_command_that_cannot_start_says_why() {
    let mut sandbox = sandbox(&["a"]);
    let mut spec = shell("a", "");
    for (command, user, workdir, expected) in [
        (vec!["/no/such/file"], None, "/", "/no/such/file: no such file or directory"),
        (vec!["no-such-command"], None, "/", "no-such-command: no such file in PATH"),
        (vec!["/etc"], None, "/", "/etc: permission denied"),
        (vec!["/bin/sh"], Some("no-such-user"), "/", "user no-such-user is not in the image's /etc/passwd"),
        (vec!["/bin/sh"], None, "/nowhere", "working directory /nowhere: no such file or directory"),
    ] {
        spec.command = Some(command.iter().map(|&word| word.to_owned()).collect());
        spec.user = user.map(str::to_owned);
        spec.workdir = workdir.to_owned();
        sandbox.launch(&spec).unwrap();
        let expected = ServiceState::Unstartable { reason: expected.to_owned() };
        assert_eq!(sandbox.state(&name("a")).unwrap(), expected);
    }
    sandbox.launch(&idle("a")).unwrap();
    let outcome = sandbox.exec(&name("a"), &["/no/such/file".to_owned()], LONG).unwrap();
    assert!(matches!(outcome, ExecOutcome::Unstartable { .. }), "{outcome:?}");
    // The sandbox itself is none the worse.
    assert_eq!(run(&mut *sandbox, "a", "exit 0").0, 0);
}

fn a_command_inside_ends_with_its_code_and_output() {
    let mut sandbox = sandbox(&["a"]);
    let mut spec = shell("a", "exec sleep 1000");
    spec.env.insert("GREETING".to_owned(), "hello".to_owned());
    sandbox.launch(&spec).unwrap();
    assert_eq!(
        run(&mut *sandbox, "a", "echo $GREETING; echo err >&2; exit 3"),
        (3, "hello\nerr\n".to_owned())
    );
    assert_eq!(run(&mut *sandbox, "a", "kill -KILL $$").0, 137);
    let (_, long) = run(&mut *sandbox, "a", "seq 1 100000");
    assert_eq!(long.len(), 64 << 10);
    assert!(long.ends_with("\n100000\n"));
    // No limit is a limit too.
    let outcome = sandbox.exec(&name("a"), &["/bin/true".to_owned()], Duration::MAX).unwrap();
    assert!(matches!(outcome, ExecOutcome::Exited { code: 0, .. }), "{outcome:?}");
    // A process that stays behind with the output open holds nobody up.
    assert_eq!(run(&mut *sandbox, "a", "sleep 1000 & echo done"), (0, "done\n".to_owned()));
    // With the main process everything ends.
    sandbox.launch(&shell("a", "sleep 1000 & exit 5")).unwrap();
    assert_eq!(wait_for_end(&mut *sandbox, "a"), 5);
    let outcome = sandbox.exec(&name("a"), &["/bin/true".to_owned()], LONG).unwrap();
    assert!(matches!(outcome, ExecOutcome::Unstartable { .. }), "{outcome:?}");
}

fn a_command_that_takes_too_long_is_killed() {
    let mut sandbox = sandbox(&["a"]);
    sandbox.launch(&idle("a")).unwrap();
    let script = "trap '' TERM; echo begun; (sh -c 'sleep 1001; :') & sleep 1000";
    let command = ["/bin/sh", "-c", script].map(str::to_owned);
    let outcome = sandbox.exec(&name("a"), &command, Duration::from_millis(300)).unwrap();
    let ExecOutcome::TimedOut { output } = outcome else { panic!("{outcome:?}") };
    assert_eq!(output, "begun\n");
    let (_, processes) = run(&mut *sandbox, "a", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    assert!(!processes.contains("sleep 100"), "left behind: {processes}");
}

fn a_service_without_command_is_idle() {
    let mut sandbox = sandbox(&["phone"]);
    sandbox.launch(&idle("phone")).unwrap();
    assert_eq!(sandbox.state(&name("phone")).unwrap(), ServiceState::Idle);
    assert_eq!(run(&mut *sandbox, "phone", "hostname; cat /etc/hostname"), (0, "phone\nphone\n".to_owned()));
    sandbox.stop(&name("phone"), StopReason::Teardown).unwrap();
    assert_eq!(sandbox.state(&name("phone")).unwrap(), ServiceState::Idle);
}

fn a_connection_comes_from_the_place_of_a_service() {
    let mut sandbox = sandbox(&["a", "b"]);
    sandbox.launch(&server("a", 80, "hello")).unwrap();
    wait_for_log(&mut *sandbox, "a", "listening");
    for (from, address) in [(Some(name("b")), "from 127.0.1.2"), (None, "from 127.0.")] {
        let mut stream = sandbox.connect(from.as_ref(), "a", 80, LONG).unwrap().unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "hello");
        wait_for_log(&mut *sandbox, "a", address);
    }
}

fn a_connection_that_fails_says_how() {
    let mut sandbox = sandbox(&["a"]);
    let full = "import socket, time\n\
                s = socket.socket()\ns.bind(('0.0.0.0', 81))\ns.listen(0)\nc = []\n\
                for _ in range(4):\n    x = socket.socket()\n    x.setblocking(False)\n    \
                x.connect_ex(('127.0.0.1', 81))\n    c.append(x)\n\
                print('full', flush=True)\ntime.sleep(1000)\n";
    let mut spec = server("a", 81, "");
    spec.files[0].contents = full.as_bytes().to_vec();
    sandbox.launch(&spec).unwrap();
    wait_for_log(&mut *sandbox, "a", "full");
    let mut attempt = |host: &str, port| {
        let within = Duration::from_millis(300);
        sandbox.connect(None, host, port, within).unwrap().map(|_| ()).unwrap_err()
    };
    assert_eq!(attempt("a", 82), ConnectFailure::Refused);
    assert_eq!(attempt("a", 81), ConnectFailure::TimedOut);
    assert_eq!(attempt("b", 81), ConnectFailure::UnknownHost("b".to_owned()));
    assert_eq!(attempt("192.0.2.1", 81), ConnectFailure::Other("network is unreachable".to_owned()));
}

fn names_resolve_between_services() {
    let mut sandbox = sandbox(&["a", "b"]);
    sandbox.launch(&server("a", 443, "from a")).unwrap();
    wait_for_log(&mut *sandbox, "a", "listening");
    let mut spec = idle("b");
    spec.user = Some("65534".to_owned());
    sandbox.launch(&spec).unwrap();
    let script =
        "python3 -c \"import socket; s = socket.create_connection(('a', 443)); print(s.recv(9).decode())\"";
    assert_eq!(run(&mut *sandbox, "b", &format!("PATH=/usr/bin; {script}")), (0, "from a\n".to_owned()));
}

fn a_restart_keeps_carried_volumes() {
    let mut sandbox = sandbox(&["a"]);
    let mut spec = shell(
        "a",
        "for v in kept fresh; do echo $v: $(cat /data/$v/mark); date > /data/$v/mark; mkdir /data/$v/d; done; \
         echo up; touch /etc/overlaid /data/overlaid; ls /data; sleep 1000",
    );
    for (volume, state) in [("kept", VolumeState::Carried), ("fresh", VolumeState::Fresh)] {
        let name = VolumeName::new(volume).unwrap();
        let (path, content) = (format!("/data/{volume}"), VolumeContent::Empty);
        spec.volumes.push(VolumeMount { name, path, state, content });
    }
    sandbox.launch(&spec).unwrap();
    let first = wait_for_log(&mut *sandbox, "a", "overlaid");
    assert!(!first.contains(": 2") && !first.contains("UTC 2"), "{first}");
    sandbox.stop(&name("a"), StopReason::Restart { grace: Duration::ZERO }).unwrap();
    sandbox.launch(&spec).unwrap();
    let second = wait_for_log(&mut *sandbox, "a", "overlaid");
    let line = |volume: &str| second.lines().find(|line| line.starts_with(volume)).unwrap().len();
    assert!(line("kept:") > 10 && line("fresh:") < 8, "{second}");
    let (code, _) = run(&mut *sandbox, "a", "test -e /data/kept/mark -a -e /data/fresh/mark");
    assert_eq!(code, 0);
}

/// Whether the same file is still there, and whether one that was opened before sees the change, tells the ways apart.
fn files_are_replaced() {
    // From outside, so that a service which may write to nothing sees it all the same.
    for (uid, root) in [(33, RootAccess::ReadWrite), (0, RootAccess::ReadOnly)] {
        files_are_replaced_in(uid, root);
    }
}

fn files_are_replaced_in(uid: u32, root: RootAccess) {
    let restrictions = Restrictions { root: Some(root), ..Restrictions::default() };
    let mut sandbox = sandbox(&["a"]);
    for (replacement, layout, same_file) in [
        (Replacement::Rename, FileLayout::Exchanged, false),
        (Replacement::SymlinkSwap, FileLayout::Linked, false),
        (Replacement::TruncateWrite, FileLayout::Exchanged, true),
        (Replacement::UnlinkCreate, FileLayout::Exchanged, false),
    ] {
        let files = |contents: &str| {
            ["tls.crt", "tls.key"].map(|name| FileSpec {
                path: format!("/etc/node/tls/{name}"),
                contents: format!("{contents} {name}\n").into_bytes(),
                mode: 0o440,
                layout,
            })
        };
        let spec = LaunchSpec {
            files: files("old").to_vec(),
            user: Some(format!("{uid}:{uid}")),
            restrictions: restrictions.clone(),
            ..idle("a")
        };
        sandbox.launch(&spec).unwrap();
        let inode = "stat -L -c %i /etc/node/tls/tls.crt";
        let before = run(&mut *sandbox, "a", inode).1;
        for contents in ["new", "newer"] {
            sandbox.replace(&name("a"), replacement, &files(contents)).unwrap();
            let (code, shown) = run(
                &mut *sandbox,
                "a",
                "cd /etc/node/tls && cat tls.crt tls.key && stat -L -c '%a %u' tls.key",
            );
            let expected = format!("{contents} tls.crt\n{contents} tls.key\n440 {uid}\n");
            assert_eq!((code, shown), (0, expected), "{replacement}");
        }
        assert_eq!(before == run(&mut *sandbox, "a", inode).1, same_file, "{replacement}");
        let (code, shown) = run(&mut *sandbox, "a", "echo own > /etc/node/tls/tls.crt");
        assert!(code != 0, "{uid} could write: {shown}");
        assert_eq!(shown.contains("Read-only"), root == RootAccess::ReadOnly, "{shown}");
    }
    let missing = FileSpec {
        path: "/etc/node/none".to_owned(),
        contents: Vec::new(),
        mode: 0o644,
        layout: FileLayout::Plain,
    };
    let failed = sandbox.replace(&name("a"), Replacement::UnlinkCreate, &[missing]);
    assert!(matches!(failed, Err(Error::Sandbox { .. })), "{failed:?}");
}

fn files_are_laid_in() {
    let mut sandbox = sandbox(&["a"]);
    let mut spec = idle("a");
    for (path, mode) in [("/etc/node/tls.key", 0o400), ("/bin/tool", 0o755), ("/var/run/x/y", 0o644)] {
        spec.files.push(FileSpec {
            path: path.to_owned(),
            contents: b"#!/bin/sh\necho ran\n".to_vec(),
            mode,
            layout: FileLayout::Plain,
        });
    }
    spec.user = Some("33:33".to_owned());
    sandbox.launch(&spec).unwrap();
    let script =
        "stat -L -c '%a %u %s' /etc/node/tls.key /run/x/y; /usr/bin/tool; cat /etc/node/tls.key > /dev/null";
    let expected = "400 33 19\n644 33 19\nran\n".to_owned();
    assert_eq!(run(&mut *sandbox, "a", script), (0, expected));
    spec.files[0].path = "etc/relative".to_owned();
    let error = sandbox.launch(&spec).unwrap_err();
    assert!(matches!(&error, Error::Sandbox { action, .. } if action.contains("etc/relative")), "{error:?}");
    assert!(matches!(sandbox.state(&name("a")), Err(Error::UnknownService(_))));
}

fn an_unpacked_tree_is_never_written_to() {
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree, with: odd\\name");
    std::fs::create_dir_all(tree.join("bin")).unwrap();
    for link in ["lib", "lib64"] {
        std::os::unix::fs::symlink(format!("/usr/{link}"), tree.join(link)).unwrap();
    }
    std::fs::copy("/bin/sh", tree.join("bin/sh")).unwrap();
    let mut sandbox = sandbox(&["a"]);
    let bind = |path: &str| Bind { source: path.into(), target: path.to_owned() };
    let spec = LaunchSpec {
        root: RootTree::Tree(tree.clone()),
        binds: vec![bind("/usr/lib"), bind("/usr/lib64")],
        env: [("LD_LIBRARY_PATH".to_owned(), "/usr/lib/x86_64-linux-gnu".to_owned())].into(),
        ..shell(
            "a",
            "echo changed > /bin/sh; echo new > /new; echo here; read x < /none; while :; do :; done",
        )
    };
    sandbox.launch(&spec).unwrap();
    wait_for_log(&mut *sandbox, "a", "here");
    sandbox.close().unwrap();
    assert_eq!(std::fs::read(tree.join("bin/sh")).unwrap(), std::fs::read("/bin/sh").unwrap());
    let mut entries: Vec<_> =
        std::fs::read_dir(&tree).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    entries.sort();
    assert_eq!(entries, ["bin", "lib", "lib64"]);
}

fn a_bound_binary_runs_in_an_empty_tree() {
    let mut sandbox = sandbox(&["a"]);
    // This very binary is static and lists its tests.
    let own = std::env::current_exe().unwrap();
    let spec = LaunchSpec {
        root: RootTree::Empty,
        binds: vec![Bind { source: own, target: "/tool".to_owned() }],
        command: Some(vec!["/tool".to_owned(), "--list".to_owned()]),
        ..idle("a")
    };
    sandbox.launch(&spec).unwrap();
    assert_eq!(wait_for_end(&mut *sandbox, "a"), 0);
    let log = sandbox.log(&name("a")).unwrap().text;
    assert!(log.contains("a_bound_binary_runs_in_an_empty_tree"), "{log}");
}

fn long_output_keeps_its_ends() {
    let mut sandbox = sandbox(&["a"]);
    sandbox.launch(&shell("a", "echo first; seq 1 1000000; echo last")).unwrap();
    assert_eq!(wait_for_end(&mut *sandbox, "a"), 0);
    let log = sandbox.log(&name("a")).unwrap();
    assert!(log.text.starts_with("first\n1\n") && log.text.ends_with("1000000\nlast\n"));
    assert!(log.text.contains(" bytes dropped here]\n") && log.text.len() < (2 << 20) + 100);
    assert_eq!(log.written, 6_888_896 + 11);
}

fn unknown_services_are_errors() {
    let mut sandbox = sandbox(&["a"]);
    let other = name("other");
    assert!(matches!(sandbox.state(&other), Err(Error::UnknownService(_))));
    assert!(matches!(sandbox.log(&other), Err(Error::UnknownService(_))));
    assert!(matches!(sandbox.stop(&other, StopReason::Teardown), Err(Error::UnknownService(_))));
    assert!(matches!(sandbox.exec(&other, &[], LONG), Err(Error::UnknownService(_))));
}

fn a_native_clock_cannot_be_moved() {
    let mut sandbox = sandbox(&[]);
    let to = host_clock().second.plus_secs(60);
    let moved = sandbox.move_clock(Motion::Step, to, LONG);
    assert!(matches!(moved, Err(Error::Unsupported { .. })), "{moved:?}");
    assert!(sandbox.witnesses().unwrap().witnesses.is_empty());
    assert!(sandbox.now() >= host_clock() || sandbox.now().second.secs_since(host_clock().second) > -60);
}
