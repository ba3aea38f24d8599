//! What can be wrong with a saved record.

/// Why a text is no record that this version can read, or why a record cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is JSON with the right version, and its content is not what that version holds.
    #[error("the record does not have the form of version {version}")]
    Malformed {
        /// The version that it claims.
        version: u64,
        /// What is wrong and where.
        #[source]
        source: serde_json::Error,
    },
    /// A newer notafter wrote it.
    #[error(
        "the record has version {found}, and this notafter reads up to {known}: read it with a newer notafter"
    )]
    NewerVersion {
        /// The version that it claims.
        found: u64,
        /// The newest that this crate reads.
        known: u32,
    },
    /// The text is not JSON.
    #[error("not a JSON text")]
    NotJson(#[source] serde_json::Error),
    /// The text is JSON and no record.
    #[error("not a notafter record: it has no number under `notafter_record`")]
    NotARecord,
    /// The text is larger than any record that is read.
    #[error("the record has {len} bytes, and at most {limit} are read")]
    TooLarge {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The versions inside the text contradict each other, or none of them was ever in use.
    #[error("the record says version {outer} outside and {inner} inside")]
    VersionsDiffer {
        /// Under `notafter_record`.
        outer: u64,
        /// Under `record.version`.
        inner: u32,
    },
    /// No notafter has ever written this version.
    #[error("the record has version {found}, which was never in use")]
    UnknownVersion {
        /// The version that it claims.
        found: u64,
    },
    /// The report cannot be made from its template.
    #[error("the template of the report is broken; this is a bug in notafter")]
    Template(#[source] Box<minijinja::Error>),
    /// There is no such form of a report.
    #[error("there is no report format `{text}`; there are {}", formats())]
    UnknownFormat {
        /// As it was given.
        text: String,
    },
    /// The record cannot be written as JSON.
    #[error("the record cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// The report cannot be written as XML.
    #[error("the report cannot be written as XML")]
    Xml(#[source] Box<quick_junit::SerializeError>),
    /// The sink refused.
    #[error("the sink takes no more text")]
    Sink(#[source] std::fmt::Error),
}

fn formats() -> String {
    let names: Vec<&str> = crate::Format::ALL.iter().map(|format| format.as_str()).collect();
    crate::words::list(&names)
}
