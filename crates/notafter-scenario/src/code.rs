//! The stable code of every diagnostic.

use std::fmt;

macro_rules! codes {
    ($($(#[$meta:meta])* $variant:ident => $text:literal,)*) => {
        /// What is wrong with a scenario file. The text of a code is stable: scripts and tickets refer to it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$meta])* $variant,)*
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
        }
    };
}

codes! {
    /// A text that should be `SERVICE:PORT`, a DNS name or an IP address is none.
    BadAddress => "bad-address",
    /// A text that should be a duration is none, or none that fits its place.
    BadDuration => "bad-duration",
    /// A name inside a folder of files is no plain file name.
    BadFileName => "bad-file-name",
    /// A text that should be a SHA-256 fingerprint is none.
    BadFingerprint => "bad-fingerprint",
    /// A text that should be an instant is none, or names one that has no meaning in its place.
    BadInstant => "bad-instant",
    /// A text cannot serve as a name.
    BadName => "bad-name",
    /// A text that should be a share from `0%` to `100%` is none.
    BadPercentage => "bad-percentage",
    /// A number is no TCP port.
    BadPort => "bad-port",
    /// A text is no subject of a certificate.
    BadSubject => "bad-subject",
    /// A text is empty, or holds a character that its place cannot hold.
    BadText => "bad-text",
    /// A text is no URL of the form that its probe needs.
    BadUrl => "bad-url",
    /// A `${` in a value does not read as a reference to a variable, or its value is too long.
    BadVariable => "bad-variable",
    /// The budget leaves no time.
    BudgetNotPositive => "budget-not-positive",
    /// The command line chooses a build of a service that is not the candidate.
    CandidateMismatch => "candidate-mismatch",
    /// Two keys contradict each other.
    ConflictingKeys => "conflicting-keys",
    /// A `rejected` expectation names its own check as control.
    ControlIsItself => "control-is-itself",
    /// A `rejected` expectation names a control that is never expected to work.
    ControlNeverWorks => "control-never-works",
    /// Validities of credentials refer to each other in a circle.
    CredentialCycle => "credential-cycle",
    /// Services wait for each other in a circle.
    DependencyCycle => "dependency-cycle",
    /// A list holds the same thing twice.
    DuplicateEntry => "duplicate-entry",
    /// A map holds the same key twice.
    DuplicateKey => "duplicate-key",
    /// Two files or volumes of a service have the same path.
    DuplicatePath => "duplicate-path",
    /// A limit leaves no time.
    DurationNotPositive => "duration-not-positive",
    /// There are no checks.
    EmptyChecks => "empty-checks",
    /// A command has no words.
    EmptyCommand => "empty-command",
    /// A check expects nothing.
    EmptyExpectation => "empty-expectation",
    /// A list that needs an element has none.
    EmptyList => "empty-list",
    /// An expectation's span ends before it begins.
    EmptySpan => "empty-span",
    /// A validity ends before it begins.
    EmptyValidity => "empty-validity",
    /// The spans of a check's expectations leave an instant out.
    ExpectationGap => "expectation-gap",
    /// An expectation speaks of something that its probe does not see.
    ExpectationMisfit => "expectation-misfit",
    /// Two expectations of a check hold at the same instant.
    ExpectationOverlap => "expectation-overlap",
    /// An instant lies outside what calendars here can show.
    InstantOutOfRange => "instant-out-of-range",
    /// Credentials sign each other in a circle.
    IssuerCycle => "issuer-cycle",
    /// Nothing says what the candidate runs.
    MissingCandidateImage => "missing-candidate-image",
    /// A service that is not the candidate has no image.
    MissingImage => "missing-image",
    /// A key that must be there is not.
    MissingKey => "missing-key",
    /// A TLS probe that verifies has no trust anchor.
    MissingTrust => "missing-trust",
    /// Permission bits are not octal digits.
    ModeNotOctal => "mode-not-octal",
    /// A credential that must be a CA is none.
    NotACa => "not-a-ca",
    /// A key is part of the format's design and not supported yet.
    NotBuilt => "not-built",
    /// The text is no YAML, or nests too deep or grows too large for a scenario.
    NotYaml => "not-yaml",
    /// A number is outside its bounds.
    OutOfRange => "out-of-range",
    /// A path inside a service does not start with `/`.
    PathNotAbsolute => "path-not-absolute",
    /// A path inside a service holds `.`, `..` or an empty part.
    PathNotPlain => "path-not-plain",
    /// Two services listen on the same port.
    PortTaken => "port-taken",
    /// The support window has no length.
    SupportNotPositive => "support-not-positive",
    /// The text is longer than any scenario needs to be.
    TooLarge => "too-large",
    /// There is no build of this name.
    UndefinedBuild => "undefined-build",
    /// There is no check of this name.
    UndefinedCheck => "undefined-check",
    /// There is no credential of this name.
    UndefinedCredential => "undefined-credential",
    /// There is no service of this name.
    UndefinedService => "undefined-service",
    /// A variable is not set and has no default.
    UndefinedVariable => "undefined-variable",
    /// A probe connects to a host that is no service.
    UnknownHost => "unknown-host",
    /// A key is not part of the format.
    UnknownKey => "unknown-key",
    /// A word is none of those that fit its place.
    UnknownValue => "unknown-value",
    /// An image has a form that is not supported.
    UnsupportedImage => "unsupported-image",
    /// The file is written in a version of the format that is not known.
    UnsupportedVersion => "unsupported-version",
    /// A probe names a trust anchor and verifies nothing.
    VerifyOffWithTrust => "verify-off-with-trust",
    /// A waiver has no owner.
    WaiverWithoutOwner => "waiver-without-owner",
    /// The support window ends before it begins.
    WindowInThePast => "window-in-the-past",
    /// A value has another shape than its place needs.
    WrongType => "wrong-type",
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
