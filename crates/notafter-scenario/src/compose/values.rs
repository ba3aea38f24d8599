//! Values as Compose files write them.

use super::decode::Decoding;
use super::durations::duration;
use super::folder::At;
use super::partial::Said;
use crate::Code;
use crate::decode::{Key, Kind, Node};
use crate::diagnostic::Draft;
use crate::source::plain;
use crate::variables::Expansion;
use std::path::PathBuf;
use std::time::Duration;

impl Decoding<'_> {
    pub(crate) fn at(&self, node: &Node) -> At {
        self.folder.at(self.file, node.span)
    }

    pub(crate) fn key_at(&self, key: &Key) -> At {
        self.folder.at(self.file, key.span)
    }

    pub(crate) fn unsupported(&self, at: At, what: &str) {
        self.folder.report_draft(
            at,
            Draft::unplaced(Code::UnsupportedCompose, format!("{what} cannot be had in a sandbox")).help(
                "give the gate a copy of the file without it, if what is to be tested does not rest on it",
            ),
        );
    }

    /// A text, a number or a truth value, as it is written; none for what is reported.
    pub(crate) fn scalar(&self, node: &Node) -> Option<String> {
        match &node.kind {
            Kind::Bool(value) => Some(value.to_string()),
            Kind::Number(text) => Some(text.clone()),
            Kind::Text { expansion: Expansion::Failed, .. } => None,
            Kind::Text { value, .. } => Some(value.clone()),
            Kind::List(_) | Kind::Map(_) | Kind::Null => self.expected(node, "a text"),
        }
    }

    pub(crate) fn said(&self, node: &Node) -> Option<Said<String>> {
        Some(Said { at: self.at(node), value: self.scalar(node)? })
    }

    pub(crate) fn boolean(&self, node: &Node) -> Option<bool> {
        match self.scalar(node)?.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => self.expected(node, "`true` or `false`"),
        }
    }

    pub(crate) fn duration(&self, node: &Node) -> Option<Duration> {
        let text = self.scalar(node)?;
        let span = duration(&text);
        if span.is_none() {
            let message = format!("`{text}` is no span of time of a day at most, such as `1m30s`");
            self.folder.report(self.at(node), Code::BadDuration, message);
        }
        span
    }

    /// A path, relative to the scenario's directory.
    pub(crate) fn path(&self, node: &Node) -> Option<PathBuf> {
        let text = self.scalar(node)?;
        if text.is_empty() || text.contains('\0') || text.starts_with('~') {
            self.folder.report(
                self.at(node),
                Code::BadText,
                format!("`{text}` is no path that can be followed"),
            );
            return None;
        }
        Some(plain(&self.base.join(text)))
    }

    pub(crate) fn list<'n>(&self, node: &'n Node) -> &'n [Node] {
        match &node.kind {
            Kind::List(list) => list,
            _ => self.expected(node, "a list").unwrap_or_default(),
        }
    }

    /// Texts of a list, or one text.
    pub(crate) fn texts(&self, node: &Node) -> Vec<Said<String>> {
        let list = match &node.kind {
            Kind::List(list) => list.as_slice(),
            _ => std::slice::from_ref(node),
        };
        list.iter().filter_map(|text| self.said(text)).collect()
    }

    /// The entries of a map, with those of the maps that `<<` names behind its own; of two with one key the first.
    pub(crate) fn map<'n>(&self, node: &'n Node) -> Vec<(&'n Key, &'n Node)> {
        let mut entries: Vec<(&Key, &Node)> = Vec::new();
        self.collect(node, &mut entries);
        entries
    }

    fn collect<'n>(&self, node: &'n Node, entries: &mut Vec<(&'n Key, &'n Node)>) {
        let pairs = match &node.kind {
            Kind::Map(pairs) => pairs.as_slice(),
            Kind::Null => &[],
            _ => return self.expected(node, "a map").unwrap_or_default(),
        };
        for (key, value) in pairs.iter().filter(|(key, _)| key.text != "<<") {
            if !entries.iter().any(|(known, _)| known.text == key.text) {
                entries.push((key, value));
            }
        }
        for (_, merged) in pairs.iter().filter(|(key, _)| key.text == "<<") {
            match &merged.kind {
                Kind::List(list) => list.iter().for_each(|node| self.collect(node, entries)),
                _ => self.collect(merged, entries),
            }
        }
    }

    pub(crate) fn expected<T>(&self, node: &Node, what: &str) -> Option<T> {
        let message = format!("expected {what}, found {}", node.describe());
        self.folder.report(self.at(node), Code::WrongType, message);
        None
    }
}
