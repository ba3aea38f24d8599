//! The tables, which people may ask with any SQLite tool.

use super::HistoryError;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// `naft`: tells our files from those of other programs (`PRAGMA application_id`).
const APPLICATION: i64 = 0x6e61_6674;
/// The form of the tables (`PRAGMA user_version`); raised when older versions could not read them any more.
const FORM: i64 = 1;
/// How long to wait for somebody else's transaction, on the host's clock.
const PATIENCE: Duration = Duration::from_secs(10);

/// Instants are RFC 3339 in UTC; spans are milliseconds.
const TABLES: &str = "
CREATE TABLE night (
  id INTEGER PRIMARY KEY,
  folder TEXT NOT NULL,
  began TEXT NOT NULL,
  ended TEXT,
  version TEXT NOT NULL
) STRICT;
CREATE TABLE entry (
  id INTEGER PRIMARY KEY,
  night INTEGER NOT NULL REFERENCES night (id),
  scenario TEXT NOT NULL,
  build TEXT NOT NULL,
  standing TEXT NOT NULL,
  headline TEXT NOT NULL,
  at TEXT NOT NULL,
  start TEXT,
  horizon TEXT,
  took_ms INTEGER NOT NULL,
  text_sha256 TEXT NOT NULL,
  UNIQUE (night, scenario, build)
) STRICT;
CREATE INDEX entry_by_build ON entry (scenario, build, night);
CREATE TABLE finding (
  entry INTEGER NOT NULL REFERENCES entry (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  key TEXT NOT NULL,
  code TEXT NOT NULL,
  severity TEXT NOT NULL,
  summary TEXT NOT NULL,
  breaks_at TEXT,
  PRIMARY KEY (entry, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE outlook (
  entry INTEGER NOT NULL REFERENCES entry (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  service TEXT NOT NULL,
  end_at TEXT,
  end_what TEXT,
  breaks_at TEXT,
  PRIMARY KEY (entry, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX outlook_by_service ON outlook (service, entry);
";

/// Whether a history that is not there is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    Make,
    Refuse,
}

/// Opens the history at `path` and makes its tables where there are none.
pub(crate) fn open(path: &Path, absent: Absent) -> Result<Connection, HistoryError> {
    let failed = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => HistoryError::NotOurs { path: path.to_owned() },
        _ => HistoryError::Sqlite { path: path.to_owned(), source },
    };
    // To write even where nothing is to be written: what a killed process left half-done is taken back first.
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match absent {
        Absent::Make => flags |= OpenFlags::SQLITE_OPEN_CREATE,
        Absent::Refuse if !path.exists() => return Err(HistoryError::Missing { path: path.to_owned() }),
        Absent::Refuse => {}
    }
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    // One file, and every commit on the disk: a night is worth more than the milliseconds that a log ahead would save.
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    let transaction = connection.transaction().map_err(failed)?;
    let number = |sql| transaction.query_row(sql, (), |row| row.get::<_, i64>(0)).map_err(failed);
    let (application, form) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    let is_empty = number("SELECT count(*) FROM sqlite_schema")? == 0;
    match (application, form) {
        (APPLICATION, FORM) => {}
        (APPLICATION, found) => {
            return Err(HistoryError::Newer { path: path.to_owned(), found, known: FORM });
        }
        (0, 0) if is_empty && absent == Absent::Make => {
            transaction.execute_batch(TABLES).map_err(failed)?;
            transaction.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
            transaction.pragma_update(None, "user_version", FORM).map_err(failed)?;
        }
        (0, 0) if is_empty => return Err(HistoryError::Missing { path: path.to_owned() }),
        _ => return Err(HistoryError::NotOurs { path: path.to_owned() }),
    }
    transaction.commit().map_err(failed)?;
    Ok(connection)
}
