//! What was kept is there again, whoever was killed; and nothing of another program is touched.

use super::{Begin, Filter, History, HistoryError, Lock};
use notafter_core::{
    End, Judged, NightEntry, NightFinding, Outlook, ServiceName, Severity, Standing, UnixTime,
};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn at(text: &str) -> UnixTime {
    UnixTime::parse(text).unwrap()
}

const EVENING: &str = "2026-11-29T02:00:00Z";
const MORNING: &str = "2026-11-29T05:00:00Z";

fn service(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

fn judged(scenario: &str, build: &str) -> Judged {
    Judged { scenario: scenario.to_owned(), build: build.to_owned() }
}

fn entry(scenario: &str, build: &str, standing: Standing) -> NightEntry {
    let finding = |key: &str, severity| NightFinding {
        key: key.to_owned(),
        code: "breaks-in-window".to_owned(),
        severity,
        summary: "it's \"broken\"\nand 検証".to_owned(),
        breaks_at: Some(at("2027-01-01T00:00:00Z")),
    };
    NightEntry {
        judged: judged(scenario, build),
        standing,
        headline: "why".to_owned(),
        at: at(EVENING),
        start: Some(at(EVENING)),
        horizon: Some(UnixTime::NO_EXPIRY),
        took: Duration::from_millis(1_234),
        text_sha256: "ab".repeat(32),
        findings: vec![finding("b", Severity::Block), finding("a", Severity::Note)],
        outlooks: vec![
            Outlook {
                service: service("web"),
                end: Some(End { at: at("2026-12-31T23:59:59Z"), what: "certificate CN=web".to_owned() }),
                breaks_at: None,
            },
            Outlook { service: service("db"), end: None, breaks_at: Some(at(MORNING)) },
        ],
    }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("history.sqlite")
    }

    fn history(&self) -> History {
        History::open(&self.path()).unwrap()
    }
}

fn fresh(history: &mut History, folder: &str) -> u64 {
    history.begin(folder, "0.1.0", Begin::Fresh, at(EVENING)).unwrap().id
}

fn all(history: &History) -> Vec<(u64, String, Standing)> {
    let found = history.entries(&Filter::default()).unwrap();
    found.into_iter().map(|it| (it.night, it.entry.judged.to_string(), it.entry.standing)).collect()
}

#[test]
fn what_was_kept_is_there_again() {
    let place = Place::new();
    let mut history = place.history();
    let night = fresh(&mut history, "scenarios");
    let kept = entry("shop/web", "2.1", Standing::Block);
    let unread = NightEntry::without_run(judged("bad", ""), Standing::Refused, "no".to_owned(), at(EVENING));
    history.add(night, &kept).unwrap();
    history.add(night, &unread).unwrap();
    drop(history);

    let mut history = History::open_existing(&place.path()).unwrap();
    let found = history.entries(&Filter { night: Some(night), ..Filter::default() }).unwrap();
    let found: Vec<&NightEntry> = found.iter().map(|it| &it.entry).collect();
    assert_eq!(found, [&unread, &kept]);
    history.end(night, &[kept.judged.clone(), unread.judged.clone()], at(MORNING)).unwrap();
    let head = history.night(night).unwrap().unwrap();
    assert_eq!((head.folder.as_str(), head.began, head.ended), ("scenarios", at(EVENING), Some(at(MORNING))));
    assert_eq!(head.standings, [(Standing::Refused, 1), (Standing::Block, 1)]);
    assert_eq!(history.nights(None, 9).unwrap(), [head]);
    assert_eq!(history.night(night + 1).unwrap(), None);
}

