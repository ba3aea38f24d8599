//! PostgreSQL's protocol, version 3 (PostgreSQL documentation, "Frontend/Backend Protocol"), as far as a login and a
//! simple query need it.

use super::{Answered, Heard, Login};
use crate::line::KeepOpen;
use bytes::BytesMut;
use notafter_core::UnixTime;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{DataRowBody, ErrorResponseBody, Message};
use postgres_protocol::message::frontend;
use std::io::{self, Read, Write};

/// Longest message.
const MOST_MESSAGE_BYTES: usize = 1 << 20;
/// Everything that is read for one answer.
const MOST_BYTES: usize = 4 << 20;
/// How much of the rows is kept for assertions.
const MOST_ROWS_BYTES: usize = 64 << 10;
/// Rounds of SCRAM: PostgreSQL's own default is 4096, and a hostile server could ask for hours.
const MOST_ROUNDS: u32 = 1_000_000;
/// Asks when the password of the own role ends. Everybody may read this view, and it hides the password.
const VALID_UNTIL: &str =
    "select extract(epoch from rolvaliduntil) from pg_catalog.pg_roles where rolname = session_user";

/// Why there is no answer.
enum Trouble {
    /// The wire broke, or it took too long.
    Wire(io::Error),
    Garbage(String),
    /// The server says no; its words, and its code (PostgreSQL documentation, "Error Codes").
    Says {
        severity: String,
        code: String,
        message: String,
    },
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Wire(error)
    }
}

/// What a broken message is called.
fn garbage(error: io::Error) -> Trouble {
    Trouble::Garbage(format!("it does not speak PostgreSQL's protocol: {error}"))
}

