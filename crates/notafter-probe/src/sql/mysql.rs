//! MySQL's protocol (MySQL documentation, "Client/Server Protocol"; MariaDB documentation, "Client/Server Protocol"), as
//! far as a login by mysql_native_password and a query need it.

use super::{Answered, Heard, Login, Opening};
use crate::line::KeepOpen;
use crate::starttls::{MYSQL_CAPABILITIES, MYSQL_CLIENT_SSL};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use notafter_core::UnixTime;
use std::io::{self, Read, Write};

/// Longest packet.
const MOST_PACKET_BYTES: usize = 1 << 20;
/// Everything that is read for one answer.
const MOST_BYTES: usize = 4 << 20;
/// How much of the rows is kept for assertions.
const MOST_ROWS_BYTES: usize = 64 << 10;
/// Columns of one answer.
const MOST_COLUMNS: u64 = 4096;
/// Length of a challenge.
const SCRAMBLE_BYTES: usize = 20;
const NATIVE: &[u8] = b"mysql_native_password";
/// Asks when the password of the own account ends, where the account may read that: MariaDB keeps the day of the last
/// change in a table of its own.
const VALID_UNTIL: &str = "select json_value(priv, '$.password_last_changed') + 86400 * \
    coalesce(nullif(json_value(priv, '$.password_lifetime'), -1), @@default_password_lifetime) \
    from mysql.global_priv where concat(user, '@', host) = current_user() \
    and coalesce(nullif(json_value(priv, '$.password_lifetime'), -1), @@default_password_lifetime) > 0";

/// Why there is no answer.
enum Trouble {
    /// The wire broke, or it took too long.
    Wire(io::Error),
    Garbage(String),
    /// The server says no: its number, and its words.
    Says {
        code: u16,
        text: String,
    },
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Wire(error)
    }
}

