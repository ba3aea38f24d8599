//! The form that rpm has had since version 4.16: SQLite, a table of headers.

use rusqlite::{Connection, MAIN_DB};

/// How the file begins, and where it says by which journal it is read and written: 2, a log beside it; 1, none.
const MAGIC: &[u8] = b"SQLite format 3\0";
const JOURNAL: std::ops::Range<usize> = 18..20;

/// Hands each header to `look`.
pub(super) fn read(database: Vec<u8>, look: &mut dyn FnMut(&[u8])) {
    // What could be read before an error counts.
    let _ = try_read(database, look);
}

/// The database is read from memory: nothing is written, and no file beside it is taken for its log.
fn try_read(mut database: Vec<u8>, look: &mut dyn FnMut(&[u8])) -> rusqlite::Result<()> {
    match database.get_mut(..100) {
        Some(head) if head.starts_with(MAGIC) => head[JOURNAL].fill(1),
        _ => return Ok(()),
    }
    let mut connection = Connection::open_in_memory()?;
    connection.deserialize_read_exact(MAIN_DB, &database[..], database.len(), true)?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;")?;
    let mut headers = connection.prepare("SELECT blob FROM Packages")?;
    let mut rows = headers.query([])?;
    while let Some(row) = rows.next()? {
        if let Ok(blob) = row.get_ref(0)?.as_blob() {
            look(blob);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_damaged_ends_and_claims_less() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
            .unwrap();
        for length in [10_usize, 5_000, 50_000] {
            connection.execute("INSERT INTO Packages (blob) VALUES (?1)", [vec![7_u8; length]]).unwrap();
        }
        let whole = connection.serialize(MAIN_DB).unwrap().to_vec();
        let count = |database: &[u8]| {
            let mut bytes = 0;
            let outcome = try_read(database.to_vec(), &mut |blob| bytes += blob.len());
            (outcome.is_ok(), bytes)
        };
        assert_eq!(count(&whole), (true, 55_010));
        // As rpm leaves it: read and written by a log that lies beside it.
        let mut logged = whole.clone();
        logged[JOURNAL].fill(2);
        assert_eq!(count(&logged), (true, 55_010));
        assert_eq!(count(&whole[..50]), (true, 0));
        for at in (100..whole.len()).step_by(97) {
            let mut broken = whole.clone();
            broken[at..(at + 8).min(whole.len())].fill(0xff);
            assert!(count(&broken).1 <= 10 << 20, "{at}");
            count(&broken[..at]);
        }
    }
}
