//! One look of a check: its steps, in their order, and the probe itself.

use super::looks::Look;
use super::network::Asked;
use super::run::{CaseRun, harness};
use notafter_backend::KEPT_OUTPUT_BYTES;
use notafter_core::{
    Answer, Assertion, Captured, CaseError, Check, CheckStep, Connection, Probe, Seen, StepTaken,
};
use notafter_probe::{Reader, Whole};

/// How a probe asks.
enum Way {
    /// Over the connection that its check keeps.
    Kept(Connection),
    /// Over a new one, of which nothing is kept.
    InPassing,
}

impl CaseRun<'_> {
    /// Takes the steps of `check`, and where all of them came out as they must, asks what it is about. `tries` becomes 0
    /// where no look was due.
    pub(super) fn look_along(
        &mut self,
        check: &Check,
        connection: Connection,
        tries: &mut u32,
    ) -> Result<Look, CaseError> {
        let begun = self.sessions.captured(&check.name, connection).cloned();
        let mut captured = begun.clone().unwrap_or_default();
        let mut taken = Vec::new();
        for step in check.before.iter().filter(|_| begun.is_none()) {
            let look = self.take(check, step, &captured)?;
            let outcome = step.outcome(&look.seen, &look.readings);
            let (target, is_met) = (step.probe.target().to_owned(), outcome.is_ok());
            taken.push(StepTaken { target, is_met, served: look.served });
            match outcome {
                Ok(values) => captured.extend(values),
                Err(seen) => {
                    let seen = told(seen, &place(check, taken.len(), step));
                    return Ok(Look { steps: taken, captured, ..seen.into() });
                }
            }
        }
        let look = match captured.fill_probe(&check.probe) {
            Err(reason) => Seen::Absent { reason }.into(),
            Ok(probe) => {
                let way = match connection {
                    Connection::Fresh if !check.before.is_empty() => Way::InPassing,
                    kept => Way::Kept(kept),
                };
                self.look_at(check, &probe, &check.to_read(), &captured, way, tries)?
            }
        };
        Ok(Look { steps: taken, captured, ..look })
    }

    fn take(&mut self, check: &Check, step: &CheckStep, captured: &Captured) -> Result<Look, CaseError> {
        match captured.fill_probe(&step.probe) {
            Err(reason) => Ok(Seen::Absent { reason }.into()),
            Ok(probe) => self.look_at(check, &probe, &step.to_read(), captured, Way::InPassing, &mut 0),
        }
    }

    /// Asks `probe`, and reads of the answer what `asked` is about, with what was captured in it.
    fn look_at(
        &mut self,
        check: &Check,
        probe: &Probe,
        asked: &[Assertion],
        captured: &Captured,
        way: Way,
        tries: &mut u32,
    ) -> Result<Look, CaseError> {
        let filled: Vec<Assertion> =
            asked.iter().map(|assertion| captured.fill_assertion(assertion)).collect();
        let mut look: Look = match probe {
            Probe::Alive { service } => self.look_alive(service)?.into(),
            Probe::Exec { service, command } => self.look_exec(service, command, check.within)?.into(),
            Probe::Log { service, contains, every: None } => {
                let mark = self.log_marks.get(service).copied().unwrap_or(0);
                self.look_log(service, contains, mark, check.within)?.into()
            }
            Probe::Log { service, contains, every: Some(every) } => {
                let (seen, is_due) = self.look_rate(check, (service, contains), *every)?;
                if !is_due {
                    *tries = 0;
                }
                seen.into()
            }
            Probe::Amqp { .. }
            | Probe::Greet { .. }
            | Probe::Grpc { .. }
            | Probe::Http { .. }
            | Probe::Sql { .. }
            | Probe::Tcp { .. }
            | Probe::Tls { .. } => {
                let (from, within) = (check.from.as_ref(), check.within);
                let question = Asked { probe, from, assertions: filled.clone(), within };
                match way {
                    Way::Kept(connection) => self.look_network(check, question, captured, connection)?,
                    Way::InPassing => self.look_in_passing(question)?,
                }
            }
        };
        if let Seen::Answered(answer @ (Answer::Exited { .. } | Answer::Logged { .. })) = &look.seen {
            let text = answer.text().unwrap_or_default();
            let whole = Whole { headers: &[], text, is_cut: text.len() >= KEPT_OUTPUT_BYTES };
            look.readings = Reader::new(filled.clone()).map_err(|error| harness(&error))?.read(&whole);
        }
        // The scenario knows its assertions by the names in them.
        for reading in &mut look.readings {
            if let Some(at) = filled.iter().position(|assertion| *assertion == reading.assertion) {
                reading.assertion = asked[at].clone();
            }
        }
        Ok(look)
    }
}

/// Which step it is, as a fragment: `step 2 of 3 (https login)`.
fn place(check: &Check, number: usize, step: &CheckStep) -> String {
    let (all, kind, target) = (check.before.len() + 1, step.probe.kind(), step.probe.target());
    format!("step {number} of {all} ({kind} {target})")
}

/// What was seen in a step that is not as it must be.
fn told(seen: Seen, place: &str) -> Seen {
    match seen {
        Seen::Absent { reason } => Seen::Absent { reason: format!("{place}: {reason}") },
        Seen::Refused(mut refusal) => {
            refusal.reason = format!("{place}: {}", refusal.reason);
            Seen::Refused(refusal)
        }
        answered @ Seen::Answered(_) => answered,
    }
}