pub(super) fn ask(
    login: &Login,
    wire: &mut (impl Read + Write),
    again: bool,
    keep: KeepOpen,
    opening: &Opening<'_>,
) -> Heard {
    let mut session = Session { wire, read: 0, sequence: 0 };
    let heard = session.answer(login, again, opening);
    if keep == KeepOpen::No && !matches!(heard, Err(Trouble::Wire(_))) {
        session.sequence = 0;
        _ = session.send(&[1]); // COM_QUIT; it may have gone by then
    }
    match heard {
        Ok(answered) => Heard::Answered(answered),
        Err(Trouble::Wire(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Heard::Closed,
        Err(Trouble::Wire(error)) => Heard::Failed(error),
        Err(Trouble::Garbage(what)) => Heard::Nonsense(what),
        Err(Trouble::Says { code, text }) => {
            let reason = format!("ERROR {code}{text}");
            match code {
                // Access denied; a password that has ended, in a session and at the login.
                1045 | 1820 | 1862 => Heard::Refused { reason, password: true },
                // No right to the database, the table, the column or the statement; an account that is locked.
                1044 | 1142 | 1143 | 1227 | 1370 | 1698 | 3118 | 4151 => {
                    Heard::Refused { reason, password: false }
                }
                _ => Heard::Nonsense(reason),
            }
        }
    }
}

struct Session<'a, W> {
    wire: &'a mut W,
    /// Bytes read so far.
    read: usize,
    /// Number of the next packet.
    sequence: u8,
}

impl<W: Read + Write> Session<'_, W> {
    fn answer(&mut self, login: &Login, again: bool, opening: &Opening<'_>) -> Result<Answered, Trouble> {
        if !again {
            self.log_in(login, opening)?;
        }
        let valid_until = match self.query(VALID_UNTIL) {
            Ok((told, _)) => valid_until(&told),
            // Most accounts may not ask, and MySQL has no such table.
            Err(Trouble::Says { .. }) => None,
            Err(trouble) => return Err(trouble),
        };
        let (rows, is_cut) = self.query(&login.query)?;
        Ok(Answered { rows, is_cut, valid_until })
    }

    fn log_in(&mut self, login: &Login, opening: &Opening<'_>) -> Result<(), Trouble> {
        let greeting = match opening.greeting {
            // It was read before TLS began, and answered by a request for TLS.
            Some(greeting) => {
                self.sequence = 2;
                greeting.to_vec()
            }
            None => self.next()?,
        };
        let scramble = scramble(&greeting)?;
        let password = login.password.as_ref().map_or(&[][..], |password| password.as_bytes());
        // With TLS it is what was said before it: servers take the first word.
        let capabilities = match opening.greeting {
            Some(_) => MYSQL_CAPABILITIES,
            None => MYSQL_CAPABILITIES & !MYSQL_CLIENT_SSL,
        };
        let mut reply = capabilities.to_le_bytes().to_vec();
        reply.extend(0x0100_0000_u32.to_le_bytes());
        reply.push(45); // utf8mb4
        reply.extend([0; 23]);
        reply.extend(login.user.as_bytes());
        reply.push(0);
        let proof = native(password, &scramble);
        reply.push(u8::try_from(proof.len()).unwrap_or(0));
        reply.extend(proof);
        reply.extend(NATIVE);
        reply.push(0);
        self.send(&reply)?;
        let mut said = self.next()?;
        if let Some(switch) = said.strip_prefix(&[0xfe]) {
            let end = switch.iter().position(|byte| *byte == 0).unwrap_or(switch.len());
            let (plugin, data) = switch.split_at(end);
            if plugin != NATIVE {
                let plugin = String::from_utf8_lossy(plugin);
                return Err(Trouble::Garbage(format!(
                    "it asks for a login by {plugin:?}, which the probe does not speak"
                )));
            }
            let fresh = data.get(1..=SCRAMBLE_BYTES).ok_or_else(out_of_turn)?;
            let proof = native(password, fresh);
            self.send(&proof)?;
            said = self.next()?;
        }
        if said.first() != Some(&0) {
            return Err(out_of_turn());
        }
        if login.database.is_empty() {
            return Ok(());
        }
        self.sequence = 0;
        self.send(&[&[2][..], login.database.as_bytes()].concat())?; // COM_INIT_DB
        match self.next()?.first() {
            Some(0) => Ok(()),
            _ => Err(out_of_turn()),
        }
    }

    /// Rows, and whether there were more.
    fn query(&mut self, text: &str) -> Result<(String, bool), Trouble> {
        self.sequence = 0;
        self.send(&[&[3][..], text.as_bytes()].concat())?;
        let first = self.next()?;
        let columns = match first.first() {
            Some(0) => return Ok((String::new(), false)),
            Some(0xfb) => return Err(Trouble::Garbage("it asks for a file of the probe's".to_owned())),
            _ => Lengths(&first).number()?,
        };
        if columns == 0 || columns > MOST_COLUMNS {
            return Err(out_of_turn());
        }
        for _ in 0..columns {
            self.next()?;
        }
        if !is_end(&self.next()?) {
            return Err(out_of_turn());
        }
        let (mut rows, mut is_cut) = (String::new(), false);
        loop {
            let packet = self.next()?;
            if is_end(&packet) {
                return Ok((rows, is_cut));
            }
            let mut fields = Lengths(&packet);
            let row: Vec<String> = (0..columns).map(|_| fields.text()).collect::<Result<_, _>>()?;
            let row = row.join("|");
            match rows.len() + row.len() < MOST_ROWS_BYTES {
                true => {
                    rows.push_str(&row);
                    rows.push('\n');
                }
                false => is_cut = true,
            }
        }
    }

    fn send(&mut self, payload: &[u8]) -> Result<(), Trouble> {
        let too_long = || Trouble::Garbage("it cannot be asked so much at once".to_owned());
        let len = u32::try_from(payload.len()).map_err(|_| too_long())?.to_le_bytes();
        if payload.len() > MOST_PACKET_BYTES {
            return Err(too_long());
        }
        self.wire.write_all(&[&len[..3], &[self.sequence], payload].concat())?;
        self.sequence = self.sequence.wrapping_add(1);
        Ok(self.wire.flush()?)
    }

    /// The next packet; an error packet is the error.
    fn next(&mut self) -> Result<Vec<u8>, Trouble> {
        let mut head = [0; 4];
        self.wire.read_exact(&mut head)?;
        let len = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        if len > MOST_PACKET_BYTES {
            let what = format!("it does not speak MySQL's protocol: a packet of {len} bytes");
            return Err(Trouble::Garbage(what));
        }
        self.read += len + head.len();
        if self.read > MOST_BYTES {
            return Err(Trouble::Garbage(format!("it answers with more than {MOST_BYTES} bytes")));
        }
        if head[3] != self.sequence {
            return Err(out_of_turn());
        }
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = vec![0; len];
        self.wire.read_exact(&mut packet)?;
        match packet.as_slice() {
            [0xff, low, high, rest @ ..] => {
                let code = u16::from_le_bytes([*low, *high]);
                Err(Trouble::Says { code, text: words(rest) })
            }
            _ => Ok(packet),
        }
    }
}

