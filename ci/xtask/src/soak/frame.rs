//! When a release begins, when something in it ends, and until when it must run.

use super::calendar::{DAY, YEAR, midnight};
use super::draw::Draw;

const HOUR: i64 = 3_600;
/// Days that programs have been wrong about: leap days, the last of 32-bit time, the last of UTCTime, ends of years.
const DAYS: [i64; 9] = [
    midnight(2027, 12, 31),
    midnight(2028, 2, 29),
    midnight(2032, 2, 29),
    midnight(2037, 12, 31),
    midnight(2038, 1, 19),
    midnight(2049, 12, 31),
    midnight(2050, 1, 1),
    midnight(2052, 2, 29),
    midnight(2056, 12, 31),
];
/// Seconds likewise.
const SECONDS: [i64; 6] = [
    midnight(2028, 2, 29) + DAY - 1,
    midnight(2038, 1, 19) + 3 * HOUR + 14 * 60 + 7,
    midnight(2038, 1, 19) + 3 * HOUR + 14 * 60 + 8,
    midnight(2050, 1, 1) - 1,
    midnight(2050, 1, 1),
    midnight(2050, 1, 1) + 1,
];

/// The instants of a case, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) start: i64,
    /// The first second of what ends.
    pub(super) issued: i64,
    /// The last second of what ends.
    pub(super) ends: i64,
    /// The end of the support window.
    pub(super) horizon: i64,
}

/// Where an end lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Inside,
    Beyond,
}

impl Frame {
    pub(super) fn draw(draw: &mut Draw, end: End) -> Self {
        let lasts = draw.spread(2 * HOUR, 30 * YEAR);
        let (start, ends) = if draw.chance(35) {
            let ends = draw.pick(&SECONDS);
            (ends - lasts, ends)
        } else if draw.chance(50) {
            let start = draw.pick(&DAYS) + draw.between(0, DAY - 1);
            (start, start + lasts)
        } else {
            let start = draw.between(midnight(2027, 1, 1), midnight(2060, 1, 1));
            (start, start + lasts)
        };
        // Not before TLS libraries would call it nonsense.
        let start = start.max(midnight(2010, 1, 1));
        let lasts = ends - start;
        let horizon = match end {
            End::Inside => ends + draw.spread(HOUR, (2 * lasts).min(10 * YEAR)),
            End::Beyond => ends - draw.spread(60, lasts - HOUR),
        };
        Self { start, issued: start - draw.spread(HOUR, 5 * YEAR), ends, horizon }
    }

    /// An end that lies beyond the window.
    pub(super) fn later(&self, draw: &mut Draw) -> i64 {
        self.horizon.max(self.ends) + draw.spread(2 * DAY, 10 * YEAR)
    }

    /// A beginning that lies before the start.
    pub(super) fn earlier(&self, draw: &mut Draw) -> i64 {
        self.start - draw.spread(DAY, 10 * YEAR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_come_in_their_order() {
        for number in 0..2_000 {
            let mut draw = Draw::new(11, number);
            let inside = Frame::draw(&mut draw, End::Inside);
            let Frame { start, issued, ends, horizon } = inside;
            assert!(issued < start && start + HOUR < ends && ends < horizon, "{inside:?}");
            assert!(inside.later(&mut draw) > horizon && inside.earlier(&mut draw) < start);
            let beyond = Frame::draw(&mut draw, End::Beyond);
            let Frame { start, ends, horizon, .. } = beyond;
            assert!(start + HOUR - 60 < horizon && horizon + 60 <= ends, "{beyond:?}");
        }
    }
}
