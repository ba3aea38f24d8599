//! Wall time stands still between motions, and a service that measures a pause by it gets on all the same.

use super::gated::gate_text;
use notafter_core::Decision;

/// As MariaDB's timers: looks at the wall clock again and again until 0.4 s have passed.
const PAUSE: &str =
    "def pause():\n    begin = time.time()\n    while time.time() - begin < 0.4:\n        time.sleep(0.05)\n";

const ASKS: &str = "{ probe: { http: { url: 'http://timed:8080/' } }, expect: { works: { status: 204 } } }";

/// A server that answers every request by `answer`.
fn server(answer: &str) -> String {
    format!(
        "import http.server\nclass Server(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        {answer}\n        \
         self.end_headers()\nhttp.server.HTTPServer(('', 8080), Server).serve_forever()\n"
    )
}

/// A gate over `python`, which is ready when `ready` says so, and of which `checks` are asked.
fn allowed(python: &str, ready: &str, checks: &[&str]) {
    let command =
        serde_json::to_string(&["python3", "-c", &format!("import time\n{PAUSE}{python}")]).unwrap();
    let checks: String =
        checks.iter().enumerate().map(|(number, check)| format!("  works-{number}: {check}\n")).collect();
    let gated = gate_text(&format!(
        "notafter: 1\nname: pause\nstart: 2030-01-01T00:00:00Z\nsupport: 1d\ncandidate: timed\nservices:\n  \
         timed: {{ image: host, command: {command}, ready: {ready} }}\nchecks:\n{checks}"
    ));
    assert_eq!((gated.code, gated.verdict.decision), (Some(0), Decision::Allow), "{}", gated.text);
}

#[test]
fn a_service_that_measures_a_pause_by_the_wall_clock_gets_ready() {
    allowed(
        "pause()\npause()\nprint('up', flush=True)\ntime.sleep(1e9)\n",
        "{ log: { contains: up } }",
        &["{ probe: { alive: { service: timed } }, expect: { works: {} } }"],
    );
}

/// MariaDB's thread pool locks up behind its open port now and then, until a timer of this kind has run out.
#[test]
fn a_service_that_answers_behind_such_a_pause_is_not_taken_for_dead() {
    allowed(&server("pause()\n        self.send_response(204)"), "{ tcp: { port: 8080 } }", &[ASKS]);
}

/// Ten answers of 0.4 s are no standstill of four seconds: what compares fractions of a second sees that time stands.
#[test]
fn time_that_answers_take_one_after_the_other_is_no_standstill() {
    let answer = "time.sleep(0.4)\n        self.send_response(204 if time.time() % 1 == 0 else 500)";
    allowed(&server(answer), "{ tcp: { port: 8080 } }", &[ASKS; 10]);
}

#[test]
fn a_command_that_waits_for_the_wall_clock_ends() {
    let command =
        serde_json::to_string(&["python3", "-c", &format!("import time\n{PAUSE}pause()\n")]).unwrap();
    allowed(
        "print('up', flush=True)\ntime.sleep(1e9)\n",
        "{ log: { contains: up } }",
        &[&format!(
            "{{ probe: {{ exec: {{ service: timed, command: {command} }} }}, expect: {{ works: {{}} }} }}"
        )],
    );
}
