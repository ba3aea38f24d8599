//! The stable code of every diagnostic, with what it means and how to mend it.

use std::fmt;

macro_rules! codes {
    ($($(#[doc = $meaning:literal])* $variant:ident => $text:literal, $mend:literal;)*) => {
        /// What is wrong with a scenario file. The text of a code is stable: scripts and tickets refer to it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $meaning])* $variant,)*
        }

        impl Code {
            /// Every code, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code as it stands in messages, such as `unknown-key`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// What it means, as whole sentences.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($meaning),*).trim_ascii(),)*
                }
            }

            /// What to do about it, as whole sentences.
            #[must_use]
            pub const fn mend(self) -> &'static str {
                match self {
                    $(Self::$variant => $mend,)*
                }
            }
        }
    };
}

codes! {
    /// A text that should be `SERVICE:PORT`, a DNS name or an IP address is none.
    BadAddress => "bad-address", "Write `SERVICE:PORT` for an address of a probe, and plain DNS names or IP addresses in `dns` and `ip`.";
    /// A text that should be a duration is none, or none that fits its place.
    BadDuration => "bad-duration", "Write a number and a unit, as in `500ms`, `30s`, `24h`, `90d`, `3mo` or `2y`; months and years only where a calendar is known.";
    /// A name inside a folder of files is no plain file name.
    BadFileName => "bad-file-name", "Use a name without slashes for each file of a folder.";
    /// A text that should be a SHA-256 fingerprint is none.
    BadFingerprint => "bad-fingerprint", "Copy the 64 hex digits that a report shows as `fingerprint`.";
    /// A text that should be an instant is none, or names one that has no meaning in its place.
    BadInstant => "bad-instant", "Write RFC 3339 as in `2018-12-06T04:30:00Z`, a distance from start as in `+90d`, or an edge as in `hss.not_after - 1s`.";
    /// A text that should be an amount of memory or a number of processors is none, or out of bounds.
    BadLimit => "bad-limit", "Write `mem_limit: 512m` with `k`, `m` or `g`, 6m at least, and `cpus: 1.5`, 0.01 at least.";
    /// A text cannot serve as a name.
    BadName => "bad-name", "Use letters, digits, `.`, `_` and `-`, at most 63, and begin with a letter or a digit.";
    /// A text that should be a share from `0%` to `100%` is none.
    BadPercentage => "bad-percentage", "Write a whole number and a percent sign, as in `100%`.";
    /// A text that should be a regular expression is none.
    BadPattern => "bad-pattern", "Write a regular expression of the Rust crate `regex`, in single quotes: `'^ok \\d+$'`.";
    /// A text is no JSON Pointer.
    BadPointer => "bad-pointer", "Write `/` before each name or number on the way to the value, as in `/items/0/name`; in a name `~1` is a slash and `~0` a tilde.";
    /// A number is no TCP port.
    BadPort => "bad-port", "Write a number from 1 to 65535.";
    /// A text is no subject of a certificate.
    BadSubject => "bad-subject", "Write attributes as in `CN=hss,O=Example`.";
    /// A text is empty, or holds a character that its place cannot hold.
    BadText => "bad-text", "Say something there, without line breaks and control characters.";
    /// A text is no URL of the form that its probe needs.
    BadUrl => "bad-url", "Write `http://SERVICE:PORT/PATH`, or `https://` for a probe over TLS.";
    /// A `${` in a value does not read as a reference to a variable, or its value is too long.
    BadVariable => "bad-variable", "Write `${NAME}` or `${NAME:-default}`, and `$$` for a dollar sign.";
    /// The budget leaves no time.
    BudgetNotPositive => "budget-not-positive", "Give the run some time, as in `budget: 120s`, or leave the key out.";
    /// The dwell leaves no time.
    DwellNotPositive => "dwell-not-positive", "Give services some time behind each boundary, as in `dwell: 7d`, or leave the key out.";
    /// The command line chooses a build of a service that is not the candidate.
    CandidateMismatch => "candidate-mismatch", "Name the scenario's own candidate in `--candidate NAME=BUILD`.";
    /// A Compose file, or a file that one names, cannot be read.
    ComposeUnreadable => "compose-unreadable", "Name a file that is there; paths in a Compose file start at the directory of the first of them.";
    /// Two keys contradict each other.
    ConflictingKeys => "conflicting-keys", "Keep the one that you mean and remove the other.";
    /// A `rejected` expectation names its own check as control.
    ControlIsItself => "control-is-itself", "Name another check as `control`: one that works while this one is refused.";
    /// A `rejected` expectation names a control that is never expected to work.
    ControlNeverWorks => "control-never-works", "Name a check as `control` that is expected to work at the same time.";
    /// Validities of credentials refer to each other in a circle.
    CredentialCycle => "credential-cycle", "Fix one of the validities by an instant or a distance from start.";
    /// Services wait for each other in a circle.
    DependencyCycle => "dependency-cycle", "Remove one of the `needs` or `after`; where a service only has to start later, `after` is enough.";
    /// A list holds the same thing twice.
    DuplicateEntry => "duplicate-entry", "Remove one of them.";
    /// A map holds the same key twice.
    DuplicateKey => "duplicate-key", "Remove one of them, or give one another name.";
    /// Two files or volumes of a service have the same path.
    DuplicatePath => "duplicate-path", "Give one of them another path.";
    /// A limit leaves no time.
    DurationNotPositive => "duration-not-positive", "Give it some time, as in `10s`.";
    /// There are no checks.
    EmptyChecks => "empty-checks", "Ask at least one thing of the candidate: a gate that looks at nothing allows nothing.";
    /// A command has no words.
    EmptyCommand => "empty-command", "Name the program and its arguments, as in `[sleep, \"60\"]`.";
    /// A check expects nothing.
    EmptyExpectation => "empty-expectation", "Say what must be seen, as in `expect: { works: {} }`.";
    /// A list that needs an element has none.
    EmptyList => "empty-list", "Name at least one element, or leave the key out.";
    /// An expectation's span ends before it begins.
    EmptySpan => "empty-span", "Let `through` lie behind `after`.";
    /// A validity ends before it begins.
    EmptyValidity => "empty-validity", "Let `until` lie behind `from`.";
    /// The spans of a check's expectations leave an instant out.
    ExpectationGap => "expectation-gap", "Let each span begin where the one before it ends: `through: T` and `after: T`.";
    /// An expectation speaks of something that its probe does not see.
    ExpectationMisfit => "expectation-misfit", "Expect what the probe sees: `status` of HTTP, `exit` of a command.";
    /// Two expectations of a check hold at the same instant.
    ExpectationOverlap => "expectation-overlap", "Let each span begin where the one before it ends: `through: T` and `after: T`.";
    /// An instant lies outside what calendars here can show.
    InstantOutOfRange => "instant-out-of-range", "Stay within the years -9999 to 9999.";
    /// Credentials sign each other in a circle.
    IssuerCycle => "issuer-cycle", "Let one of them be a root: `ca: root`.";
    /// Nothing says what the candidate runs.
    MissingCandidateImage => "missing-candidate-image", "Give the service an `image`, give the scenario `builds`, or pass `--candidate NAME=IMAGE`.";
    /// A service that is not the candidate has no image.
    MissingImage => "missing-image", "Give the service an `image`.";
    /// A key that must be there is not.
    MissingKey => "missing-key", "Add the key that the message names; `notafter schema` lists all of them.";
    /// A TLS probe that verifies has no trust anchor.
    MissingTrust => "missing-trust", "Name a declared CA as `trust`, or say `verify: off` where nothing is to be verified.";
    /// Permission bits are not octal digits.
    ModeNotOctal => "mode-not-octal", "Write permission bits in quotes, as in `\"0640\"`.";
    /// A credential that must be a CA is none.
    NotACa => "not-a-ca", "Name a credential with `ca: root` or `ca: { intermediate: … }`.";
    /// A key is part of the format's design and not supported yet.
    NotBuilt => "not-built", "Leave the key out; the README lists what is not built yet.";
    /// The text is no TOML.
    NotToml => "not-toml", "Mend the line that the message shows.";
    /// A waiver for a code that says that the gate did not look.
    NotWaivable => "not-waivable", "Mend what keeps the gate from looking; nobody can answer for what it did not see.";
    /// The text is no YAML, or nests too deep or grows too large for a scenario.
    NotYaml => "not-yaml", "Mend the line that the message shows; an editor with the schema finds such places as you write.";
    /// A number is outside its bounds.
    OutOfRange => "out-of-range", "Choose a number within the bounds that the message names.";
    /// A path inside a service does not start with `/`.
    PathNotAbsolute => "path-not-absolute", "Begin the path with `/`: it lies inside the service.";
    /// A path inside a service holds `.`, `..` or an empty part.
    PathNotPlain => "path-not-plain", "Write the path without `.`, `..` and empty parts.";
    /// Two services listen on the same port.
    PortTaken => "port-taken", "Give one of them another port: services share the addresses of one network.";
    /// A rotation and what it is to replace do not fit together.
    RotationMisfit => "rotation-misfit", "Rotate what a service or a probe holds, inside the support window, once at each instant.";
    /// The support window has no length.
    SupportNotPositive => "support-not-positive", "Say how long the release must live, as in `support: 2y`.";
    /// The text is longer than any scenario needs to be.
    TooLarge => "too-large", "Split the scenario; files of services lie beside it, not in it.";
    /// There is no build of this name.
    UndefinedBuild => "undefined-build", "Use one of the names under `builds`; the message shows the nearest.";
    /// There is no check of this name.
    UndefinedCheck => "undefined-check", "Use one of the names under `checks`; the message shows the nearest.";
    /// There is no credential of this name.
    UndefinedCredential => "undefined-credential", "Declare it under `credentials`, or use the nearest name that the message shows.";
    /// A Compose file defines no config or secret of this name.
    UndefinedFile => "undefined-file", "Define it at the top of the Compose file, under `configs` or `secrets`.";
    /// There is no service of this name.
    UndefinedService => "undefined-service", "Use one of the names under `services`; the message shows the nearest.";
    /// A variable is not set and has no default.
    UndefinedVariable => "undefined-variable", "Set it in the environment, or give a default: `${NAME:-…}`.";
    /// A Compose file defines no volume of this name.
    UndefinedVolume => "undefined-volume", "Define it at the top of the Compose file, under `volumes`.";
    /// A probe connects to a host that is no service.
    UnknownHost => "unknown-host", "Connect to a service of the scenario by its name: nothing else can be reached.";
    /// A key is not part of the format.
    UnknownKey => "unknown-key", "Use the nearest key that the message shows, or remove it: an ignored key would be believed in.";
    /// A word is none of those that fit its place.
    UnknownValue => "unknown-value", "Use one of the words that the message lists.";
    /// A key of a Compose file asks for what a sandbox has not.
    UnsupportedCompose => "unsupported-compose", "Give the gate a copy of the file without the key, if what is to be tested does not rest on it.";
    /// An image has a form that is not supported.
    UnsupportedImage => "unsupported-image", "Use `host`, `rootfs:PATH`, `cargo:PACKAGE/BIN` or another form that the message lists.";
    /// The file is written in a version of the format that is not known.
    UnsupportedVersion => "unsupported-version", "Read it with a newer notafter, or write the version that the message names.";
    /// A probe names a trust anchor and verifies nothing.
    VerifyOffWithTrust => "verify-off-with-trust", "Remove `trust`, or remove `verify: off`.";
    /// A waiver has no owner.
    WaiverWithoutOwner => "waiver-without-owner", "Name whoever answers for it: `owner: team@example.net`.";
    /// The support window ends before it begins.
    WindowInThePast => "window-in-the-past", "Let `support` end behind `start`, or say a distance as in `support: 2y`.";
    /// A value has another shape than its place needs.
    WrongType => "wrong-type", "Write a text, a number, a list or a map, whichever the message asks for.";
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
