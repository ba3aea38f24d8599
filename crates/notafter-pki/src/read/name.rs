//! Distinguished names as text (RFC 4514, but in the order of the certificate).

use crate::attribute::ATTRIBUTES;
use std::fmt::Write as _;
use x509_parser::asn1_rs::Tag;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// `CN=hss,O=Example`; attributes of one set are joined with `+`. Control characters are escaped, so that a subject
/// cannot forge lines of a report.
pub(super) fn to_text(name: &X509Name<'_>) -> String {
    let sets = name.iter().map(|set| set.iter().map(attribute_text).collect::<Vec<_>>().join("+"));
    sets.collect::<Vec<_>>().join(",")
}

fn attribute_text(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type();
    let known = oid
        .iter()
        .and_then(|arcs| {
            let arcs: Vec<u64> = arcs.collect();
            ATTRIBUTES.iter().find(|attribute| attribute.oid == arcs)
        })
        .map(|attribute| attribute.label.to_owned());
    let label = known.unwrap_or_else(|| oid.to_id_string());
    match value_text(attribute) {
        Some(value) => format!("{label}={}", escape(&value)),
        None => format!("{label}=#{}", hex(attribute.attr_value().data)),
    }
}

fn value_text(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let value = attribute.attr_value();
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            std::str::from_utf8(value.data).ok().map(str::to_owned)
        }
        Tag::T61String => Some(value.data.iter().copied().map(char::from).collect()), // Latin-1 in practice
        Tag::BmpString => {
            let (pairs, []) = value.data.as_chunks::<2>() else { return None };
            let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        Tag::UniversalString => {
            let (quads, []) = value.data.as_chunks::<4>() else { return None };
            quads.iter().map(|quad| char::from_u32(u32::from_be_bytes(*quad))).collect()
        }
        _ => None,
    }
}

/// RFC 4514 §2.4; control characters as the hex of their UTF-8.
fn escape(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (index, character) in value.chars().enumerate() {
        let at_edge = (character == ' ' && (index == 0 || index == last)) || (character == '#' && index == 0);
        if at_edge || matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            text.push('\\');
            text.push(character);
        } else if character.is_control() || is_bidi_control(character) {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                let _ = write!(text, "\\{byte:02X}"); // writing to a String cannot fail
            }
        } else {
            text.push(character);
        }
    }
    text
}

/// Characters that turn around the text after them on a terminal.
fn is_bidi_control(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_break_out_of_their_attribute() {
        for (value, text) in [
            ("plain", "plain"),
            ("a, CN=b", "a\\, CN=b"),
            (" padded ", "\\ padded\\ "),
            ("#1", "\\#1"),
            ("line\nbreak", "line\\0Abreak"),
            ("\u{202e}txt", "\\E2\\80\\AEtxt"),
            ("Zürich", "Zürich"),
            (" ", "\\ "),
            ("", ""),
        ] {
            assert_eq!(escape(value), text);
        }
    }
}
