//! The recipes for CI: what their schemas say of them, and that each fails closed.

use super::needs::or_skipped;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn recipe(name: &str) -> String {
    fs::read_to_string(repository().join("ci/examples").join(name)).unwrap()
}

/// The linter that holds the schemas of several CI systems, from PATH or where ci/test puts it.
fn linter() -> Option<PathBuf> {
    let places = [PathBuf::from("check-jsonschema"), repository().join("target/lint/bin/check-jsonschema")];
    let works =
        |place: &PathBuf| Command::new(place).arg("--version").output().is_ok_and(|it| it.status.success());
    let found = places.into_iter().find(works);
    or_skipped(found.is_some(), "check-jsonschema");
    found
}

#[test]
fn recipes_are_what_the_schemas_of_their_systems_say() {
    let Some(linter) = linter() else { return };
    for (schema, file) in [
        ("vendor.github-actions", "github/action.yml"),
        ("vendor.github-workflows", "github/release.yml"),
        ("vendor.gitlab-ci", "gitlab/.gitlab-ci.yml"),
    ] {
        let path = repository().join("ci/examples").join(file);
        let told = Command::new(&linter).args(["--builtin-schema", schema]).arg(path).output().unwrap();
        assert!(told.status.success(), "{file}: {}", String::from_utf8_lossy(&told.stdout));
    }
}

#[test]
fn the_rollout_comes_after_the_gate() {
    for (file, gate, rollout) in [
        ("github/release.yml", "./.github/actions/notafter", "needs: [gate]"),
        ("gitlab/.gitlab-ci.yml", "notafter gate", "needs: [gate]"),
        ("jenkins/Jenkinsfile", "notafter gate", "stage('Rollout')"),
        ("tekton/pipeline.yaml", "taskRef: { name: notafter-gate }", "runAfter: [gate]"),
        ("argo/workflow.yaml", "template: gate", "depends: gate.Succeeded"),
    ] {
        let text = recipe(file);
        assert!(text.find(gate).unwrap() < text.find(rollout).unwrap(), "{file}");
        let text = text.replace("[./deploy, production]", "./deploy production");
        assert!(text.find(rollout).unwrap() < text.find("./deploy production").unwrap(), "{file}");
        goes_on_after_nothing(file);
    }
    for file in ["tekton/task.yaml", "argo/analysis.yaml"] {
        goes_on_after_nothing(file);
    }
}

fn goes_on_after_nothing(file: &str) {
    let text = recipe(file);
    for way_out in [
        "continue-on-error: true",
        "allow_failure: true",
        "|| true",
        "catchError",
        "returnStatus",
        "onError",
        "continueOn",
        "retryStrategy",
        "retries:",
    ] {
        assert!(!text.contains(way_out), "{file}: {way_out}");
    }
}

