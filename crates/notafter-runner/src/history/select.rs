//! Rows to values and back.

use super::HistoryError;
use notafter_core::{
    Earlier, End, Judged, NightEntry, NightFinding, NightHead, Outlook, ServiceName, Severity, Standing,
    UnixTime,
};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use std::path::Path;
use std::time::Duration;

/// Writes one entry with all that belongs to it, in one transaction.
pub(crate) fn insert(connection: &mut Connection, night: u64, entry: &NightEntry) -> rusqlite::Result<()> {
    let text = |at: Option<UnixTime>| at.map(|at| at.to_string());
    let transaction = connection.transaction()?;
    delete(&transaction, night, &entry.judged)?;
    transaction.execute(
        "INSERT INTO entry (night, scenario, build, standing, headline, at, start, horizon, took_ms, text_sha256)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            night.cast_signed(),
            entry.judged.scenario,
            entry.judged.build,
            entry.standing.as_str(),
            entry.headline,
            entry.at.to_string(),
            text(entry.start),
            text(entry.horizon),
            i64::try_from(entry.took.as_millis()).unwrap_or(i64::MAX),
            entry.text_sha256,
        ],
    )?;
    let id = transaction.last_insert_rowid();
    for (position, finding) in (0_i64..).zip(&entry.findings) {
        transaction.execute(
            "INSERT INTO finding (entry, position, key, code, severity, summary, breaks_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                id,
                position,
                finding.key,
                finding.code,
                severity_word(finding.severity),
                finding.summary,
                text(finding.breaks_at),
            ],
        )?;
    }
    for (position, outlook) in (0_i64..).zip(&entry.outlooks) {
        transaction.execute(
            "INSERT INTO outlook (entry, position, service, end_at, end_what, breaks_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                id,
                position,
                outlook.service.as_str(),
                text(outlook.end.as_ref().map(|end| end.at)),
                outlook.end.as_ref().map(|end| &end.what),
                text(outlook.breaks_at),
            ],
        )?;
    }
    transaction.commit()
}

/// Takes away what `night` had come to for one build, where it had.
pub(crate) fn delete(connection: &Connection, night: u64, judged: &Judged) -> rusqlite::Result<()> {
    let sql = "DELETE FROM entry WHERE night = ?1 AND scenario = ?2 AND build = ?3";
    connection.execute(sql, params![night.cast_signed(), judged.scenario, judged.build]).map(drop)
}

/// The entries whose rows `sql` selects.
pub(crate) fn entries(
    connection: &Connection,
    path: &Path,
    sql: &str,
    parameters: impl Params,
) -> Result<Vec<Earlier>, HistoryError> {
    let reader = Reader { connection, path };
    let mut statement = connection.prepare(sql).map_err(reader.failed())?;
    let mut rows = statement.query(parameters).map_err(reader.failed())?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(reader.failed())? {
        found.push(reader.entry(row)?);
    }
    Ok(found)
}

pub(crate) fn nights(
    connection: &Connection,
    path: &Path,
    folder: Option<&str>,
    limit: u64,
) -> Result<Vec<NightHead>, HistoryError> {
    let reader = Reader { connection, path };
    let sql = "SELECT * FROM night WHERE ?1 IS NULL OR folder = ?1 ORDER BY id DESC LIMIT ?2";
    let mut statement = connection.prepare(sql).map_err(reader.failed())?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![folder, limit]).map_err(reader.failed())?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(reader.failed())? {
        found.push(reader.night(row)?);
    }
    Ok(found)
}

pub(crate) fn night(
    connection: &Connection,
    path: &Path,
    id: u64,
) -> Result<Option<NightHead>, HistoryError> {
    let reader = Reader { connection, path };
    let sql = "SELECT * FROM night WHERE id = ?1";
    let read = connection.query_row(sql, params![id.cast_signed()], |row| Ok(reader.night(row)));
    read.optional().map_err(reader.failed())?.transpose()
}

struct Reader<'a> {
    connection: &'a Connection,
    path: &'a Path,
}

