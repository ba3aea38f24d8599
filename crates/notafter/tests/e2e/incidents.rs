//! Incidents of the past: each broken build blocks in the told second for the told cause, each repaired one is allowed.

use super::needs::{can_run_with, repository};
use super::runs::can_run;
use super::scene::{SOUND, Scene, shown};

/// Replays one scenario, which must come out as it tells; what was printed.
fn replayed(name: &str, programs: &[&str]) -> Option<String> {
    if !can_run_with(programs) {
        return None;
    }
    let path = repository().join("scenarios/incidents").join(name);
    let text = Scene::new().run(&["replay", path.to_str().unwrap()]);
    assert!(text.starts_with("exit 0\n"), "{text}");
    Some(text)
}

macro_rules! incidents {
    ($($test:ident: $name:literal, $programs:expr;)*) => {
        $(#[test]
        fn $test() {
            replayed($name, &$programs);
        })*

        /// Every scenario in the folder has a test here.
        #[test]
        fn no_incident_is_left_out() {
            let known = [$($name),*];
            let folder = std::fs::read_dir(repository().join("scenarios/incidents")).unwrap();
            let mut there: Vec<String> =
                folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            there.sort();
            assert_eq!(there, known);
        }
    };
}

incidents! {
    addtrust: "addtrust-2020", ["nginx", "python3"];
    azure: "azure-2012", ["python3", "openssl"];
    chromecast: "chromecast-2025", ["haproxy", "openssl"];
    cisco: "cisco-ap-2022", ["nginx", "openssl"];
    dst_root_x3: "dst-root-x3-2021", ["nginx", "python3"];
    equifax: "equifax-2017", ["nginx", "python3", "openssl", "curl"];
    firefox: "firefox-addons-2019", ["openssl"];
    google_voice: "google-voice-2021", ["nginx"];
    kube_apiserver_loopback: "kube-apiserver-loopback", [];
    oculus: "oculus-2018", ["openssl"];
    spotify: "spotify-2020", ["nginx", "curl"];
    sql_valid_until: "sql-valid-until", ["postgres", "initdb"];
    stale_crl: "stale-crl", ["nginx"];
}

/// What is under a break tells why nobody noticed at once.
#[test]
fn what_goes_on_working_stands_in_the_report() {
    if !can_run_with(&["nginx"]) {
        return;
    }
    let voice = repository().join("scenarios/incidents/google-voice-2021");
    let gate = ["gate", voice.to_str().unwrap(), "--candidate", "registrar=broken", "--quiet"];
    let text = Scene::new().run(&gate);
    assert!(text.starts_with("exit 1\n"), "{text}");
    let still = "still works  calls-go-through, over a connection held since before the break";
    assert!(
        text.split_whitespace().collect::<Vec<_>>().join(" ").contains(&still.replace("  ", " ")),
        "{text}"
    );
}

/// The server says no more than that the password is wrong: what it told before names the role.
#[test]
fn a_role_that_ends_is_named_with_what_goes_on_in_open_sessions() {
    if !can_run_with(&["postgres", "initdb"]) {
        return;
    }
    let path = repository().join("scenarios/incidents/sql-valid-until");
    let scene = Scene::new();
    let gate = ["gate", path.to_str().unwrap(), "--candidate", "db=broken", "--report", "json=record.json"];
    let text = scene.run(&gate);
    assert!(text.starts_with("exit 1\n"), "{text}");
    for words in [
        "because: SQL role app@db:5432: VALID UNTIL 2030-07-01T00:00:00Z",
        "FATAL 28P01: password authentication failed for user \"app\"; role app@db:5432: VALID UNTIL \
         2030-07-01T00:00:00Z, 1 s before",
        "still works  sessions, over a connection held since before the break",
        "coverage: 1 of 1 expiring credential exercised",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json = std::fs::read_to_string(scene.path().join("record.json")).unwrap();
    let (record, _) = notafter_report::json::read(&json).unwrap();
    assert!(record.cases.len() <= 8, "{} launches", record.cases.len());
    assert!(!json.contains("\"password\":{\"plain"), "{json}");
}

#[test]
fn a_folder_is_a_table_and_what_retells_nothing_is_passed_over() {
    if !can_run() {
        return;
    }
    let scene = Scene::new();
    let told = |verdict: &str| {
        let lasting = SOUND.replace("\"1000000\"", "infinity");
        format!("{lasting}builds: {{ only: {{}} }}\nreplay: [{{ build: only, verdict: {verdict} }}]\n")
    };
    for (name, text) in
        [("first", told("allow")), ("deep/second", told("block")), ("third", SOUND.to_owned())]
    {
        let directory = scene.path().join("all").join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let name = name.replace("deep/", "");
        std::fs::write(
            directory.join("scenario.yaml"),
            text.replace("name: sound", &format!("name: {name}")),
        )
        .unwrap();
    }
    let output = scene.command(&["replay", "all", "--quiet"]).output().unwrap();
    let text = shown(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for line in [
        "second  only  allow  -                     nothing breaks  NOT AS TOLD\n",
        "first   only  allow  -                     nothing breaks  as told\n",
        "2 builds of 2 scenarios: 1 not as told\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert!(!text.contains("third"), "{text}");
    std::fs::remove_dir_all(scene.path().join("all/first")).unwrap();
    std::fs::remove_dir_all(scene.path().join("all/deep")).unwrap();
    let nothing = scene.run(&["replay", "all"]);
    assert!(
        nothing.starts_with("exit 2\n") && nothing.contains("no scenario in all has a `replay:` block"),
        "{nothing}"
    );
}
