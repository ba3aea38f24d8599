//! Behaviours under a shifted clock.

use crate::scene::{LONG, embedded, idle, name, run, shell, wait_for_end, wait_for_log};
use notafter_backend::{Backend, Bind, LaunchSpec, RootTree, Sandbox, SandboxSpec};
use notafter_core::{ClockReading, Motion, Pace, UnixTime, WitnessBasis};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(crate) const ALL: &[(&str, fn())] = &[
    ("a_service_sees_the_shifted_clock_and_is_proven_to", a_service_sees_the_shifted_clock_and_is_proven_to),
    ("a_leap_wakes_what_is_due_and_nothing_else", a_leap_wakes_what_is_due_and_nothing_else),
    ("a_limit_at_a_socket_holds_for_every_call_anew", a_limit_at_a_socket_holds_for_every_call_anew),
    ("a_motion_that_takes_too_long_hurries_and_says_so", a_motion_that_takes_too_long_hurries_and_says_so),
    ("a_step_moves_wall_time_alone", a_step_moves_wall_time_alone),
    ("a_walk_lets_every_timer_fire_for_all_services_at_once", a_walk_lets_every_timer_fire),
    ("a_timerfd_fires_whoever_has_it", a_timerfd_fires_whoever_has_it),
    ("a_process_that_restores_its_vdso_is_found", a_process_that_restores_its_vdso_is_found),
    ("every_way_of_waiting_ends_when_time_elapses", every_way_of_waiting_ends_when_time_elapses),
    ("time_never_goes_back", time_never_goes_back),
    ("what_is_left_of_a_wait_is_less_by_what_elapsed", what_is_left_of_a_wait_is_less_by_what_elapsed),
];

fn at(text: &str) -> UnixTime {
    UnixTime::parse(text).unwrap()
}

fn shifted(hosts: &[&str], clock: &str) -> Box<dyn Sandbox> {
    let hosts = hosts.iter().map(|host| name(host)).collect();
    embedded()
        .open(&SandboxSpec { hosts, aliases: Vec::new(), clock: Some(at(clock).into()), scratch: None })
        .unwrap()
}

fn a_service_sees_the_shifted_clock_and_is_proven_to() {
    let mut sandbox = shifted(&["a"], "2018-12-06T04:29:59Z");
    sandbox.launch(&shell("a", "date -u +%FT%TZ; exec sleep 1000")).unwrap();
    wait_for_log(&mut *sandbox, "a", "2018-12-06T04:29:59Z");
    let seen = run(&mut *sandbox, "a", "exec date -u +%s");
    assert_eq!(seen, (0, "1544070599\n".to_owned()));
    let report = sandbox.witnesses().unwrap();
    assert_eq!(report.unproven, []);
    for (basis, exe) in
        [(WitnessBasis::Exec, "date"), (WitnessBasis::Sweep, "sleep"), (WitnessBasis::Canary, "canary")]
    {
        let proven =
            report.witnesses.iter().any(|witness| witness.basis == basis && witness.exe.ends_with(exe));
        assert!(proven, "{basis:?} {exe}: {:?}", report.witnesses);
    }
}

fn a_leap_wakes_what_is_due_and_nothing_else() {
    let mut sandbox = shifted(&["a", "b"], "2020-01-01T00:00:00Z");
    sandbox.launch(&shell("a", "sleep 3600; date -u +woken-%FT%TZ; exec sleep 1000000")).unwrap();
    sandbox.launch(&shell("b", "sleep 90000; echo early; exec sleep 1000000")).unwrap();
    let to = at("2020-01-01T12:00:00Z");
    let moved = sandbox.move_clock(Motion::Elapse(Pace::Leap), to, LONG).unwrap();
    // One jump to two minutes before its end, and one over what nothing waits for.
    assert_eq!((moved.jumps, moved.woken), (2, 1));
    wait_for_log(&mut *sandbox, "a", "woken-2020-01-01T11:58:00Z");
    assert_eq!(sandbox.log(&name("b")).unwrap().text, "");
    assert_eq!(sandbox.now(), ClockReading::at(to));
    sandbox.move_clock(Motion::Elapse(Pace::Leap), at("2020-01-03T00:00:00Z"), LONG).unwrap();
    wait_for_log(&mut *sandbox, "b", "early");
    assert_eq!(sandbox.witnesses().unwrap().unproven, []);
}

