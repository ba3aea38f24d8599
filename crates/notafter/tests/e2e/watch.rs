//! A scenario that somebody works on.

use super::runs::can_run;
use super::scene::{SOUND, Scene};
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

struct Watching {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watching {
    fn start(scene: &Scene) -> Self {
        let mut command = scene.command(&["watch", "scenario.yaml", "--quiet"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn interrupt(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[test]
fn what_somebody_edits_is_gated_again_until_they_stop() {
    if !can_run() {
        return;
    }
    let sound = SOUND.replace("support: 1y", "support: 5d").replace(
        "command: [sleep, \"1000000\"]",
        "command: [sh, -c, \"sh /app/run.sh; exec sleep 1000000\"]\n    files: { /app/run.sh: { source: run.sh } }",
    );
    let scene = Scene::with("scenario.yaml", &sound);
    let write = |name: &str, text: &str| std::fs::write(scene.path().join(name), text).unwrap();
    write("run.sh", "true\n");
    let mut watching = Watching::start(&scene);
    assert!(watching.next().starts_with("allow         scenario.yaml: nothing breaks through"));

    write("run.sh", "exit_after=1; kill $PPID\n");
    let line = watching.next();
    assert!(!line.starts_with("allow"), "{line}");
    assert_eq!(watching.next(), "  was          allow");
    assert!(watching.next().starts_with("  new          sleeper"), "what is new is told");

    write("scenario.yaml", "notafter: 1\n");
    let told: Vec<String> =
        std::iter::from_fn(|| Some(watching.next())).take_while(|it| !it.starts_with("refused")).collect();
    assert!(told.iter().all(|line| line.starts_with(' ')), "{told:?}");
    write("run.sh", "true\n");
    write("scenario.yaml", &sound);
    let told: Vec<String> =
        std::iter::from_fn(|| Some(watching.next())).take_while(|it| !it.starts_with("allow")).collect();
    assert!(told.iter().all(|line| line.starts_with(' ')), "{told:?}");
    assert_eq!(watching.next(), "  was          refused");
    assert_eq!(watching.interrupt(), Some(0), "the last verdict stands");
}
