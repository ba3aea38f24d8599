//! Spans of time as Compose files write them.

use crate::time::Amount;
use std::time::Duration;

/// Longer ones are mistakes.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Real time as in `1m30s` or `500ms`, of a day at most.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let span = match text {
        "0" => Some(Duration::ZERO),
        text if text.ends_with("us") => {
            text.strip_suffix("us").and_then(|count| count.parse().ok()).map(Duration::from_micros)
        }
        // Months are no unit there, and `1m` is a minute here as well.
        text if text.contains(['y', 'o']) => None,
        text => Amount::parse(text).ok().and_then(Amount::as_duration),
    };
    span.filter(|span| *span <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_those_of_compose() {
        for (text, millis) in
            [("30s", 30_000), ("1m30s", 90_000), ("500ms", 500), ("1h", 3_600_000), ("0", 0)]
        {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(duration("250us"), Some(Duration::from_micros(250)));
        for text in ["", "30", "1y", "1mo", "-1s", "48h", "s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
