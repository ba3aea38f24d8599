//! The side of whoever asked for a verdict.

use super::frames::{receive, send};
use super::hidden;
use super::messages::{Errand, Keeping, Reply, Request, SentImage};
use super::parcels::{self, Parcels};
use crate::host_clock::unix_now;
use crate::images::Images;
use crate::interrupt::Interrupt;
use crate::keep::Keep;
use crate::secrets::Secrets;
use crate::{Blame, Error, Options, stage, stocktake, usage};
use notafter_backend::{Deputy, Posting};
use notafter_core::{
    CaseError, Draft, Event, Isolation, MountedSource, Outcome, RunRecord, Scenario, UnixTime,
};
use std::cell::RefCell;
use std::io;
use std::time::Duration;

/// How long a deputy may say nothing at all, on the host's clock.
const SILENCE: Duration = Duration::from_secs(60);
/// How far the two hosts' clocks may stand apart without a word.
const SKEW_SECS: i64 = 5;

/// Has a deputy run things beside an engine. The deputy is started when it is first needed, and lives as long as this.
#[derive(Debug)]
pub struct Principal {
    posting: Posting,
    conversation: RefCell<Option<Conversation>>,
}

#[derive(Debug)]
struct Conversation {
    deputy: Deputy,
    parcels: Parcels,
    /// How many seconds its host's clock is ahead of ours.
    ahead_secs: i64,
}

impl Principal {
    /// For an engine elsewhere.
    #[must_use]
    pub fn new(posting: Posting) -> Self {
        Self { posting, conversation: RefCell::default() }
    }

    /// As [`crate::run`].
    ///
    /// # Errors
    /// As for [`crate::run`]; [`Error::Beside`] where the deputy cannot do it, or is lost between two cases. Lost in one, it
    /// leaves a record in which that case is an error.
    pub(crate) fn run(
        &self,
        scenario: &Scenario,
        images: &Images,
        options: &Options,
        sink: &mut dyn FnMut(&Event),
    ) -> Result<RunRecord, Error> {
        usage::check(scenario)?;
        let keep = options.keep.as_deref().map(Keep::create).transpose()?;
        let mut so_far = self.blank(scenario, images);
        let asked = self.with_conversation(|conversation| {
            let errand = Box::new(self.errand(conversation, scenario, images)?);
            let keep = if keep.is_some() { Keeping::Kept } else { Keeping::Nothing };
            let request = Request::Run { errand, only: options.only.clone(), keep };
            let reply = self.ask(conversation, &request, &options.interrupt, &mut |event| {
                sink(event);
                so_far.fold(event.clone());
            })?;
            Ok((reply, conversation.ahead_secs))
        });
        match asked {
            Ok((Reply::Ran { record, kept }, ahead_secs)) => {
                let mut record = *record;
                // What was asked is known here, with what no message holds.
                record.scenario = scenario.clone();
                record.started = so_far.started;
                record.remarks.push(self.remark());
                if ahead_secs.abs() > SKEW_SECS {
                    record.remarks.push(format!(
                        "the clock of the engine's machine is {} s {} this one's",
                        ahead_secs.abs(),
                        if ahead_secs > 0 { "ahead of" } else { "behind" }
                    ));
                }
                if let Some(keep) = keep {
                    keep.take(kept);
                    record.remarks.extend(keep.into_failures());
                }
                Ok(record)
            }
            Ok(_) => Err(self.confused()),
            Err(error) => self.interrupted(so_far, error, sink),
        }
    }

    /// As [`crate::complete`].
    ///
    /// # Errors
    /// As for [`Self::run`].
    pub(crate) fn complete(
        &self,
        draft: Draft,
        scenario: &Scenario,
        images: &Images,
        ports: &[u16],
        interrupt: &Interrupt,
    ) -> Result<Draft, Error> {
        let env = draft.service.env.clone();
        let reply = self.with_conversation(|conversation| {
            let errand = Box::new(self.errand(conversation, scenario, images)?);
            let request = Request::Complete { errand, draft: Box::new(draft), ports: ports.to_vec() };
            self.ask(conversation, &request, interrupt, &mut |_| {})
        })?;
        match reply {
            Reply::Completed(mut draft) => {
                draft.service.env = env;
                Ok(*draft)
            }
            _ => Err(self.confused()),
        }
    }

    /// Takes away what dead runs of the engine's machine left; how many containers there were.
    ///
    /// # Errors
    /// [`Error::Beside`].
    pub(crate) fn sweep(&self) -> Result<usize, Error> {
        let reply = self.with_conversation(|conversation| {
            self.ask(conversation, &Request::Sweep, &Interrupt::new(), &mut |_| {})
        })?;
        match reply {
            Reply::Swept(count) => Ok(count),
            _ => Err(self.confused()),
        }
    }

    /// What is known before anything runs.
    fn blank(&self, scenario: &Scenario, images: &Images) -> RunRecord {
        let mut record = RunRecord::new(scenario.clone(), unix_now());
        record.isolation = Isolation::Containers;
        for service in &scenario.services {
            if let (Some(reference), Ok(image)) = (scenario.image_of(service), images.of(scenario, service)) {
                record.images.push(stocktake::run_image(service, reference, image));
            }
        }
        record
    }

    fn remark(&self) -> String {
        let place = self.posting.place();
        format!(
            "the engine at {place} does not see this machine's files: a deputy in a container there ran the cases"
        )
    }

