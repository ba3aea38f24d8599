//! A serde deserializer over nodes that reports what it can step over: unknown keys, and every failure inside a
//! [`Located`](super::Located) value.

use super::failure::{Failure, did_you_mean};
use super::node::{Key, Kind, Node};
use super::values::{BUILD, LITERAL_OR, LOCATED, ONE_OR_MANY, QUANTITY, TEXT_OR};
use crate::Code;
use crate::diagnostic::{Draft, Sink, Span};
use crate::nearest::nearest;
use crate::raw::is_planned;
use crate::variables::Expansion;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// Keys that a message names at most.
const MOST_KEYS: usize = 10;

/// Decodes one node.
#[derive(Clone, Copy)]
pub(crate) struct Decoder<'a> {
    pub(crate) node: &'a Node,
    pub(crate) sink: &'a Sink,
}

impl<'a> Decoder<'a> {
    fn at(self, node: &'a Node) -> Self {
        Self { node, ..self }
    }

    fn expected(self, what: &str) -> Failure {
        let draft = self.mismatch(what);
        Failure::new(match &self.node.kind {
            Kind::Number(text) if what == "a text" => {
                draft.help(format!("a text needs quotes: \"{text}\"; a duration needs a unit: {text}s"))
            }
            Kind::Bool(value) if what == "a text" => draft.help(format!("a text needs quotes: \"{value}\"")),
            _ => draft,
        })
    }

    fn mismatch(self, what: &str) -> Draft {
        let message = format!("expected {what}, found {}", self.node.describe());
        Draft::new(Code::WrongType, self.node.span, message)
    }

    /// A map, where only some keys may stand in it.
    fn expected_map_of(self, fields: &[&str]) -> Failure {
        let keys: Vec<String> = fields.iter().take(MOST_KEYS).map(|field| format!("`{field}`")).collect();
        let draft = self.mismatch("a map");
        Failure::new(match (keys.as_slice(), fields) {
            ([], _) => draft,
            ([_], [one]) => draft.help(format!("write `{{ {one}: … }}`")),
            (_, all) if all.len() > MOST_KEYS => {
                draft.help(format!("its keys are {} and others", keys.join(", ")))
            }
            ([most @ .., last], _) => draft.help(format!("its keys are {} and {last}", most.join(", "))),
        })
    }

    fn text(self) -> Result<&'a str, Failure> {
        match &self.node.kind {
            Kind::Text { value, .. } => Ok(value),
            _ => Err(self.expected("a text")),
        }
    }

    /// A scalar as JSON; none where JSON has no such.
    fn literal(self) -> Option<String> {
        match &self.node.kind {
            Kind::Bool(value) => Some(value.to_string()),
            Kind::Null => Some("null".to_owned()),
            Kind::Number(text) => {
                serde_json::from_str::<serde_json::Number>(text).ok().map(|number| number.to_string())
            }
            Kind::Text { value, .. } => Some(serde_json::Value::from(value.as_str()).to_string()),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    fn map(self, what: &str) -> Result<&'a [(Key, Node)], Failure> {
        match &self.node.kind {
            Kind::Map(map) => Ok(map),
            _ => Err(self.expected(what)),
        }
    }

    fn integer(self) -> Result<i64, Failure> {
        let text = match &self.node.kind {
            Kind::Number(text) => text,
            Kind::Text { value, expansion: Expansion::Expanded } => value,
            _ => return Err(self.expected("a whole number")),
        };
        text.parse().map_err(|_| self.expected("a whole number"))
    }

    fn unknown(span: Span, owner: &'static str, name: &str, known: &[&str]) -> Draft {
        if is_planned(owner, name) {
            return Draft::new(Code::NotBuilt, span, format!("`{name}` is not supported yet"));
        }
        Draft::new(Code::UnknownKey, span, format!("`{name}` is no key of {owner}"))
            .help(did_you_mean(name, known))
    }
}

