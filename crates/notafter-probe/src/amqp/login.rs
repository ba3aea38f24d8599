//! A login to a virtual host, and the question that a held connection is asked.
//!
//! What must never happen here: a login that was refused counting as a broker that is not there, or a password in what is said.

use super::frame::{HEADER, Trouble, expect, long, number, put_long, put_short, send};
use crate::greet::Heard;
use crate::line::KeepOpen;
use crate::look::said;
use crate::password::Password;
use notafter_core::AmqpTerms;
use std::io::{self, Read, Write};

/// ACCESS_REFUSED and NOT_ALLOWED.
const REFUSALS: [u16; 2] = [403, 530];
/// That a login which is refused shall be told as such, by `connection.close`: a table within a table, whose value is true.
const CAPABILITIES: &[u8] =
    b"\x0ccapabilitiesF\0\0\0\x1f\x1cauthentication_failure_closet\x01\x07productS\0\0\0\x08notafter";

/// Who logs in to what.
#[derive(Debug)]
pub(crate) struct Login {
    mechanism: Mechanism,
    vhost: String,
}

/// A mechanism of SASL.
#[derive(Debug)]
enum Mechanism {
    /// The client certificate says who it is.
    External,
    Plain {
        user: String,
        password: Option<Password>,
    },
}

impl Login {
    pub(crate) fn new(terms: &AmqpTerms, password: Option<String>) -> Self {
        let mechanism = match &terms.user {
            None => Mechanism::External,
            Some(user) => Mechanism::Plain { user: user.clone(), password: password.map(Password::from) },
        };
        Self { mechanism, vhost: terms.vhost.clone() }
    }

    /// Asks over `wire`; `again` is whether it was asked there before.
    pub(crate) fn ask(&self, wire: &mut (impl Read + Write), again: bool, keep: KeepOpen) -> Heard {
        let asked = if again { open_channel(wire) } else { self.log_in(wire) };
        if keep == KeepOpen::No && matches!(asked, Ok(Heard::Answered(_))) {
            _ = send(wire, 0, (10, 50), b"\0\xc8\0\0\0\0\0"); // it may have gone by then
        }
        asked.unwrap_or_else(|trouble| match trouble {
            Trouble::Closes { code, text } if REFUSALS.contains(&code) => {
                Heard::Refused(format!("{code} {text}"))
            }
            Trouble::Closes { code, text } => Heard::Nonsense(format!("{code} {text}")),
            Trouble::Garbage(reason) => Heard::Nonsense(reason),
            Trouble::Wire(error) if is_end(&error) => Heard::Closed,
            Trouble::Wire(error) => Heard::Failed(error),
        })
    }

    fn log_in(&self, wire: &mut (impl Read + Write)) -> Result<Heard, Trouble> {
        wire.write_all(HEADER)?;
        wire.flush()?;
        let start = expect(wire, (10, 10))?;
        let mut rest = start.as_slice();
        let (version, _, offered) = (number(&mut rest), long(&mut rest), long(&mut rest));
        let (Some(9), Some(offered)) = (version, offered) else {
            return Err(Trouble::Garbage("it does not begin as AMQP 0-9-1 does".to_owned()));
        };
        let name = self.mechanism.name();
        if !offered.split(|byte| *byte == b' ').any(|offer| offer == name.as_bytes()) {
            return Err(Trouble::Garbage(format!("it offers no login by {name} but by {:?}", said(offered))));
        }
        send(wire, 0, (10, 11), &self.start_ok())?;
        let tune = match expect(wire, (10, 30)) {
            Ok(tune) => tune,
            // What brokers do that do not know how to say it; the specification asks for it (§4.2.2 of 0-9-1, "Security").
            Err(Trouble::Wire(error)) if is_end(&error) => {
                let reason = "the broker closed the connection on the login, as AMQP 0-9-1 refuses one";
                return Ok(Heard::Refused(reason.to_owned()));
            }
            Err(trouble) => return Err(trouble),
        };
        let Some(limits) = tune.first_chunk::<6>() else {
            return Err(Trouble::Garbage("limits that are none".to_owned()));
        };
        // The broker's own limits, and no heartbeats: nobody would send them between two looks.
        send(wire, 0, (10, 31), &[&limits[..], &[0, 0]].concat())?;
        let mut open = Vec::new();
        put_short(&mut open, self.vhost.as_bytes());
        open.extend([0, 0]);
        send(wire, 0, (10, 40), &open)?;
        expect(wire, (10, 41))?;
        Ok(Heard::Answered("connection.open-ok".to_owned()))
    }

    fn start_ok(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let mut arguments = zeroize::Zeroizing::new(Vec::new());
        put_long(&mut arguments, CAPABILITIES);
        put_short(&mut arguments, self.mechanism.name().as_bytes());
        put_long(&mut arguments, &self.mechanism.response());
        put_short(&mut arguments, b"en_US");
        arguments
    }
}

impl Mechanism {
    fn name(&self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::Plain { .. } => "PLAIN",
        }
    }

    /// What is said to prove it (RFC 4616; RFC 4422 appendix A).
    fn response(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let response = match self {
            Self::External => Vec::new(),
            Self::Plain { user, password } => {
                let password = password.as_ref().map_or(&[][..], Password::as_bytes);
                [b"\0", user.as_bytes(), b"\0", password].concat()
            }
        };
        response.into()
    }
}

/// Opens a channel over a connection that was opened before, and closes it.
fn open_channel(wire: &mut (impl Read + Write)) -> Result<Heard, Trouble> {
    send(wire, 1, (20, 10), &[0])?;
    expect(wire, (20, 11))?;
    send(wire, 1, (20, 40), b"\0\xc8\0\0\0\0\0")?;
    expect(wire, (20, 41))?;
    Ok(Heard::Answered("channel.open-ok".to_owned()))
}

fn is_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}
