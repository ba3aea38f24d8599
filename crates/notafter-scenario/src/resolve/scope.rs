//! What every part of the resolution needs: where things are, which names exist, and where to report.

use crate::compose::Project;
use crate::decode::Located;
use crate::diagnostic::{Draft, Lines, Sink, Span};
use crate::nearest::nearest;
use crate::raw::{RawCredential, RawScenario};
use crate::time::{Amount, AmountError};
use crate::{Code, Source};
use notafter_core::{NameError, SourceLocation};
use std::collections::HashSet;
use std::time::Duration;

/// Real time that a scenario may ask for in one place.
const MAX_DURATION: Duration = Duration::from_secs(30 * 86_400);

/// Names of one kind, as declared.
#[derive(Debug, Clone, Default)]
pub(crate) struct Declared<'a> {
    list: Vec<&'a str>,
    set: HashSet<&'a str>,
}

impl<'a> Declared<'a> {
    fn new(names: impl Iterator<Item = &'a str>) -> Self {
        let list: Vec<&str> = names.collect();
        Self { set: list.iter().copied().collect(), list }
    }

    /// The same with `more` behind them.
    fn and(self, more: impl Iterator<Item = &'a str>) -> Self {
        let mut all = self.list;
        for name in more {
            if !self.set.contains(name) {
                all.push(name);
            }
        }
        Self::new(all.into_iter())
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.set.contains(name)
    }

    pub(crate) fn list(&self) -> &[&'a str] {
        &self.list
    }
}

/// What a name may refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    Build,
    Check,
    /// A certificate.
    Credential,
    Crl,
    Service,
    Token,
}

/// What every part of the resolution needs.
#[derive(Clone)]
pub(crate) struct Scope<'a> {
    source: &'a Source,
    lines: &'a Lines,
    sink: &'a Sink,
    builds: Declared<'a>,
    checks: Declared<'a>,
    credentials: Declared<'a>,
    services: Declared<'a>,
    /// Services of Compose files.
    pub(super) compose: Option<&'a Project<'a>>,
    /// Credentials that cannot be trust anchors: they are signed by another, and sign nothing.
    leaves: HashSet<&'a str>,
    /// Credentials that are revocation lists and no certificates.
    crls: HashSet<&'a str>,
    /// Those that are tokens.
    tokens: HashSet<&'a str>,
}