impl<'de> Deserializer<'de> for Decoder<'_> {
    type Error = Failure;

    /// Types that raw structs do not use.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Failure> {
        Err(self.expected("something else"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.node.kind {
            Kind::Bool(value) => visitor.visit_bool(*value),
            _ => Err(self.expected("`true` or `false`")),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_i64(self.integer()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        // `key:` with nothing behind it is more often a slip than a wish, so it is not the same as no key.
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.node.kind {
            Kind::List(list) => visitor.visit_seq(Elements { rest: list.iter(), decoder: self }),
            _ => Err(self.expected("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let rest = self.map("a map")?.iter();
        visitor.visit_map(Fields { rest, owner: "", known: None, value: self.node, decoder: self })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let Kind::Map(map) = &self.node.kind else { return Err(self.expected_map_of(fields)) };
        let rest = map.iter();
        visitor
            .visit_map(Fields { rest, owner: name, known: Some(fields), value: self.node, decoder: self })
            .map_err(|failure| failure.or_at(self.node.span))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let choice = match &self.node.kind {
            Kind::Text { value, .. } => Choice { name: value, value: None, decoder: self },
            Kind::Map(map) => match map.as_slice() {
                [(key, value)] => {
                    if !variants.contains(&key.text.as_str()) {
                        return Err(Failure::new(Self::unknown(key.span, name, &key.text, variants)));
                    }
                    Choice { name: &key.text, value: Some(value), decoder: self }
                }
                _ => return Err(self.expected(&format!("one key that says which {name}"))),
            },
            _ => return Err(self.expected(&format!("a {name}"))),
        };
        visitor.visit_enum(choice).map_err(|failure| failure.or_at(self.node.span))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match name {
            LOCATED => {
                visitor.visit_seq(Place { next: 0, span: self.node.span, content: Content::Node(self) })
            }
            ONE_OR_MANY => match &self.node.kind {
                Kind::List(_) => self.deserialize_seq(visitor),
                _ => {
                    let rest = std::slice::from_ref(self.node).iter();
                    visitor.visit_seq(Elements { rest, decoder: self })
                }
            },
            BUILD => match is_build(self.map("an image or a build")?) {
                true => visitor.visit_newtype_struct(self),
                false => visitor.visit_some(self),
            },
            LITERAL_OR => match (&self.node.kind, self.literal()) {
                (Kind::Map(_), _) => visitor.visit_newtype_struct(self),
                (_, Some(json)) => visitor.visit_str(&json),
                (_, None) => Err(self.expected("a text, a number, `true`, `false` or `null`")),
            },
            QUANTITY => match &self.node.kind {
                Kind::Number(text) | Kind::Text { value: text, .. } => visitor.visit_str(text),
                _ => Err(self.expected("a number or a text")),
            },
            TEXT_OR => match &self.node.kind {
                Kind::Text { value, .. } => visitor.visit_str(value),
                Kind::Map(_) => visitor.visit_newtype_struct(self),
                _ => Err(self.expected("a text")),
            },
            _ => visitor.visit_newtype_struct(self),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier ignored_any
    }
}

/// Whether a map is a build that says what it changes, or means to be one; else it is an image.
fn is_build(map: &[(Key, Node)]) -> bool {
    let keys = || crate::raw::BUILD_KEYS.into_iter();
    match map {
        [(key, _)] => nearest(&key.text, keys()).is_some(),
        _ => true,
    }
}

/// The elements of a list.
struct Elements<'a> {
    rest: std::slice::Iter<'a, Node>,
    decoder: Decoder<'a>,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        self.rest.next().map(|node| seed.deserialize(self.decoder.at(node))).transpose()
    }
}

/// The entries of a map; of a struct where its keys are known.
struct Fields<'a> {
    rest: std::slice::Iter<'a, (Key, Node)>,
    owner: &'static str,
    known: Option<&'static [&'static str]>,
    value: &'a Node,
    decoder: Decoder<'a>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        for (key, value) in self.rest.by_ref() {
            match self.known {
                Some(known) if !known.contains(&key.text.as_str()) => {
                    self.decoder.sink.report(Decoder::unknown(key.span, self.owner, &key.text, known));
                }
                _ => {
                    self.value = value;
                    return seed.deserialize(KeyDecoder(key)).map(Some);
                }
            }
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Failure> {
        seed.deserialize(self.decoder.at(self.value))
    }
}

/// A key, as a text or with its place.
struct KeyDecoder<'a>(&'a Key);

impl<'de> Deserializer<'de> for KeyDecoder<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_str(&self.0.text)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_seq(Place { next: 0, span: self.0.span, content: Content::Key(&self.0.text) })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// What [`Located`](super::Located) is made from: two bounds and the value.
struct Place<'a> {
    next: u8,
    span: Span,
    content: Content<'a>,
}

enum Content<'a> {
    Key(&'a str),
    Node(Decoder<'a>),
}

impl<'de> SeqAccess<'de> for Place<'_> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        self.next += 1;
        match (self.next, &self.content) {
            (1, _) => seed.deserialize(self.span.begin.into_deserializer()).map(Some),
            (2, _) => seed.deserialize(self.span.end.into_deserializer()).map(Some),
            (3, Content::Key(text)) => {
                let text: StrDeserializer<'_, Failure> = text.into_deserializer();
                seed.deserialize(text).map(Some)
            }
            (3, Content::Node(decoder)) => {
                if let Kind::Text { expansion: Expansion::Failed, .. } = decoder.node.kind {
                    return Ok(None);
                }
                Ok(seed
                    .deserialize(*decoder)
                    .map_err(|failure| {
                        decoder.sink.report(failure.or_at(self.span).into_draft());
                    })
                    .ok())
            }
            _ => Ok(None),
        }
    }
}

/// A variant, and its value where it has one.
struct Choice<'a> {
    name: &'a str,
    value: Option<&'a Node>,
    decoder: Decoder<'a>,
}

impl<'de> EnumAccess<'de> for Choice<'_> {
    type Error = Failure;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Failure> {
        let name: StrDeserializer<'_, Failure> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl Choice<'_> {
    fn content(&self) -> Result<Decoder<'_>, Failure> {
        match self.value {
            Some(node) => Ok(self.decoder.at(node)),
            None => {
                let message = format!("`{}` needs a value: `{{ {}: … }}`", self.name, self.name);
                Err(Failure::new(Draft::new(Code::WrongType, self.decoder.node.span, message)))
            }
        }
    }
}

impl<'de> VariantAccess<'de> for Choice<'_> {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        match self.value {
            None => Ok(()),
            Some(node) => Err(self.decoder.at(node).expected("no value")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Failure> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Failure> {
        Err(self.decoder.expected("something else"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.content()?.deserialize_struct("this", fields, visitor)
    }
}