pub(super) fn ask(login: &Login, wire: &mut (impl Read + Write), again: bool, keep: KeepOpen) -> Heard {
    let mut session = Session { wire, read: 0 };
    let heard = session.answer(login, again);
    if keep == KeepOpen::No && !matches!(heard, Err(Trouble::Wire(_))) {
        session.terminate();
    }
    match heard {
        Ok(answered) => Heard::Answered(answered),
        Err(Trouble::Wire(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Heard::Closed,
        Err(Trouble::Wire(error)) => Heard::Failed(error),
        Err(Trouble::Garbage(what)) => Heard::Nonsense(what),
        Err(Trouble::Says { severity, code, message }) => {
            let reason = format!("{severity} {code}: {message}");
            // Class 28 is about who may come in, 42501 about who may ask that.
            match code.as_str() {
                // cannot_connect_now: it starts, stops or recovers.
                "57P03" => Heard::NotYet(reason),
                "42501" => Heard::Refused { reason, password: false },
                other if other.starts_with("28") => Heard::Refused { reason, password: other == "28P01" },
                _ => Heard::Nonsense(reason),
            }
        }
    }
}

struct Session<'a, W> {
    wire: &'a mut W,
    /// Bytes read so far.
    read: usize,
}

impl<W: Read + Write> Session<'_, W> {
    fn answer(&mut self, login: &Login, again: bool) -> Result<Answered, Trouble> {
        if !again {
            self.log_in(login)?;
        }
        let valid_until = match self.query(VALID_UNTIL) {
            Ok((told, _)) => valid_until(&told),
            // What speaks this protocol and is no PostgreSQL need not have roles.
            Err(Trouble::Says { .. }) => None,
            Err(trouble) => return Err(trouble),
        };
        let (rows, is_cut) = self.query(&login.query)?;
        Ok(Answered { rows, is_cut, valid_until })
    }

    fn log_in(&mut self, login: &Login) -> Result<(), Trouble> {
        let parameters = [
            ("user", login.user.as_str()),
            ("database", &login.database),
            ("application_name", "notafter"),
            ("client_encoding", "UTF8"),
        ];
        self.send(|out| frontend::startup_message(parameters, out))?;
        let mut scram: Option<ScramSha256> = None;
        loop {
            let password = || {
                let password = login.password.as_ref().map(|password| password.as_bytes());
                password.ok_or_else(|| {
                    Trouble::Garbage("it asks for a password, and the probe has none".to_owned())
                })
            };
            match self.next()? {
                Message::AuthenticationOk => break,
                Message::AuthenticationCleartextPassword => {
                    let password = password()?;
                    self.send(|out| frontend::password_message(password, out))?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let hash = md5_hash(login.user.as_bytes(), password()?, body.salt());
                    self.send(|out| frontend::password_message(hash.as_bytes(), out))?;
                }
                Message::AuthenticationSasl(body) => {
                    use fallible_iterator::FallibleIterator as _;
                    let mut offered = body.mechanisms();
                    let known = offered.any(|name| Ok(name == SCRAM_SHA_256)).map_err(garbage)?;
                    if !known {
                        return Err(Trouble::Garbage("it offers no SCRAM-SHA-256".to_owned()));
                    }
                    let begun = ScramSha256::new(password()?, ChannelBinding::unsupported());
                    self.send(|out| frontend::sasl_initial_response(SCRAM_SHA_256, begun.message(), out))?;
                    scram = Some(begun);
                }
                Message::AuthenticationSaslContinue(body) => {
                    let scram = scram.as_mut().ok_or_else(out_of_turn)?;
                    if rounds(body.data()).is_none_or(|rounds| rounds > MOST_ROUNDS) {
                        let what = format!("it asks for more than {MOST_ROUNDS} rounds of SCRAM");
                        return Err(Trouble::Garbage(what));
                    }
                    scram.update(body.data()).map_err(garbage)?;
                    self.send(|out| frontend::sasl_response(scram.message(), out))?;
                }
                Message::AuthenticationSaslFinal(body) => {
                    let scram = scram.as_mut().ok_or_else(out_of_turn)?;
                    scram.finish(body.data()).map_err(|_| {
                        Trouble::Garbage("it cannot prove that it knows the password".to_owned())
                    })?;
                }
                Message::AuthenticationGss
                | Message::AuthenticationKerberosV5
                | Message::AuthenticationScmCredential
                | Message::AuthenticationSspi => {
                    let what = "it asks for Kerberos or the like, which the probe does not speak";
                    return Err(Trouble::Garbage(what.to_owned()));
                }
                Message::ErrorResponse(body) => return Err(says(&body)),
                Message::NoticeResponse(_) => {}
                _ => return Err(out_of_turn()),
            }
        }
        loop {
            match self.next()? {
                Message::ReadyForQuery(_) => return Ok(()),
                Message::BackendKeyData(_) | Message::NoticeResponse(_) | Message::ParameterStatus(_) => {}
                Message::ErrorResponse(body) => return Err(says(&body)),
                _ => return Err(out_of_turn()),
            }
        }
    }

    /// Rows, and whether there were more.
    fn query(&mut self, text: &str) -> Result<(String, bool), Trouble> {
        self.send(|out| frontend::query(text, out))?;
        let (mut rows, mut is_cut, mut refused) = (String::new(), false, None);
        loop {
            match self.next()? {
                Message::ReadyForQuery(_) => match refused {
                    Some(trouble) => return Err(trouble),
                    None => return Ok((rows, is_cut)),
                },
                Message::DataRow(body) => {
                    let row = row(&body)?;
                    match rows.len() + row.len() < MOST_ROWS_BYTES {
                        true => {
                            rows.push_str(&row);
                            rows.push('\n');
                        }
                        false => is_cut = true,
                    }
                }
                Message::CommandComplete(_)
                | Message::EmptyQueryResponse
                | Message::NoticeResponse(_)
                | Message::NotificationResponse(_)
                | Message::ParameterStatus(_)
                | Message::RowDescription(_) => {}
                // A session that the server ends has no ReadyForQuery any more.
                Message::ErrorResponse(body) => match says(&body) {
                    Trouble::Says { severity, code, message } if severity != "ERROR" => {
                        return Err(Trouble::Says { severity, code, message });
                    }
                    trouble => refused = Some(trouble),
                },
                Message::CopyInResponse(_) | Message::CopyOutResponse(_) => {
                    return Err(Trouble::Garbage("the query copies, which the probe does not".to_owned()));
                }
                _ => return Err(out_of_turn()),
            }
        }
    }

    fn terminate(&mut self) {
        // It may have gone by then.
        _ = self.send(|out| {
            frontend::terminate(out);
            Ok(())
        });
    }

    fn send(&mut self, write: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> Result<(), Trouble> {
        let mut out = BytesMut::new();
        write(&mut out).map_err(|error| Trouble::Garbage(format!("it cannot be asked: {error}")))?;
        self.wire.write_all(&out)?;
        Ok(self.wire.flush()?)
    }

    fn next(&mut self) -> Result<Message, Trouble> {
        loop {
            let mut head = [0; 5];
            self.wire.read_exact(&mut head)?;
            let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            if !(4..=MOST_MESSAGE_BYTES).contains(&len) {
                let what = format!("it does not speak PostgreSQL's protocol: a message of {len} bytes");
                return Err(Trouble::Garbage(what));
            }
            self.read += len + 1;
            if self.read > MOST_BYTES {
                return Err(Trouble::Garbage(format!("it answers with more than {MOST_BYTES} bytes")));
            }
            let mut message = BytesMut::from(&head[..]);
            message.resize(len + 1, 0);
            self.wire.read_exact(&mut message[5..])?;
            if head[0] == b'v' {
                continue; // it speaks an older minor version, which asks for nothing
            }
            match Message::parse(&mut message).map_err(garbage)? {
                Some(message) => return Ok(message),
                None => return Err(out_of_turn()),
            }
        }
    }
}

fn out_of_turn() -> Trouble {
    Trouble::Garbage("it says what has no place there in PostgreSQL's protocol".to_owned())
}

/// The fields of a row.
fn row(body: &DataRowBody) -> Result<String, Trouble> {
    use fallible_iterator::FallibleIterator as _;
    let mut fields = Vec::new();
    let mut ranges = body.ranges();
    while let Some(range) = ranges.next().map_err(garbage)? {
        let bytes = range.map(|range| body.buffer().get(range).unwrap_or_default());
        fields.push(String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned());
    }
    Ok(fields.join("|"))
}

/// An error in the words of the server.
fn says(body: &ErrorResponseBody) -> Trouble {
    use fallible_iterator::FallibleIterator as _;
    let [mut severity, mut plain_severity, mut code, mut message] = [const { String::new() }; 4];
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        let text = || String::from_utf8_lossy(field.value_bytes()).chars().take(400).collect();
        match field.type_() {
            b'S' => severity = text(),
            // Never translated.
            b'V' => plain_severity = text(),
            b'C' => code = text(),
            b'M' => message = text(),
            _ => {}
        }
    }
    if !plain_severity.is_empty() {
        severity = plain_severity;
    }
    Trouble::Says { severity, code, message }
}

