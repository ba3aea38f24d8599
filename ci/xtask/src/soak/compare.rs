//! What the gate's JSON report says, beside what was expected. Read as any user's program would read it, with none of
//! the product's types.

use super::calendar::{parse, rfc3339};
use super::expected::{Cause, Expected};
use serde_json::Value;

/// Everything that is otherwise; nothing where all is as expected.
pub(super) fn differences(expected: &Expected, code: Option<i32>, report: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut hold = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    let decision = report.pointer("/verdict/decision").and_then(Value::as_str).unwrap_or("nothing");
    let worst = report.pointer("/verdict/findings/0").unwrap_or(&Value::Null);
    let (word, exit) = match expected {
        Expected::Allow => ("allow", 0),
        Expected::Block { .. } => ("block", 1),
    };
    hold(decision == word, format!("verdict {decision}: {}", worst["summary"].as_str().unwrap_or("-")));
    hold(code == Some(exit), format!("exit code {code:?}"));
    let Expected::Block { from, through, cause } = expected else { return wrong };
    if decision != "block" {
        return wrong;
    }
    let finding = worst["code"].as_str().unwrap_or("-");
    hold(finding == "breaks-in-window", format!("finding {finding}"));
    let second =
        |name: &str| worst.pointer(&format!("/bracket/{name}")).and_then(Value::as_str).and_then(parse);
    let (last, first) = (second("last_pass"), second("first_fail"));
    match (last, first) {
        (Some(last), Some(first)) => {
            hold(first - last <= 1, format!("known to {} s only", first - last));
            hold((*from..=*through).contains(&first), format!("breaks at {}", rfc3339(first)));
        }
        _ => hold(false, "no bracket".to_owned()),
    }
    let culprit = worst["culprit"].as_str();
    let known = report.pointer("/record/inventory/credentials").and_then(Value::as_array);
    let known = known.into_iter().flatten().find(|known| known["fingerprint"].as_str() == culprit);
    let named = match known {
        None => "nothing".to_owned(),
        Some(known) => {
            format!("{} ({}), which ends {}", known["subject"], known["origin"], known["not_after"])
        }
    };
    let may_be_none = matches!(cause, Cause::Late(_) | Cause::Unexplained);
    let is_it = if culprit.is_none() { may_be_none } else { names(cause, known, first) };
    hold(is_it, format!("named as the cause: {named}"));
    wrong
}

/// Whether `known`, the credential that the report names, is what was planted for a break at `first`.
fn names(cause: &Cause, known: Option<&Value>, first: Option<i64>) -> bool {
    let Some(known) = known else { return false };
    match cause {
        Cause::Declared(name) => known.pointer("/origin/declared").and_then(Value::as_str) == Some(name),
        Cause::File(sha256) => known["fingerprint"].as_str() == Some(sha256),
        Cause::Late(cause) => names(cause, Some(known), first),
        Cause::Own => {
            let end = known["not_after"].as_str().and_then(parse);
            known["origin"] == "served" && end.map(|end| end + 1) == first
        }
        Cause::Unexplained => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "aa11";

    fn report(decision: &str, first: &str, culprit: Value) -> Value {
        serde_json::json!({
            "record": { "inventory": { "credentials": [
                { "fingerprint": SHA, "subject": "CN=held", "origin": "embedded", "not_after": "2030-01-01T00:00:00Z" },
                { "fingerprint": "bb22", "subject": "CN=x", "origin": { "declared": "server" },
                  "not_after": "2030-01-01T00:00:00Z" },
            ] } },
            "verdict": { "decision": decision, "findings": [ {
                "code": "breaks-in-window", "summary": "it breaks", "culprit": culprit,
                "bracket": { "last_pass": "2030-01-01T00:00:00Z", "first_fail": first },
            } ] },
        })
    }

    fn block(cause: Cause) -> Expected {
        let second = parse("2030-01-01T00:00:01Z").unwrap();
        Expected::Block { from: second, through: second, cause }
    }

    #[test]
    fn what_is_as_planned_differs_in_nothing() {
        let told = report("block", "2030-01-01T00:00:01Z", SHA.into());
        assert!(differences(&block(Cause::File(SHA.to_owned())), Some(1), &told).is_empty());
        let told = report("block", "2030-01-01T00:00:01Z", "bb22".into());
        assert!(differences(&block(Cause::Declared("server")), Some(1), &told).is_empty());
        let told = report("block", "2030-01-01T00:00:01Z", Value::Null);
        assert!(differences(&block(Cause::Unexplained), Some(1), &told).is_empty());
        assert!(differences(&Expected::Allow, Some(0), &report("allow", "", Value::Null)).is_empty());
    }

    #[test]
    fn each_thing_that_is_otherwise_is_told() {
        let planned = block(Cause::File(SHA.to_owned()));
        let at = "2030-01-01T00:00:01Z";
        for (told, code, expected) in [
            (report("allow", at, SHA.into()), 0, "verdict allow"),
            (report("inconclusive", at, SHA.into()), 3, "verdict inconclusive"),
            (report("block", at, SHA.into()), 0, "exit code"),
            (report("block", "2030-01-01T00:00:02Z", SHA.into()), 1, "known to 2 s only"),
            (report("block", "2029-12-31T23:59:59Z", SHA.into()), 1, "breaks at"),
            (report("block", at, "bb22".into()), 1, "named as the cause: \"CN=x\""),
            (report("block", at, Value::Null), 1, "named as the cause: nothing"),
            (Value::Null, 1, "verdict nothing"),
        ] {
            let wrong = differences(&planned, Some(code), &told);
            assert!(wrong.iter().any(|line| line.contains(expected)), "{expected}: {wrong:?}");
        }
        let told = report("block", at, SHA.into());
        assert!(!differences(&block(Cause::Unexplained), Some(1), &told).is_empty());
        assert!(!differences(&block(Cause::Own), Some(1), &told).is_empty());
        assert!(!differences(&Expected::Allow, Some(1), &told).is_empty());
    }
}