/// Tekton and Argo start the tool itself, without a shell in between: its exit code is the container's, and these are read by
/// what a parser makes of them.
#[test]
fn containers_run_the_tool_itself_and_their_one_failure_is_final() {
    let read = |file: &str| -> serde_json::Value { serde_yaml::from_str(&recipe(file)).unwrap() };
    let task = read("tekton/task.yaml");
    let steps = task["spec"]["steps"].as_array().unwrap();
    assert_eq!(steps.iter().map(|step| &step["args"][0]).collect::<Vec<_>>(), ["doctor", "gate"]);
    let workflow = read("argo/workflow.yaml");
    let gate = &workflow["spec"]["templates"][1];
    assert_eq!((&gate["name"], &gate["container"]["args"][0]), (&"gate".into(), &"gate".into()));
    let analysis = read("argo/analysis.yaml");
    let metric = &analysis["spec"]["metrics"][0];
    let job = &metric["provider"]["job"]["spec"];
    for number in [&metric["failureLimit"], &metric["inconclusiveLimit"], &job["backoffLimit"]] {
        assert_eq!(number, 0, "{metric}");
    }
    let pod = &job["template"]["spec"];
    assert_eq!((&metric["count"], &pod["restartPolicy"]), (&1.into(), &"Never".into()));
    for started in steps.iter().chain([&gate["container"], &pod["containers"][0]]) {
        assert_eq!(started["command"], serde_json::json!(["/usr/bin/notafter"]), "{started}");
    }
    // What they say to it is a command line of this very tool.
    for started in [&steps[1], &gate["container"], &pod["containers"][0]] {
        let words: Vec<&str> =
            started["args"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        let scene = super::scene::Scene::new();
        let text = scene.run(&words);
        assert!(text.starts_with("exit 2\n") && text.contains("cannot read"), "{words:?}: {text}");
    }
}

/// The lines of the shell script that begins below `marker` and is indented by `indent`.
fn script(text: &str, marker: &str, indent: usize) -> String {
    let after = text.split_once(marker).unwrap().1;
    let lines =
        after.lines().skip(1).take_while(|line| line.is_empty() || line.starts_with(&" ".repeat(indent)));
    lines.map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n").collect()
}

/// Runs a step with a tool that gates with `code`; its exit code.
fn step(script: &str, shell: &[&str], code: i32) -> i32 {
    run(script, shell, &format!("#!/bin/sh\ncase \"$1\" in gate) exit {code} ;; esac\n"))
}

/// Runs a script with a tool of this text; its exit code.
fn run(script: &str, shell: &[&str], text: &str) -> i32 {
    let home = tempfile::tempdir().unwrap();
    let tool = home.path().join("notafter");
    fs::write(&tool, text).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", home.path().display(), std::env::var("PATH").unwrap());
    let file = home.path().join("step");
    fs::write(&file, script).unwrap();
    let output = Command::new(shell[0])
        .args(&shell[1..])
        .arg(&file)
        .current_dir(home.path())
        .env("PATH", path)
        .envs([("SCENARIO", "s"), ("CANDIDATE", ""), ("REPORTS", "reports")])
        .env("GITHUB_OUTPUT", home.path().join("output"))
        .env("GITHUB_STEP_SUMMARY", home.path().join("summary"))
        .output()
        .unwrap();
    output.status.code().unwrap()
}

#[test]
fn a_scenario_that_cannot_be_planned_is_not_committed() {
    let hooks = fs::read_to_string(repository().join(".pre-commit-hooks.yaml")).unwrap();
    let hooks: serde_json::Value = serde_yaml::from_str(&hooks).unwrap();
    let entry = hooks[0]["entry"].as_str().unwrap();
    // As pre-commit runs it: the files that changed stand behind the entry.
    let tool = "#!/bin/sh\ntest \"$1\" = plan || exit 9\ncase \"$2\" in bad*) exit 2 ;; esac\n";
    for (files, code) in [("a/scenario.yaml", 0), ("bad/scenario.yaml a/scenario.yaml", 2), ("a bad", 2)] {
        assert_eq!(run(&format!("{entry} {files}\n"), &["sh"], tool), code, "{files}");
    }
}

#[test]
fn every_exit_code_but_0_stops_the_release() {
    let action = recipe("github/action.yml");
    let action = script(action.split_once("id: gate").unwrap().1, "      run: |", 8);
    // A folded block is one line for the shell.
    let gitlab = recipe("gitlab/.gitlab-ci.yml");
    let gitlab = script(&gitlab, "    - >", 6).replace('\n', " ");
    let jenkins = script(&recipe("jenkins/Jenkinsfile"), "sh '''", 10);
    for code in [0, 1, 2, 3] {
        // As each system runs a step.
        assert_eq!(
            step(&action, &["bash", "--noprofile", "--norc", "-eo", "pipefail"], code),
            code,
            "{action}"
        );
        assert_eq!(step(&gitlab, &["sh", "-e"], code), code, "{gitlab}");
        assert_eq!(step(&jenkins, &["sh", "-xe"], code), code, "{jenkins}");
    }
}
