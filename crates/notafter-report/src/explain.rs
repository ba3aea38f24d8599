//! What each finding code means, why it matters and how to mend it.
//!
//! One table feeds the help of reports and `notafter explain`. It is matched exhaustively: a code without an
//! explanation does not compile.

use crate::StyleSheet;
use crate::page::Page;
use notafter_core::FindingCode;
use std::fmt;

/// What a reader has to know about a finding code. Each text is whole sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// What the gate saw.
    pub meaning: &'static str,
    /// What it would do to users, or to the trust in the verdict.
    pub why: &'static str,
    /// What to do about it, the usual first.
    pub mend: &'static str,
}

macro_rules! explanations {
    ($($code:ident { meaning: $meaning:literal, why: $why:literal, mend: $mend:literal $(,)? })*) => {
        /// Every code, in alphabetical order.
        pub const CODES: &[FindingCode] = &[$(FindingCode::$code),*];

        /// The explanation of a code.
        #[must_use]
        pub fn explain(code: FindingCode) -> Explanation {
            match code {
                $(FindingCode::$code => Explanation { meaning: $meaning, why: $why, mend: $mend },)*
            }
        }
    };
}

explanations! {
    AlreadyBroken {
        meaning: "A check fails at the start of simulated time, and it worked just before an edge that lies before \
                  the start. The build is broken today.",
        why: "Whatever runs this build now is failing, or will fail at its next restart.",
        mend: "Replace the credential that the finding names, rebuild, and gate the new build. If this build runs \
               anywhere, treat it as an incident.",
    }
    BreaksInWindow {
        meaning: "A check that works at the start fails from an instant inside the support window on.",
        why: "On that day the release fails for its users, together with everything that depends on it, however well \
              it works today.",
        mend: "Ship a credential that outlives the support window; or renew it in time and declare the rotation; or \
               shorten the support window and plan the next release before that instant.",
    }
    BudgetExceeded {
        meaning: "The run took longer than the budget of the scenario and was ended.",
        why: "What had not run by then is unknown, and unknown is not allowed.",
        mend: "Raise `budget`, shorten `within` and `settle` of slow checks, or look for a service that hangs: the \
               cases table shows where the time went.",
    }
    ControlFails {
        meaning: "A check fails, or a service does not get ready, in a case in which no boundary is crossed.",
        why: "A scenario that does not work today says nothing about later: no failure could be told from this one.",
        mend: "Run the control case alone with the command of the report and mend the scenario or the service until \
               it passes: a missing file, a port, a command, an expectation that was never true.",
    }
    CoverageBelowPolicy {
        meaning: "Fewer of the credentials that expire inside the window were exercised than `require_coverage` \
                  demands.",
        why: "A credential that no check touches can end without any check noticing.",
        mend: "Add a check that uses each credential listed as `never` or `served`, or lower `require_coverage` and \
               answer for it.",
    }
    CredentialNotCrossed {
        meaning: "A declared or served credential ends inside the window, and no check ran on both sides of that end \
                  against the service that holds it.",
        why: "Nobody has looked at what happens when it ends.",
        mend: "Add a check that verifies this credential, such as a `tls` probe with `trust`, or waive it by its name \
               or fingerprint with an owner and a date. That a service is alive, a port is open or an unverified \
               handshake succeeds counts for nothing here.",
    }
    ExpiredEmbeddedCredential {
        meaning: "A credential in the files of the candidate ends inside the window, and nothing fails.",
        why: "The code that uses it may run rarely, may only warn, or may not be there any more; the checks cannot \
              tell.",
        mend: "Remove or renew it, or add a check that exercises it. Policy decides whether it blocks: \
               `present_but_unused: ignore`, `warn`, `doubt` (inconclusive, unless a TLS check saw it end) or `block`.",
    }
    FailOpen {
        meaning: "A peer that the release must refuse (its certificate has ended, is not valid yet, or leads to another \
                  root) was let in, while the valid peer beside it was let in too, as it should be.",
        why: "Verification is switched off or incomplete. Nobody notices until somebody uses it, and whatever counts on \
              refusals, such as revoking a device by letting its certificate end, does nothing.",
        mend: "Turn verification on where the peer is checked, and give it the trust anchors and intermediates that it \
               needs. The finding names the check and the peer.",
    }
    Flaky {
        meaning: "The same case came out differently when it ran again.",
        why: "A failure that comes and goes is no evidence, neither for a break nor against one.",
        mend: "Compare the logs of both runs (`--keep DIR`). Give slow services a larger `within` or `settle`, and \
               mend what depends on chance.",
    }
    HarnessError {
        meaning: "The gate itself failed: a sandbox, a probe or a motion of the clock did not do what was asked.",
        why: "What it could not look at is unknown, and unknown is not allowed.",
        mend: "Run `notafter doctor` to see what this machine cannot do, then run the case alone with the command of \
               the report.",
    }
    Interrupted {
        meaning: "The run was told to stop before it was done.",
        why: "What had not run by then is unknown, and unknown is not allowed.",
        mend: "Run it again. If nobody stopped it, look for a time limit of the CI job that is shorter than the \
               scenario's `budget`.",
    }
    JumpIntolerant {
        meaning: "A check fails in the walk, starts at and after that instant work, and no expiry explains it.",
        why: "The service may not bear the motion of the clock, so the failure may be the gate's own doing.",
        mend: "Look at its log at that instant. A peer that gave up waiting is normal for long leaps: give the check \
               a larger `settle`. If the service would fail in the same way after a suspend, it is a bug worth mending.",
    }
    NeverIdle {
        meaning: "A process was running, or waiting for a disk, for seconds on end while the clock was to move. Time \
                  went on without waiting for it.",
        why: "Between its motions the gate lets everything come to rest, so that each timer that is due fires and \
              what it sets off is done before time goes on. A process that never rests may have slept through what \
              it does in real life, so that it works under the gate proves nothing.",
        mend: "Let it block where it waits: a loop that polls without a pause burns a processor in production too. \
               If it is only slow, give the gate a less loaded machine. If what it does has nothing to do with time, \
               waive `never-idle` with an owner and a date.",
    }
    NothingChecked {
        meaning: "There was nothing to look at: no case ran, or no check was made in any of them.",
        why: "An empty plan passes everything.",
        mend: "Declare at least one check that uses the candidate, and see `notafter plan` for what would run.",
    }
    PlanIncomplete {
        meaning: "A case of the plan has not run.",
        why: "The verdict would rest on less than the plan promises.",
        mend: "See the cases table for what was skipped and why, and run it again.",
    }
    PlanReduced {
        meaning: "There are more instants in the support window than one run looks at: fresh starts of full depth were \
                  left out, or ends that lie close together share a stop of the walk. The note says which.",
        why: "The walk lives through every end, with the same processes. What only a fresh start shows at an instant \
              that was left out, or what breaks and heals between two ends that share a stop, was not seen.",
        mend: "Nothing, where the ends are those of a trust store. Else gate the window in parts: a later `start`, a \
               shorter `support`, each with fewer ends.",
    }
    RenewalNeeded {
        meaning: "What a service shows ends inside the support window, and the service put another in its place by \
                  itself, in time and without a restart.",
        why: "It works through the window only as long as it can renew. Where it runs without a way to its CA, with \
              an enrolment that has been withdrawn, or suspended over the renewal, it fails at that end.",
        mend: "Nothing, where renewal is part of the design: watch it, and let operators know what it needs. The \
               scenario must hold what it renews from as it is in production, or the gate proves little.",
    }
    RotationNeeded {
        meaning: "A certificate ends inside the support window, and the release works all the same because a rotation \
                  of the scenario replaces it in time. The walk performed that rotation under the running services.",
        why: "It rests on somebody, or something, doing the same in the field, in time and in that way.",
        mend: "Nothing, if the rotation is automated and watched. Else automate it, or ship what lives longer.",
    }
    RotationNotPickedUp {
        meaning: "A rotation replaced the files of a certificate, and after the time that the scenario allows the \
                  service still showed the old one to whoever connected.",
        why: "The new certificate lies on the disk, monitoring of files is content, and on the day on which the old \
              one ends everybody is refused all the same.",
        mend: "Reload the service after its files are replaced (`then`), have it watch them, or find in its log why it \
               did not take them: a key that does not belong to the certificate, permissions, a file replaced by \
               another one while the service watches the old.",
    }
    SkewIntolerant {
        meaning: "Something fails where the clock of the candidate is five minutes ahead of, or behind, that of everybody \
                  else, and nothing else changes. Full depth tries both.",
        why: "Machines are never quite of one mind about the time. Behind, what has just been issued is not valid yet: a \
              certificate that was made at the start, a token. Ahead, what is renewed in its last minutes has ended.",
        mend: "Let whoever issues date back by some minutes, and whoever verifies allow for as much. Where neither is \
               meant to, watch the clocks of the machines on which it runs.",
    }
    Unshifted {
        meaning: "A process ran without proof that it saw the shifted clock, or made a call for the time that the \
                  engine does not handle.",
        why: "It may have lived in the present all along; its passing would prove nothing about later.",
        mend: "See the reason beside the process. Usual ones: a tracer or sandbox of its own, a 32-bit program, a \
               missing capability. `notafter doctor` shows what this machine lacks.",
    }
    WaiverExpired {
        meaning: "A waiver has run out, and what it covered is still there.",
        why: "Somebody promised that this would be mended by that day.",
        mend: "Mend what it covers, or let its owner answer for it again with a new `until`.",
    }
    WaiverTooBroad {
        meaning: "A waiver gives a code alone, for something that has a name; it lets nothing pass.",
        why: "Written for one credential, it would let whatever ends next pass as well, unseen.",
        mend: "Name what it is about: `credential` for one that the scenario declares, `fingerprint` for one in the \
               files, and where no credential is behind it the `checks` that may fall.",
    }
    WaiverUnmatched {
        meaning: "A waiver is in force and covers nothing that this run found.",
        why: "What it was written for is gone. It lies in wait for the next of its kind.",
        mend: "Remove it.",
    }
}

