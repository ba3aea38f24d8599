//! What programs are given beside files: variables of their environment, arguments, labels of images.
//!
//! What must never happen here: keeping a value. It may be a secret as a whole; only what a scan keeps of any token is kept.

use crate::ScanOptions;
use crate::buffer::Buffer;
use crate::collect::Collector;
use crate::scan::Merged;
use crate::unpack::{Input, look_into};
use notafter_core::{Inventory, ServiceName};
use std::fmt;
use std::io::Cursor;
use zeroize::Zeroizing;

/// Characters of a name that a place shows.
const MAX_NAME: usize = 80;

/// One value that a program is given, and where.
pub struct Setting {
    /// What it lies in, as in `environment variable API_TOKEN`; stands where files have their path.
    place: String,
    value: Zeroizing<Vec<u8>>,
}

impl Setting {
    /// The value called `name` of `where_from`: `Setting::new("environment variable", "API_TOKEN", …)`. What no report can
    /// show of the name is left out.
    #[must_use]
    pub fn new(where_from: &str, name: &str, value: impl Into<Vec<u8>>) -> Self {
        let shown: String = name.chars().filter(|char| !char.is_control()).take(MAX_NAME).collect();
        Self { place: format!("{where_from} {shown}"), value: Zeroizing::new(value.into()) }
    }
}

/// Without the value.
impl fmt::Debug for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Setting({}, {} bytes)", self.place, self.value.len())
    }
}

/// Scans what `service` is given, as if each value were a file. A private key in one belongs to a certificate in another.
#[must_use]
pub fn scan_settings(settings: &[Setting], service: &ServiceName, options: &ScanOptions) -> Inventory {
    let mut merged = Merged::default();
    add_settings(&mut merged, settings, service, options);
    merged.finish()
}

pub(crate) fn add_settings(
    merged: &mut Merged,
    settings: &[Setting],
    service: &ServiceName,
    options: &ScanOptions,
) {
    let mut buffer = Buffer::default();
    for Setting { place, value } in settings {
        let mut collector = Collector::new(service, place, options);
        look_into(Input::Seekable(&mut Cursor::new(value.as_slice())), &mut collector, &mut buffer);
        merged.add(collector.finish(), service);
    }
}

/// The variables in an environment as the kernel keeps it (environ(7)): `NAME=VALUE`, each ended by a zero byte.
pub(crate) fn variables(where_from: &str, environment: &[u8]) -> Vec<Setting> {
    let pairs = environment.split(|byte| *byte == 0).filter(|pair| !pair.is_empty());
    pairs.map(|pair| variable(where_from, pair)).collect()
}

/// `NAME=VALUE`; what has no name is a value as a whole.
pub(crate) fn variable(where_from: &str, pair: &[u8]) -> Setting {
    let at = pair.iter().position(|byte| *byte == b'=');
    let (name, value) = at.map_or((&b""[..], pair), |at| (&pair[..at], &pair[at + 1..]));
    Setting::new(where_from, &String::from_utf8_lossy(name), value)
}

/// The arguments of a command line as the kernel keeps it (proc_pid_cmdline(5)).
pub(crate) fn arguments(where_from: &str, line: &[u8]) -> Vec<Setting> {
    let arguments = line.strip_suffix(b"\0").unwrap_or(line).split(|byte| *byte == 0);
    arguments.zip(0..).map(|(value, index)| Setting::new(where_from, &format!("{index}"), value)).collect()
}