#[test]
fn an_interrupted_night_is_taken_up_until_it_is_through() {
    let place = Place::new();
    let mut history = place.history();
    let resume = Begin::Resume { since: at("2026-11-28T20:00:00Z") };
    let first = fresh(&mut history, "scenarios");
    history.add(first, &entry("a", "", Standing::Allow)).unwrap();
    drop(history);

    let mut history = place.history();
    assert_eq!(history.begin("elsewhere", "0.1.0", resume, at(MORNING)).unwrap().done, []);
    let again = history.begin("scenarios", "0.1.0", resume, at(MORNING)).unwrap();
    assert_eq!((again.id, again.began), (first, at(EVENING)));
    assert_eq!(again.done, [entry("a", "", Standing::Allow)]);
    // Judged again, an entry takes the place of the one before; what is not part of the night any more goes.
    history.add(first, &entry("a", "", Standing::Block)).unwrap();
    history.add(first, &entry("b", "", Standing::Allow)).unwrap();
    history.end(first, &[judged("a", "")], at(MORNING)).unwrap();
    assert_eq!(all(&history), [(first, "a".to_owned(), Standing::Block)]);
    let next = history.begin("scenarios", "0.1.0", resume, at(MORNING)).unwrap();
    assert!(next.id > first);
    assert_eq!(next.done, []);
}

#[test]
fn what_was_judged_too_long_ago_is_judged_again() {
    let place = Place::new();
    let mut history = place.history();
    let first = fresh(&mut history, "s");
    let late = NightEntry { at: at("2026-11-29T04:00:00Z"), ..entry("late", "", Standing::Allow) };
    history.add(first, &entry("early", "", Standing::Allow)).unwrap();
    history.add(first, &late).unwrap();
    let resume = |since| Begin::Resume { since: at(since) };
    let again = history.begin("s", "0.1.0", resume("2026-11-29T03:00:00Z"), at(MORNING)).unwrap();
    assert_eq!((again.id, again.done), (first, vec![late]));
    let next = history.begin("s", "0.1.0", resume("2026-11-29T04:30:00Z"), at(MORNING)).unwrap();
    assert!(next.id > first, "nothing of it counts any more");
}

#[test]
fn the_past_of_a_build_is_its_last_entry_and_its_last_sound_one() {
    let place = Place::new();
    let mut history = place.history();
    for standing in [Standing::Allow, Standing::Block, Standing::Inconclusive, Standing::Refused] {
        let night = fresh(&mut history, "s");
        history.add(night, &entry("a", "1", standing)).unwrap();
        history.add(night, &entry("a", "2", Standing::Allow)).unwrap();
    }
    let other = fresh(&mut history, "other");
    history.add(other, &entry("a", "1", Standing::Allow)).unwrap();
    let tonight = fresh(&mut history, "s");
    history.add(tonight, &entry("a", "1", Standing::Allow)).unwrap();
    let mut found: Vec<(u64, String, Standing)> = history
        .before("s", tonight)
        .unwrap()
        .into_iter()
        .map(|it| (it.night, it.entry.judged.build, it.entry.standing))
        .collect();
    found.sort();
    let expected = [(2, "1", Standing::Block), (4, "1", Standing::Refused), (4, "2", Standing::Allow)];
    assert_eq!(found, expected.map(|(night, build, standing)| (night, build.to_owned(), standing)));
}

#[test]
fn entries_are_found_by_what_is_asked() {
    let place = Place::new();
    let mut history = place.history();
    for _ in 0..3 {
        let night = fresh(&mut history, "s");
        history.add(night, &entry("a", "", Standing::Allow)).unwrap();
        let mut other = entry("b", "", Standing::Allow);
        other.outlooks.truncate(1);
        history.add(night, &other).unwrap();
    }
    let found = |filter: Filter| -> Vec<(u64, String)> {
        let found = history.entries(&filter).unwrap();
        found.into_iter().map(|it| (it.night, it.entry.judged.scenario)).collect()
    };
    let db = Filter { service: Some(service("db")), nights: Some(2), ..Filter::default() };
    assert_eq!(found(db), [(2, "a".to_owned()), (3, "a".to_owned())]);
    let b = Filter { scenario: Some("b".to_owned()), night: Some(1), ..Filter::default() };
    assert_eq!(found(b), [(1, "b".to_owned())]);
    assert_eq!(found(Filter { service: Some(service("none")), ..Filter::default() }), []);
    assert_eq!(found(Filter::default()).len(), 6);
}

