//! What is drawn for a case; it comes again from the same seed and number.

use crate::chaos::random::Random;

/// Draws for one case.
#[derive(Debug)]
pub(super) struct Draw(Random);

impl Draw {
    /// For case `number` of `seed`, whatever other cases draw.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        Self(Random::from_seed(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95)))
    }

    /// One of these, each as likely as any other.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let index = usize::try_from(self.0.below(of.len() as u64)).unwrap_or(0);
        of[index]
    }

    /// True in so many of a hundred.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.0.below(100) < percent
    }

    /// A number from `least` through `most`, each as likely as any other.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = u64::try_from(most - least).unwrap_or(0) + 1;
        least + i64::try_from(self.0.below(span)).unwrap_or(0)
    }

    /// A number from `least` through `most`, each order of magnitude as likely as any other.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "any number will do")]
    pub(super) fn spread(&mut self, least: i64, most: i64) -> i64 {
        let share = self.0.below(1 << 32) as f64 / (1_u64 << 32) as f64;
        let (low, high) = ((least.max(1) as f64).ln(), (most.max(1) as f64).ln());
        ((low + share * (high - low)).exp() as i64).clamp(least, most.max(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_drawn_alike_whatever_came_before_it() {
        let draw = |number| {
            let mut draw = Draw::new(5, number);
            (draw.between(0, 999), draw.spread(10, 1_000_000), draw.chance(50))
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
        let mut draw = Draw::new(1, 1);
        assert!((0..1_000).all(|_| (7_200..=900_000_000).contains(&draw.spread(7_200, 900_000_000))));
        assert!((0..1_000).all(|_| (-3..=3).contains(&draw.between(-3, 3))));
    }
}
