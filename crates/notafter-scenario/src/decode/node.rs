//! YAML as a tree in which every node knows its place.

use crate::diagnostic::{Draft, Sink, Span};
use crate::variables::{self, ExpandError, Expansion};
use crate::{Code, Context, MAX_BYTES, Source};
use serde::Deserialize;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde_yaml::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_yaml::{MessageFormatter, Options, Spanned, UserMessageFormatter};
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;

/// Nesting beyond this is no scenario. The decoders below recurse, so it also bounds the stack.
const MAX_DEPTH: usize = 32;
/// Aliases within aliases may add up to this many levels of [`MAX_DEPTH`].
const MAX_ALIAS_DEPTH: usize = 4;
/// Bytes of text in the whole tree, whatever aliases and variables multiply.
const MAX_TEXT_BYTES: usize = 8 * MAX_BYTES;
/// Nodes of a file, and again nodes that its aliases add.
const MAX_NODES: usize = 50_000;

/// A node of the tree.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Bool(bool),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
    Null,
    /// As it is written: `1.10` and `1.1` are equal numbers and different builds.
    Number(String),
    Text {
        value: String,
        expansion: Expansion,
    },
}

/// A key of a map.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) span: Span,
    pub(crate) text: String,
}

impl Node {
    /// What it is, for messages.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            Kind::Bool(value) => format!("`{value}`"),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
            Kind::Null => "nothing".to_owned(),
            Kind::Number(text) => format!("the number `{text}`"),
            Kind::Text { value, .. } if value.chars().count() > 40 => "a text".to_owned(),
            Kind::Text { value, .. } => format!("the text `{value}`"),
        }
    }
}

/// Puts the values of variables into a text, which may then be so many bytes long.
pub(crate) type Expand<'a> = &'a dyn Fn(&str, usize) -> Result<(String, Expansion), ExpandError>;

/// Reads the one document of `source`; none where it is no YAML, which is reported.
pub(crate) fn read(source: &Source, context: &Context<'_>, sink: &Sink) -> Option<Node> {
    let expand = |text: &str, left: usize| variables::expand(text, context.variables, left);
    read_with(source, &expand, sink)
}

/// The same with variables of another form.
pub(crate) fn read_with(source: &Source, expand: Expand<'_>, sink: &Sink) -> Option<Node> {
    match serde_yaml::from_str_with_options::<Spanned<Parsed>>(&source.text, options()) {
        Ok(parsed) => {
            let text_bytes = &Cell::new(0);
            let reader = Reader { source, expand, sink, text_bytes, path: None };
            Some(reader.node(parsed))
        }
        Err(error) => {
            sink.report(syntax_error(source, &error));
            None
        }
    }
}

fn options() -> Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_total_scalar_bytes: MAX_TEXT_BYTES,
            max_events: 4 * MAX_NODES,
            max_documents: 1,
            max_buffered_comment_events: 100_000,
        },
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: MAX_ALIAS_DEPTH,
        },
        emit_comments: false,
        // Found below instead, where the first of the two can be shown and the reading goes on.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn syntax_error(source: &Source, error: &serde_yaml::Error) -> Draft {
    let error = error.without_snippet();
    let span = error.location().map(|location| span_of(source, location)).unwrap_or_default();
    Draft::new(Code::NotYaml, span, UserMessageFormatter.format_message(error).into_owned())
}

fn span_of(source: &Source, location: serde_yaml::Location) -> Span {
    let place = location.span();
    let (begin, len) = match (place.byte_offset(), place.byte_len()) {
        (Some(begin), Some(len)) => (begin, len),
        // Errors of the scanner carry a line and a column alone.
        _ => (byte_at(&source.text, location.line(), location.column()), 0),
    };
    let fit = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX).min(source.text.len());
    Span { begin: fit(begin), end: fit(begin.saturating_add(len)) }
}

fn byte_at(text: &str, line: u64, column: u64) -> u64 {
    let skip = |count: u64| usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
    let mut begin = 0;
    for (index, content) in text.split_inclusive('\n').enumerate() {
        if index == skip(line) {
            begin += content.chars().take(skip(column)).map(char::len_utf8).sum::<usize>();
            break;
        }
        begin += content.len();
    }
    begin as u64
}

