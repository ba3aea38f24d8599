//! What `cargo xtask dist` ships of this very build, unpacked as users unpack it.

use super::needs::{can_run_with, repository};
use super::scene::{SOUND, Scene, shown};
use std::path::Path;
use std::process::Command;
use xtask::dist::{Shipment, pack};

fn done(program: &str, arguments: &[&str], directory: &Path) {
    let output = Command::new(program).args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", shown(&output));
}

#[test]
fn archive_and_package_hold_a_program_that_gates() {
    if !can_run_with(&["dpkg-deb", "strip", "tar"]) {
        return;
    }
    let scene = Scene::new();
    for (name, seconds) in [("allowed.yaml", "1000000000"), ("blocked.yaml", "1000000")] {
        std::fs::write(scene.path().join(name), SOUND.replace("1000000", seconds)).unwrap();
    }
    // As the profile `dist` does it; what is packed is this build all the same.
    done("strip", &["-o", "program", env!("CARGO_BIN_EXE_notafter")], scene.path());
    let shipment =
        Shipment { binary: scene.path().join("program"), root: repository(), epoch: 1_700_000_000 };
    pack(&shipment, scene.path()).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let top = format!("notafter-{version}-x86_64-linux");
    done("tar", &["xzf", &format!("{top}.tar.gz")], scene.path());
    done("dpkg-deb", &["--extract", &format!("notafter_{version}_amd64.deb"), "tree"], scene.path());
    for program in [format!("{top}/notafter"), "tree/usr/bin/notafter".to_owned()] {
        let gate = |scenario| {
            let mut command = Command::new(scene.path().join(&program));
            command.args(["gate", scenario, "--quiet"]).current_dir(scene.path());
            shown(&command.output().unwrap())
        };
        let text = gate("allowed.yaml");
        assert!(text.starts_with("exit 0\n--- stdout\nallow: sleeper"), "{program}: {text}");
        let text = gate("blocked.yaml");
        assert!(
            text.starts_with("exit 1\n--- stdout\nblock: sleeper breaks on 2030-01-12T"),
            "{program}: {text}"
        );
    }
}