fn a_step_moves_wall_time_alone() {
    let mut sandbox = shifted(&["a"], "2020-01-01T00:00:00Z");
    sandbox.launch(&shell("a", "sleep 3600; echo woken; exec sleep 1000000")).unwrap();
    let moved = sandbox.move_clock(Motion::Step, at("2021-01-01T00:00:00Z"), LONG).unwrap();
    assert_eq!(moved.woken, 0);
    let seen = run(&mut *sandbox, "a", "exec date -u +%Y");
    assert_eq!(seen, (0, "2021\n".to_owned()));
    assert_eq!(sandbox.log(&name("a")).unwrap().text, "");
}

fn a_walk_lets_every_timer_fire() {
    let mut sandbox = shifted(&["a", "b"], "2020-01-01T00:00:00Z");
    let hourly = "i=0; while [ $i -lt 24 ]; do sleep 3600; i=$((i+1)); done; date -u +hourly-%FT%TZ; exec sleep 1000000";
    let daily = "import time; time.sleep(86400); print('daily', time.strftime('%F', time.gmtime(time.time() + 5)), flush=True); time.sleep(1e6)";
    sandbox.launch(&shell("a", hourly)).unwrap();
    let command = Some(["/usr/bin/python3", "-c", daily].map(str::to_owned).to_vec());
    sandbox.launch(&LaunchSpec { command, ..idle("b") }).unwrap();
    sandbox.move_clock(Motion::Elapse(Pace::Walk), at("2020-01-02T01:00:00Z"), LONG).unwrap();
    let log = wait_for_log(&mut *sandbox, "a", "hourly-");
    // The first sleep began a moment before the motion, while wall time stood still.
    assert!(
        ["hourly-2020-01-01T23:59:5", "hourly-2020-01-02T00:00:0"].iter().any(|at| log.contains(at)),
        "{log}"
    );
    wait_for_log(&mut *sandbox, "b", "daily 2020-01-02");
    assert_eq!(sandbox.witnesses().unwrap().unproven, []);
}

fn a_process_that_restores_its_vdso_is_found() {
    // A debugger of its own memory: writes one byte of its vDSO through /proc/self/mem.
    let escape = "import time\n\
        base = [int(l.split('-')[0], 16) for l in open('/proc/self/maps') if '[vdso]' in l][0]\n\
        m = open('/proc/self/mem', 'r+b', 0)\n\
        m.seek(base + 0x7f0); b = m.read(1); m.seek(base + 0x7f0); m.write(bytes([b[0] ^ 1]))\n\
        print('escaped', flush=True); time.sleep(1000)\n";
    let mut sandbox = shifted(&["a"], "2020-01-01T00:00:00Z");
    let command = Some(["/usr/bin/python3", "-c", escape].map(str::to_owned).to_vec());
    sandbox.launch(&LaunchSpec { command, ..idle("a") }).unwrap();
    wait_for_log(&mut *sandbox, "a", "escaped");
    let unproven = sandbox.witnesses().unwrap().unproven;
    assert!(unproven.iter().any(|gap| gap.reason.contains("vDSO is not the patched one")), "{unproven:?}");
}

fn time_never_goes_back() {
    let mut sandbox = shifted(&["a"], "2020-01-01T00:00:00Z");
    let back =
        sandbox.move_clock(Motion::Elapse(Pace::Leap), at("2019-12-31T23:59:59Z"), Duration::from_secs(1));
    assert!(back.is_err());
}

