//! What the process tells its caller. CI treats everything but 0 as blocked.

use notafter_core::{Decision, Standing};
use std::process::ExitCode;

/// How the process ends, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Allow; for commands that judge nothing: done.
    Allow,
    /// Block; for `replay`: something came out otherwise than told.
    Block,
    /// The gate could not look.
    Inconclusive,
    /// The scenario or the command line is wrong.
    Usage,
}

impl Exit {
    /// 0 allow, 1 block, 2 usage or scenario error, 3 inconclusive.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Allow => 0,
            Self::Block => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
        }
    }

    /// A failure of the gate beside its verdict: an allow cannot stand any more, a block can.
    pub(crate) fn or_inconclusive(self) -> Self {
        match self {
            Self::Allow => Self::Inconclusive,
            Self::Block | Self::Inconclusive | Self::Usage => self,
        }
    }
}

impl From<Decision> for Exit {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Allow => Self::Allow,
            Decision::Block => Self::Block,
            Decision::Inconclusive => Self::Inconclusive,
        }
    }
}

impl From<Standing> for Exit {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Allow => Self::Allow,
            Standing::Block => Self::Block,
            Standing::Inconclusive => Self::Inconclusive,
            Standing::Refused => Self::Usage,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allow_is_zero_and_a_failure_beside_it_takes_it_away() {
        let all = [Exit::Allow, Exit::Block, Exit::Inconclusive, Exit::Usage];
        assert_eq!(all.map(Exit::code), [0, 1, 3, 2]);
        assert_eq!(all.map(|exit| exit.or_inconclusive().code()), [3, 1, 3, 2]);
    }
}
