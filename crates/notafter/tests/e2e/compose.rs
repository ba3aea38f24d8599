//! Gates of what Compose files say.

use super::check::nodes;
use super::runs::can_run;
use super::scene::{Scene, shown};
use std::fs;

const COMPOSE: &str = "\
services:
  front:
    image: registry.example/none:1
    profiles: [later]
  node:
    build: .
    ports: [\"127.0.0.1:${PUBLISHED:-9000}:2123\"]
    mem_limit: 64m
    read_only: true
    hostname: box
";

fn run(scene: &Scene, arguments: &[&str]) -> (Option<i32>, String) {
    let cache = scene.path().join("cache");
    let output = scene.command(arguments).env("XDG_CACHE_HOME", cache).output().unwrap();
    (output.status.code(), shown(&output))
}

#[test]
fn a_compose_file_is_gated_with_the_image_of_its_candidate() {
    if !can_run() {
        return;
    }
    let scene = Scene::with("compose.yaml", COMPOSE);
    nodes(&scene, &["sgsn-mme-1-14"]);
    let image = "node=docker-archive:sgsn-mme-1-14.tar";
    let window = ["--start", "2018-11-01T00:00:00Z", "--support", "90d"];
    let (code, text) =
        run(&scene, &[&["gate", "--compose", "compose.yaml", "--candidate", image][..], &window].concat());
    assert_eq!(code, Some(1), "{text}");
    for part in [
        "breaks on 2018-12-06T04:30:00Z",
        "node-port-2123 (tcp): its port takes connections",
        "node: not applied, so that it may do more here: `hostname` at compose.yaml:10",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let (code, text) = run(&scene, &["gate", "--compose", "compose.yaml", "--candidate", "node"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("--candidate node=IMAGE"), "{text}");
}

#[test]
fn init_takes_a_compose_file_and_its_mistakes_have_a_line() {
    let scene = Scene::with("compose.yaml", COMPOSE);
    let (code, text) = run(&scene, &["init"]);
    assert_eq!(code, Some(0), "{text}");
    let written = fs::read_to_string(scene.path().join("scenario.yaml")).unwrap();
    assert!(written.contains("compose: [\"compose.yaml\"]"), "{written}");
    assert!(written.contains("candidate: \"node\""), "{written}");
    fs::write(scene.path().join("compose.yaml"), COMPOSE.replace("mem_limit: 64m", "privileged: true"))
        .unwrap();
    let (code, text) = run(&scene, &["plan", "scenario.yaml"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("error[unsupported-compose]: `privileged`"), "{text}");
    assert!(text.contains("compose.yaml:8:5"), "{text}");
}