/// More than an hour in each of the ways of `fixtures/guests/waits.c`, one after the other, must pass in seconds, and
/// each must return what it returns natively. (What comes back every hour or oftener may be passed over as housekeeping.)
fn every_way_of_waiting_ends_when_time_elapses() {
    let directory = tempfile::tempdir().unwrap();
    let guest = built("waits", directory.path());
    let native = Command::new(&guest).arg("1").output().unwrap();
    let results = |text: &str| -> Vec<(String, String)> {
        let fields = text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
        fields.map(|fields| (fields[0].clone(), fields[1].clone())).collect()
    };
    let native = results(&String::from_utf8_lossy(&native.stdout));
    for start in ["2018-11-01T00:00:00Z", "2040-01-01T00:00:00Z"] {
        let mut sandbox = shifted(&["a"], start);
        let command = Some(vec!["/waits".to_owned(), "5000000".to_owned()]);
        let binds = vec![Bind { source: guest.clone(), target: "/waits".to_owned() }];
        sandbox.launch(&LaunchSpec { root: RootTree::Empty, command, binds, ..idle("a") }).unwrap();
        wait_for_log(&mut *sandbox, "a", "\n");
        sandbox.move_clock(Motion::Elapse(Pace::Walk), at(start).plus_secs(155_000), LONG * 3).unwrap();
        let code = wait_for_end(&mut *sandbox, "a");
        let log = sandbox.log(&name("a")).unwrap().text;
        assert_eq!((code, results(&log)), (0, native.clone()), "{log}");
        for line in log.lines().skip(1) {
            let millis: u64 = line.rsplit('\t').next().unwrap().parse().unwrap();
            assert!((4_999_000..5_100_000).contains(&millis), "{line}");
        }
        assert_eq!(sandbox.witnesses().unwrap().unproven, []);
    }
}

/// Every call of the loop has the same arguments, and an answer comes 2 s into its limit of 5: were any taken for the one
/// before, it would end early.
fn a_limit_at_a_socket_holds_for_every_call_anew() {
    let asker = "import os, socket, struct, time\n\
        near, far = socket.socketpair(); near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', 5, 0))\n\
        if os.fork() == 0:\n\
        \x20for _ in range(100): time.sleep(2); far.send(b'x')\n\
        \x20time.sleep(1e6)\n\
        into = bytearray(1)\n\
        for _ in range(100): near.recv_into(into)\n\
        since = time.monotonic()\n\
        try: near.recv_into(into)\n\
        except BlockingIOError: print('silence for', round(time.monotonic() - since), flush=True)\n\
        time.sleep(1e6)\n";
    let mut sandbox = shifted(&["a"], "2020-01-01T00:00:00Z");
    let command = Some(["/usr/bin/python3", "-c", asker].map(str::to_owned).to_vec());
    sandbox.launch(&LaunchSpec { command, ..idle("a") }).unwrap();
    let pace = Motion::Elapse(Pace::Walk);
    sandbox.move_clock(pace, at("2020-01-01T00:05:00Z"), LONG).unwrap();
    let log = wait_for_log(&mut *sandbox, "a", "\n");
    assert_eq!(log, "silence for 5\n");
}

/// Each of its waits has a length of its own, so none keeps house, and works for 10 ms behind it: the jumps that a month may take
/// would last for more than a minute.
fn a_motion_that_takes_too_long_hurries_and_says_so() {
    let worker = "import time\n\
        for wait in range(10**9):\n\
        \x20time.sleep(0.2 + wait * 7919 % 60000 / 1000)\n\
        \x20end = time.process_time() + 0.01\n\
        \x20while time.process_time() < end: pass\n";
    let mut sandbox = shifted(&["a"], "2020-01-01T00:00:00Z");
    let command = Some(["/usr/bin/python3", "-c", worker].map(str::to_owned).to_vec());
    sandbox.launch(&LaunchSpec { command, ..idle("a") }).unwrap();
    let to = at("2020-01-31T00:00:00Z");
    sandbox.move_clock(Motion::Elapse(Pace::Walk), to, Duration::from_secs(30)).unwrap();
    let remarks = sandbox.close().unwrap();
    assert!(
        remarks.iter().any(|remark| remark.contains("time went on over some of their waits")),
        "{remarks:?}"
    );
}

/// The program of a C source of `fixtures/guests`.
fn built(name: &str, directory: &Path) -> PathBuf {
    let program = directory.join(name);
    let source = format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/guests/{}.c"), name);
    let compile = ["-O1", "-static", &source, "-lpthread", "-lrt", "-o"];
    assert!(Command::new("cc").args(compile).arg(&program).status().unwrap().success());
    program
}

