//! What findings say in words.

use crate::{
    Alert, Check, Credential, Expectation, FileTimes, FindingCode, Observation, RefusalLayer, Seen,
    ServiceEnd, ServiceName, Works,
};

/// What a check expects, as a fragment after the name of the check: `works with status 200`.
pub(super) fn expected(expectation: &Expectation) -> String {
    match expectation {
        Expectation::Rejected { control } => format!("is rejected, while {control} works"),
        Expectation::Serves { any_of } => {
            let names: Vec<&str> = any_of.iter().map(|name| name.as_str()).collect();
            format!("shows the certificate of {}", names.join(" or of "))
        }
        Expectation::Works(works) => worked(works),
    }
}

/// The same with the name of `check`, and of the step beyond which `observation` did not come.
pub(super) fn expected_of(check: &Check, expectation: &Expectation, observation: &Observation) -> String {
    let name = &check.name;
    let number = observation.stopped_in().filter(|_| matches!(expectation, Expectation::Works(_)));
    match number.and_then(|number| Some((number, check.before.get(number - 1)?))) {
        Some((number, step)) => {
            format!("step {number} of {} of {name} {}", check.before.len() + 1, worked(&step.works))
        }
        None => format!("{name} {}", expected(expectation)),
    }
}

fn worked(works: &Works) -> String {
    let Works { assertions, contains, lacks, exit, status } = works;
    let parts = [
        exit.map(|code| format!("with exit code {code}")),
        status.map(|status| format!("with status {status}")),
        contains.as_ref().map(|text| format!("with {text:?} in the answer")),
        lacks.as_ref().map(|text| format!("without {text:?} in the answer")),
    ];
    let assertions = assertions.iter().map(ToString::to_string);
    let parts: Vec<String> = parts.into_iter().flatten().chain(assertions).collect();
    format!("works {}", parts.join(", ")).trim_end().to_owned()
}

/// What was seen instead, as a fragment.
pub(super) fn seen(seen: &Seen) -> String {
    match seen {
        Seen::Absent { reason } => format!("nothing there: {reason}"),
        Seen::Answered(answer) => answer.to_string(),
        Seen::Refused(refusal) => {
            let by = match refusal.layer {
                RefusalLayer::Application => "refused by the answer of the service",
                RefusalLayer::Service => "refused by the service",
                RefusalLayer::Verifier => "refused by the verifier",
            };
            let alert = refusal.alert.as_ref().map_or_else(String::new, alert);
            format!("{by}: {}{alert}", refusal.reason)
        }
    }
}

/// The same of a whole look, with what was read of the answer and is not as `works` asks.
pub(super) fn looked(observation: &Observation, works: &Works) -> String {
    let seen = seen(&observation.seen);
    match works.unmet(&observation.readings) {
        Some(reading) if matches!(observation.seen, Seen::Answered(_)) => {
            format!("{seen}; {}", reading.instead())
        }
        _ => seen,
    }
}

/// Whose certificate was shown, as a fragment.
pub(super) fn shown(observation: &Observation) -> String {
    let Some(leaf) = observation.served.first() else { return seen(&observation.seen) };
    let Credential { subject, serial, not_after, .. } = &leaf.credential;
    let name = leaf.declared.as_ref().map_or_else(|| subject.clone(), ToString::to_string);
    format!("it shows the certificate of {name}, serial {serial}, which ends at {not_after}")
}

fn alert(alert: &Alert) -> String {
    let from = if alert.from_service { "from the service" } else { "to the service" };
    format!(" (alert {} {from})", alert.name)
}

/// What to do about a credential that ends while nothing looks at what it is for.
pub(super) const DOUBT: &str = "that the service runs and its ports answer shows nothing of it: ship a build without it \
    or with one that outlives the support window, or add a check that does what the credential is for, and then say \
    `present_but_unused: warn`";

/// What to do about a break behind which no credential is known.
pub(super) const UNEXPLAINED: &str = "find what in the build knows that date: a licence, a date in the code, an account or a \
    password that ends; what was seen, and the log of the case, may name it";

/// How a main process went.
pub(super) fn ended(end: &ServiceEnd) -> String {
    match (&end.reason, end.code) {
        (Some(reason), _) => reason.clone(),
        (None, Some(code)) => format!("{} ended with exit code {code}", end.service),
        (None, None) => format!("{} did not run", end.service),
    }
}

