//! Writing nights, and asking for them.

use super::HistoryError;
use super::schema::{self, Absent};
use super::select;
use notafter_core::{Earlier, Judged, NightEntry, NightHead, ServiceName, UnixTime};
use rusqlite::{Connection, params};
use std::path::{Path, PathBuf};

/// How a night begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With nothing done yet.
    Fresh,
    /// Where the last night of the folder stopped, if it was not through. Entries whose gates began before this instant
    /// of the host's clock do not count any more: what expires depends on the time.
    Resume {
        /// The instant.
        since: UnixTime,
    },
}

/// A night that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tonight {
    /// Its number.
    pub id: u64,
    /// The host's time when it began.
    pub began: UnixTime,
    /// What it has done already, where it takes up an interrupted one.
    pub done: Vec<NightEntry>,
}

/// Which entries are asked for; what is none is not asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this night.
    pub night: Option<u64>,
    /// Of this scenario, by its path below the folder of the night.
    pub scenario: Option<String>,
    /// In which this service runs.
    pub service: Option<ServiceName>,
    /// Of so many nights at most, the last ones.
    pub nights: Option<u64>,
}

/// The history of nights.
#[derive(Debug)]
pub struct History {
    connection: Connection,
    path: PathBuf,
}

impl History {
    /// Opens the history at `path`, or makes it.
    ///
    /// # Errors
    /// [`HistoryError::NotOurs`], [`HistoryError::Newer`], [`HistoryError::Sqlite`].
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        Ok(Self { connection: schema::open(path, Absent::Make)?, path: path.to_owned() })
    }

    /// Opens the history at `path`, which must be there.
    ///
    /// # Errors
    /// [`HistoryError::Missing`], and those of [`Self::open`].
    pub fn open_existing(path: &Path) -> Result<Self, HistoryError> {
        Ok(Self { connection: schema::open(path, Absent::Refuse)?, path: path.to_owned() })
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> HistoryError + use<> {
        let path = self.path.clone();
        move |source| HistoryError::Sqlite { path: path.clone(), source }
    }

    /// Begins a night of `folder` at `now`, on the host's clock, or goes on with the last one.
    ///
    /// # Errors
    /// [`HistoryError::Sqlite`], [`HistoryError::Damaged`].
    pub fn begin(
        &mut self,
        folder: &str,
        version: &str,
        how: Begin,
        now: UnixTime,
    ) -> Result<Tonight, HistoryError> {
        if let Begin::Resume { since } = how
            && let Some(tonight) = self.interrupted(folder, since)?
        {
            return Ok(tonight);
        }
        let failed = self.failed();
        let sql = "INSERT INTO night (folder, began, version) VALUES (?1, ?2, ?3)";
        self.connection.execute(sql, params![folder, now.to_string(), version]).map_err(failed)?;
        Ok(Tonight { id: self.connection.last_insert_rowid().unsigned_abs(), began: now, done: Vec::new() })
    }

    /// The last night of `folder`, where it is not through and something of it still counts.
    fn interrupted(&self, folder: &str, since: UnixTime) -> Result<Option<Tonight>, HistoryError> {
        let last = self.nights(Some(folder), 1)?.pop();
        let Some(night) = last.filter(|night| night.ended.is_none()) else { return Ok(None) };
        let mut done = self.entries(&Filter { night: Some(night.id), ..Filter::default() })?;
        done.retain(|earlier| earlier.entry.at >= since);
        let counts = night.began >= since || !done.is_empty();
        let done = done.into_iter().map(|earlier| earlier.entry).collect();
        Ok(counts.then_some(Tonight { id: night.id, began: night.began, done }))
    }

    /// Keeps what `night` has come to for one build, in place of what it had come to before.
    ///
    /// # Errors
    /// [`HistoryError::Sqlite`].
    pub fn add(&mut self, night: u64, entry: &NightEntry) -> Result<(), HistoryError> {
        let failed = self.failed();
        select::insert(&mut self.connection, night, entry).map_err(failed)
    }

    /// Says that `night` was through at `now`, on the host's clock. Of what it had done before an interruption, builds
    /// other than `judged` are none of its own any more.
    ///
    /// # Errors
    /// [`HistoryError::Sqlite`].
    pub fn end(&mut self, night: u64, judged: &[Judged], now: UnixTime) -> Result<(), HistoryError> {
        let known = self.entries(&Filter { night: Some(night), ..Filter::default() })?;
        let failed = self.failed();
        let transaction = self.connection.transaction().map_err(&failed)?;
        for Earlier { entry, .. } in known.iter().filter(|known| !judged.contains(&known.entry.judged)) {
            select::delete(&transaction, night, &entry.judged).map_err(&failed)?;
        }
        let sql = "UPDATE night SET ended = ?2 WHERE id = ?1";
        transaction.execute(sql, params![night.cast_signed(), now.to_string()]).map_err(&failed)?;
        transaction.commit().map_err(failed)
    }

    /// Of each build that nights of `folder` before `night` have judged, the last entry and the last one at which the gate
    /// could look.
    ///
    /// # Errors
    /// [`HistoryError::Sqlite`], [`HistoryError::Damaged`].
    pub fn before(&self, folder: &str, night: u64) -> Result<Vec<Earlier>, HistoryError> {
        select::entries(
            &self.connection,
            &self.path,
            "WITH past AS (
               SELECT entry.*, max(entry.night) OVER (PARTITION BY scenario, build) AS last,
                 max(CASE WHEN standing IN ('allow', 'block') THEN entry.night END)
                   OVER (PARTITION BY scenario, build) AS sound
               FROM entry JOIN night ON night.id = entry.night
               WHERE night.folder = ?1 AND night.id < ?2)
             SELECT * FROM past WHERE night = last OR night = sound",
            params![folder, night.cast_signed()],
        )
    }

    /// Entries that `filter` asks for, oldest night first, in each night by scenario and build.
    ///
    /// # Errors
    /// [`HistoryError::Sqlite`], [`HistoryError::Damaged`].
    pub fn entries(&self, filter: &Filter) -> Result<Vec<Earlier>, HistoryError> {
        let service = filter.service.as_ref().map(ServiceName::as_str);
        // SQLite takes -1 for no limit.
        let nights = filter.nights.map_or(-1, |nights| i64::try_from(nights).unwrap_or(i64::MAX));
        select::entries(
            &self.connection,
            &self.path,
            "WITH found AS (
               SELECT * FROM entry
               WHERE (?1 IS NULL OR night = ?1) AND (?2 IS NULL OR scenario = ?2)
                 AND (?3 IS NULL OR id IN (SELECT entry FROM outlook WHERE service = ?3)))
             SELECT * FROM found
             WHERE night IN (SELECT DISTINCT night FROM found ORDER BY night DESC LIMIT ?4)
             ORDER BY night, scenario, build",
            params![filter.night.map(u64::cast_signed), filter.scenario, service, nights],
        )
    }

    /// The last nights, `limit` at most, newest first; those of `folder` alone where one is given.
    ///
    /// # Errors
    /// [`HistoryError::Sqlite`], [`HistoryError::Damaged`].
    pub fn nights(&self, folder: Option<&str>, limit: u64) -> Result<Vec<NightHead>, HistoryError> {
        select::nights(&self.connection, &self.path, folder, limit)
    }

    /// The night of this number.
    ///
    /// # Errors
    /// [`HistoryError::Sqlite`], [`HistoryError::Damaged`].
    pub fn night(&self, id: u64) -> Result<Option<NightHead>, HistoryError> {
        select::night(&self.connection, &self.path, id)
    }
}
