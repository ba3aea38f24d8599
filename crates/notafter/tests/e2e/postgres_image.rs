//! PostgreSQL as an image: Debian's files, put together here without a Dockerfile, as its own user, on both back ends.

use super::check::put_into;
use super::docker::can_use_engine;
use super::images::busybox;
use super::needs::{can_run_with, or_skipped};
use super::scene::{Scene, shown};
use notafter_image::{Assembly, HealthCheck, ImageConfig, Layer};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// User and group of the database in the image; no user of this machine need have them.
const POSTGRES: (u32, u32) = (999, 998);

/// What the image runs: a cluster is made at first boot, as images of databases do it.
const ENTRY: &str = "#!/bin/sh
set -eu
if [ ! -s \"$PGDATA/PG_VERSION\" ]; then
    initdb --auth-local=trust --auth-host=scram-sha-256 --locale=C --encoding=UTF8 --no-sync --no-instructions
    echo \"create role app login password 'app-password';\" | postgres --single -c fsync=off postgres
    echo 'hostssl all app all scram-sha-256' >> \"$PGDATA/pg_hba.conf\"
fi
exec \"$@\"
";

const SCENARIO: &str = "\
notafter: 1
name: postgres-image
start: 2030-01-01T00:00:00Z
support: 120d
candidate: db
budget: 500s
credentials:
  root: { x509: { ca: root, subject: \"CN=Demo Root\", key: p256, validity: { from: \"start - 1y\", until: \"support.end + 5y\" } } }
  db:   { x509: { issuer: root, subject: \"CN=db\", dns: [db], usage: [server], validity: { from: \"start - 1d\", until: \"${DB_END}\" } } }
services:
  db:
    image: docker-archive:postgres.tar
    files:
      /etc/db/tls.crt: { chain: db }
      /etc/db/tls.key: { key: db }
checks:
  logs-in:
    probe: { postgres: { address: \"db:5432\", user: app, password: app-password, database: postgres, query: \"select current_user, 1 + 1\", trust: root } }
    connections: [fresh, held]
    expect: { works: { equals: \"app|2\" } }
  shows-its-certificate:
    probe: { tls: { address: \"db:5432\", starttls: postgres, trust: root } }
    expect: { works: {} }
  is-itself:
    probe: { exec: { service: db, command: [sh, -c, \"test $(id -u):$(id -g) = 999:998 -a $PGDATA = /var/lib/postgresql/data\"] } }
    expect: { works: { exit: 0 } }
";

/// Debian's newest PostgreSQL on this machine: the directories of its programs and of its data.
fn installed() -> Option<(PathBuf, PathBuf)> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max()?;
    let share = PathBuf::from(format!("/usr/share/postgresql/{newest}"));
    let home = PathBuf::from(format!("/usr/lib/postgresql/{newest}"));
    (share.is_dir() && home.join("bin/postgres").exists()).then_some((home, share))
}

/// Writes the image as `postgres.tar`.
fn assemble(scene: &Scene, home: &Path, share: &Path, busybox: &str) {
    let tree = scene.path().join("tree");
    for program in ["postgres", "initdb", "pg_isready"] {
        put_into(&tree, home.join("bin").join(program).to_str().unwrap());
    }
    for module in ["plpgsql.so", "dict_snowball.so"] {
        put_into(&tree, home.join("lib").join(module).to_str().unwrap());
    }
    let beside = tree.join(share.parent().unwrap().strip_prefix("/").unwrap());
    fs::create_dir_all(&beside).unwrap();
    let copied = Command::new("cp").arg("-rL").args([share, &beside]).output().unwrap();
    assert!(copied.status.success(), "{copied:?}");
    fs::create_dir_all(tree.join("bin")).unwrap();
    fs::copy(busybox, tree.join("bin/busybox")).unwrap();
    for directory in ["etc", "usr/local/bin"] {
        fs::create_dir_all(tree.join(directory)).unwrap();
    }
    fs::write(
        tree.join("etc/passwd"),
        "root:x:0:0::/:/bin/sh\npostgres:x:999:998::/var/lib/postgresql:/bin/sh\n",
    )
    .unwrap();
    fs::write(tree.join("etc/group"), "root:x:0:\npostgres:x:998:\n").unwrap();
    let entry = tree.join("usr/local/bin/entry");
    fs::write(&entry, ENTRY).unwrap();
    fs::set_permissions(&entry, fs::Permissions::from_mode(0o755)).unwrap();

    let (mut below, mut above) = (Layer::new().unwrap(), Layer::new().unwrap());
    below.tree(&tree).unwrap();
    for applet in ["sh", "id", "test"] {
        above.symlink(&format!("/bin/{applet}"), "busybox").unwrap();
    }
    above.directory("/tmp", 0o1777, (0, 0)).unwrap();
    for directory in ["/var/lib/postgresql", "/var/lib/postgresql/data", "/var/run/postgresql"] {
        above.directory(directory, 0o700, POSTGRES).unwrap();
    }
    let text = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let bin = home.join("bin").display().to_string();
    let config = ImageConfig {
        entrypoint: text(&["/usr/local/bin/entry"]),
        command: text(&[
            "postgres",
            "-c",
            "listen_addresses=*",
            "-c",
            "ssl=on",
            "-c",
            "ssl_cert_file=/etc/db/tls.crt",
            "-c",
            "ssl_key_file=/etc/db/tls.key",
            "-c",
            "fsync=off",
        ]),
        env: vec![
            ("PATH".to_owned(), format!("{bin}:/usr/local/bin:/bin")),
            ("PGDATA".to_owned(), "/var/lib/postgresql/data".to_owned()),
        ],
        user: Some("postgres".to_owned()),
        workdir: None,
        // A fast shutdown, as PostgreSQL has it.
        stop_signal: Some(2),
        volumes: text(&["/var/lib/postgresql/data"]),
        ports: vec![5432],
        health: Some(HealthCheck {
            command: text(&["pg_isready", "--quiet", "--host=127.0.0.1"]),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
            start_period: Duration::from_secs(60),
            retries: 10,
        }),
    };
    let archive = File::create(scene.path().join("postgres.tar")).unwrap();
    Assembly::new(config).layer(below).layer(above).write_archive(Some("postgres:debian"), archive).unwrap();
}

#[test]
fn a_database_from_debian_packages_is_blocked_to_the_second_and_allowed_on_both_back_ends() {
    if !can_run_with(&["postgres"]) {
        return;
    }
    let (Some((home, share)), Some(busybox)) = (installed(), busybox()) else {
        assert!(!or_skipped(false, "PostgreSQL as Debian lays it out"));
        return;
    };
    let scene = Scene::new();
    assemble(&scene, &home, &share, busybox);
    fs::write(scene.path().join("scenario.yaml"), SCENARIO).unwrap();
    let backends = if can_use_engine() { &["embedded", "docker"][..] } else { &["embedded"] };
    for (end, code, telling) in [
        ("2030-03-01T12:00:00Z", 1, "breaks on 2030-03-01T12:00:01Z"),
        ("2031-01-01T00:00:00Z", 0, "passes every check"),
    ] {
        let runs: Vec<_> = backends
            .iter()
            .map(|backend| {
                let mut command = scene.command(&["gate", "scenario.yaml", "--quiet", "--backend", backend]);
                command.env("DB_END", end).env("XDG_CACHE_HOME", scene.path().join("cache"));
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for (run, backend) in runs.into_iter().zip(backends) {
            let output = run.wait_with_output().unwrap();
            let text = shown(&output).split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(output.status.code(), Some(code), "{backend}: {text}");
            assert!(text.contains(telling), "{backend}: {text}");
            assert!(!text.contains("app-password"), "{backend}: a password is told");
        }
    }
}