/// The rounds that a server's first message asks for (RFC 5802 §7: `r=…,s=…,i=4096`).
fn rounds(message: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(message).ok()?;
    text.split(',').find_map(|part| part.strip_prefix("i="))?.parse().ok()
}

/// The last second before the epoch that `told` names; none for `Infinity` and no value.
fn valid_until(told: &str) -> Option<UnixTime> {
    let seconds: f64 = told.trim().parse().ok()?;
    if !seconds.is_finite() {
        return None;
    }
    // It holds in the instant itself (src/backend/libpq/crypt.c), and a second is cut off above.
    let whole = format!("{:.0}", seconds.floor());
    whole.parse().ok().map(UnixTime::clamped)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Says, login};
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len() + 4).unwrap();
        [&[tag][..], &len.to_be_bytes(), body].concat()
    }

    fn ok() -> Vec<u8> {
        message(b'R', &[0; 4])
    }

    fn ready() -> Vec<u8> {
        message(b'Z', b"I")
    }

    fn rows(fields: &[&str]) -> Vec<u8> {
        let mut body = u16::try_from(fields.len()).unwrap().to_be_bytes().to_vec();
        for field in fields {
            body.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
            body.extend(field.as_bytes());
        }
        message(b'D', &body)
    }

    fn error(severity: &str, code: &str) -> Vec<u8> {
        message(b'E', format!("S{severity}\0V{severity}\0C{code}\0Mno\0\0").as_bytes())
    }

    fn hear(says: &[Vec<u8>]) -> Heard {
        ask(&login(), &mut Says::new(&says.concat()), false, KeepOpen::No)
    }

    fn told(heard: &Heard) -> &str {
        match heard {
            Heard::Answered(_) => "answered",
            Heard::Closed => "closed",
            Heard::Failed(_) => "failed",
            Heard::Nonsense(_) => "nonsense",
            Heard::NotYet(_) => "not yet",
            Heard::Refused { password: true, .. } => "refused password",
            Heard::Refused { password: false, .. } => "refused",
        }
    }

    #[test]
    fn a_query_is_answered_with_its_rows_and_the_end_of_the_role() {
        let heard = hear(&[ok(), ready(), rows(&["1893457800.000000"]), ready(), rows(&["a", "b"]), ready()]);
        let Heard::Answered(answered) = heard else { panic!("{heard:?}") };
        let valid_until = Some(UnixTime::clamped(1_893_457_800));
        assert_eq!(answered, Answered { rows: "a|b\n".to_owned(), is_cut: false, valid_until });
        for endless in ["Infinity", ""] {
            let heard = hear(&[ok(), ready(), rows(&[endless]), ready(), rows(&["1"]), ready()]);
            let Heard::Answered(answered) = heard else { panic!("{heard:?}") };
            assert_eq!(answered.valid_until, None, "{endless}");
        }
    }

    #[test]
    fn a_refusal_is_told_from_trouble_and_from_garbage() {
        let scram = message(b'R', &[&10_u32.to_be_bytes()[..], b"SCRAM-SHA-256\0\0"].concat());
        let endless = [&11_u32.to_be_bytes()[..], b"r=x,s=eA==,i=4000000000"].concat();
        let endless = message(b'R', &endless);
        for (says, expected) in [
            (vec![error("FATAL", "28P01")], "refused password"),
            (vec![error("FATAL", "28000")], "refused"),
            (vec![error("FATAL", "57P03")], "not yet"),
            (vec![error("FATAL", "53300")], "nonsense"),
            (vec![ok(), ready(), error("ERROR", "42501"), ready(), rows(&["1"]), ready()], "answered"),
            (vec![ok(), ready(), ready(), error("ERROR", "42501"), ready()], "refused"),
            (vec![ok(), ready(), ready(), error("ERROR", "42P01"), ready()], "nonsense"),
            (vec![ok(), ready(), error("FATAL", "57P01")], "closed"),
            (vec![ok()], "closed"),
            (vec![], "closed"),
            (vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()], "nonsense"),
            (vec![message(b'R', &7_u32.to_be_bytes())], "nonsense"),
            (vec![scram, endless], "nonsense"),
            (vec![ready()], "nonsense"),
            (vec![ok(), ready(), ready(), message(b'G', &[0, 0, 0])], "nonsense"),
        ] {
            let heard = hear(&says);
            assert_eq!(told(&heard), expected, "{says:?}: {heard:?}");
        }
    }

    #[test]
    fn what_a_server_says_stays_within_bounds() {
        let row = rows(&[&"x".repeat(60 << 10)]);
        let many: Vec<Vec<u8>> = std::iter::repeat_n(row, 100).collect();
        let begin = [ok(), ready(), ready()];
        let two = [&begin[..], &many[..2], &[ready()]].concat();
        let heard = hear(&two);
        let Heard::Answered(answered) = heard else { panic!("{heard:?}") };
        assert!(answered.is_cut && answered.rows.len() <= MOST_ROWS_BYTES);
        assert_eq!(told(&hear(&[&begin[..], &many].concat())), "nonsense");
        let huge = [&b"D"[..], &u32::MAX.to_be_bytes()].concat();
        assert_eq!(told(&hear(&[ok(), ready(), huge])), "nonsense");
    }
}