/// Waits of an hour, of which a signal or an answer leaves something after two leaps of twenty minutes.
fn what_is_left_of_a_wait_is_less_by_what_elapsed() {
    let directory = tempfile::tempdir().unwrap();
    let guest = built("remainders", directory.path());
    let script = "mkfifo /tmp/answer; exec 9<>/tmp/answer; \
        for wait in clock_nanosleep nanosleep ppoll pselect6 select sleep; do \
        /tmp/remainders $wait <&9 & echo $! >>/tmp/signalled; done; \
        for wait in ppoll pselect6 select; do /tmp/remainders $wait <&9 & done; wait; exec sleep 1000000";
    let mut sandbox = shifted(&["a"], "2020-01-01T00:00:00Z");
    let binds = vec![Bind { source: guest, target: "/tmp/remainders".to_owned() }];
    sandbox.launch(&LaunchSpec { binds, ..shell("a", script) }).unwrap();
    let said = |sandbox: &mut dyn Sandbox, count: usize, what: &str| {
        let mut log = String::new();
        for _ in 0..1_000 {
            log = sandbox.log(&name("a")).unwrap().text;
            if log.matches(what).count() == count {
                return log;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("not {count} times {what}: {log}");
    };
    said(&mut *sandbox, 9, "waits");
    for minute in [20, 40] {
        let to = at("2020-01-01T00:00:00Z").plus_secs(minute * 60);
        sandbox.move_clock(Motion::Elapse(Pace::Leap), to, LONG).unwrap();
    }
    run(&mut *sandbox, "a", "kill -USR1 $(cat /tmp/signalled)");
    said(&mut *sandbox, 6, "left");
    run(&mut *sandbox, "a", "echo >/tmp/answer");
    let log = said(&mut *sandbox, 9, "left");
    for line in log.lines().filter(|line| *line != "waits") {
        let left: u32 = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert!((1_100..=1_200).contains(&left), "{line}");
    }
    assert_eq!(log.matches(": -1, left").count(), 5, "{log}");
    assert_eq!(log.matches(": 1, left").count(), 3, "{log}");
    assert_eq!(sandbox.witnesses().unwrap().unproven, []);
}

/// Each timer of `fixtures/guests/passed.c` belongs to a descriptor that is closed by now. Those of an hour fire after a
/// leap of 80 minutes, that of two hours after another 80, and one that was closed everywhere never.
fn a_timerfd_fires_whoever_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let guest = built("passed", directory.path());
    let mut sandbox = shifted(&["a"], "2020-01-01T00:00:00Z");
    let binds = vec![Bind { source: guest, target: "/tmp/passed".to_owned() }];
    sandbox
        .launch(&LaunchSpec {
            binds,
            ..shell("a", "/tmp/passed & echo $! >/tmp/pid; wait; exec sleep 1000000")
        })
        .unwrap();
    let said = |sandbox: &mut dyn Sandbox, expected: &[&str]| {
        let mut lines = Vec::new();
        for _ in 0..500 {
            let log = sandbox.log(&name("a")).unwrap().text;
            lines = log.lines().map(str::to_owned).collect();
            lines.sort();
            if lines.len() >= expected.len() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(lines, expected);
    };
    said(&mut *sandbox, &["armed"]);
    let leap = Motion::Elapse(Pace::Leap);
    sandbox.move_clock(leap, at("2020-01-01T01:20:00Z"), LONG).unwrap();
    said(&mut *sandbox, &["armed", "dup", "inherited", "reused", "sent"]);
    let underway = sandbox.witnesses().unwrap().unproven;
    assert!(
        underway.iter().any(|gap| gap.reason.contains("timerfd")),
        "one is in nobody's hands: {underway:?}"
    );
    run(&mut *sandbox, "a", "kill -USR1 $(cat /tmp/pid)");
    said(&mut *sandbox, &["armed", "dup", "inherited", "reused", "sent", "underway"]);
    sandbox.move_clock(leap, at("2020-01-01T02:40:00Z"), LONG).unwrap();
    said(&mut *sandbox, &["armed", "dup", "inherited", "reused", "sent", "twice", "underway"]);
}