/// What to do where a check fails behind a break that is waived.
pub(super) const BEHIND_WAIVED: &str = "mend what is waived and run again, and the search comes to this; or waive it too, by \
    its code and its checks";

/// What to do where a break is waived that comes before the control.
pub(super) const BEFORE_CONTROL: &str =
    "mend what breaks, or let the scenario `start` behind it, where all works again";

/// What to do where all works on the machine's own clock, and something fails on a shifted one before anything ends.
pub(super) fn works_natively(file_times: FileTimes) -> &'static str {
    match file_times {
        FileTimes::Real => {
            "it works on the machine's own clock: a service that goes by the age of its files needs \
             `file_times: shifted` in the scenario; else the log of the failing service says what it takes amiss"
        }
        FileTimes::Shifted => {
            "it works on the machine's own clock: the log of the failing service says what it takes amiss"
        }
    }
}

/// What to do where a service was looked at before it may have been ready.
pub(super) fn not_waited_for(service: &ServiceName) -> String {
    format!(
        "nothing says when {service} is ready, and it was looked at as soon as its process ran: give it a `ready`, as in \
         `ready: {{ tcp: {{ port: 8443 }} }}`"
    )
}

/// What to do about it.
pub(super) fn help(code: FindingCode) -> Option<&'static str> {
    Some(match code {
        FindingCode::AlreadyBroken => {
            "replace the credential in the build that is in production; this build is broken today"
        }
        FindingCode::BreaksInWindow => {
            "ship a build whose credential outlives the support window, or rotate it before it ends"
        }
        FindingCode::BudgetExceeded => {
            "raise `budget` in the scenario, or give the gate a less loaded machine"
        }
        FindingCode::ControlFails => {
            "make the scenario pass where no boundary is crossed; the log of the failing service says more"
        }
        FindingCode::CoverageBelowPolicy => {
            "add checks that use the credentials not exercised, or lower `require_coverage`"
        }
        FindingCode::CredentialNotCrossed => {
            "add a check that uses this credential, or waive it by its name or fingerprint"
        }
        FindingCode::ExpiredEmbeddedCredential => {
            "remove the credential from the build, or ship one that outlives the support window"
        }
        FindingCode::FailOpen => {
            "have it verify its peers: it accepts what has ended, is not valid yet or comes from elsewhere"
        }
        FindingCode::Flaky => "make the check reliable; both results are in the record",
        FindingCode::HarnessError => "`notafter doctor` says what is missing on this machine",
        FindingCode::Interrupted => "run the gate again and let it end",
        FindingCode::JumpIntolerant => {
            "no credential explains it; see the log of the walk, and whether the service bears a leap of its clock"
        }
        FindingCode::NeverIdle => {
            "let it block where it waits, or waive the code where what it does has nothing to do with time"
        }
        FindingCode::NothingChecked => "give the scenario at least one check",
        FindingCode::PlanIncomplete => "run the gate again; a record without this case cannot be judged",
        FindingCode::PlanReduced => {
            "nothing, where a look at the walk is enough; else gate a shorter window, or each part of it by `start`"
        }
        FindingCode::RenewalNeeded => {
            "make sure that what it renews from is reachable wherever it runs, and watch the renewal"
        }
        FindingCode::RotationNeeded => {
            "rehearse the rotation where it really runs, and watch that it happens"
        }
        FindingCode::RotationNotPickedUp => {
            "reload the service after its files are replaced, or have it watch them; its log says what it made of them"
        }
        FindingCode::SkewIntolerant => {
            "let it allow for a few minutes wherever it looks at dates, or watch the clocks of its machines"
        }
        FindingCode::Unshifted => {
            "the process reads time in a way that the engine does not handle; nothing that it did counts"
        }
        FindingCode::WaiverExpired => "mend what it waived, or have its owner extend it",
        FindingCode::WaiverTooBroad => {
            "name what it is about: `credential`, `fingerprint`, or `checks` where no credential is behind it"
        }
        FindingCode::WaiverUnmatched => {
            "remove it: what it was for is gone, and it would let the next of its kind pass"
        }
    })
}