/// The code that reports show as `text`.
#[must_use]
pub fn find(text: &str) -> Option<FindingCode> {
    CODES.iter().copied().find(|code| code.as_str() == text)
}

/// Writes the explanation of a code for a terminal.
///
/// # Errors
/// Where the sink fails.
pub fn write(
    sink: &mut impl fmt::Write,
    code: &str,
    explanation: &Explanation,
    styles: &StyleSheet,
) -> fmt::Result {
    let mut page = Page::new(sink, styles);
    let Explanation { meaning, why, mend } = *explanation;
    page.line(&[(styles.heading, code)])?;
    for (name, text) in [("meaning", meaning), ("why it matters", why), ("how to mend it", mend)] {
        page.section(name)?;
        page.paragraph(2, 0, text)?;
    }
    Ok(())
}

/// Writes codes with what they mean, each on a line of its own or two.
///
/// # Errors
/// Where the sink fails.
pub fn list(
    sink: &mut impl fmt::Write,
    title: &str,
    codes: &[(&str, &str)],
    styles: &StyleSheet,
) -> fmt::Result {
    let mut page = Page::new(sink, styles);
    page.line(&[(styles.heading, title)])?;
    let widest = codes.iter().map(|(code, _)| code.len()).max().unwrap_or(0);
    codes.iter().try_for_each(|(code, meaning)| page.item(widest + 4, code, 0, meaning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_alphabetical_and_found_by_their_text() {
        assert!(CODES.is_sorted_by_key(|code| code.as_str()));
        for &code in CODES {
            assert_eq!(find(code.as_str()), Some(code));
        }
        assert_eq!(find("no-such-code"), None);
    }

    #[test]
    fn every_explanation_is_whole_sentences() {
        for &code in CODES {
            let Explanation { meaning, why, mend } = explain(code);
            for text in [meaning, why, mend] {
                assert!(text.ends_with('.') && text.starts_with(char::is_uppercase), "{code}: {text}");
                assert!(!text.contains("  "), "{code}: {text}");
            }
        }
    }

    #[test]
    fn an_explanation_reads_on_a_terminal() {
        let mut text = String::new();
        write(&mut text, "breaks-in-window", &explain(FindingCode::BreaksInWindow), &StyleSheet::plain())
            .unwrap();
        insta::assert_snapshot!(text);
    }
}
