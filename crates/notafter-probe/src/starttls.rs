//! What is said in plain before TLS begins, for protocols that begin without it.
//!
//! What must never happen here: a service that does not offer TLS counting as one that refuses somebody.

use notafter_core::StartTls;
use std::io::{self, Read, Write};

/// Longest answer of a service before TLS.
const MOST_BYTES: usize = 64 * 1024;
/// The length and the code of PostgreSQL's SSLRequest (PostgreSQL documentation, "Message Formats").
const POSTGRES_SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// CLIENT_SSL of MySQL's capabilities.
pub(crate) const MYSQL_CLIENT_SSL: u32 = 0x0800;
/// That, and CLIENT_LONG_PASSWORD, LONG_FLAG, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION and PLUGIN_AUTH. Not
/// CAN_HANDLE_EXPIRED_PASSWORDS: who could change a password that has ended is let in to do so.
pub(crate) const MYSQL_CAPABILITIES: u32 = 0x0008_a205 | MYSQL_CLIENT_SSL;
/// LDAP's StartTLS as an extended request with message id 1 (RFC 4511 §4.14): BER of the OID 1.3.6.1.4.1.1466.20037.
const LDAP_REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

/// Why TLS cannot begin.
#[derive(Debug)]
pub(crate) enum NoTls {
    /// Reading or writing failed; an end of stream is [`io::ErrorKind::UnexpectedEof`].
    Io(io::Error),
    /// The service answered otherwise; as a lower-case fragment.
    Unwilling(String),
}

impl From<io::Error> for NoTls {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Leads `wire` to where the client says hello; what MySQL has said by then, for the login behind it.
pub(crate) fn negotiate(protocol: StartTls, wire: &mut (impl Read + Write)) -> Result<Vec<u8>, NoTls> {
    match protocol {
        StartTls::Imap => imap(wire)?,
        StartTls::Ldap => ldap(wire)?,
        StartTls::Mysql => return mysql(wire),
        StartTls::Pop3 => pop3(wire)?,
        StartTls::Postgres => postgres(wire)?,
        StartTls::Smtp => smtp(wire)?,
    }
    Ok(Vec::new())
}

fn unwilling<T>(what: &str, said: &[u8]) -> Result<T, NoTls> {
    let said: String = String::from_utf8_lossy(said).trim().chars().take(200).collect();
    Err(NoTls::Unwilling(format!("{what}: {said:?}")))
}

/// One line, without reading beyond it: what follows may be TLS.
fn line(wire: &mut impl Read) -> Result<Vec<u8>, NoTls> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        wire.read_exact(&mut byte)?;
        match byte[0] {
            b'\n' => return Ok(line),
            b'\r' => {}
            byte => line.push(byte),
        }
        if line.len() > MOST_BYTES {
            return unwilling("a line without an end", &line);
        }
    }
}

/// A reply of several lines (RFC 5321 §4.2.1).
fn smtp_reply(wire: &mut impl Read) -> Result<Vec<Vec<u8>>, NoTls> {
    let mut lines = Vec::new();
    loop {
        let next = line(wire)?;
        let is_last = next.get(3) != Some(&b'-');
        lines.push(next);
        if is_last {
            return Ok(lines);
        }
        if lines.len() > 1_000 {
            return unwilling("a reply without an end", &lines[0]);
        }
    }
}

fn smtp(wire: &mut (impl Read + Write)) -> Result<(), NoTls> {
    let mut expect = |command: Option<&str>, code: &[u8]| -> Result<Vec<Vec<u8>>, NoTls> {
        if let Some(command) = command {
            wire.write_all(format!("{command}\r\n").as_bytes())?;
        }
        let reply = smtp_reply(wire)?;
        let last = reply.last().map_or(&[][..], Vec::as_slice);
        if last.starts_with(code) { Ok(reply) } else { unwilling("it answers over SMTP", last) }
    };
    expect(None, b"220")?;
    let offers = expect(Some("EHLO notafter.invalid"), b"250")?;
    let is_offered = |line: &Vec<u8>| {
        line.get(4..).is_some_and(|word| word.trim_ascii().eq_ignore_ascii_case(b"STARTTLS"))
    };
    if !offers.iter().any(is_offered) {
        return Err(NoTls::Unwilling("it does not offer STARTTLS over SMTP".to_owned()));
    }
    expect(Some("STARTTLS"), b"220").map(|_| ())
}

