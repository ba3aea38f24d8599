//! Every mistake of the caller ends with 2 and says what is wrong, where, and what to do.

use super::scene::{SOUND, Scene};
use insta::assert_snapshot;

fn gate(scenario: &str) -> String {
    Scene::with("scenario.yaml", scenario).run(&["gate", "scenario.yaml"])
}

#[test]
fn a_scenario_that_is_not_there() {
    assert_snapshot!(Scene::new().run(&["gate", "nowhere.yaml"]), @r"
    exit 2
    --- stderr
    error: cannot read nowhere.yaml
      because: No such file or directory (os error 2)
    ");
}

#[test]
fn a_scenario_with_an_unknown_key() {
    assert_snapshot!(gate(&SOUND.replace("command:", "comand:")));
}

#[test]
fn a_candidate_without_a_choice_among_its_builds() {
    let text = SOUND
        .replace("services:", "builds:\n  \"1\": host\n  \"2\": host\nservices:")
        .replace("    image: host\n", "");
    assert_snapshot!(gate(&text), @r"
    exit 2
    --- stderr
    error: sleeper has several builds and none is chosen
      help: choose one: --candidate sleeper=1, --candidate sleeper=2
    ");
}

#[test]
fn a_build_that_the_scenario_does_not_have() {
    let text = SOUND
        .replace("services:", "builds:\n  \"1\": host\n  \"2\": host\nservices:")
        .replace("    image: host\n", "");
    let scene = Scene::with("scenario.yaml", &text);
    assert_snapshot!(scene.run(&["gate", "scenario.yaml", "--candidate", "sleeper=3"]));
}

#[test]
fn an_image_that_is_not_there() {
    assert_snapshot!(gate(&SOUND.replace("image: host", "image: \"rootfs:no-such-tree\"")), @r"
    exit 2
    --- stderr
    error: scenario.yaml:7:3: an image of the scenario cannot be had
      because: rootfs:no-such-tree: there is no ./no-such-tree
    ");
}

#[test]
fn a_glob_that_finds_nothing() {
    let text = SOUND.replace("image: host\n", "image: host\n    scan: [\"/no/such/**\"]\n");
    assert_snapshot!(gate(&text), @r"
    exit 2
    --- stderr
    error: scenario.yaml:7:3: the files of service sleeper cannot be scanned
      because: `/no/such/**` matches no file
    ");
}

#[test]
fn a_secret_that_is_not_in_the_environment() {
    let text =
        SOUND.replace("image: host\n", "image: host\n    env: { TOKEN: { secret: NO_SUCH_SECRET } }\n");
    assert_snapshot!(gate(&text), @r"
    exit 2
    --- stderr
    error: scenario.yaml:7:3: service sleeper needs the secret NO_SUCH_SECRET, which is not in the environment
    ");
}

#[test]
fn a_case_that_the_plan_does_not_have() {
    let scene = Scene::with("scenario.yaml", SOUND);
    assert_snapshot!(scene.run(&["gate", "scenario.yaml", "--case", "wlak"]), @r"
    exit 2
    --- stderr
    inventory: 0 credentials known, 0 files not looked into
    error: the plan has no case wlak; it has control, walk, cold
      help: fresh starts can run alone at any instant, as in cold-2018-12-06T043000Z; cases that only follow from what others showed cannot
    ");
}

#[test]
fn a_scenario_that_retells_nothing() {
    let scene = Scene::with("scenario.yaml", SOUND);
    assert_snapshot!(scene.run(&["replay", "scenario.yaml"]), @r"
    exit 2
    --- stderr
    error: scenario.yaml has no `replay:` block: there is nothing to compare with
      help: `notafter gate` judges one build of it
    ");
}

#[test]
fn a_directory_to_keep_things_in_that_is_not_empty() {
    let scene = Scene::with("scenario.yaml", SOUND);
    assert_snapshot!(scene.run(&["gate", "scenario.yaml", "--keep", "."]), @r"
    exit 2
    --- stderr
    error: . is not empty; what is kept there would mix with it
    ");
}

#[test]
fn a_report_format_that_does_not_exist() {
    assert_snapshot!(Scene::new().run(&["gate", "x", "--report", "xml=report.xml"]), @r"
    exit 2
    --- stderr
    error: invalid value 'xml=report.xml' for '--report <FORMAT=FILE>': there is no report format `xml`; there are cyclonedx, github, gitlab, html, ical, json, junit, markdown, sarif and text

    For more information, try '--help'.
    ");
}

#[test]
fn no_command_at_all() {
    assert!(Scene::new().run(&[]).starts_with("exit 2\n"));
}

#[test]
fn a_code_that_does_not_exist() {
    assert_snapshot!(Scene::new().run(&["explain", "brakes"]), @r"
    exit 2
    --- stderr
    error: there is no code `brakes`
      help: codes stand in reports, as in `breaks-in-window`
    ");
}

#[test]
fn colours_only_where_they_are_asked_for() {
    let scene = Scene::new();
    let escape = "\u{1b}[";
    assert!(!scene.run(&["gate", "nowhere.yaml"]).contains(escape));
    assert!(scene.run(&["--color", "always", "gate", "nowhere.yaml"]).contains(escape));
}