impl Reader<'_> {
    fn failed(&self) -> impl Fn(rusqlite::Error) -> HistoryError + use<'_> {
        |source| HistoryError::Sqlite { path: self.path.to_owned(), source }
    }

    fn damaged(&self, what: &'static str, found: String) -> HistoryError {
        HistoryError::Damaged { path: self.path.to_owned(), what, found }
    }

    fn text(&self, row: &Row<'_>, column: &str) -> Result<String, HistoryError> {
        row.get(column).map_err(self.failed())
    }

    fn number(&self, row: &Row<'_>, column: &'static str) -> Result<u64, HistoryError> {
        let number: i64 = row.get(column).map_err(self.failed())?;
        u64::try_from(number).map_err(|_| self.damaged(column, number.to_string()))
    }

    fn maybe_instant(&self, row: &Row<'_>, column: &'static str) -> Result<Option<UnixTime>, HistoryError> {
        let text: Option<String> = row.get(column).map_err(self.failed())?;
        text.map(|text| UnixTime::parse(&text).map_err(|_| self.damaged(column, text))).transpose()
    }

    fn instant(&self, row: &Row<'_>, column: &'static str) -> Result<UnixTime, HistoryError> {
        self.maybe_instant(row, column)?.ok_or_else(|| self.damaged(column, String::new()))
    }

    fn standing(&self, row: &Row<'_>) -> Result<Standing, HistoryError> {
        let word = self.text(row, "standing")?;
        let known = Standing::ALL.into_iter().find(|standing| standing.as_str() == word);
        known.ok_or_else(|| self.damaged("standing", word))
    }

    fn entry(&self, row: &Row<'_>) -> Result<Earlier, HistoryError> {
        let id: i64 = row.get("id").map_err(self.failed())?;
        let judged = Judged { scenario: self.text(row, "scenario")?, build: self.text(row, "build")? };
        let entry = NightEntry {
            judged,
            standing: self.standing(row)?,
            headline: self.text(row, "headline")?,
            at: self.instant(row, "at")?,
            start: self.maybe_instant(row, "start")?,
            horizon: self.maybe_instant(row, "horizon")?,
            took: Duration::from_millis(self.number(row, "took_ms")?),
            text_sha256: self.text(row, "text_sha256")?,
            findings: self.children("finding", id, |row| self.finding(row))?,
            outlooks: self.children("outlook", id, |row| self.outlook(row))?,
        };
        Ok(Earlier { night: self.number(row, "night")?, entry })
    }

    fn children<T>(
        &self,
        table: &str,
        entry: i64,
        read: impl Fn(&Row<'_>) -> Result<T, HistoryError>,
    ) -> Result<Vec<T>, HistoryError> {
        let sql = format!("SELECT * FROM {table} WHERE entry = ?1 ORDER BY position");
        let mut statement = self.connection.prepare(&sql).map_err(self.failed())?;
        let mut rows = statement.query(params![entry]).map_err(self.failed())?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(self.failed())? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    fn finding(&self, row: &Row<'_>) -> Result<NightFinding, HistoryError> {
        let word = self.text(row, "severity")?;
        let severity = SEVERITIES.into_iter().find(|severity| severity_word(*severity) == word);
        Ok(NightFinding {
            key: self.text(row, "key")?,
            code: self.text(row, "code")?,
            severity: severity.ok_or_else(|| self.damaged("severity", word))?,
            summary: self.text(row, "summary")?,
            breaks_at: self.maybe_instant(row, "breaks_at")?,
        })
    }

    fn outlook(&self, row: &Row<'_>) -> Result<Outlook, HistoryError> {
        let name = self.text(row, "service")?;
        let service = ServiceName::new(name.clone()).map_err(|_| self.damaged("service", name))?;
        let what: Option<String> = row.get("end_what").map_err(self.failed())?;
        let end = self.maybe_instant(row, "end_at")?;
        Ok(Outlook {
            service,
            end: end.map(|at| End { at, what: what.unwrap_or_default() }),
            breaks_at: self.maybe_instant(row, "breaks_at")?,
        })
    }

    fn night(&self, row: &Row<'_>) -> Result<NightHead, HistoryError> {
        let id = self.number(row, "id")?;
        let sql = "SELECT standing, count(*) AS builds FROM entry WHERE night = ?1 GROUP BY standing";
        let mut statement = self.connection.prepare(sql).map_err(self.failed())?;
        let mut rows = statement.query(params![id.cast_signed()]).map_err(self.failed())?;
        let mut standings = Vec::new();
        while let Some(row) = rows.next().map_err(self.failed())? {
            standings.push((self.standing(row)?, self.number(row, "builds")?));
        }
        standings.sort();
        Ok(NightHead {
            id,
            folder: self.text(row, "folder")?,
            began: self.instant(row, "began")?,
            ended: self.maybe_instant(row, "ended")?,
            version: self.text(row, "version")?,
            standings,
        })
    }
}

const SEVERITIES: [Severity; 3] = [Severity::Note, Severity::Inconclusive, Severity::Block];

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Inconclusive => "inconclusive",
        Severity::Block => "block",
    }
}
