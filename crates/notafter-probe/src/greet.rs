//! Protocols with a short question of their own: Redis's PING, MQTT's CONNECT.
//!
//! What must never happen here: an answer that says no counting as one that says yes.

use notafter_core::Greeting;
use std::io::{self, Read, Write};

/// Longest line of an answer.
const MOST_BYTES: usize = 4096;
/// CONNECT of MQTT 3.1.1 with a clean session, a minute of keep-alive and no client id (§3.1).
const MQTT_CONNECT: &[u8] = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00";
const MQTT_PINGREQ: &[u8] = b"\xc0\x00";
/// Redis's errors that say who may not (redis.io, "ACL").
const REDIS_REFUSALS: [&str; 4] = ["DENIED", "NOAUTH", "NOPERM", "WRONGPASS"];

/// What came back.
#[derive(Debug)]
pub(crate) enum Heard {
    Answered(String),
    /// The service closed the connection before it answered.
    Closed,
    Failed(io::Error),
    /// Not what the protocol answers, or no answer to who may.
    Nonsense(String),
    /// It is there and cannot do it yet, as while it starts.
    NotYet(String),
    Refused(String),
}

/// Asks over `wire`; `again` is whether it was asked there before.
pub(crate) fn greet(protocol: Greeting, wire: &mut (impl Read + Write), again: bool) -> Heard {
    let heard = match protocol {
        Greeting::Mqtt if again => mqtt_ping(wire),
        Greeting::Mqtt => mqtt_connect(wire),
        Greeting::Redis => redis(wire),
    };
    heard.unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Heard::Closed,
        _ => Heard::Failed(error),
    })
}

fn mqtt_connect(wire: &mut (impl Read + Write)) -> io::Result<Heard> {
    wire.write_all(MQTT_CONNECT)?;
    wire.flush()?;
    let mut answer = [0; 4];
    wire.read_exact(&mut answer)?;
    Ok(match answer {
        [0x20, 2, _, 0] => Heard::Answered("CONNACK: accepted".to_owned()),
        [0x20, 2, _, code @ (2 | 4 | 5)] => {
            let what = ["", "", "identifier rejected", "", "bad user name or password", "not authorized"];
            Heard::Refused(format!("CONNACK: {}", what[usize::from(code)]))
        }
        [0x20, 2, _, code] => Heard::Nonsense(format!("CONNACK with return code {code}")),
        other => Heard::Nonsense(format!("no CONNACK but {other:02x?}")),
    })
}

fn mqtt_ping(wire: &mut (impl Read + Write)) -> io::Result<Heard> {
    wire.write_all(MQTT_PINGREQ)?;
    wire.flush()?;
    let mut answer = [0; 2];
    wire.read_exact(&mut answer)?;
    Ok(match answer {
        [0xd0, 0] => Heard::Answered("PINGRESP".to_owned()),
        other => Heard::Nonsense(format!("no PINGRESP but {other:02x?}")),
    })
}

fn redis(wire: &mut (impl Read + Write)) -> io::Result<Heard> {
    wire.write_all(b"*1\r\n$4\r\nPING\r\n")?;
    wire.flush()?;
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        if line.len() == MOST_BYTES {
            return Ok(Heard::Nonsense("a line without an end".to_owned()));
        }
        wire.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&line).trim_end().to_owned();
    Ok(match text.strip_prefix('-') {
        None if text == "+PONG" => Heard::Answered(text),
        None => Heard::Nonsense(format!("no answer to PING but {text:?}")),
        Some(error) if REDIS_REFUSALS.iter().any(|word| error.starts_with(word)) => {
            Heard::Refused(error.to_owned())
        }
        Some(error) => Heard::Nonsense(error.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Says(io::Cursor<Vec<u8>>);

    impl Read for Says {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Says {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            Ok(buffer.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_what_the_protocol_takes_for_yes_is_an_answer() {
        let hear = |protocol, says: &[u8], again| match greet(
            protocol,
            &mut Says(io::Cursor::new(says.to_vec())),
            again,
        ) {
            Heard::Answered(_) => "answered",
            Heard::Closed => "closed",
            Heard::Failed(_) => "failed",
            Heard::Nonsense(_) => "nonsense",
            Heard::NotYet(_) => "not yet",
            Heard::Refused(_) => "refused",
        };
        for (protocol, says, again, expected) in [
            (Greeting::Mqtt, &b"\x20\x02\x00\x00"[..], false, "answered"),
            (Greeting::Mqtt, b"\x20\x02\x00\x05", false, "refused"),
            (Greeting::Mqtt, b"\x20\x02\x00\x03", false, "nonsense"),
            (Greeting::Mqtt, b"\x20\x02", false, "closed"),
            (Greeting::Mqtt, b"\xd0\x00", true, "answered"),
            (Greeting::Mqtt, b"HTTP/1.1 400", false, "nonsense"),
            (Greeting::Redis, b"+PONG\r\n", true, "answered"),
            (Greeting::Redis, b"+OK\r\n", false, "nonsense"),
            (Greeting::Redis, b"-NOAUTH Authentication required.\r\n", false, "refused"),
            (Greeting::Redis, b"-LOADING Redis is loading\r\n", false, "nonsense"),
            (Greeting::Redis, b"", false, "closed"),
        ] {
            assert_eq!(hear(protocol, says, again), expected, "{protocol:?} {says:02x?}");
        }
        assert_eq!(MQTT_CONNECT.len(), 2 + usize::from(MQTT_CONNECT[1]));
    }
}