fn out_of_turn() -> Trouble {
    Trouble::Garbage("it says what has no place there in MySQL's protocol".to_owned())
}

/// State and words of an error: ` (28000): Access denied`. Before a login there is no state.
fn words(rest: &[u8]) -> String {
    let (state, text) = match rest {
        [b'#', rest @ ..] if rest.len() >= 5 => rest.split_at(5),
        _ => (&[][..], rest),
    };
    let text: String = String::from_utf8_lossy(text).chars().take(400).collect();
    match state {
        [] => format!(": {text}"),
        state => format!(" ({}): {text}", String::from_utf8_lossy(state)),
    }
}

/// Whether a packet ends columns or rows.
fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&0xfe) && packet.len() < 9
}

/// The challenge in a greeting.
fn scramble(greeting: &[u8]) -> Result<Vec<u8>, Trouble> {
    if greeting.first() != Some(&10) {
        return Err(Trouble::Garbage("it does not greet as MySQL does".to_owned()));
    }
    // The version, the number of the thread; the first part; a zero, capabilities, character set, status, more
    // capabilities, the length of the whole and ten bytes in reserve.
    let version_end = greeting.iter().position(|byte| *byte == 0).ok_or_else(out_of_turn)?;
    let first = greeting.get(version_end + 5..version_end + 13);
    let second = greeting.get(version_end + 32..version_end + 44);
    match (first, second) {
        (Some(first), Some(second)) => Ok([first, second].concat()),
        _ => Err(out_of_turn()),
    }
}

/// What proves that a client knows `password`: SHA1(p) XOR SHA1(scramble, SHA1(SHA1(p))); nothing where there is none.
fn native(password: &[u8], scramble: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let sha1 = |bytes: &[u8]| digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes);
    let once = sha1(password);
    let twice = sha1(once.as_ref());
    let salted = sha1(&[scramble, twice.as_ref()].concat());
    once.as_ref().iter().zip(salted.as_ref()).map(|(one, other)| one ^ other).collect()
}

/// Numbers and texts with a length before them.
struct Lengths<'a>(&'a [u8]);

impl<'a> Lengths<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Trouble> {
        if self.0.len() < len {
            return Err(out_of_turn());
        }
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, Trouble> {
        let bytes = match self.take(1)?[0] {
            small @ ..0xfb => return Ok(u64::from(small)),
            0xfc => self.take(2)?,
            0xfd => self.take(3)?,
            0xfe => self.take(8)?,
            0xfb | 0xff => return Err(out_of_turn()),
        };
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A field; empty where it is NULL.
    fn text(&mut self) -> Result<String, Trouble> {
        if self.0.first() == Some(&0xfb) {
            self.take(1)?;
            return Ok(String::new());
        }
        let len = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        Ok(String::from_utf8_lossy(self.take(len)?).into_owned())
    }
}

