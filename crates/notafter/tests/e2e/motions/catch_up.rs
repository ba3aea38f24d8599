//! Wall time stands still between motions, and a service that measures a pause by it gets ready all the same.

use super::gated::gate_text;
use notafter_core::Decision;

/// As MariaDB's timers: looks at the wall clock again and again until 0.4 s have passed, twice.
#[test]
fn a_service_that_measures_a_pause_by_the_wall_clock_gets_ready() {
    let program = "import time\nfor _ in range(2):\n    begin = time.time()\n    while time.time() - begin < 0.4:\n        \
                   time.sleep(0.05)\nprint('up', flush=True)\ntime.sleep(1e9)\n";
    let command = serde_json::to_string(&["python3", "-c", program]).unwrap();
    let gated = gate_text(&format!(
        "notafter: 1\nname: pause\nstart: 2030-01-01T00:00:00Z\nsupport: 1d\ncandidate: timed\nservices:\n  \
         timed: {{ image: host, command: {command}, ready: {{ log: {{ contains: up }} }} }}\n\
         checks:\n  lives: {{ probe: {{ alive: {{ service: timed }} }}, expect: {{ works: {{}} }} }}\n"
    ));
    assert_eq!((gated.code, gated.verdict.decision), (Some(0), Decision::Allow), "{}", gated.text);
}
