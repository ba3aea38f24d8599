//! The record and its verdict as JSON: what `--report json=FILE` writes and what any later notafter reads.
//!
//! The bytes are the same for the same values on every machine. Characters that could harm a terminal are written
//! as `\uXXXX`, so that looking at a record with `cat` is safe; reading gives them back unchanged.

use crate::Error;
use crate::page::is_hostile;
use notafter_core::{Comparison, Gated, RECORD_VERSION, RunRecord, Verdict};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::{self, Write as _};

/// The largest text that [`read`] looks at, in bytes.
pub const MAX_LEN_BYTES: usize = 256 << 20;

/// A run of notafter, and the verdict that follows from it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "record")]
struct Written<'a> {
    /// Version of the form. Readers read this one and older ones.
    #[schemars(range(min = 1, max = RECORD_VERSION))]
    notafter_record: u32,
    record: &'a RunRecord,
    verdict: &'a Verdict,
    /// What the build in production came to, where the candidate was held against one. It follows from two records, and
    /// readers of one pass over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<&'a Comparison>,
}

#[derive(Deserialize)]
struct Envelope {
    record: RunRecord,
    verdict: Verdict,
}

/// Writes `record` and `verdict` as pretty-printed JSON with a final newline.
///
/// # Errors
/// [`Error::Unwritable`], and [`Error::Sink`] where the sink fails.
pub fn write(sink: &mut impl fmt::Write, record: &RunRecord, verdict: &Verdict) -> Result<(), Error> {
    write_beside(sink, Gated { record, verdict }, None)
}

/// The same with a comparison, where there is one.
///
/// # Errors
/// As for [`write()`].
pub fn write_beside(
    sink: &mut impl fmt::Write,
    gated: Gated<'_>,
    against: Option<&Comparison>,
) -> Result<(), Error> {
    let Gated { record, verdict } = gated;
    let written = Written { notafter_record: RECORD_VERSION, record, verdict, against };
    sink.write_str(&safe(&written)?).map_err(Error::Sink)
}

/// The JSON Schema (draft 2020-12) of what [`write()`] writes and [`read`] reads. It describes shapes: fields that records of
/// older versions do not have may be absent, and unknown ones are passed over, as by [`read`].
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Written<'static>>();
    schema.insert("title".to_owned(), "notafter record".into());
    schema.to_value()
}

/// Pretty-printed, with a final newline and nothing that could harm a terminal.
pub(crate) fn safe(written: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(written).map_err(Error::Unwritable)?;
    let mut safe = String::with_capacity(text.len() + 1);
    for char in text.chars() {
        // Outside strings there is nothing hostile but the newlines of the pretty printer.
        if char != '\n' && is_hostile(char) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                write!(safe, "\\u{unit:04x}").map_err(Error::Sink)?;
            }
        } else {
            safe.push(char);
        }
    }
    safe.push('\n');
    Ok(safe)
}

/// Reads what [`write()`] wrote, by this version or an older one.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::NotJson`], [`Error::NotARecord`], [`Error::NewerVersion`],
/// [`Error::UnknownVersion`], [`Error::VersionsDiffer`], [`Error::Malformed`].
pub fn read(text: &str) -> Result<(RunRecord, Verdict), Error> {
    if text.len() > MAX_LEN_BYTES {
        return Err(Error::TooLarge { len: text.len(), limit: MAX_LEN_BYTES });
    }
    let version = version_of(text)?;
    if version > u64::from(RECORD_VERSION) {
        return Err(Error::NewerVersion { found: version, known: RECORD_VERSION });
    }
    if version == 0 {
        return Err(Error::UnknownVersion { found: version });
    }
    let envelope: Envelope =
        serde_json::from_str(text).map_err(|source| Error::Malformed { version, source })?;
    if u64::from(envelope.record.version) != version {
        return Err(Error::VersionsDiffer { outer: version, inner: envelope.record.version });
    }
    Ok((envelope.record, envelope.verdict))
}

/// The version alone, read before anything else is: a newer record may have any other form.
fn version_of(text: &str) -> Result<u64, Error> {
    #[derive(Deserialize)]
    struct Header {
        notafter_record: u64,
    }
    match serde_json::from_str::<Header>(text) {
        Ok(header) => Ok(header.notafter_record),
        Err(error) if error.is_data() => Err(Error::NotARecord),
        Err(error) => Err(Error::NotJson(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn written(record: &RunRecord, verdict: &Verdict) -> String {
        let mut text = String::new();
        write(&mut text, record, verdict).unwrap();
        text
    }

    #[test]
    fn records_survive_a_round_trip_and_are_written_alike() {
        for (record, verdict) in [
            sample::block(),
            sample::allow(),
            sample::controlled(),
            sample::unshifted(),
            sample::held_works(),
            sample::hostile(),
        ] {
            let text = written(&record, &verdict);
            let (again, judged) = read(&text).unwrap();
            assert_eq!(again, record);
            assert_eq!(judged, verdict);
            assert_eq!(written(&again, &judged), text);
        }
    }

    #[test]
    fn a_written_record_begins_with_its_version_and_is_safe_to_look_at() {
        let (record, verdict) = sample::hostile();
        let text = written(&record, &verdict);
        assert!(text.starts_with("{\n  \"notafter_record\": 2,\n"), "{}", &text[..80]);
        assert!(!text.chars().any(|char| char != '\n' && is_hostile(char)));
    }

    #[test]
    fn newer_and_foreign_texts_are_refused_by_name() {
        let (record, verdict) = sample::block();
        let text = written(&record, &verdict);
        let refused = |text: &str| read(text).unwrap_err().to_string();
        for (text, message) in [
            (
                r#"{ "notafter_record": 3, "anything": [] }"#.to_owned(),
                "the record has version 3, and this notafter reads up to 2: read it with a newer notafter",
            ),
            (r#"{ "notafter_record": 0 }"#.to_owned(), "the record has version 0, which was never in use"),
            (r#"{ "notafter_record": 1 }"#.to_owned(), "the record does not have the form of version 1"),
            (
                r#"{ "bomFormat": "CycloneDX" }"#.to_owned(),
                "not a notafter record: it has no number under `notafter_record`",
            ),
            ("[]".to_owned(), "not a notafter record: it has no number under `notafter_record`"),
            ("notafter: 1".to_owned(), "not a JSON text"),
            (text[..text.len() / 2].to_owned(), "not a JSON text"),
            (
                text.replacen("\"version\": 2", "\"version\": 7", 1),
                "the record says version 2 outside and 7 inside",
            ),
        ] {
            assert_eq!(refused(&text), message);
        }
    }

    #[test]
    fn records_of_the_first_version_are_still_read() {
        let (record, verdict) = sample::block();
        let mut value: serde_json::Value = serde_json::from_str(&written(&record, &verdict)).unwrap();
        value["notafter_record"] = 1.into();
        value["record"]["version"] = 1.into();
        value["record"].as_object_mut().unwrap().remove("isolation");
        let (read, judged) = read(&value.to_string()).unwrap();
        assert_eq!((read.version, read.cases, judged), (1, record.cases, verdict));
    }
}