/// What the YAML library yields; a [`Node`] in the making.
enum Parsed {
    Bool(bool),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<Self>, Spanned<Self>)>),
    Null,
    Number,
    Text(String),
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ParsedVisitor;

        impl<'de> Visitor<'de> for ParsedVisitor {
            type Value = Parsed;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("YAML")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Parsed, E> {
                Ok(Parsed::Bool(value))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Parsed, E> {
                Ok(Parsed::Number)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Parsed, E> {
                Ok(Parsed::Number)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Parsed, E> {
                Ok(Parsed::Number)
            }

            fn visit_str<E>(self, text: &str) -> Result<Parsed, E> {
                Ok(Parsed::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Parsed, E> {
                Ok(Parsed::Text(text))
            }

            fn visit_unit<E>(self) -> Result<Parsed, E> {
                Ok(Parsed::Null)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Parsed, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = access.next_element()? {
                    list.push(element);
                }
                Ok(Parsed::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Parsed, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = access.next_entry::<Spanned<Parsed>, Spanned<Parsed>>()? {
                    if matches!(entry.0.value, Parsed::List(_) | Parsed::Map(_)) {
                        return Err(A::Error::custom("a list or map cannot be a key"));
                    }
                    map.push(entry);
                }
                Ok(Parsed::Map(map))
            }
        }

        deserializer.deserialize_any(ParsedVisitor)
    }
}

struct Reader<'a> {
    source: &'a Source,
    expand: Expand<'a>,
    sink: &'a Sink,
    /// Bytes of text so far.
    text_bytes: &'a Cell<usize>,
    path: Option<&'a Path<'a>>,
}

/// The keys that lead to a node, the last first.
struct Path<'a> {
    key: &'a str,
    parent: Option<&'a Self>,
}

impl Path<'_> {
    /// Whether a value here names a secret: `services.NAME.env.VARIABLE.secret`.
    fn names_a_secret(&self) -> bool {
        let keys: Vec<&str> =
            std::iter::successors(Some(self), |path| path.parent).map(|path| path.key).collect();
        matches!(keys.as_slice(), ["secret", _, "env", _, "services"])
    }
}

impl Reader<'_> {
    fn node(&self, parsed: Spanned<Parsed>) -> Node {
        let mut span = span_of(self.source, parsed.defined);
        let kind = match parsed.value {
            Parsed::Bool(value) => Kind::Bool(value),
            Parsed::List(list) => {
                let list: Vec<Node> = list.into_iter().map(|element| self.node(element)).collect();
                span = self.opening(span, list.first().map(|first| first.span));
                Kind::List(list)
            }
            Parsed::Map(map) => {
                let map = self.map(map);
                span = self.opening(span, map.first().map(|(first, _)| first.span));
                Kind::Map(map)
            }
            Parsed::Null => Kind::Null,
            Parsed::Number => Kind::Number(self.written(span)),
            Parsed::Text(text) => self.text(text, span),
        };
        Node { span, kind }
    }

    /// Where to point for a whole list or map: its opening bracket, or its first entry where it has none.
    fn opening(&self, span: Span, first: Option<Span>) -> Span {
        match (self.source.text.as_bytes().get(span.begin), first) {
            (Some(b'[' | b'{'), _) => Span { begin: span.begin, end: span.begin + 1 },
            (_, Some(first)) => first,
            (_, None) => span,
        }
    }

    fn map(&self, entries: Vec<(Spanned<Parsed>, Spanned<Parsed>)>) -> Vec<(Key, Node)> {
        let mut first: HashMap<String, Span> = HashMap::new();
        let mut map = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let key = self.key(key);
            if let Some(first) = first.get(&key.text) {
                self.sink.report(
                    Draft::new(Code::DuplicateKey, key.span, format!("`{}` is given twice", key.text))
                        .context(*first, "first given here"),
                );
                continue;
            }
            first.insert(key.text.clone(), key.span);
            let path = Path { key: &key.text, parent: self.path };
            let node = Reader { path: Some(&path), ..*self }.node(value);
            map.push((key, node));
        }
        map
    }

    fn key(&self, parsed: Spanned<Parsed>) -> Key {
        let span = span_of(self.source, parsed.defined);
        let text = match parsed.value {
            Parsed::Text(text) => text,
            _ => self.written(span),
        };
        Key { span, text }
    }

    /// A plain scalar exactly as the file has it.
    fn written(&self, span: Span) -> String {
        self.source.text.get(span.begin..span.end).unwrap_or_default().trim().to_owned()
    }

    fn text(&self, text: String, span: Span) -> Kind {
        // The name of a secret is no value: what it stands for must not be looked up here.
        if self.path.is_some_and(Path::names_a_secret) {
            return Kind::Text { value: text, expansion: Expansion::Literal };
        }
        let left = MAX_TEXT_BYTES.saturating_sub(self.text_bytes.get());
        match (self.expand)(&text, left) {
            Ok((value, expansion)) => {
                self.text_bytes.set(self.text_bytes.get() + value.len());
                Kind::Text { value, expansion }
            }
            Err(error) => {
                self.sink.report(error.draft(span));
                Kind::Text { value: text, expansion: Expansion::Failed }
            }
        }
    }
}
