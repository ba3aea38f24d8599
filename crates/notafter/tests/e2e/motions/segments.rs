//! A connection may hold bytes back for a while of real time, while both of its ends sleep.

use super::gated::gate_text;
use notafter_core::Decision;

const SERVER: &str = "
import socket
listener = socket.create_server(('', 7000))
print('up', flush=True)
while True:
    connection, _ = listener.accept()
    for size in (1, 2):
        got = b''
        while len(got) < size:
            got += connection.recv(size - len(got))
        connection.sendall(b'.')
    connection.close()
";

/// After the first answer the server puts its acknowledgements off, and the second of the two small writes waits for one.
const CLIENT: &str = "
import socket, time
while True:
    with socket.create_connection(('server', 7000), timeout=5) as connection:
        connection.sendall(b'a')
        connection.recv(1)
        connection.sendall(b'b')
        connection.sendall(b'c')
        connection.recv(1)
    time.sleep(3600)
";

#[test]
fn a_limit_is_not_passed_over_while_a_segment_waits_for_an_acknowledgement() {
    let command = |program| serde_json::to_string(&["python3", "-c", program]).unwrap();
    let gated = gate_text(&format!(
        "notafter: 1\nname: segments\nstart: 2030-01-01T00:00:00Z\nsupport: 2d\ncandidate: client\nservices:\n  \
         server: {{ image: host, command: {}, ready: {{ log: {{ contains: up }} }} }}\n  \
         client: {{ image: host, command: {}, needs: [server] }}\n\
         checks:\n  lives: {{ probe: {{ alive: {{ service: client }} }}, expect: {{ works: {{}} }} }}\n",
        command(SERVER),
        command(CLIENT)
    ));
    assert_eq!((gated.code, gated.verdict.decision), (Some(0), Decision::Allow), "{}", gated.text);
}
