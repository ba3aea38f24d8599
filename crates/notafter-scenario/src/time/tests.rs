use super::*;
use notafter_core::{EdgeKind, UnixTime};
use proptest::prelude::*;
use std::time::Duration;

fn at(text: &str) -> UnixTime {
    UnixTime::parse(text).unwrap()
}

#[test]
fn durations_count_in_their_units() {
    for (text, millis) in [
        ("5s", 5_000),
        ("500ms", 500),
        ("10m", 600_000),
        ("2h", 7_200_000),
        ("1h30m", 5_400_000),
        ("90d", 7_776_000_000),
        ("0s", 0),
    ] {
        assert_eq!(Amount::parse(text).unwrap().as_duration(), Some(Duration::from_millis(millis)), "{text}");
    }
    for text in ["3mo", "2y"] {
        assert_eq!(Amount::parse(text).unwrap().as_duration(), None, "a month has no fixed length: {text}");
    }
}

#[test]
fn what_is_no_duration() {
    for text in ["", "5", "s", "5 s", "-5s", "1.5h", "5S", "1h1h", "5sec", "٣s", "5s "] {
        assert_eq!(Amount::parse(text), Err(AmountError::Malformed), "{text:?}");
    }
    for text in ["10001y", "99999999999s", "4000000000y", "3700000d", "4000000000h"] {
        assert_eq!(Amount::parse(text), Err(AmountError::TooLong), "{text:?}");
    }
}

#[test]
fn instants_count_in_the_calendar() {
    for (from, text, expected) in [
        ("2018-11-01T00:00:00Z", "start + 2y", "2020-11-01T00:00:00Z"),
        ("2018-11-01T00:00:00Z", "+90d", "2019-01-30T00:00:00Z"),
        ("2024-01-31T12:00:00Z", "start + 1mo", "2024-02-29T12:00:00Z"),
        ("2024-02-29T00:00:00Z", "+1y", "2025-02-28T00:00:00Z"),
        ("2024-03-31T00:00:00Z", "- 1mo", "2024-02-29T00:00:00Z"),
        ("2018-11-01T00:00:00Z", "start + 3mo - 1s", "2019-01-31T23:59:59Z"),
        ("2018-11-01T00:00:00Z", "+1mo1d", "2018-12-02T00:00:00Z"),
    ] {
        let instant = InstantText::parse(text).unwrap().counted_from(at(from));
        assert_eq!(instant, Some(at(expected)), "{from} {text}");
    }
}

#[test]
fn instants_end_with_the_calendar() {
    for text in ["start + 9000y", "start - 9000y - 9000y", "start + 3000000d"] {
        assert_eq!(
            InstantText::parse(text).unwrap().counted_from(at("2018-11-01T00:00:00Z")),
            None,
            "{text}"
        );
    }
    let last = InstantText::parse("start - 1s").unwrap().counted_from(UnixTime::NO_EXPIRY);
    assert_eq!(last, Some(UnixTime::NO_EXPIRY.plus_secs(-1)));
}

#[test]
fn bases() {
    let edge = |name: &str, kind| Base::Edge { credential: name.to_owned(), kind };
    for (text, base) in [
        ("now", Base::Now),
        ("start", Base::Start),
        ("support.end", Base::SupportEnd),
        ("issued", Base::Issued),
        ("old-partner.not_after", edge("old-partner", EdgeKind::NotAfter)),
        ("a.b.not_before - 1s", edge("a.b", EdgeKind::NotBefore)),
        ("2018-12-06T05:30:00+01:00", Base::At(at("2018-12-06T04:30:00Z"))),
        ("-1d", Base::Implied),
    ] {
        assert_eq!(InstantText::parse(text).unwrap().base, base, "{text}");
    }
}

#[test]
fn what_is_no_instant() {
    for text in ["", " ", "tomorrow", "start+3mo", "start + ", "start 3mo", "start + start", "12:00"] {
        assert!(InstantText::parse(text).is_err(), "{text:?}");
    }
    assert_eq!(
        InstantText::parse("2018-11-01"),
        Err(InstantError::DateOnly { date: "2018-11-01".to_owned() })
    );
    let endless = format!("start{}", " + 1s".repeat(17));
    assert_eq!(InstantText::parse(&endless), Err(InstantError::Malformed));
}

fn amounts() -> impl Strategy<Value = Amount> {
    (0..=120_000_u32, 0..=3_660_000_u32, 0..=316_224_000_000_000_u64)
        .prop_map(|(months, days, millis)| Amount::from_parts(months, days, millis))
}

fn bases_of_any_kind() -> impl Strategy<Value = Base> {
    let kinds = prop_oneof![Just(EdgeKind::NotAfter), Just(EdgeKind::NotBefore)];
    prop_oneof![
        (-62_000_000_000_i64..253_402_000_000).prop_map(|secs| Base::At(UnixTime::from_secs(secs).unwrap())),
        ("[a-z0-9][a-z0-9._-]{0,20}", kinds).prop_map(|(credential, kind)| Base::Edge { credential, kind }),
        Just(Base::Implied),
        Just(Base::Issued),
        Just(Base::Now),
        Just(Base::Start),
        Just(Base::SupportEnd),
    ]
}

fn instants() -> impl Strategy<Value = InstantText> {
    let terms = prop::collection::vec((prop_oneof![Just(Sign::Minus), Just(Sign::Plus)], amounts()), 0..4);
    (bases_of_any_kind(), terms)
        .prop_filter("nothing at all is no instant", |(base, terms)| {
            *base != Base::Implied || !terms.is_empty()
        })
        .prop_map(|(base, terms)| InstantText { base, terms })
}

proptest! {
    #[test]
    fn durations_read_as_they_show(amount in amounts()) {
        prop_assert_eq!(Amount::parse(&amount.to_string()), Ok(amount));
    }

    #[test]
    fn instants_read_as_they_show(instant in instants()) {
        prop_assert_eq!(InstantText::parse(&instant.to_string()), Ok(instant));
    }

    #[test]
    fn no_text_and_no_base_panics(text in "\\PC{0,40}", secs in any::<i64>()) {
        if let Ok(instant) = InstantText::parse(&text) {
            let _ = instant.counted_from(UnixTime::clamped(secs));
        }
    }

    #[test]
    fn sums_stay_in_range(instant in instants(), secs in any::<i64>()) {
        if let Some(sum) = instant.counted_from(UnixTime::clamped(secs)) {
            prop_assert!((UnixTime::MIN..=UnixTime::NO_EXPIRY).contains(&sum));
        }
    }
}
