//! The policy that scenarios share.

use super::instants::Timeline;
use super::policy::{Reach, Said};
use super::scope::Scope;
use crate::decode::{Decoder, Located, read_toml};
use crate::diagnostic::{Diagnostics, Draft, Lines, Sink};
use crate::raw::RawShared;
use crate::{Code, MAX_BYTES, Source};
use notafter_core::ScenarioName;
use serde::Deserialize;

/// The version of the format that this crate reads.
const VERSION: i64 = 1;

/// A file of its own, and what is wrong with it.
pub(super) struct Shared<'a> {
    source: &'a Source,
    lines: Lines,
    sink: Sink,
}

impl<'a> Shared<'a> {
    pub(super) fn of(source: &'a Source) -> Self {
        Self { source, lines: Lines::of(&source.text), sink: Sink::default() }
    }

    /// Its name, as the user may know it.
    pub(super) fn file(&self) -> &str {
        &self.source.file
    }

    /// What it says for all scenarios, and for the one called `name`. Names in it are those of `scope`.
    pub(super) fn said(
        &self,
        scope: &Scope<'_>,
        name: Option<&ScenarioName>,
        timeline: &Timeline,
    ) -> Vec<Said> {
        let Some(raw) = self.raw() else { return Vec::new() };
        let scope = scope.within(self.source, &self.lines, &self.sink);
        let all = scope.policy(raw.policy.as_ref(), Reach::All, timeline);
        let entries = raw.scenarios.as_ref().and_then(|entries| entries.value.as_ref());
        let is_meant = |key: &Located<String>| key.value.as_deref() == name.map(ScenarioName::as_str);
        let own = entries.and_then(|entries| entries.0.iter().find(|(key, _)| is_meant(key)));
        let own = own.and_then(|(_, policy)| scope.policy(Some(policy), Reach::One, timeline));
        all.into_iter().chain(own).collect()
    }

    fn raw(&self) -> Option<RawShared> {
        if self.source.text.len() > MAX_BYTES {
            let message = format!("a policy is at most {MAX_BYTES} bytes long");
            self.sink.report(Draft::new(Code::TooLarge, Default::default(), message));
            return None;
        }
        let node = read_toml(self.source, &self.sink)?;
        let raw = Located::<RawShared>::deserialize(Decoder { node: &node, sink: &self.sink }).ok()?.value?;
        let version = raw.notafter.as_ref().map_or((None, node.span), |it| (it.value, it.span));
        if version.0 != Some(VERSION) && self.sink.is_empty() {
            self.sink.report(
                Draft::new(
                    Code::UnsupportedVersion,
                    version.1,
                    "this is no policy of a version that is known",
                )
                .help(format!("begin it with `notafter = {VERSION}`")),
            );
        }
        Some(raw)
    }

    pub(super) fn into_diagnostics(self) -> Option<Diagnostics> {
        (!self.sink.is_empty()).then(|| self.sink.into_diagnostics(self.source, &self.lines))
    }
}
