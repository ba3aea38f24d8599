//! What a service can see and do.

use crate::scene::{LONG, embedded, idle, name, run, sandbox, server, shell, wait_for_end, wait_for_log};
use notafter_backend::{Backend, ConnectFailure, SandboxSpec, ServiceState};
use notafter_core::UnixTime;

pub(crate) const ALL: &[(&str, fn())] = &[
    ("a_refusal_names_its_cause_and_the_way_out", a_refusal_names_its_cause_and_the_way_out),
    ("another_user_sees_the_shifted_clock_and_is_proven_to", another_user_sees_the_shifted_clock),
    ("capabilities_are_at_most_those_of_docker", capabilities_are_at_most_those_of_docker),
    ("datagrams_are_answered_from_where_they_went", datagrams_are_answered_from_where_they_went),
    ("orphans_are_reaped_by_the_init", orphans_are_reaped_by_the_init),
    ("the_doctor_finds_what_the_other_tests_use", the_doctor_finds_what_the_other_tests_use),
    ("there_is_no_way_out", there_is_no_way_out),
    ("two_sandboxes_do_not_meet", two_sandboxes_do_not_meet),
    ("users_are_switched_to_for_good", users_are_switched_to_for_good),
    ("what_is_inside_is_what_a_container_has", what_is_inside_is_what_a_container_has),
];

/// The argument that makes this binary try to open a sandbox and print what comes of it.
const TRIAL: &str = "__trial";

/// Opens a sandbox, runs something in it, and prints how that went, where the arguments say so.
pub(crate) fn run_if_trial() {
    if std::env::args().nth(1).as_deref() != Some(TRIAL) {
        return;
    }
    let spec = SandboxSpec { hosts: vec![name("a")], aliases: Vec::new(), clock: None, scratch: None };
    let text = match embedded().open(&spec) {
        Ok(mut sandbox) => {
            sandbox.launch(&idle("a")).unwrap();
            format!("{:?}", run(&mut *sandbox, "a", "id -u; echo x > /etc/x && echo wrote"))
        }
        Err(error) => format!("{error}: {}", std::error::Error::source(&error).unwrap()),
    };
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes()).unwrap();
    std::process::exit(0);
}

