//! How long a run may still go on.

use crate::host_clock::Stopwatch;
use crate::interrupt::Interrupt;
use notafter_core::CaseError;
use std::time::Duration;

/// The budget of a run and the wish to stop it; asked before everything that takes time.
#[derive(Debug)]
pub(crate) struct Allowance {
    watch: Stopwatch,
    budget: Option<Duration>,
    interrupt: Interrupt,
}

impl Allowance {
    /// Begins now.
    pub(crate) fn new(budget: Option<Duration>, interrupt: Interrupt) -> Self {
        Self { watch: Stopwatch::start(), budget, interrupt }
    }

    /// Whether the run may go on.
    ///
    /// # Errors
    /// [`CaseError::Interrupted`] or [`CaseError::BudgetExceeded`].
    pub(crate) fn ask(&self) -> Result<(), CaseError> {
        if self.interrupt.is_raised() {
            return Err(CaseError::Interrupted);
        }
        match self.budget {
            Some(budget) if self.watch.elapsed() >= budget => Err(CaseError::BudgetExceeded { budget }),
            _ => Ok(()),
        }
    }

    /// `wanted`, or what is left of the budget where that is less.
    pub(crate) fn at_most(&self, wanted: Duration) -> Duration {
        match self.budget {
            Some(budget) => wanted.min(budget.saturating_sub(self.watch.elapsed())),
            None => wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_budget_and_a_wish_to_stop_end_a_run() {
        let interrupt = Interrupt::new();
        let free = Allowance::new(None, interrupt.clone());
        assert_eq!(free.ask(), Ok(()));
        assert_eq!(free.at_most(Duration::MAX), Duration::MAX);

        let spent = Allowance::new(Some(Duration::ZERO), interrupt.clone());
        assert_eq!(spent.ask(), Err(CaseError::BudgetExceeded { budget: Duration::ZERO }));
        assert_eq!(spent.at_most(Duration::from_secs(1)), Duration::ZERO);

        interrupt.raise();
        assert_eq!(free.ask(), Err(CaseError::Interrupted));
    }
}
