//! Runs beside each other, on a machine that has no time to spare.

use super::runs::can_run;
use super::scene::Scene;
use std::process::{Child, Command, Stdio};

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/o2-ericsson-2018");

/// Something that keeps a processor busy until it is dropped.
struct Spinner(Child);

impl Spinner {
    fn start() -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "while :; do :; done"]).stdin(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn two_runs_on_a_loaded_machine_come_out_as_they_do_alone() {
    if !can_run() {
        return;
    }
    // The budget is for a machine with time to spare; a loaded one may be slow, and only that.
    let file = format!("{SCENARIO}/scenario.yaml");
    let patient = std::fs::read_to_string(&file).unwrap().replace("budget: 60s", "budget: 240s");
    let directory = tempfile::tempdir_in(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")).unwrap();
    let scenario = directory.path().join("scenario.yaml");
    std::fs::write(&scenario, patient).unwrap();

    let scene = Scene::new();
    let _load = [Spinner::start(), Spinner::start()];
    let runs = ["1.14", "1.15.1"].map(|build| {
        let candidate = format!("sgsn-mme={build}");
        let mut command =
            scene.command(&["gate", scenario.to_str().unwrap(), "--candidate", &candidate, "--quiet"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    let [broken, mended] = runs.map(|run| {
        let output = run.wait_with_output().unwrap();
        (output.status.code(), super::scene::shown(&output))
    });
    assert_eq!(broken.0, Some(1), "{}", broken.1);
    assert!(broken.1.contains("breaks on 2018-12-06T04:30:00Z"), "{}", broken.1);
    assert_eq!(mended.0, Some(0), "{}", mended.1);
}