    /// A record of what had been seen when the deputy was lost, where a case was under way: that case is an error, so
    /// that nobody takes the rest for the whole.
    fn interrupted(
        &self,
        mut so_far: RunRecord,
        error: Error,
        sink: &mut dyn FnMut(&Event),
    ) -> Result<RunRecord, Error> {
        let under_way = so_far.cases.iter().find(|case| case.outcome.is_none());
        let (Error::Lost { .. }, Some(case)) = (&error, under_way) else { return Err(error) };
        let event = Event::CaseEnded {
            case: case.case.id.clone(),
            outcome: Outcome::Error,
            error: Some(CaseError::Harness { message: crate::error::chain(&error) }),
            took: Duration::ZERO,
        };
        sink(&event);
        so_far.fold(event);
        so_far.remarks.push(self.remark());
        Ok(so_far)
    }

    /// Does something with the deputy, which is started where there is none. After an error there is none any more.
    fn with_conversation<T>(
        &self,
        work: impl FnOnce(&mut Conversation) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut slot = self.conversation.borrow_mut();
        let mut conversation = match slot.take() {
            Some(conversation) => conversation,
            None => self.begun()?,
        };
        let done = work(&mut conversation);
        match done {
            Ok(done) => {
                *slot = Some(conversation);
                Ok(done)
            }
            Err(Error::Lost { reason, .. }) => {
                let last_words = conversation.deputy.end();
                let reason = match last_words.as_str() {
                    "" => reason,
                    words => format!("{reason}; it said: {words}"),
                };
                Err(Error::Lost { place: self.posting.place(), reason })
            }
            Err(error) => Err(error),
        }
    }

    fn begun(&self) -> Result<Conversation, Error> {
        let deputy = self.posting.start().map_err(Error::Venue)?;
        let listening = deputy.stream().set_read_timeout(Some(SILENCE));
        let ready = listening.and_then(|()| receive::<Reply>(&mut deputy.stream()));
        let mut conversation = Conversation { deputy, parcels: Parcels::none(), ahead_secs: 0 };
        match ready {
            Ok(Reply::Ready { now, unfit: None }) => {
                conversation.ahead_secs = seconds_between(unix_now(), now);
                Ok(conversation)
            }
            Ok(Reply::Ready { unfit: Some(what), .. }) => {
                let texts = vec!["the clock cannot be shifted on the machine of the engine".to_owned(), what];
                Err(Error::told(Blame::Harness, texts))
            }
            Ok(_) => Err(self.confused()),
            Err(error) => {
                let words = conversation.deputy.end();
                Err(self.lost(&io::Error::new(error.kind(), format!("{error} {words}"))))
            }
        }
    }

    /// Carries everything there that the scenario needs.
    fn errand(
        &self,
        conversation: &mut Conversation,
        scenario: &Scenario,
        images: &Images,
    ) -> Result<Errand, Error> {
        let secrets = Secrets::collect(scenario, |variable| std::env::var_os(variable))?;
        let unsent = |error: io::Error| match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => self.lost(&error),
            _ => Error::Unsent { place: self.posting.place(), source: error },
        };
        let Conversation { deputy, parcels, .. } = conversation;
        let mut stream = deputy.stream();
        let mut sent = scenario.clone();
        let mut images_there = Vec::new();
        for service in &mut sent.services {
            let image = images.of(scenario, service)?;
            if let Some(reference) = scenario.image_of(service)
                && !images_there.iter().any(|known: &SentImage| known.reference == *reference)
            {
                images_there.push(parcels.image(&mut stream, reference, image).map_err(unsent)?);
            }
            for at in 0..service.files.len() {
                if let MountedSource::Source(path) = &service.files[at].source {
                    let bytes = stage::source_bytes(scenario, service, &service.files[at], path)?;
                    let number = parcels.bytes(&mut stream, &bytes).map_err(unsent)?;
                    service.files[at].source = MountedSource::Source(parcels::place(number));
                }
            }
        }
        Ok(Errand {
            outside: deputy.outside().to_owned(),
            hidden: hidden::taken(&mut sent),
            scenario: sent,
            variables: secrets.variables().clone(),
            images: images_there,
        })
    }

    /// A request and its last answer, which is never [`Reply::Failed`].
    fn ask(
        &self,
        conversation: &Conversation,
        request: &Request,
        interrupt: &Interrupt,
        on_event: &mut dyn FnMut(&Event),
    ) -> Result<Reply, Error> {
        let mut stream = conversation.deputy.stream();
        let lost = |error: io::Error| self.lost(&error);
        send(&mut stream, request).map_err(lost)?;
        let mut told = false;
        loop {
            if interrupt.is_raised() && !std::mem::replace(&mut told, true) {
                send(&mut stream, &Request::Interrupt).map_err(lost)?;
            }
            match receive(&mut stream).map_err(lost)? {
                Reply::Alive => {}
                Reply::Event(event) => on_event(&event),
                Reply::Failed(told) => return Err(told.into()),
                reply => return Ok(reply),
            }
        }
    }

    fn lost(&self, error: &io::Error) -> Error {
        let reason = match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                "it is gone, or the engine is".to_owned()
            }
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it does not answer".to_owned(),
            _ => error.to_string(),
        };
        Error::Lost { place: self.posting.place(), reason }
    }

    fn confused(&self) -> Error {
        Error::Lost { place: self.posting.place(), reason: "it answered something else".to_owned() }
    }
}

/// How far `later` is behind `earlier`.
fn seconds_between(earlier: UnixTime, later: UnixTime) -> i64 {
    later.as_secs().saturating_sub(earlier.as_secs())
}