impl<'a> Scope<'a> {
    /// The same names, for what stands in another file.
    pub(crate) fn within<'b>(&self, source: &'b Source, lines: &'b Lines, sink: &'b Sink) -> Scope<'b>
    where
        'a: 'b,
    {
        Scope { source, lines, sink, ..self.clone() }
    }

    pub(crate) fn new(
        source: &'a Source,
        lines: &'a Lines,
        sink: &'a Sink,
        raw: &'a RawScenario,
        compose: Option<&'a Project<'a>>,
    ) -> Self {
        fn declared<'a, T>(entries: Option<&'a Located<crate::decode::Entries<T>>>) -> Declared<'a> {
            let entries = entries.and_then(|entries| entries.value.as_ref());
            Declared::new(entries.into_iter().flat_map(crate::decode::Entries::keys))
        }
        Self {
            source,
            lines,
            sink,
            builds: declared(raw.builds.as_ref()),
            checks: declared(raw.checks.as_ref()),
            credentials: declared(raw.credentials.as_ref()),
            services: declared(raw.services.as_ref()).and(
                compose
                    .into_iter()
                    .flat_map(|project| &project.services)
                    .map(|service| service.name.as_str()),
            ),
            compose,
            leaves: leaves(raw).collect(),
            crls: of_kind(raw, Target::Crl).collect(),
            tokens: of_kind(raw, Target::Token).collect(),
        }
    }

    pub(crate) fn report(&self, draft: Draft) {
        self.sink.report(draft);
    }

    /// Reports and yields nothing, for `return` and `else`.
    pub(crate) fn fail<T>(&self, draft: Draft) -> Option<T> {
        self.sink.report(draft);
        None
    }

    pub(crate) fn directory(&self) -> std::path::PathBuf {
        self.source.directory.clone()
    }

    pub(crate) fn location(&self, span: Span) -> SourceLocation {
        self.lines.locate(self.source, span.begin)
    }

    pub(crate) fn declared(&self, target: Target) -> &Declared<'a> {
        match target {
            Target::Build => &self.builds,
            Target::Check => &self.checks,
            Target::Credential | Target::Crl | Target::Token => &self.credentials,
            Target::Service => &self.services,
        }
    }

    /// A name that is declared here.
    pub(crate) fn name<N: TryFrom<String, Error = NameError>>(&self, text: &Located<String>) -> Option<N> {
        let (text, span) = text.get()?;
        N::try_from(text.clone())
            .map_err(|_| {
                let draft = Draft::new(Code::BadName, span, format!("`{text}` cannot be a name"));
                self.report(
                    draft.help("use 1 to 63 letters, digits, `.`, `_` or `-`, the first a letter or digit"),
                );
            })
            .ok()
    }

    /// A name that must be declared somewhere.
    pub(crate) fn reference<N: TryFrom<String, Error = NameError>>(
        &self,
        target: Target,
        text: &Located<String>,
    ) -> Option<N> {
        let (text, span) = text.get()?;
        if !self.declared(target).contains(text) {
            return self.fail(self.undefined(target, text, span));
        }
        let (wanted, is) = (word(target), word(self.kind_of(text)));
        if matches!(target, Target::Credential | Target::Crl | Target::Token) && wanted != is {
            let message = format!("`{text}` is a {is}, and here stands the name of a {wanted}");
            return self.fail(Draft::new(Code::UndefinedCredential, span, message));
        }
        // What is declared under an impossible name is reported there.
        N::try_from(text.clone()).ok()
    }

    /// What a declared credential is.
    pub(crate) fn kind_of(&self, credential: &str) -> Target {
        match (self.crls.contains(credential), self.tokens.contains(credential)) {
            (true, _) => Target::Crl,
            (false, true) => Target::Token,
            (false, false) => Target::Credential,
        }
    }

    pub(crate) fn is_leaf(&self, credential: &str) -> bool {
        self.leaves.contains(credential)
    }

    pub(crate) fn undefined(&self, target: Target, text: &str, span: Span) -> Draft {
        let (code, kind) = match target {
            Target::Build => (Code::UndefinedBuild, "build"),
            Target::Check => (Code::UndefinedCheck, "check"),
            Target::Credential => (Code::UndefinedCredential, "credential"),
            Target::Crl => (Code::UndefinedCredential, "revocation list"),
            Target::Service => (Code::UndefinedService, "service"),
            Target::Token => (Code::UndefinedCredential, "token"),
        };
        Draft::new(code, span, format!("there is no {kind} `{text}`")).help(
            self.suggestion(target, text).unwrap_or_else(|| format!("this scenario has no {kind} at all")),
        )
    }

    /// The nearest declared name, or the first few; none where there are none.
    pub(crate) fn suggestion(&self, target: Target, text: &str) -> Option<String> {
        const SHOWN: usize = 12;
        let list = self.declared(target).list();
        if let Some(name) = nearest(text, list.iter().copied()) {
            return Some(format!("did you mean `{name}`?"));
        }
        let shown: Vec<String> = list.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
        let more = if list.len() > SHOWN { ", …" } else { "" };
        (!shown.is_empty()).then(|| format!("declared here: {}{more}", shown.join(", ")))
    }

    /// Real time that may be nothing.
    pub(crate) fn duration(&self, text: &Located<String>) -> Option<Duration> {
        let (text, span) = text.get()?;
        let amount = self.amount(text, span)?;
        let Some(duration) = amount.as_duration() else {
            let message = format!("`{text}` has no fixed length in real time");
            return self
                .fail(Draft::new(Code::BadDuration, span, message).help("use `d`, `h`, `m`, `s` or `ms`"));
        };
        if duration > MAX_DURATION {
            return self.fail(Draft::new(
                Code::BadDuration,
                span,
                format!("`{text}` is longer than 30 days"),
            ));
        }
        Some(duration)
    }

    /// Real time that must be more than nothing.
    pub(crate) fn positive_duration(&self, text: &Located<String>, otherwise: Code) -> Option<Duration> {
        if let Some((written, span)) = text.get()
            && written.strip_prefix('-').is_some_and(|rest| Amount::parse(rest).is_ok())
        {
            return self.fail(Draft::new(otherwise, span, format!("`{written}` is less than no time")));
        }
        let duration = self.duration(text)?;
        if duration.is_zero() {
            return self.fail(Draft::new(otherwise, text.span, "this leaves no time at all"));
        }
        Some(duration)
    }

    pub(crate) fn amount(&self, text: &str, span: Span) -> Option<Amount> {
        Amount::parse(text).map_err(|error| self.report(bad_amount(text, span, error))).ok()
    }

    /// A list in which nothing stands twice.
    pub(crate) fn distinct<'r, T, U: PartialEq>(
        &self,
        list: Option<&'r Located<Vec<Located<T>>>>,
        mut resolve: impl FnMut(&'r Located<T>) -> Option<U>,
    ) -> Vec<U> {
        let mut distinct: Vec<U> = Vec::new();
        for element in list.and_then(|list| list.value.as_ref()).into_iter().flatten() {
            match resolve(element) {
                Some(value) if distinct.contains(&value) => {
                    self.report(Draft::new(Code::DuplicateEntry, element.span, "this is listed twice"));
                }
                Some(value) => distinct.push(value),
                None => {}
            }
        }
        distinct
    }

    /// Plain texts, as they are.
    pub(crate) fn texts(&self, list: Option<&Located<Vec<Located<String>>>>) -> Vec<String> {
        let list = list.and_then(|list| list.value.as_ref());
        list.into_iter().flatten().filter_map(|text| text.value.clone()).collect()
    }

    /// A command and its arguments.
    pub(crate) fn command(&self, list: &Located<Vec<Located<String>>>) -> Option<Vec<String>> {
        let (words, span) = list.get()?;
        let command: Option<Vec<String>> = words.iter().map(|word| word.value.clone()).collect();
        let command = command?;
        if command.first().is_none_or(String::is_empty) {
            return self.fail(Draft::new(Code::EmptyCommand, span, "there is no command here"));
        }
        if let Some(at) = command.iter().position(|word| word.contains('\0')) {
            return self.fail(Draft::new(Code::BadText, words[at].span, "no argument can hold a zero byte"));
        }
        Some(command)
    }

    /// A path inside a service: absolute, without `.`, `..` and empty parts.
    pub(crate) fn absolute_path(&self, text: &str, span: Span) -> Option<String> {
        let Some(inner) = text.strip_prefix('/') else {
            let draft = Draft::new(Code::PathNotAbsolute, span, format!("`{text}` is no absolute path"));
            return self.fail(draft.help("paths inside a service start with `/`"));
        };
        let odd = inner.split('/').any(|part| matches!(part, "" | "." | "..")) || text.contains('\0');
        if odd && text != "/" {
            let message = format!("`{text}` is not the plain form of a path");
            return self.fail(
                Draft::new(Code::PathNotPlain, span, message)
                    .help("leave out `.`, `..`, `//` and a final `/`"),
            );
        }
        Some(text.to_owned())
    }

    /// A whole number between two bounds.
    pub(crate) fn number<N: TryFrom<i64>>(
        &self,
        number: &Located<i64>,
        from: i64,
        to: i64,
        code: Code,
    ) -> Option<N> {
        let (number, span) = number.get()?;
        match N::try_from(*number) {
            Ok(fits) if (from..=to).contains(number) => Some(fits),
            _ => self.fail(Draft::new(code, span, format!("{number} is not between {from} and {to}"))),
        }
    }
}

