//! Numbers that must go on rising, from checkpoint to checkpoint of a case.

use notafter_core::{Assertion, CheckName, Connection, Observation, Reading, Test, UnixTime};
use std::collections::BTreeMap;

/// Numbers that must rise: what each was when it was last compared, and when that was, on the candidate's clock.
#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<(CheckName, Connection), Vec<Count>>);

/// A number, and when it was read.
#[derive(Debug)]
struct Count {
    of: Assertion,
    since: UnixTime,
    number: String,
}

impl Counts {
    /// With what `reading`, made at `now`, is to be compared; none where that is not due.
    pub(super) fn due(
        &self,
        check: &CheckName,
        connection: Connection,
        reading: &Reading,
        now: UnixTime,
    ) -> Option<String> {
        let Test::Rises { every, .. } = &reading.assertion.test else { return None };
        let known = self.0.get(&(check.clone(), connection))?;
        let Count { since, number, .. } = known.iter().find(|count| count.of == reading.assertion)?;
        let every = i64::try_from(every.as_secs()).unwrap_or(i64::MAX);
        let is_due = now.secs_since(*since) >= every && !reading.is_begun_anew(number);
        is_due.then(|| number.clone())
    }

    /// Takes what was compared, or seen for the first time, for what is compared with next.
    pub(super) fn note(&mut self, observation: &Observation) {
        let known = self.0.entry((observation.check.clone(), observation.connection)).or_default();
        for reading in &observation.readings {
            let (Test::Rises { .. }, Some(saw)) = (&reading.assertion.test, &reading.saw) else { continue };
            let (of, since) = (reading.assertion.clone(), observation.begin.second);
            let now = Count { of, since, number: saw.clone() };
            match known.iter_mut().find(|count| count.of == reading.assertion) {
                Some(known) if reading.control.is_some() || reading.is_begun_anew(&known.number) => {
                    *known = now
                }
                Some(_) => {}
                None => known.push(now),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notafter_core::{Answer, ClockReading, Seen, Subject};
    use std::time::Duration;

    /// What comes of looks at a number, a minute's number of seconds after the start each, where it must rise every hour.
    fn looks(seen: &[(i64, &str)]) -> Vec<(bool, bool)> {
        let test = Test::Rises { pattern: None, every: Duration::from_secs(3_600) };
        let assertion = Assertion { subject: Subject::Text, test };
        let check = CheckName::new("counted").unwrap();
        let mut counts = Counts::default();
        let mut come = Vec::new();
        for (at, saw) in seen {
            let now = UnixTime::clamped(*at);
            let reading =
                Reading { assertion: assertion.clone(), saw: Some((*saw).to_owned()), control: None };
            let control = counts.due(&check, Connection::Fresh, &reading, now);
            let observation = Observation {
                check: check.clone(),
                connection: Connection::Fresh,
                step: 0,
                planned: now,
                begin: ClockReading::at(now),
                end: ClockReading::at(now),
                opened: None,
                tries: 1,
                seen: Seen::Answered(Answer::Http { status: 200, body: String::new() }),
                readings: vec![Reading { control, ..reading }],
                served: Vec::new(),
                steps: Vec::new(),
            };
            counts.note(&observation);
            come.push((observation.is_due(), observation.readings[0].holds()));
        }
        come
    }

    #[test]
    fn a_number_is_compared_with_itself_an_hour_before() {
        let (not_yet, goes_on, ceased) = ((false, true), (true, true), (true, false));
        assert_eq!(
            looks(&[(0, "5"), (3_599, "5"), (3_600, "6"), (5_000, "6"), (7_200, "6"), (10_800, "7")]),
            [not_yet, not_yet, goes_on, not_yet, ceased, goes_on]
        );
        // Who is started anew counts from the beginning.
        assert_eq!(looks(&[(0, "900"), (3_600, "0"), (7_200, "0")]), [not_yet, not_yet, ceased]);
        assert_eq!(looks(&[(0, "9"), (3_600, "10.5"), (7_200, "1e3")]), [not_yet, goes_on, goes_on]);
        assert_eq!(looks(&[(0, "up")]), [(false, false)]);
    }
}
