//! One case of a plan by its id, to run it alone.

use notafter_core::{Case, CaseClock, CaseId, Purpose, RunRecord, Step, UnixTime};

/// The case `id`: one of `plan`, or a fresh start at the instant that its id names, as searching makes them. Cases
/// that only follow from what others showed cannot be told from their ids.
pub(crate) fn find(record: &RunRecord, plan: Vec<Case>, id: &CaseId) -> Option<Case> {
    plan.into_iter().find(|case| case.id == *id).or_else(|| fresh_start(record, id))
}

fn fresh_start(record: &RunRecord, id: &CaseId) -> Option<Case> {
    let at = instant(id.as_str().strip_prefix("cold-")?)?;
    let checks = record.scenario.checks.iter().map(|check| check.name.clone()).collect();
    Some(Case {
        id: id.clone(),
        purpose: Purpose::Cold,
        reason: format!("a fresh start at {at}, alone"),
        clock: CaseClock::Shifted(at),
        steps: vec![Step::Check { checks }],
    })
}

/// Reads `2018-12-06T043000Z`, an instant without its colons, and whatever follows after another `-`.
fn instant(text: &str) -> Option<UnixTime> {
    let (instant, rest) = text.split_at_checked("2018-12-06T043000Z".len())?;
    let (day, time) = instant.split_once('T')?;
    let (hours, minutes, seconds) = (time.get(..2)?, time.get(2..4)?, time.get(4..)?);
    let found = UnixTime::parse(&format!("{day}T{hours}:{minutes}:{seconds}")).ok()?;
    (rest.is_empty() || rest.starts_with('-')).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn ids_of_fresh_starts_name_their_instant() {
        let edge = instant("2018-12-06T043000Z").unwrap();
        assert_eq!(edge.to_string(), "2018-12-06T04:30:00Z");
        assert_eq!(instant("2018-12-06T043000Z-again"), Some(edge));
        for wrong in ["", "2018-12-06", "2018-12-06T043000Zx", "2018-13-06T043000Z", "ä018-12-06T043000Z"] {
            assert_eq!(instant(wrong), None, "{wrong}");
        }
    }
}
