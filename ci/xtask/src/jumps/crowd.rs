//! One crowd: the service, the connection to it and what it tells.

use anyhow::{Context, Result, bail, ensure};
use notafter_backend::{Bind, LaunchSpec, RootTree, Sandbox};
use notafter_core::ServiceName;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// Where the first crowd listens; they share one network.
const FIRST_PORT: u16 = 7001;
/// How long a crowd may take to answer, on the host's clock.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// What a crowd tells of itself, all at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// Its wall clock.
    pub(super) wall: (i64, u32),
    /// Its monotonic clock, in nanoseconds.
    pub(super) mono: i64,
    pub(super) waiters: u64,
    pub(super) wakes: u64,
    /// Wakes of whoever woke least often.
    pub(super) least: u64,
    pub(super) early: u64,
    pub(super) wrong: u64,
    pub(super) dead: u64,
    /// Waits that should be over.
    pub(super) overdue: u64,
    /// A culprit.
    pub(super) who: String,
}

impl Said {
    fn parse(line: &str) -> Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [secs, nanos, mono, waiters, wakes, least, early, wrong, dead, overdue, who] = words[..] else {
            bail!("a crowd says {line:?}");
        };
        let wall = (secs.parse()?, nanos.parse()?);
        let number = |word: &str| word.parse::<u64>().with_context(|| format!("a crowd says {line:?}"));
        Ok(Self {
            wall,
            mono: mono.parse()?,
            waiters: number(waiters)?,
            wakes: number(wakes)?,
            least: number(least)?,
            early: number(early)?,
            wrong: number(wrong)?,
            dead: number(dead)?,
            overdue: number(overdue)?,
            who: who.to_owned(),
        })
    }

    /// What no waiter may ever do.
    pub(super) fn is_sound(&self) -> Result<()> {
        let who = &self.who;
        ensure!(self.dead == 0, "{} processes ended ({who})", self.dead);
        ensure!(self.early == 0, "{} wake-ups came before their deadline ({who})", self.early);
        ensure!(self.wrong == 0, "{} waits did not end by time ({who})", self.wrong);
        Ok(())
    }
}

/// A crowd that runs.
pub(super) struct Crowd {
    pub(super) service: ServiceName,
    answers: BufReader<TcpStream>,
}

impl Crowd {
    /// Starts the program `guest` as the service `service`, the `index`th; with `sabotage` one of its waiters misbehaves.
    pub(super) fn start(
        sandbox: &mut dyn Sandbox,
        (index, service): (u16, &ServiceName),
        guest: &Path,
        sabotage: Option<&str>,
    ) -> Result<Self> {
        let port = FIRST_PORT + index;
        let words = ["/crowd".to_owned(), port.to_string()].into_iter().chain(sabotage.map(str::to_owned));
        sandbox.launch(&LaunchSpec {
            binds: vec![Bind { source: guest.to_owned(), target: "/crowd".to_owned() }],
            command: Some(words.collect()),
            ..LaunchSpec::idle(service.clone(), RootTree::Empty)
        })?;
        let mut tries = 0;
        let stream = loop {
            match sandbox.connect(None, service.as_str(), port, PATIENCE)? {
                Ok(stream) => break stream,
                Err(_) if tries < 200 => tries += 1,
                Err(failure) => bail!("{service} does not listen: {failure:?}"),
            }
            std::thread::sleep(PAUSE);
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { service: service.clone(), answers: BufReader::new(stream) })
    }

    pub(super) fn ask(&mut self) -> Result<Said> {
        let mut line = String::new();
        self.answers.get_mut().write_all(b"?").with_context(|| format!("{} is gone", self.service))?;
        let got = self.answers.read_line(&mut line);
        let got = got.with_context(|| format!("{} does not answer", self.service))?;
        ensure!(got > 0, "{} is gone", self.service);
        Said::parse(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_read_and_judged() {
        let said = Said::parse("1600000000 0 12 41 9 0 0 0 0 2 poll\n").unwrap();
        assert_eq!((said.wall, said.waiters, said.overdue), ((1_600_000_000, 0), 41, 2));
        said.is_sound().unwrap();
        for (line, expected) in [
            ("1 0 1 41 9 0 1 0 0 0 poll", "1 wake-ups came before their deadline (poll)"),
            ("1 0 1 41 9 0 0 2 0 0 poll", "2 waits did not end by time (poll)"),
            ("1 0 1 41 9 0 0 0 1 0 poll", "1 processes ended (poll)"),
        ] {
            assert_eq!(Said::parse(line).unwrap().is_sound().unwrap_err().to_string(), expected);
        }
        assert!(Said::parse("1 0 1 41").is_err() && Said::parse("").is_err());
    }
}