/// Names of revocation lists, or of tokens.
fn of_kind(raw: &RawScenario, kind: Target) -> impl Iterator<Item = &str> {
    let entries = raw.credentials.iter().filter_map(|credentials| credentials.value.as_ref());
    entries.flat_map(|entries| &entries.0).filter_map(move |(name, credential)| {
        let is_of_kind = match credential.value.as_ref()? {
            RawCredential::Crl(_) => matches!(kind, Target::Crl),
            RawCredential::Jwt(_) => matches!(kind, Target::Token),
            RawCredential::X509(_) => false,
        };
        name.value.as_deref().filter(|_| is_of_kind)
    })
}

/// What a name refers to, for people.
fn word(target: Target) -> &'static str {
    match target {
        Target::Build => "build",
        Target::Check => "check",
        Target::Credential => "certificate",
        Target::Crl => "revocation list",
        Target::Service => "service",
        Target::Token => "token",
    }
}

fn leaves(raw: &RawScenario) -> impl Iterator<Item = &str> {
    let entries = raw.credentials.iter().filter_map(|credentials| credentials.value.as_ref());
    entries.flat_map(|entries| &entries.0).filter_map(|(name, credential)| {
        let RawCredential::X509(x509) = credential.value.as_ref()? else { return None };
        let is_leaf = x509.ca.is_none() && x509.issuer.is_some();
        name.value.as_deref().filter(|_| is_leaf)
    })
}

/// Why `text` is no duration, and what one looks like.
pub(crate) fn bad_amount(text: &str, span: Span, error: AmountError) -> Draft {
    match error {
        AmountError::Malformed => Draft::new(Code::BadDuration, span, format!("`{text}` is no duration"))
            .help("write whole numbers with `y`, `mo`, `d`, `h`, `m`, `s` or `ms`: `90d`, `1h30m`"),
        AmountError::TooLong => {
            Draft::new(Code::InstantOutOfRange, span, format!("`{text}` is longer than ten thousand years"))
        }
    }
}
