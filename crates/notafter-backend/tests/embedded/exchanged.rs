//! Files that are exchanged under a service look the same on every back end, to whoever watches them or their folder too.

use crate::scene::{LONG, name, run, wait_for_log};
use crate::shared::{Stage, command};
use notafter_backend::{
    Bind, Error, ExecOutcome, FileLayout, FileSpec, LaunchSpec, VolumeContent, VolumeMount,
};
use notafter_core::{Isolation, Replacement, Restrictions, RootAccess, VolumeName, VolumeState};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use std::io::Write;
use std::mem::MaybeUninit;

/// The argument with which this program is a service that watches a file and its folder, and tells what it sees.
const WATCH: &str = "__watch";
/// What it tells of, and in which words.
const EVENTS: [(ReadFlags, WatchFlags, &str); 7] = [
    (ReadFlags::MODIFY, WatchFlags::MODIFY, "modified"),
    (ReadFlags::CLOSE_WRITE, WatchFlags::CLOSE_WRITE, "written"),
    (ReadFlags::MOVED_FROM, WatchFlags::MOVED_FROM, "moved-from"),
    (ReadFlags::MOVED_TO, WatchFlags::MOVED_TO, "moved-to"),
    (ReadFlags::CREATE, WatchFlags::CREATE, "created"),
    (ReadFlags::DELETE, WatchFlags::DELETE, "deleted"),
    (ReadFlags::DELETE_SELF, WatchFlags::DELETE_SELF, "gone"),
];

/// Watches for ever, where the arguments say so.
pub(crate) fn run_if_watcher() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, WATCH, folder, file] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
        return;
    };
    let all = EVENTS.iter().fold(WatchFlags::empty(), |all, (_, flag, _)| all | *flag);
    let inotify = inotify::init(CreateFlags::CLOEXEC).unwrap();
    let folder = inotify::add_watch(&inotify, folder, all).unwrap();
    inotify::add_watch(&inotify, file, all).unwrap();
    let mut out = std::io::stdout();
    out.write_all(b"watching\n").unwrap();
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(&inotify, &mut buffer);
    let mut last = String::new();
    loop {
        let event = reader.next().unwrap();
        let what = if event.wd() == folder { "folder" } else { "file" };
        let name = event.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        for (_, _, words) in EVENTS.iter().filter(|(flag, _, _)| event.events().contains(*flag)) {
            // A generation's number is nobody's business.
            let name = name.trim_end_matches(|last: char| last.is_ascii_digit());
            let line = format!("{what} {words} {name}\n");
            // The kernel tells of it once where nobody has read of the first yet.
            if line != last {
                out.write_all(line.as_bytes()).unwrap();
            }
            last = line;
        }
    }
}

/// What is seen of one exchange of `tls.crt` and `tls.key`, of which the first is watched.
const WAYS: [(Replacement, FileLayout, &[&str]); 4] = [
    (
        Replacement::Rename,
        FileLayout::Exchanged,
        &[
            "folder created .tls.crt.new",
            "folder modified .tls.crt.new",
            "folder written .tls.crt.new",
            "folder created .tls.key.new",
            "folder modified .tls.key.new",
            "folder written .tls.key.new",
            "folder moved-from .tls.crt.new",
            "folder moved-to tls.crt",
            "file gone ",
            "folder moved-from .tls.key.new",
            "folder moved-to tls.key",
        ],
    ),
    (
        Replacement::SymlinkSwap,
        FileLayout::Linked,
        &[
            "folder created ..generation-",
            "folder created ..data_tmp",
            "folder moved-from ..data_tmp",
            "folder moved-to ..data",
            "file gone ",
            "folder deleted ..generation-",
        ],
    ),
    (
        Replacement::TruncateWrite,
        FileLayout::Exchanged,
        &[
            "folder modified tls.crt",
            "file modified ",
            "folder modified tls.crt",
            "file modified ",
            "folder written tls.crt",
            "file written ",
            "folder modified tls.key",
            "folder written tls.key",
        ],
    ),
    (
        Replacement::UnlinkCreate,
        FileLayout::Exchanged,
        &[
            "file gone ",
            "folder deleted tls.crt",
            "folder created tls.crt",
            "folder modified tls.crt",
            "folder written tls.crt",
            "folder deleted tls.key",
            "folder created tls.key",
            "folder modified tls.key",
            "folder written tls.key",
        ],
    ),
];

fn files(folder: &str, layout: FileLayout, contents: &str) -> [FileSpec; 2] {
    ["tls.crt", "tls.key"].map(|name| FileSpec {
        path: format!("{folder}/{name}"),
        contents: format!("{contents} {name}\n").into_bytes(),
        mode: 0o440,
        layout,
    })
}

