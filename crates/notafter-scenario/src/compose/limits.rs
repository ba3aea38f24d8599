//! What a service may use and do at most: `mem_limit`, `cpus`, `pids_limit`, `deploy`, `cap_drop` and `cap_add`.

use super::decode::Decoding;
use super::folder::At;
use super::partial::{Bounds, Partial, Said};
use crate::Code;
use crate::bounds::{self, Named};
use crate::decode::Node;
use crate::diagnostic::Draft;

impl Decoding<'_> {
    pub(crate) fn memory(&self, at: At, node: &Node, bounds: &mut Bounds) {
        if let Some(value) = self.bound(node, bounds::memory) {
            self.once(&mut bounds.memory_bytes, Said { at, value });
        }
    }

    pub(crate) fn cpus(&self, at: At, node: &Node, bounds: &mut Bounds) {
        if let Some(value) = self.bound(node, bounds::cpus) {
            self.once(&mut bounds.milli_cpus, Said { at, value });
        }
    }

    pub(crate) fn pids(&self, at: At, node: &Node, bounds: &mut Bounds) {
        let parse = |text: &str| text.parse().map_err(|_| format!("`{text}` is no number of processes"));
        if let Some(value) = self.bound(node, parse) {
            self.once(&mut bounds.pids, Said { at, value });
        }
    }

    /// A bound, or none where the file takes it off: 0 or -1.
    fn bound<T>(&self, node: &Node, parse: impl Fn(&str) -> Result<T, String>) -> Option<Option<T>> {
        let text = self.scalar(node)?;
        if matches!(text.as_str(), "0" | "-1") {
            return Some(None);
        }
        match parse(&text) {
            Ok(bound) => Some(Some(bound)),
            Err(message) => {
                self.folder.report(self.at(node), Code::BadLimit, message);
                None
            }
        }
    }

    /// Two keys of one file name each bound; they must agree.
    fn once<T: PartialEq>(&self, place: &mut Option<Said<T>>, said: Said<T>) {
        if place.as_ref().is_some_and(|earlier| earlier.value != said.value) {
            let message = "`deploy` and the key of the service itself name different limits";
            self.folder.report(said.at, Code::ConflictingKeys, message);
        }
        *place = Some(said);
    }

    /// `resources.limits` are applied; whatever else stands there concerns a swarm.
    pub(crate) fn deploy(&self, partial: &mut Partial, node: &Node) {
        let mut passed_over = |at: At, key: &str| {
            partial.passed_over.push(Said { at, value: format!("deploy.{key}") });
        };
        for (key, value) in self.map(node) {
            if key.text != "resources" {
                passed_over(self.key_at(key), &key.text);
                continue;
            }
            for (key, value) in self.map(value) {
                if key.text != "limits" {
                    passed_over(self.key_at(key), &format!("resources.{}", key.text));
                    continue;
                }
                for (key, value) in self.map(value) {
                    let at = self.key_at(key);
                    match key.text.as_str() {
                        "cpus" => self.cpus(at, value, &mut partial.bounds),
                        "memory" => self.memory(at, value, &mut partial.bounds),
                        "pids" => self.pids(at, value, &mut partial.bounds),
                        other => passed_over(at, &format!("resources.limits.{other}")),
                    }
                }
            }
        }
    }

    pub(crate) fn dropped(&self, node: &Node) -> Vec<Said<Named>> {
        let named = |said: Said<String>| {
            let named = bounds::capability(&said.value);
            Some(Said { at: said.at, value: named.map_err(|meant| self.no_capability(&said, meant)).ok()? })
        };
        self.texts(node).into_iter().filter_map(named).collect()
    }

    pub(crate) fn added(&self, node: &Node) -> Vec<Said<Named>> {
        let named = |said: Said<String>| match bounds::capability(&said.value) {
            // More than a container holds by default.
            Ok(Named::All | Named::Withheld(_)) => {
                self.unsupported(said.at, &format!("the capability `{}`", said.value));
                None
            }
            Ok(value) => Some(Said { at: said.at, value }),
            Err(meant) => {
                self.no_capability(&said, meant);
                None
            }
        };
        self.texts(node).into_iter().filter_map(named).collect()
    }

    fn no_capability(&self, said: &Said<String>, meant: Option<&str>) {
        let draft = Draft::unplaced(Code::UnknownValue, format!("`{}` is no capability", said.value));
        let draft = match meant {
            Some(meant) => draft.help(format!("did you mean `{meant}`?")),
            None => draft,
        };
        self.folder.report_draft(said.at, draft);
    }
}
