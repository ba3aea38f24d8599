//! Values of the core as sentence fragments. Nothing is escaped here: the page does that.

use super::{count, list};
use crate::page::{clip, log_line};
use notafter_core::{
    Answer, CaseError, Connection, Container, Credential, CredentialKind, Edge, EdgeKind, Fingerprint,
    Inventory, Observation, Origin, Place, Purpose, Refusal, RefusalLayer, RunRecord, Scenario, Seen,
    Service, ServiceEnd, Span, Start, UnixTime,
};
use std::time::Duration;

/// Longer subjects, reasons and bodies are clipped: nobody reads them in a report, the JSON record holds them whole.
const MAX_TEXT: usize = 160;

/// `sgsn-mme 1.14`.
pub(crate) fn candidate(scenario: &Scenario) -> String {
    match &scenario.candidate.build {
        Some(build) => format!("{} {}", scenario.candidate.service, build.name),
        None => scenario.candidate.service.to_string(),
    }
}

/// The subject, or words that say that there is none.
pub(crate) fn subject(text: &str) -> String {
    if text.is_empty() {
        "a certificate without a subject".to_owned()
    } else {
        clip(text, MAX_TEXT).into_owned()
    }
}

/// `CN=hss (47a1b2c3)`.
pub(crate) fn credential(inventory: &Inventory, fingerprint: Fingerprint) -> String {
    let name = match inventory.find(fingerprint) {
        Some(known) => subject(&known.subject),
        None => "a certificate that the inventory does not hold".to_owned(),
    };
    format!("{name} ({})", fingerprint.short())
}

/// What the format of the credential calls this end of it.
pub(crate) fn edge_word(inventory: &Inventory, edge: &Edge) -> &'static str {
    let kind = inventory.find(edge.credential).map_or(CredentialKind::X509, |credential| credential.kind);
    match edge.kind {
        EdgeKind::NotAfter => kind.end_word(),
        EdgeKind::NotBefore => kind.begin_word(),
    }
}

/// `nextUpdate of CN=issuer (47a1b2c3)`.
pub(crate) fn end_of(inventory: &Inventory, edge: &Edge) -> String {
    format!("{} of {}", edge_word(inventory, edge), credential(inventory, edge.credential))
}

/// Edges that change something inside the support window, in time order.
pub(crate) fn boundaries(record: &RunRecord) -> Vec<Edge> {
    edges_changing(&record.inventory, record.scenario.start.instant(), record.scenario.horizon)
}

/// Edges whose changed state begins after `after` and not after `through`, in time order.
pub(crate) fn edges_changing(inventory: &Inventory, after: UnixTime, through: UnixTime) -> Vec<Edge> {
    // What a service shows or makes for itself was valid before: its beginning changes nothing.
    let counts = |credential: &Credential, edge: &Edge| match credential.origin {
        Origin::Declared(_) | Origin::Embedded => true,
        Origin::Memory | Origin::Served => edge.kind == EdgeKind::NotAfter,
    };
    let mut edges: Vec<Edge> = inventory
        .credentials
        .iter()
        .flat_map(|credential| credential.edges().filter(|edge| counts(credential, edge)))
        .filter(|edge| edge.changed_at() > after && edge.changed_at() <= through)
        .collect();
    edges.sort();
    edges
}

/// `sgsn-mme:/sgsn-mme-1-14, 412 bytes of DER at offset 0x1234 of an ELF file`.
pub(crate) fn place(place: &Place) -> String {
    let Place { service, offset, len, container, .. } = place;
    let file = format!("{service}:{}", clip(&path_chain(place), MAX_TEXT));
    match container {
        Container::Base64 => format!("{file}, {len} bytes of base64 at offset {offset:#x}"),
        Container::Der => format!("{file}, {len} bytes of DER, the whole file"),
        Container::DerInElf => format!("{file}, {len} bytes of DER at offset {offset:#x} of the ELF file"),
        Container::DerInFile => format!("{file}, {len} bytes of DER at offset {offset:#x} of the file"),
        Container::Jks => format!("{file}, {len} bytes of DER at offset {offset:#x} of the Java key store"),
        Container::Memory | Container::MemoryBody => format!("{file}, {len} bytes of memory at {offset:#x}"),
        Container::OpenPgp => format!("{file}, {len} bytes of OpenPGP packets at offset {offset:#x}"),
        Container::Pem => format!("{file}, {len} bytes of PEM at offset {offset:#x}"),
        Container::Pkcs12 => format!("{file}, {len} bytes of DER in the PKCS #12 store"),
        Container::Text => format!("{file}, {len} bytes of text at offset {offset:#x}"),
    }
}