/// In a folder in which the image has nothing, in one in which it has something, and in a volume.
pub(crate) fn files_are_exchanged_as_anywhere_else(stage: &Stage) {
    for (folder, root) in [
        ("/etc/node/tls", RootAccess::ReadWrite),
        ("/etc/node/tls", RootAccess::ReadOnly),
        ("/bin", RootAccess::ReadWrite),
    ] {
        for (way, layout, events) in WAYS {
            let mut sandbox = stage.open();
            let own = std::env::current_exe().unwrap();
            let mut spec = stage.idle("place");
            let mut program = "/bin/tests".to_owned();
            if stage.tree.is_none() {
                program = "/etc/notafter-tests".to_owned();
                spec.binds = vec![Bind { source: own, target: program.clone() }];
            }
            let words = [&program, WATCH, folder, &format!("{folder}/tls.crt")];
            let uid = if root == RootAccess::ReadOnly { 0 } else { 33 };
            let spec = LaunchSpec {
                command: Some(words.map(str::to_owned).to_vec()),
                files: files(folder, layout, "old").to_vec(),
                user: Some(format!("{uid}:{uid}")),
                restrictions: Restrictions { root: Some(root), ..Restrictions::default() },
                ..spec
            };
            let launched = sandbox.launch(&spec);
            if stage.backend.isolation() == Isolation::None {
                let told = std::error::Error::source(&launched.unwrap_err()).unwrap().to_string();
                assert!(told.contains("--isolation none"), "{told}");
                continue;
            }
            launched.unwrap();
            if stage.is_scripted() {
                sandbox.replace(&name("place"), way, &files(folder, layout, "new")).unwrap();
                continue;
            }
            wait_for_log(&mut *sandbox, "place", "watching\n");
            sandbox.replace(&name("place"), way, &files(folder, layout, "new")).unwrap();
            let expected = format!("watching\n{}\n", events.join("\n"));
            let seen = wait_for_log(&mut *sandbox, "place", events.last().unwrap());
            assert_eq!(seen, expected, "{way} in {folder}");
            let shown = format!("while read -r line; do echo $line; done < {folder}/tls.key");
            let outcome = sandbox.exec(&name("place"), &command(&shown), LONG).unwrap();
            let ExecOutcome::Exited { code: 0, output } = outcome else { panic!("{outcome:?}") };
            assert_eq!(output, "new tls.key\n", "{way} in {folder}");
            if root == RootAccess::ReadWrite {
                let (code, shown) = run(&mut *sandbox, "place", &format!("echo own > {folder}/tls.crt"));
                assert!(code != 0, "{way} in {folder}: {shown}");
            }
            let remarks = sandbox.close().unwrap();
            let told = remarks.iter().any(|remark| remark.contains("read-only but for /etc/node/tls"));
            let is_writable = stage.tree.is_some() && root == RootAccess::ReadOnly;
            assert_eq!(told, is_writable, "{remarks:?}");
        }
    }
}

/// What a scenario lays in can be run where its mode says so, and what is in a volume lies there; what was not laid in to
/// be exchanged stays.
pub(crate) fn files_lie_where_they_are_wanted(stage: &Stage) {
    let file = |path: &str, layout| FileSpec {
        path: path.to_owned(),
        contents: b"#!/bin/sh\necho ran\n".to_vec(),
        mode: 0o755,
        layout,
    };
    let layouts = match stage.backend.isolation() {
        Isolation::None => [FileLayout::Plain; 2],
        Isolation::Containers | Isolation::Namespaces => [FileLayout::Plain, FileLayout::Exchanged],
    };
    let mut sandbox = stage.open();
    let spec = LaunchSpec {
        files: ["/cfg/plain", "/srv/new/exchanged"]
            .into_iter()
            .zip(layouts)
            .map(|(path, layout)| file(path, layout))
            .collect(),
        volumes: vec![VolumeMount {
            name: VolumeName::new("data").unwrap(),
            path: "/data".to_owned(),
            state: VolumeState::Carried,
            content: VolumeContent::Empty,
        }],
        ..stage.idle("place")
    };
    sandbox.launch(&spec).unwrap();
    let stays = sandbox.replace(&name("place"), Replacement::Rename, &spec.files[..1]);
    if stage.is_scripted() {
        return; // it plays one table whatever was laid in
    }
    assert!(matches!(stays, Err(Error::Sandbox { .. })), "{stays:?}");
    for path in ["/cfg/plain", "/srv/new/exchanged"] {
        let outcome = sandbox.exec(&name("place"), &[path.to_owned()], LONG).unwrap();
        let ExecOutcome::Exited { code, output } = outcome else { panic!("{path}: {outcome:?}") };
        assert_eq!((code, output.as_str()), (0, "ran\n"), "{path}");
    }
}
