//! What can go wrong in a world.

use crate::*;

/// What goes wrong. All but `HssRefuses` happens in the candidate.
#[derive(Debug, Clone)]
pub(crate) enum Ill {
    /// A process refuses once it has run for this long; what it got at its start and shows nobody has ended. Where it
    /// renews that, it does when it wakes at this age or later.
    Ages { life: i64, renews: Option<i64> },
    /// A restart on state that an earlier start left behind fails from then on.
    AgedFails { from: UnixTime },
    /// A fresh start fails from then on; what lives or has state goes on.
    ColdFails { from: UnixTime },
    /// It ends: when started at or after `from` where `at_start`, and when a watchdog of this period looks.
    Dies { from: UnixTime, at_start: bool, watchdog: Option<i64>, log: &'static str },
    /// A process that was started before `at` ends there: who starts it anew has the new files.
    EndsOnce { at: UnixTime },
    /// One launch of the scenario, counted from 0, fails by accident.
    Fluke { launch: usize },
    /// It does not start within the gap.
    Gap { from: UnixTime, to: UnixTime },
    /// The register refuses from then on.
    HssRefuses { from: UnixTime },
    /// It serves a certificate that each start makes anew, of this many seconds.
    InMemory { life: i64 },
    /// It serves a certificate that the first start makes and keeps in a volume.
    InVolume { life: i64 },
    /// It asks itself over TLS, with a certificate that each start makes anew and that nobody else is shown. A timer
    /// renews it so many seconds after its end, or before where that is negative; none never does.
    Loopback { life: i64, renews: Option<i64> },
    /// It hangs after a leap of more than this many seconds, until it is started again.
    JumpIntolerant { longest: i64 },
    /// It serves a certificate that it gets at each start and that a timer renews after two thirds of its life. Its
    /// CA refuses to renew what has ended, and is gone from `until` on.
    Renews { life: i64, until: Option<UnixTime> },
    /// It serves a certificate that it makes at each start, and renews it only this many seconds after its end.
    RenewsLate { life: i64, late: i64 },
    /// It serves this certificate, whose dates nothing looks at.
    Serves { credential: Credential },
    /// It works for this many seconds after its first start, which it notes in a volume.
    Trial { life: i64 },
    /// It exits with 0 when a timer of this period looks at or after `from`.
    Leaves { from: UnixTime, period: i64 },
    /// It lets nobody in while its revocation lists are stale; without this it does not look at them.
    KnowsLists,
    /// It refuses once the declared credential of this name has ended.
    Needs { name: &'static str },
    /// It refuses so many seconds after the declared credential of this name has ended: what it read is in a cache.
    NeedsStill { name: &'static str, cached: i64 },
    /// From `from` on and short of `to` it refuses again and again: for `length` seconds in each period, from so many
    /// seconds behind its beginning. The periods are counted from 1 January 1970. With `lives` only a process that was
    /// started before `from` does so.
    Outage { from: UnixTime, to: UnixTime, period: i64, begins: i64, length: i64, lives: bool },
    /// The portal refuses once the declared credential of this name has ended.
    PortalNeeds { name: &'static str },
    /// A process that was started before the declared credential of this name ended refuses behind it.
    RemembersThat { name: &'static str },
    /// Sessions that were open are gone after every motion.
    LosesSessions,
    /// It does not start with a clock that is ahead of the others', or one that is behind.
    Skewed { ahead: bool },
    /// Its process begins later than the launch, by 0 to so many seconds in turn.
    StartsLate { by: usize },
    /// The scenario itself never worked.
    NeverWorks,
    /// New connections are refused from then on, for this certificate; open ones work.
    RefusesNew { from: UnixTime, culprit: Option<Fingerprint> },
    /// The peer of the check `stranger` is refused from then on; without this it is let in for ever.
    RefusesStranger { from: UnixTime },
}