/// `/app.jar!/lib/x.jar!/a.pem`: the file, then the entries of archives inside it.
pub(crate) fn path_chain(place: &Place) -> String {
    place.inside.iter().fold(place.path.clone(), |path, entry| format!("{path}!/{entry}"))
}

/// `sgsn-mme:/sgsn-mme-1-14+0x1234`.
pub(crate) fn place_short(place: &Place) -> String {
    format!("{}:{}+{:#x}", place.service, clip(&path_chain(place), MAX_TEXT), place.offset)
}

/// `35 d 4 h after start`; from now on where simulated time begins now.
pub(crate) fn distance(start: Start, at: UnixTime) -> String {
    let secs = at.secs_since(start.instant());
    let span = Span::from_secs(secs);
    match (start, secs) {
        (Start::Fixed(_), 0) => "at start".to_owned(),
        (Start::Fixed(_), 1..) => format!("{span} after start"),
        (Start::Fixed(_), _) => format!("{span} before start"),
        (Start::Now(_), 0) => "now".to_owned(),
        (Start::Now(_), 1..) => format!("in {span}"),
        (Start::Now(_), _) => format!("{span} ago"),
    }
}

/// `0.4 s`, `12 ms`.
pub(crate) fn duration(took: Duration) -> String {
    if took >= Duration::from_millis(100) {
        format!("{:.1} s", took.as_secs_f64())
    } else {
        format!("{} ms", took.as_millis())
    }
}

/// `a fresh connection`, `fresh and held connections`.
pub(crate) fn connections(kinds: &[Connection]) -> String {
    match kinds {
        [only] => format!("a {only} connection"),
        several => {
            let several: Vec<String> = several.iter().map(ToString::to_string).collect();
            format!("{} connections", list(&several))
        }
    }
}

/// A connection that still works while others fail.
pub(crate) fn survivor(kind: Connection) -> &'static str {
    match kind {
        Connection::Fresh => "a new connection",
        Connection::Held => "a connection held since before the break",
        Connection::Resumed => "a resumed TLS session",
    }
}

/// The last line that says something.
pub(crate) fn last_line(output: &str) -> Option<String> {
    output
        .lines()
        .map(log_line)
        .rfind(|line| !line.trim().is_empty())
        .map(|line| clip(&line, MAX_TEXT).into_owned())
}

/// What came back in a look that was not met, with what was read of the answer and is not as asked.
pub(crate) fn looked(look: &Observation) -> String {
    let text = seen(&look.seen);
    match look.readings.iter().find(|reading| !reading.holds()) {
        Some(reading) if matches!(look.seen, Seen::Answered(_)) => {
            format!("{text}; {}", clip(&reading.instead(), MAX_TEXT))
        }
        _ => text,
    }
}

/// What came back, on one line.
pub(crate) fn seen(seen: &Seen) -> String {
    match seen {
        Seen::Absent { reason } => format!("nothing there: {}", clip(reason, MAX_TEXT)),
        Seen::Answered(answer) => answered(answer),
        Seen::Refused(refusal) => refused(refusal),
    }
}

fn answered(answer: &Answer) -> String {
    let with = |head: String, text: &str| match last_line(text) {
        Some(line) => format!("{head}: {line}"),
        None => head,
    };
    match answer {
        Answer::Alive => "the process runs".to_owned(),
        Answer::Connected => "the connection came about".to_owned(),
        Answer::Exited { code, .. } => with(exit_code(*code), answer.telling_line().unwrap_or_default()),
        Answer::Greeted { said } => with("answered".to_owned(), said),
        Answer::Handshake => "the handshake came about".to_owned(),
        Answer::Http { status, .. } => {
            with(format!("status {status}"), answer.telling_line().unwrap_or_default())
        }
        Answer::Logged { line } => with("it wrote".to_owned(), line),
        Answer::Queried { rows } => with("the query is answered".to_owned(), rows),
    }
}

