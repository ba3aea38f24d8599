//! Questions to the services, and their answers.

use super::RawProbe;
use crate::decode::{Entries, Keyword, LiteralOr, Located, OneOrMany, TextOr};
use notafter_core::Connection;
use schemars::JsonSchema;
use serde::Deserialize;

/// One question to the services.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "check", deny_unknown_fields)]
pub(crate) struct RawCheck {
    /// The service in whose place in the network the probe stands.
    pub(crate) from: Option<Located<String>>,
    /// Steps that come before the probe, in this order; what they capture stands as `{{NAME}}` in later ones.
    pub(crate) before: Option<Located<Vec<Located<RawCheckStep>>>>,
    /// How to look.
    pub(crate) probe: Located<RawProbe>,
    /// The kinds of connection to look over; `[fresh]` where nothing is said.
    pub(crate) connections: Option<Located<Vec<Located<Keyword<Connection>>>>>,
    /// How long one look, and each step before it, may take; `10s` where nothing is said.
    pub(crate) within: Option<Located<String>>,
    /// How long a failure may last before it counts; `0s` where nothing is said. An eighth of it is left once the check
    /// has failed at two checkpoints in a row, until a restart or a rotation.
    pub(crate) settle: Option<Located<String>>,
    /// Who must be turned away whenever who shows this check's own `identity` or `token` is let in, each with a check of its
    /// own.
    pub(crate) refuses: Option<Located<Vec<Located<Stranger>>>>,
    /// What must be seen: once, or one entry per span of time.
    pub(crate) expect: Located<OneOrMany<RawExpectation>>,
}

/// One step before the probe of a check.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "step", deny_unknown_fields)]
pub(crate) struct RawCheckStep {
    /// How to look.
    pub(crate) probe: Located<RawProbe>,
    /// What the answer looks like; as `works: {}` where nothing is said. Where it is another the check ends there.
    pub(crate) works: Option<Located<RawWorks>>,
    /// What is taken out of the answer, by names that stand for it from then on.
    pub(crate) capture: Option<Located<Entries<RawCapture>>>,
}

/// A part of an answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "capture", deny_unknown_fields)]
pub(crate) struct RawCapture {
    /// The value at this JSON Pointer (RFC 6901).
    pub(crate) json: Option<Located<String>>,
    /// The fields of an HTTP response with this name.
    pub(crate) header: Option<Located<String>>,
    /// A regular expression: what its first group matches of that, or of the whole answer where neither is given; without
    /// a group all that it matches.
    pub(crate) matches: Option<Located<String>>,
}

/// Who may not be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename = "stranger", rename_all = "kebab-case")]
pub(crate) enum Stranger {
    /// Its certificate, or its token, has ended.
    Expired,
    /// Its certificate is in force, and the intermediate above it has ended.
    ExpiredIntermediate,
    /// Its certificate, or its token, is not valid yet.
    NotYetValid,
    /// The valid peer itself, while the revocation lists that the candidate holds have ended.
    StaleCrl,
    /// Its certificate leads to a root that nobody trusts, or its token is signed with another key.
    UnknownIssuer,
}

impl Stranger {
    /// The word for it in scenario files.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::ExpiredIntermediate => "expired-intermediate",
            Self::NotYetValid => "not-yet-valid",
            Self::StaleCrl => "stale-crl",
            Self::UnknownIssuer => "unknown-issuer",
        }
    }
}

/// What must be seen, as one of two, and when.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "expectation", deny_unknown_fields)]
pub(crate) struct RawExpectation {
    /// The last second before the span; from the beginning where none is given.
    pub(crate) after: Option<Located<String>>,
    /// The last second of the span; to the end where none is given.
    pub(crate) through: Option<Located<String>>,
    /// The service answers.
    pub(crate) works: Option<Located<RawWorks>>,
    /// The service refuses.
    pub(crate) rejected: Option<Located<RawRejected>>,
}

/// What an answer looks like.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "works", deny_unknown_fields)]
pub(crate) struct RawWorks {
    /// Text that the answer must contain: the first mebibyte of a body, the last 64 KiB of a command's output.
    pub(crate) contains: Option<Located<String>>,
    /// Text that the same must not contain.
    pub(crate) lacks: Option<Located<String>>,
    /// Exit code of an `exec` probe; 0 where none is given.
    pub(crate) exit: Option<Located<i64>>,
    /// The whole answer, but for blanks and line breaks at its end.
    pub(crate) equals: Option<Located<String>>,
    /// What the fields of an HTTP response must be, by name.
    pub(crate) headers: Option<Located<Entries<TextOr<RawMatches>>>>,
    /// What the values in the JSON of the answer must be, by JSON Pointer (RFC 6901).
    pub(crate) json: Option<Located<Entries<LiteralOr<RawMatches>>>>,
    /// Regular expressions, each of which must match somewhere in the answer.
    pub(crate) matches: Option<Located<OneOrMany<String>>>,
    /// A number in the answer that must go on rising, because what it counts must go on.
    pub(crate) rises: Option<Located<RawRises>>,
    /// The answer must be what it was in the control, before anything ended.
    pub(crate) same_as_control: Option<Located<RawSameAsControl>>,
    /// Status of an HTTP probe; any of 200 to 299 where none is given.
    pub(crate) status: Option<Located<i64>>,
}

/// A refusal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "rejected", deny_unknown_fields)]
pub(crate) struct RawRejected {
    /// The check that must work meanwhile, so that refusing everybody does not pass.
    pub(crate) control: Located<String>,
}

/// A pattern instead of a value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "pattern", deny_unknown_fields)]
pub(crate) struct RawMatches {
    /// A regular expression that must match somewhere in it.
    pub(crate) matches: Located<String>,
}

/// A number that counts what must go on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "rises", deny_unknown_fields)]
pub(crate) struct RawRises {
    /// Within how long it must have risen, on the service's own clock.
    pub(crate) every: Located<String>,
    /// The value at this JSON Pointer (RFC 6901).
    pub(crate) json: Option<Located<String>>,
    /// The fields of an HTTP response with this name.
    pub(crate) header: Option<Located<String>>,
    /// A regular expression: what its first group matches of that, or of the whole answer where neither is given; without
    /// a group all that it matches.
    pub(crate) matches: Option<Located<String>>,
}

/// A comparison with the control.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "same as control", deny_unknown_fields)]
pub(crate) struct RawSameAsControl {
    /// Regular expressions; what they match may differ, such as a date.
    pub(crate) mask: Option<Located<OneOrMany<String>>>,
}
