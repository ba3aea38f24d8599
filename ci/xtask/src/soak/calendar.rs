//! Seconds since the epoch as people and openssl write them. Not the product's own arithmetic: it is what is tested.

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;
/// Seconds of a common year.
pub(super) const YEAR: i64 = 365 * DAY;

/// Midnight of a day of the Gregorian calendar.
pub(super) const fn midnight(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that a leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + of_year;
    (days - 719_468) * DAY
}

/// Year, month, day, hour, minute and second.
fn fields(second: i64) -> [i64; 6] {
    let (days, rest) = (second.div_euclid(DAY), second.rem_euclid(DAY));
    // Found by trying: nothing here has to be quick.
    let mut year = 1970 + days / 366;
    while midnight(year + 1, 1, 1) <= days * DAY {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && midnight(year, month + 1, 1) <= days * DAY {
        month += 1;
    }
    let day = days - midnight(year, month, 1) / DAY + 1;
    [year, month, day, rest / 3600, rest / 60 % 60, rest % 60]
}

/// As RFC 3339 has it.
pub(super) fn rfc3339(second: i64) -> String {
    let [year, month, day, hour, minute, second] = fields(second);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// As `openssl ca` takes it: UTCTime or GeneralizedTime, as RFC 5280 has it for that year.
pub(super) fn asn1(second: i64) -> String {
    let [year, month, day, hour, minute, second] = fields(second);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z")
}

/// What [`rfc3339`] writes, read again.
pub(super) fn parse(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    if text.len() != 20 || !text.ends_with('Z') {
        return None;
    }
    let date = midnight(number(0, 4)?, number(5, 7)?, number(8, 10)?);
    Some(date + number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_written_as_everybody_else_writes_them() {
        for (second, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_544_071_799, "2018-12-06T04:49:59Z"),
            (2_147_483_647, "2038-01-19T03:14:07Z"),
            (2_524_607_999, "2049-12-31T23:59:59Z"),
            (2_524_608_000, "2050-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(second), text);
            assert_eq!(parse(text), Some(second));
        }
        assert_eq!(asn1(2_147_483_647), "20380119031407Z");
        assert_eq!(parse("2050-01-01"), None);
    }
}