fn refused(refusal: &Refusal) -> String {
    let who = match refusal.layer {
        RefusalLayer::Application => "refused by the answer of the service",
        RefusalLayer::Service => "refused by the service",
        RefusalLayer::Verifier => "refused by the verifier",
    };
    let alert = refusal.alert.as_ref().map_or_else(String::new, |alert| {
        let way = if alert.from_service { "from" } else { "to" };
        format!(" (alert {} {way} the service)", clip(&alert.name, 40))
    });
    format!("{who}: {}{alert}", clip(&refusal.reason, MAX_TEXT))
}

fn exit_code(code: i32) -> String {
    match code {
        129..=192 => format!("ended by signal {}", code - 128),
        _ => format!("exit code {code}"),
    }
}

/// How a main process ended: `sgsn-mme ended with exit code 1 before it was ready`.
pub(crate) fn ended(end: &ServiceEnd) -> String {
    let how = match (&end.reason, end.code) {
        (Some(reason), _) => clip(reason, MAX_TEXT).into_owned(),
        (None, Some(code @ 129..=192)) => format!("ended by signal {}", code - 128),
        (None, Some(code)) => format!("ended with exit code {code}"),
        (None, None) => "never ran".to_owned(),
    };
    let ready = if end.before_ready && end.reason.is_none() { " before it was ready" } else { "" };
    let colon = if end.reason.is_some() { ":" } else { "" };
    format!("{}{colon} {how}{ready}", end.service)
}

/// Why the gate could not look.
pub(crate) fn case_error(error: &CaseError) -> String {
    match error {
        CaseError::BudgetExceeded { budget } => {
            format!("the whole run may take {} and was not done by then", duration(*budget))
        }
        CaseError::Harness { message } => clip(message, 2 * MAX_TEXT).into_owned(),
        CaseError::Interrupted => "it was told to stop".to_owned(),
        CaseError::NativeImpossible => {
            "simulated time does not begin now, so nothing can run natively".to_owned()
        }
        CaseError::Unshifted { service, pid, reason } => {
            let process = pid.map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"));
            format!(
                "{process} of {service} is not proven to have seen the shifted clock: {}",
                clip(reason, MAX_TEXT)
            )
        }
    }
}

/// Why a case runs, in one or two words.
pub(crate) fn purpose(purpose: &Purpose) -> &'static str {
    match purpose {
        Purpose::Cold => "cold start",
        Purpose::Control => "control",
        Purpose::PastControl => "past control",
        Purpose::Reissued { .. } => "reissued",
        Purpose::Skewed { .. } => "skewed clock",
        Purpose::Stale { .. } => "stale list",
        Purpose::Repeat(_) => "repeat",
        Purpose::Walk => "walk",
    }
}

/// `mvno-portal, which stands for giffgaff, Lyca and Tesco Mobile`.
pub(crate) fn stands_for(service: &Service) -> String {
    const SHOWN: usize = 12;
    let mut parties: Vec<String> =
        service.stands_for.iter().take(SHOWN).map(|party| clip(party, 60).into_owned()).collect();
    if service.stands_for.len() > SHOWN {
        parties.push(count(service.stands_for.len() - SHOWN, "other"));
    }
    if parties.is_empty() {
        service.name.to_string()
    } else {
        format!("{}, which stands for {}", service.name, list(&parties))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_told_from_start_or_from_now() {
        let start = UnixTime::clamped(1_000_000);
        for (secs, fixed, now) in [
            (0, "at start", "now"),
            (90, "1 min 30 s after start", "in 1 min 30 s"),
            (-86_400, "1 d before start", "1 d ago"),
        ] {
            assert_eq!(distance(Start::Fixed(start), start.plus_secs(secs)), fixed);
            assert_eq!(distance(Start::Now(start), start.plus_secs(secs)), now);
        }
    }

    #[test]
    fn signals_are_named_as_such() {
        assert_eq!(exit_code(1), "exit code 1");
        assert_eq!(exit_code(137), "ended by signal 9");
        assert_eq!(exit_code(255), "exit code 255");
    }

    #[test]
    fn short_spans_are_told_in_milliseconds() {
        assert_eq!(duration(Duration::from_millis(12)), "12 ms");
        assert_eq!(duration(Duration::from_millis(1_249)), "1.2 s");
    }
}