fn imap(wire: &mut (impl Read + Write)) -> Result<(), NoTls> {
    let greeting = line(wire)?;
    if !greeting.starts_with(b"* OK") {
        return unwilling("it greets over IMAP", &greeting);
    }
    wire.write_all(b"a STARTTLS\r\n")?;
    for _ in 0..1_000 {
        let next = line(wire)?;
        if let Some(answer) = next.strip_prefix(b"a ") {
            return if answer.starts_with(b"OK") {
                Ok(())
            } else {
                unwilling("it answers over IMAP", answer)
            };
        }
    }
    unwilling("it does not come to an end over IMAP", &greeting)
}

fn pop3(wire: &mut (impl Read + Write)) -> Result<(), NoTls> {
    let greeting = line(wire)?;
    if !greeting.starts_with(b"+OK") {
        return unwilling("it greets over POP3", &greeting);
    }
    wire.write_all(b"STLS\r\n")?;
    let answer = line(wire)?;
    if answer.starts_with(b"+OK") { Ok(()) } else { unwilling("it answers over POP3", &answer) }
}

fn postgres(wire: &mut (impl Read + Write)) -> Result<(), NoTls> {
    wire.write_all(&POSTGRES_SSL_REQUEST)?;
    let mut answer = [0];
    wire.read_exact(&mut answer)?;
    match &answer {
        b"S" => Ok(()),
        b"N" => Err(NoTls::Unwilling("PostgreSQL says that it has no TLS".to_owned())),
        other => unwilling("it answers to PostgreSQL's SSLRequest", other),
    }
}

/// MySQL's handshake up to its SSLRequest (MySQL Internals, "Protocol::SSLRequest").
fn mysql(wire: &mut (impl Read + Write)) -> Result<Vec<u8>, NoTls> {
    let mut head = [0; 4];
    wire.read_exact(&mut head)?;
    let len = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
    if len > MOST_BYTES {
        return unwilling("a greeting beyond bounds", &head);
    }
    let mut greeting = vec![0; len];
    wire.read_exact(&mut greeting)?;
    if greeting.first() != Some(&10) {
        return unwilling("it does not greet as MySQL does", &greeting);
    }
    // Version text, thread id, eight bytes of a challenge and a zero come before the lower capabilities.
    let version_end = greeting.iter().position(|byte| *byte == 0).unwrap_or(len);
    let lower = greeting.get(version_end + 14..version_end + 16);
    let offers = lower
        .is_some_and(|bytes| u32::from(u16::from_le_bytes([bytes[0], bytes[1]])) & MYSQL_CLIENT_SSL != 0);
    if !offers {
        return Err(NoTls::Unwilling("it does not offer TLS over MySQL's protocol".to_owned()));
    }
    let mut request = vec![32, 0, 0, head[3].wrapping_add(1)];
    request.extend(MYSQL_CAPABILITIES.to_le_bytes());
    request.extend(0x0100_0000_u32.to_le_bytes());
    request.push(45); // utf8mb4
    request.extend([0; 23]);
    wire.write_all(&request)?;
    Ok(greeting)
}

