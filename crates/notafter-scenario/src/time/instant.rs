//! `2018-12-06T04:30:00Z`, `now`, `start + 3mo - 1s`, `+90d`, `hss.not_after - 1s`.

use super::{Amount, AmountError};
use notafter_core::{EdgeKind, TimeError, UnixTime};
use std::fmt;

/// Terms beyond this many are no instant that a person would write.
const MAX_TERMS: usize = 16;

/// Why a text is no instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InstantError {
    /// What follows the sign is no duration.
    BadAmount { text: String, error: AmountError },
    /// A day without a time.
    DateOnly { date: String },
    /// It does not read as one.
    Malformed,
    /// It names a second that calendars here cannot show.
    OutOfRange,
}

/// Forward or backward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Minus,
    Plus,
}

/// What an instant is counted from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Base {
    At(UnixTime),
    /// An end of the validity of a declared credential.
    Edge {
        credential: String,
        kind: EdgeKind,
    },
    /// Nothing is written before the first sign: `start`, or `now` for `start` itself.
    Implied,
    /// When a credential is made.
    Issued,
    Now,
    Start,
    SupportEnd,
}

/// An instant as it is written: a base and what is added to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstantText {
    pub(crate) base: Base,
    pub(crate) terms: Vec<(Sign, Amount)>,
}

impl InstantText {
    /// Reads a base and terms, all of them apart by blanks except for a sign and its duration.
    pub(crate) fn parse(text: &str) -> Result<Self, InstantError> {
        let mut words = text.split_whitespace().peekable();
        let base = match words.peek() {
            None => return Err(InstantError::Malformed),
            Some(word) if word.starts_with(['+', '-']) => Base::Implied,
            Some(word) => {
                let base = Base::parse(word)?;
                words.next();
                base
            }
        };
        let mut terms = Vec::new();
        while let Some(word) = words.next() {
            let (sign, amount) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
                (Some(amount), _) => (Sign::Plus, amount),
                (_, Some(amount)) => (Sign::Minus, amount),
                _ => return Err(InstantError::Malformed),
            };
            let amount = if amount.is_empty() { words.next().unwrap_or_default() } else { amount };
            let amount = Amount::parse(amount)
                .map_err(|error| InstantError::BadAmount { text: amount.to_owned(), error })?;
            terms.push((sign, amount));
            if terms.len() > MAX_TERMS {
                return Err(InstantError::Malformed);
            }
        }
        Ok(Self { base, terms })
    }

    /// The instant, counted from what the base stands for; none outside the range of instants.
    pub(crate) fn counted_from(&self, base: UnixTime) -> Option<UnixTime> {
        self.terms.iter().try_fold(base, |at, (sign, amount)| amount.applied_to(at, *sign))
    }
}

impl Base {
    fn parse(word: &str) -> Result<Self, InstantError> {
        let edge = |name: &str, kind| Ok(Self::Edge { credential: name.to_owned(), kind });
        match word {
            "issued" => return Ok(Self::Issued),
            "now" => return Ok(Self::Now),
            "start" => return Ok(Self::Start),
            "support.end" => return Ok(Self::SupportEnd),
            _ => {}
        }
        if let Some(name) = word.strip_suffix(".not_after") {
            return edge(name, EdgeKind::NotAfter);
        }
        if let Some(name) = word.strip_suffix(".not_before") {
            return edge(name, EdgeKind::NotBefore);
        }
        match UnixTime::parse(word) {
            Ok(at) => Ok(Self::At(at)),
            Err(TimeError::OutOfRange) => Err(InstantError::OutOfRange),
            Err(TimeError::NotAnInstant { .. }) => {
                if word.parse::<jiff::civil::Date>().is_ok() && word.len() == 10 {
                    return Err(InstantError::DateOnly { date: word.to_owned() });
                }
                // A sound date and time that is refused all the same lies too late, such as the last day of 9999.
                let without_zone = word.strip_suffix('Z').unwrap_or_default();
                if without_zone.parse::<jiff::civil::DateTime>().is_ok() {
                    return Err(InstantError::OutOfRange);
                }
                Err(InstantError::Malformed)
            }
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Minus => "-",
            Self::Plus => "+",
        })
    }
}

impl fmt::Display for InstantText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.base {
            Base::At(at) => write!(formatter, "{at}")?,
            Base::Edge { credential, kind: EdgeKind::NotAfter } => {
                write!(formatter, "{credential}.not_after")?
            }
            Base::Edge { credential, kind: EdgeKind::NotBefore } => {
                write!(formatter, "{credential}.not_before")?
            }
            Base::Implied => {}
            Base::Issued => formatter.write_str("issued")?,
            Base::Now => formatter.write_str("now")?,
            Base::Start => formatter.write_str("start")?,
            Base::SupportEnd => formatter.write_str("support.end")?,
        }
        for (index, (sign, amount)) in self.terms.iter().enumerate() {
            if index == 0 && self.base == Base::Implied {
                write!(formatter, "{sign}{amount}")?;
            } else {
                write!(formatter, " {sign} {amount}")?;
            }
        }
        Ok(())
    }
}