fn trial_in_a_user_namespace(preparation: &str) -> String {
    let own = std::env::current_exe().unwrap();
    let script = format!("{preparation}; exec {} {TRIAL}", own.display());
    let output =
        std::process::Command::new("unshare").args(["-Ur", "/bin/sh", "-c", &script]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn a_refusal_names_its_cause_and_the_way_out() {
    // The limit belongs to the user namespace in which it is set, so the machine's own stays as it is.
    let refused = trial_in_a_user_namespace("echo 0 > /proc/sys/user/max_user_namespaces");
    assert_eq!(
        refused,
        "make the sandbox's namespaces: No space left on device (os error 28): the sysctl \
         user.max_user_namespaces is 0; let root run `sysctl user.max_user_namespaces=65536`"
    );
    assert_eq!(trial_in_a_user_namespace(":"), "(0, \"0\\nwrote\\n\")");
}

fn capabilities_are_at_most_those_of_docker() {
    let mut sandbox = sandbox(&["a"]);
    sandbox.launch(&idle("a")).unwrap();
    let (_, status) = run(&mut *sandbox, "a", "grep -E '^(Cap|NoNewPrivs)' /proc/self/status; ulimit -c");
    let expected = "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n\
                    CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\n0\n";
    assert_eq!(status, expected);
    // The init is out of reach, for its own user too.
    let script =
        "for f in exe mem environ fd/0; do cat /proc/1/$f && echo read; done; kill -KILL 1; echo still here";
    let (_, output) = run(&mut *sandbox, "a", script);
    assert!(!output.contains("read\n") && output.ends_with("still here\n"), "{output}");
}

fn users_are_switched_to_for_good() {
    let mut sandbox = sandbox(&["a"]);
    let mut spec = shell("a", "echo to-stdout > /dev/stdout; id -u; sleep 1000");
    spec.user = Some("www-data".to_owned());
    sandbox.launch(&spec).unwrap();
    wait_for_log(&mut *sandbox, "a", "to-stdout\n33\n");
    let script =
        "id -u; id -g; echo $HOME; grep -E '^Cap(Eff|Prm|Bnd)' /proc/self/status; touch /tmp/x && echo wrote";
    let (code, output) = run(&mut *sandbox, "a", script);
    let expected = "33\n33\n/var/www\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
                    CapBnd:\t00000000a80425fb\nwrote\n";
    assert_eq!((code, output.as_str()), (0, expected));
}

fn another_user_sees_the_shifted_clock() {
    let clock = UnixTime::clamped(1_700_000_000);
    let spec =
        SandboxSpec { hosts: vec![name("a")], aliases: Vec::new(), clock: Some(clock.into()), scratch: None };
    let mut sandbox = embedded().open(&spec).unwrap();
    let mut spec = shell("a", "date +%s; exec sleep 1000");
    spec.user = Some("www-data".to_owned());
    sandbox.launch(&spec).unwrap();
    wait_for_log(&mut *sandbox, "a", "1700000000\n");
    assert_eq!(run(&mut *sandbox, "a", "id -u; date +%s"), (0, "33\n1700000000\n".to_owned()));
    let report = sandbox.witnesses().unwrap();
    assert_eq!(report.unproven, []);
    assert!(report.witnesses.len() >= 3, "{report:?}");
}

fn what_is_inside_is_what_a_container_has() {
    let mut sandbox = sandbox(&["a", "b"]);
    sandbox.launch(&idle("a")).unwrap();
    let (_, hosts) = run(&mut *sandbox, "a", "cat /etc/hosts; cat /etc/resolv.conf");
    assert_eq!(
        hosts,
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\ta\n127.0.1.2\tb\n"
    );
    let (_, dev) = run(
        &mut *sandbox,
        "a",
        "ls /dev; stat -c %a /tmp /dev/shm; echo x > /dev/null; ls -A /sys /run | wc -l",
    );
    assert_eq!(
        dev,
        "fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n1777\n1777\n3\n"
    );
    // Only this service's processes: the init, the shell, and the pipeline.
    let (_, processes) = run(&mut *sandbox, "a", "ls -d /proc/[0-9]* | wc -l");
    assert!(processes.trim().parse::<u32>().unwrap() <= 4, "{processes}");
    // Only a setting that is harmless to write back: it is the machine's own.
    let script = "v=$(cat /proc/sys/kernel/panic); echo $v > /proc/sys/kernel/panic || echo refused; \
                  head -c1 /proc/kcore | wc -c; mount -t tmpfs x /mnt || umount /proc/sys || echo refused";
    let (_, output) = run(&mut *sandbox, "a", script);
    assert_eq!(output.matches("refused").count(), 2, "{output}");
    assert!(output.contains("\n0\n"), "{output}");
}

fn there_is_no_way_out() {
    let mut sandbox = sandbox(&["a"]);
    sandbox.launch(&idle("a")).unwrap();
    let script = "python3 -c \"import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)\"";
    let (code, output) = run(&mut *sandbox, "a", &format!("PATH=/usr/bin; {script}"));
    assert_eq!(code, 1);
    assert!(output.contains("Network is unreachable"), "{output}");
}

/// By a server that listens on every address, and takes no notice of the one that it was asked at.
fn datagrams_are_answered_from_where_they_went() {
    let mut sandbox = sandbox(&["a", "b"]);
    let mut spec = server("a", 53, "");
    spec.files[0].contents = b"import socket\n\
        s = socket.socket(type=socket.SOCK_DGRAM)\ns.bind(('0.0.0.0', 53))\nprint('listening', flush=True)\n\
        while True:\n    text, peer = s.recvfrom(99)\n    s.sendto(text + b' from ' + peer[0].encode(), peer)\n"
        .to_vec();
    sandbox.launch(&spec).unwrap();
    wait_for_log(&mut *sandbox, "a", "listening");
    sandbox.launch(&idle("b")).unwrap();
    let mut ask = |host: &str| {
        let script = format!(
            "import socket; c = socket.socket(type=socket.SOCK_DGRAM); c.settimeout(5); c.connect(('{host}', 53)); \
             c.send(b'asked'); print(c.recv(99).decode(), end='')"
        );
        run(&mut *sandbox, "b", &format!("/usr/bin/python3 -c \"{script}\""))
    };
    assert_eq!(ask("a"), (0, "asked from 127.0.1.1".to_owned()));
    assert_eq!(ask("localhost"), (0, "asked from 127.0.0.1".to_owned()));
}

fn two_sandboxes_do_not_meet() {
    let mut one = sandbox(&["a"]);
    let mut two = sandbox(&["a"]);
    one.launch(&server("a", 8080, "one")).unwrap();
    wait_for_log(&mut *one, "a", "listening");
    assert_eq!(two.connect(None, "a", 8080, LONG).unwrap().unwrap_err(), ConnectFailure::Refused);
    // The same port, and the same paths in the same tree.
    two.launch(&server("a", 8080, "two")).unwrap();
    wait_for_log(&mut *two, "a", "listening");
    run(&mut *one, "a", "echo one > /etc/mark");
    assert_eq!(run(&mut *two, "a", "cat /etc/mark 2> /dev/null; echo nothing"), (0, "nothing\n".to_owned()));
    one.close().unwrap();
    assert_eq!(two.state(&name("a")).unwrap(), ServiceState::Running);
}

fn orphans_are_reaped_by_the_init() {
    let mut sandbox = sandbox(&["a"]);
    sandbox.launch(&idle("a")).unwrap();
    // Two hundred grandchildren whose parents are gone when they end.
    let script = "for i in $(seq 200); do (sleep 0 &) ; done; sleep 0.2; grep -h '^State' /proc/[0-9]*/status | grep -c Z";
    let (_, zombies) = run(&mut *sandbox, "a", script);
    assert_eq!(zombies, "0\n");
    sandbox.launch(&shell("a", "exit 0")).unwrap();
    assert_eq!(wait_for_end(&mut *sandbox, "a"), 0);
}

fn the_doctor_finds_what_the_other_tests_use() {
    let bare = embedded().without_namespaces();
    let abilities =
        notafter_backend::probe_capabilities(&embedded(), &bare, UnixTime::clamped(1_700_000_000));
    let names: Vec<&str> = abilities.iter().map(|ability| ability.name).collect();
    let expected = [
        "kernel",
        "pidfd",
        "seccomp notification",
        "ptrace",
        "namespaces",
        "overlay",
        "shifted clock",
        "docker",
    ];
    assert_eq!(names, expected);
    for ability in &abilities {
        assert!(ability.ok || !ability.required, "{ability:?}");
    }
}
