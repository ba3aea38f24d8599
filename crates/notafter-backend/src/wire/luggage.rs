//! The descriptors that an init is born with.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What comes with a launch, in this order.
#[derive(Debug)]
pub(crate) struct Luggage {
    /// The init's socket to the runner.
    pub(crate) channel: OwnedFd,
    /// Standard output and error of the main process.
    pub(crate) log: OwnedFd,
    /// The bytes of all files, one after the other.
    pub(crate) files: OwnedFd,
    /// The lists of members (`cgroup.procs`) of the control groups that the service's processes enter.
    pub(crate) groups: Vec<OwnedFd>,
    /// The clock page; none runs on the host's clock.
    pub(crate) clock: Option<OwnedFd>,
}

impl Luggage {
    /// As it is sent.
    pub(crate) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let first = [&self.channel, &self.log, &self.files].into_iter();
        first.chain(&self.groups).chain(&self.clock).map(AsFd::as_fd).collect()
    }

    /// From what was received for a service with so many control groups; none where something is missing.
    pub(crate) fn unpacked(fds: Vec<OwnedFd>, groups: usize) -> Option<Self> {
        let mut fds = fds.into_iter();
        let (channel, log, files) = (fds.next()?, fds.next()?, fds.next()?);
        let entered: Vec<OwnedFd> = fds.by_ref().take(groups).collect();
        let clock = fds.next();
        (entered.len() == groups && fds.next().is_none()).then_some(Self {
            channel,
            log,
            files,
            groups: entered,
            clock,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_too_much_is_noticed() {
        let fds = |count: usize| -> Vec<OwnedFd> {
            (0..count).map(|_| std::fs::File::open("/dev/null").unwrap().into()).collect()
        };
        for (count, groups, expected) in [
            (3, 0, Some((0, false))),
            (4, 0, Some((0, true))),
            (4, 1, Some((1, false))),
            (7, 3, Some((3, true))),
            (2, 0, None),
            (5, 0, None),
            (4, 2, None),
        ] {
            let unpacked = Luggage::unpacked(fds(count), groups);
            let shape = unpacked.as_ref().map(|it| (it.groups.len(), it.clock.is_some()));
            assert_eq!(shape, expected, "{count} descriptors, {groups} groups");
            assert!(unpacked.is_none_or(|it| it.fds().len() == count));
        }
    }
}
