//! The HTML report in a real browser.

use super::needs::or_skipped;
use super::runs::can_run;
use super::scene::{Scene, shown};
use std::fs;
use std::process::Command;

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/o2-ericsson-2018");
/// What a certificate's subject may hold, as JSON has it.
const HOSTILE: &str =
    "CN=<script>document.title='owned'</script><img src=x onerror=\\\"document.title='owned'\\\">\\u202e";

/// Debian's browser.
fn is_there() -> bool {
    let works =
        Command::new("chromium").arg("--version").output().is_ok_and(|output| output.status.success());
    or_skipped(works, "chromium") && can_run()
}

/// Runs the browser on `report.html` and gives back what it prints.
fn browse(scene: &Scene, arguments: &[&str]) -> String {
    let profile = scene.path().join("profile");
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1280,2000"])
        .args(["--disable-dev-shm-usage", "--disable-background-networking", "--virtual-time-budget=3000"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments)
        .arg(format!("file://{}", scene.path().join("report.html").display()))
        .current_dir(scene.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_browser_shows_the_report_and_runs_nothing_in_it() {
    if !is_there() {
        return;
    }
    let scene = Scene::new();
    let gated = scene
        .command(&[
            "gate",
            SCENARIO,
            "--candidate",
            "sgsn-mme=1.14",
            "--quiet",
            "--report",
            "json=record.json",
        ])
        .output()
        .unwrap();
    assert_eq!(gated.status.code(), Some(1), "{}", shown(&gated));
    let record = scene.path().join("record.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace("CN=sgsn-mme software", HOSTILE)).unwrap();
    let judged = scene.command(&["judge", "record.json", "--report", "html=report.html"]).output().unwrap();
    assert_eq!(judged.status.code(), Some(1), "{}", shown(&judged));

    let dom = browse(&scene, &["--dump-dom"]);
    assert!(dom.contains("<title>block: sgsn-mme 1.14</title>"), "something set the title\n{dom}");
    assert!(!dom.contains("<script") && !dom.contains("<img"), "{dom}");
    for part in [
        "&lt;script&gt;document.title",
        "sgsn-mme 1.14 breaks on 2018-12-06T04:30:00Z, 35 d 4 h after start",
        "Transport for London",
        "<svg",
        "1 of 1 expiring credential exercised",
        "id=\"case-walk\"",
        "shutting down",
    ] {
        assert!(dom.contains(part), "{part:?} is not in\n{dom}");
    }

    // Light and dark, and on paper.
    browse(&scene, &["--screenshot=light.png", "--blink-settings=preferredColorScheme=1"]);
    browse(&scene, &["--screenshot=dark.png", "--blink-settings=preferredColorScheme=0"]);
    browse(&scene, &["--print-to-pdf=paper.pdf"]);
    let [light, dark, paper] =
        ["light.png", "dark.png", "paper.pdf"].map(|name| fs::read(scene.path().join(name)).unwrap());
    assert!(light.len() > 50_000 && dark.len() > 50_000, "{} {}", light.len(), dark.len());
    assert_ne!(light, dark);
    assert!(paper.starts_with(b"%PDF-") && paper.len() > 20_000, "{}", paper.len());
}
