//! TOML as the same tree of nodes as YAML, so that one decoder reads both.

use super::{Key, Kind, Node};
use crate::diagnostic::{Draft, Sink, Span};
use crate::variables::Expansion;
use crate::{Code, Source};
use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads `source`; none where it is no TOML, which is reported. The library bounds how deep values nest.
pub(crate) fn read_toml(source: &Source, sink: &Sink) -> Option<Node> {
    match DeTable::parse(&source.text) {
        Ok(table) => {
            let (span, table) = (span(&table.span()), table.into_inner());
            Some(Node { span, kind: map(table) })
        }
        Err(error) => {
            let at = error.span().as_ref().map(span).unwrap_or_default();
            let message = error.message().replace('\n', ", ");
            sink.report(Draft::new(Code::NotToml, at, message));
            None
        }
    }
}

fn span(range: &Range<usize>) -> Span {
    Span { begin: range.start, end: range.end }
}

fn map(table: DeTable<'_>) -> Kind {
    let entry = |(key, value): (Spanned<Cow<'_, str>>, _)| {
        (Key { span: span(&key.span()), text: key.into_inner().into_owned() }, node(value))
    };
    let mut entries: Vec<(Key, Node)> = table.into_iter().map(entry).collect();
    // The library sorts them by name.
    entries.sort_by_key(|(key, _)| key.span);
    Kind::Map(entries)
}

fn node(value: Spanned<DeValue<'_>>) -> Node {
    let at = span(&value.span());
    let text = |value: String| Kind::Text { value, expansion: Expansion::Literal };
    let kind = match value.into_inner() {
        DeValue::Array(list) => Kind::List(list.into_iter().map(node).collect()),
        DeValue::Boolean(value) => Kind::Bool(value),
        DeValue::Datetime(instant) => text(instant.to_string()),
        DeValue::Float(number) => Kind::Number(number.as_str().to_owned()),
        DeValue::Integer(number) => Kind::Number(number.as_str().to_owned()),
        DeValue::String(value) => text(value.into_owned()),
        DeValue::Table(table) => map(table),
    };
    Node { span: at, kind }
}
