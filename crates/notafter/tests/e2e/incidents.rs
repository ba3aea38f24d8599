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
    oculus: "oculus-2018", ["openssl"];
    spotify: "spotify-2020", ["nginx", "curl"];
    sql_valid_until: "sql-valid-until", ["postgres", "initdb", "psql", "bash"];
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
