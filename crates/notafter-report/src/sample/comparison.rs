//! Comparisons built by hand.

use super::outcome::{allow, block};
use super::scenario::instant;
use notafter_core::{
    BuildName, Comparison, Difference, Gated, NightFinding, RunRecord, Severity, Verdict, compare,
};

/// The first beside the second, which is in production.
pub(crate) fn beside(candidate: &(RunRecord, Verdict), production: &(RunRecord, Verdict)) -> Comparison {
    let [candidate, production] = [candidate, production].map(|(record, verdict)| Gated { record, verdict });
    compare(candidate, production).unwrap()
}

fn breaks(what: &str, at: &str) -> NightFinding {
    NightFinding {
        key: what.to_owned(),
        code: "breaks-in-window".to_owned(),
        severity: Severity::Block,
        summary: format!("sgsn-mme breaks at {at}: {what} ends"),
        breaks_at: Some(instant(at)),
    }
}

/// One of each kind, which no two runs would come to.
pub(crate) fn every_difference() -> Comparison {
    let candidate = |what: &str| breaks(what, "2019-07-01T00:00:00Z");
    let before = |what: &str| breaks(what, "2019-06-30T00:00:00Z");
    let after = |what: &str| breaks(what, "2019-07-02T00:00:00Z");
    let blind_from = instant("2019-02-01T00:00:00Z");
    let mut waived = candidate("CN=waived");
    waived.severity = Severity::Note;
    let mut comparison = beside(&block(), &allow());
    comparison.production.build = BuildName::new("1.13").ok();
    comparison.other_peers = vec![super::service_name("hss")];
    comparison.differences = vec![
        Difference::New { candidate: candidate("CN=new") },
        Difference::Earlier {
            candidate: candidate("CN=sooner"),
            production: after("CN=sooner"),
            secs: 86_400,
        },
        Difference::UnseenInProduction { candidate: candidate("CN=hidden"), blind_from },
        Difference::Same { candidate: waived.clone(), production: waived },
        Difference::Later { candidate: candidate("CN=later"), production: before("CN=later"), secs: 86_400 },
        Difference::UnseenInCandidate { production: after("CN=behind"), blind_from },
        Difference::Defused { production: after("CN=gone") },
    ];
    comparison
}