fn ldap(wire: &mut (impl Read + Write)) -> Result<(), NoTls> {
    wire.write_all(LDAP_REQUEST)?;
    let mut head = [0; 2];
    wire.read_exact(&mut head)?;
    let len = match head {
        [0x30, short] if short < 0x80 => usize::from(short),
        [0x30, 0x81] => {
            let mut long = [0];
            wire.read_exact(&mut long)?;
            usize::from(long[0])
        }
        [0x30, 0x84] => {
            // OpenLDAP's client library and Active Directory write lengths of four bytes.
            let mut long = [0; 4];
            wire.read_exact(&mut long)?;
            usize::try_from(u32::from_be_bytes(long)).unwrap_or(usize::MAX)
        }
        other => return unwilling("it does not answer as LDAP does", &other),
    };
    if len > MOST_BYTES {
        return unwilling("an answer beyond bounds", &head);
    }
    let mut answer = vec![0; len];
    wire.read_exact(&mut answer)?;
    // messageID 1, then an extendedResp ([APPLICATION 24]) whose first field is the result code, an ENUMERATED.
    let response = answer.strip_prefix(b"\x02\x01\x01\x78");
    let code = response.and_then(|rest| rest.windows(3).find(|window| window[..2] == [0x0a, 0x01]));
    match code.map(|window| window[2]) {
        Some(0) => Ok(()),
        Some(code) => Err(NoTls::Unwilling(format!("LDAP answers StartTLS with result code {code}"))),
        None => unwilling("it does not answer StartTLS", &answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that says these bytes, whatever it hears.
    struct Says(io::Cursor<Vec<u8>>, Vec<u8>);

    impl Read for Says {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Says {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            self.1.write(buffer)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn talk(protocol: StartTls, says: &[u8]) -> (Result<Vec<u8>, NoTls>, Vec<u8>, u64) {
        let mut wire = Says(io::Cursor::new(says.to_vec()), Vec::new());
        let outcome = negotiate(protocol, &mut wire);
        (outcome, wire.1, wire.0.position())
    }

    #[test]
    fn tls_begins_where_the_service_agrees_and_not_a_byte_later() {
        let mysql = [
            &[74, 0, 0, 0, 10][..],
            b"8.0.36\0",
            &[1, 0, 0, 0],
            b"12345678\0",
            &[0xff, 0xff, 45, 2, 0, 0xff, 0xdf, 21],
            &[0; 10],
            b"123456789012\0",
            b"caching_sha2_password",
        ]
        .concat();
        for (protocol, agrees) in [
            (StartTls::Imap, &b"* OK ready\r\n* CAPABILITY X\r\na OK go\r\n"[..]),
            (StartTls::Ldap, b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"),
            (StartTls::Mysql, &mysql),
            (StartTls::Pop3, b"+OK ready\r\n+OK go\r\n"),
            (StartTls::Postgres, b"S"),
            (StartTls::Smtp, b"220 mx\r\n250-mx\r\n250-STARTTLS\r\n250 HELP\r\n220 go\r\n"),
        ] {
            let mut says = agrees.to_vec();
            if protocol == StartTls::Mysql {
                says[0] = u8::try_from(agrees.len() - 4).unwrap();
            }
            says.extend(b"\x16\x03\x03");
            let (outcome, heard, read) = talk(protocol, &says);
            assert!(outcome.is_ok(), "{protocol:?}: {outcome:?}");
            assert_eq!(read, agrees.len() as u64, "{protocol:?}");
            assert!(!heard.is_empty());
        }
    }

    #[test]
    fn a_service_that_does_not_offer_tls_is_told_of_as_such() {
        for (protocol, says) in [
            (StartTls::Imap, &b"* OK ready\r\na BAD what\r\n"[..]),
            (StartTls::Ldap, b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00"),
            (StartTls::Mysql, b"\x02\0\0\0\xff\x10"),
            (StartTls::Pop3, b"+OK ready\r\n-ERR no\r\n"),
            (StartTls::Postgres, b"N"),
            (StartTls::Smtp, b"220 mx\r\n250 mx\r\n"),
            (StartTls::Smtp, b"554 go away\r\n"),
        ] {
            let (outcome, ..) = talk(protocol, says);
            assert!(matches!(outcome, Err(NoTls::Unwilling(_))), "{protocol:?}: {outcome:?}");
        }
        assert!(matches!(talk(StartTls::Postgres, b"").0, Err(NoTls::Io(_))));
    }
}
