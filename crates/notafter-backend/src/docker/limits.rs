//! How much a container may use, with what our init in it takes of that.

use crate::wire::Machine;
use notafter_core::Restrictions;

/// More processes than a service needs, fewer than the machine has; for a service of which nothing is said.
const MOST_PROCESSES: i64 = 4096;
/// The init, the canary that it starts now and then, and a helper of the engine.
const OWN_PROCESSES: i64 = 3;
/// More than the init takes beside the service; its limit is the service's alone.
const OWN_BYTES: i64 = 16 << 20;

/// As the engine's API has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) memory_bytes: Option<i64>,
    /// None leaves swapping to the engine.
    pub(super) memory_and_swap_bytes: Option<i64>,
    pub(super) nano_cpus: Option<i64>,
    pub(super) pids: i64,
}

impl Limits {
    pub(super) fn of(restrictions: &Restrictions, machine: Machine) -> Self {
        // A service may have most of the memory, and the machine lives on.
        let most = machine.memory_bytes.map(|bytes| bytes / 4 * 3);
        let wanted = restrictions.memory_bytes.map(|bytes| {
            i64::try_from(bytes).unwrap_or(i64::MAX).saturating_add(OWN_BYTES).min(most.unwrap_or(i64::MAX))
        });
        // An engine refuses more processors than it has, and less than all of them is what bounds.
        let share = restrictions.milli_cpus.map(i64::from);
        let share = share.filter(|milli| machine.cpus.is_none_or(|cpus| *milli < cpus.saturating_mul(1000)));
        Self {
            memory_bytes: wanted.or(most),
            memory_and_swap_bytes: wanted,
            nano_cpus: share.map(|milli| milli.saturating_mul(1_000_000)),
            pids: restrictions
                .pids
                .map_or(MOST_PROCESSES, |pids| i64::from(pids).saturating_add(OWN_PROCESSES)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_bounded_by_the_machine() {
        let machine = Machine { memory_bytes: Some(4 << 30), cpus: Some(2) };
        let none = Limits::of(&Restrictions::default(), machine);
        let usual = Limits {
            memory_bytes: Some(3 << 30),
            memory_and_swap_bytes: None,
            nano_cpus: None,
            pids: MOST_PROCESSES,
        };
        assert_eq!(none, usual);
        let asked = Restrictions {
            memory_bytes: Some(64 << 20),
            pids: Some(10),
            milli_cpus: Some(1500),
            ..Restrictions::default()
        };
        let bounds = Limits::of(&asked, machine);
        assert_eq!((bounds.memory_bytes, bounds.memory_and_swap_bytes), (Some(80 << 20), Some(80 << 20)));
        assert_eq!((bounds.nano_cpus, bounds.pids), (Some(1_500_000_000), 13));
        let much =
            Restrictions { memory_bytes: Some(u64::MAX), milli_cpus: Some(2000), ..Restrictions::default() };
        let bounds = Limits::of(&much, machine);
        assert_eq!((bounds.memory_bytes, bounds.nano_cpus), (Some(3 << 30), None));
    }
}