/// The second before the instant that is told, in which the password has expired already; none where nothing is told.
fn valid_until(told: &str) -> Option<UnixTime> {
    let seconds: f64 = told.trim().parse().ok().filter(|seconds: &f64| seconds.is_finite())?;
    format!("{:.0}", seconds.floor()).parse().ok().map(|end: i64| UnixTime::clamped(end).plus_secs(-1))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Says, login};
    use super::*;

    fn greeting() -> Vec<u8> {
        let mut bytes = b"\x0a10.11\0".to_vec();
        bytes.extend([1, 0, 0, 0]);
        bytes.extend(b"12345678\0");
        bytes.extend([0xff, 0xff, 45, 2, 0, 0xff, 0xdf, 21]);
        bytes.extend([0; 10]);
        bytes.extend(b"123456789012\0mysql_native_password\0");
        bytes
    }

    /// Packets, each with its number.
    fn packets(packets: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, payload) in packets {
            bytes.extend(&u32::try_from(payload.len()).unwrap().to_le_bytes()[..3]);
            bytes.push(*number);
            bytes.extend(*payload);
        }
        bytes
    }

    fn hear(says: &[(u8, &[u8])]) -> Heard {
        let opening = Opening { greeting: None };
        ask(&login(), &mut Says::new(&packets(says)), false, KeepOpen::No, &opening)
    }

    const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
    /// What follows a login: the database is chosen.
    const CHOSEN: (u8, &[u8]) = (1, OK);
    const END: &[u8] = &[0xfe, 0, 0, 2, 0];
    const DENIED: &[u8] = b"\xff\x15\x04#28000Access denied";
    const EXPIRED: &[u8] = b"\xff\x1c\x07#HY000You must SET PASSWORD";
    const NO_TABLE: &[u8] = b"\xff\x7a\x04#42S02no such table";

    #[test]
    fn a_query_is_answered_with_its_rows() {
        let greeting = greeting();
        let says: Vec<(u8, &[u8])> = vec![
            (0, &greeting),
            (2, OK),
            CHOSEN,
            (1, NO_TABLE),
            (1, &[2]),
            (2, b"column"),
            (3, b"column"),
            (4, END),
            (5, b"\x01a\x02bc"),
            (6, b"\xfb\x00"),
            (7, END),
        ];
        let heard = hear(&says);
        let Heard::Answered(answered) = heard else { panic!("{heard:?}") };
        assert_eq!(answered, Answered { rows: "a|bc\n|\n".to_owned(), is_cut: false, valid_until: None });
    }

    #[test]
    fn a_refusal_is_told_from_trouble_and_from_garbage() {
        let greeting = greeting();
        let greeting = || (0, greeting.as_slice());
        for (says, expected) in [
            (vec![greeting(), (2, DENIED)], "password"),
            (vec![greeting(), (2, OK), (1, EXPIRED)], "password"),
            (vec![greeting(), (2, OK), CHOSEN, (1, EXPIRED), (1, EXPIRED)], "password"),
            (vec![greeting(), (2, OK), CHOSEN, (1, NO_TABLE), (1, NO_TABLE)], "nonsense"),
            (vec![greeting(), (2, OK), CHOSEN, (1, OK), (1, b"\xff\x76\x04#42000no right")], "refused"),
            (vec![greeting(), (2, b"\xfeclient_ed25519\0x")], "nonsense"),
            (vec![greeting(), (2, b"\xfemysql_native_password\0short")], "nonsense"),
            (vec![(0, b"\xff\x69\x04Host is blocked")], "nonsense"),
            (vec![greeting(), (2, OK), CHOSEN, (1, OK), (1, b"\xfb/etc/passwd")], "nonsense"),
            (
                vec![greeting(), (2, OK), CHOSEN, (1, OK), (1, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff")],
                "nonsense",
            ),
            (vec![greeting(), (7, OK)], "nonsense"),
            (vec![greeting()], "closed"),
            (vec![(0, b"HTTP/1.1 400")], "nonsense"),
        ] {
            let heard = hear(&says);
            let told = match &heard {
                Heard::Answered(_) => "answered",
                Heard::Closed => "closed",
                Heard::Failed(_) => "failed",
                Heard::Nonsense(_) => "nonsense",
                Heard::NotYet(_) => "not yet",
                Heard::Refused { password: true, .. } => "password",
                Heard::Refused { password: false, .. } => "refused",
            };
            assert_eq!(told, expected, "{says:?}: {heard:?}");
        }
        let heard = hear(&[greeting(), (2, DENIED)]);
        let Heard::Refused { reason, .. } = heard else { panic!("{heard:?}") };
        assert_eq!(reason, "ERROR 1045 (28000): Access denied");
    }

    #[test]
    fn lengths_beyond_the_packet_are_garbage() {
        for bytes in [&b"\xfd\xff\xff"[..], b"\x05abc", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xffx", b""] {
            assert!(Lengths(bytes).text().is_err(), "{bytes:02x?}");
        }
        assert_eq!(Lengths(b"\xfc\x03\x00abc").text().ok().as_deref(), Some("abc"));
    }
}