#[test]
fn two_nights_cannot_write_at_once() {
    let place = Place::new();
    let lock = Lock::take(&place.path()).unwrap();
    assert!(matches!(Lock::take(&place.path()), Err(HistoryError::Busy { .. })));
    drop(lock);
    Lock::take(&place.path()).unwrap();
}

fn refused(path: &Path) -> String {
    let error = History::open(path).unwrap_err();
    let text = error.to_string().replace(&format!("{}/", path.parent().unwrap().display()), "");
    match std::error::Error::source(&error) {
        Some(source) => format!("{text}: {source}"),
        None => text,
    }
}

#[test]
fn what_is_no_history_is_left_alone() {
    let place = Place::new();
    assert!(matches!(History::open_existing(&place.path()), Err(HistoryError::Missing { .. })));
    assert!(!place.path().exists());

    std::fs::write(
        place.path(),
        "not a database at all, and longer than a header of one would be ".repeat(9),
    )
    .unwrap();
    let before = std::fs::read(place.path()).unwrap();
    assert_eq!(refused(&place.path()), "history.sqlite is no history of nights, and is left alone");
    assert_eq!(std::fs::read(place.path()).unwrap(), before);

    std::fs::remove_file(place.path()).unwrap();
    Connection::open(place.path()).unwrap().execute_batch("CREATE TABLE mine (a)").unwrap();
    assert_eq!(refused(&place.path()), "history.sqlite is no history of nights, and is left alone");

    std::fs::remove_file(place.path()).unwrap();
    drop(place.history());
    Connection::open(place.path()).unwrap().pragma_update(None, "user_version", 7).unwrap();
    assert_eq!(
        refused(&place.path()),
        "history.sqlite is a history of form 7, and this notafter knows up to 1: use a newer notafter"
    );
}

#[test]
fn a_row_that_no_notafter_writes_is_named() {
    let place = Place::new();
    let mut history = place.history();
    let night = fresh(&mut history, "s");
    history.add(night, &entry("a", "", Standing::Allow)).unwrap();
    let spoil = |sql: &str| Connection::open(place.path()).unwrap().execute_batch(sql).unwrap();
    for (sql, what) in [
        ("UPDATE entry SET standing = 'fine'", "\"fine\" as standing"),
        ("UPDATE entry SET standing = 'allow', at = 'noon'", "\"noon\" as at"),
    ] {
        spoil(sql);
        let error = history.entries(&Filter::default()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

/// The state of a disk on which a process was killed in a transaction: the file half-written, its journal beside it.
#[test]
fn what_a_killed_process_leaves_half_done_is_taken_back() {
    let place = Place::new();
    let mut history = place.history();
    let night = fresh(&mut history, "s");
    history.add(night, &entry("done", "", Standing::Block)).unwrap();
    drop(history);

    let connection = Connection::open(place.path()).unwrap();
    // A cache of one page has changed pages written before the commit.
    connection.execute_batch("PRAGMA cache_size = 1; BEGIN IMMEDIATE").unwrap();
    let sql = "INSERT INTO entry (night, scenario, build, standing, headline, at, took_ms, text_sha256)
        VALUES (1, ?1, '', 'allow', ?2, '2026-11-29T02:00:00Z', 0, '')";
    for number in 0..200 {
        connection.execute(sql, (format!("half {number}"), "x".repeat(900))).unwrap();
    }
    let journal =
        |path: &Path| path.with_file_name(format!("{}-journal", path.file_name().unwrap().display()));
    let killed = Place::new();
    std::fs::copy(place.path(), killed.path()).unwrap();
    std::fs::copy(journal(&place.path()), journal(&killed.path())).unwrap();
    drop(connection);

    let history = History::open_existing(&killed.path()).unwrap();
    assert_eq!(all(&history), [(night, "done".to_owned(), Standing::Block)]);
    let whole = Connection::open(killed.path()).unwrap();
    let check: String = whole.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}
