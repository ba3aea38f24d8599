//! `CN=hss,O=Example` to a distinguished name (RFC 4514, in the order in which it is written).

use crate::attribute::{ATTRIBUTES, Attribute, StringType};
use rcgen::{DistinguishedName, DnType, DnValue};

/// A character, and whether a backslash stood before it: then it separates nothing.
type Escaped = (char, bool);

/// Parses a subject. The error is a lower-case fragment.
pub(super) fn parse(text: &str) -> Result<DistinguishedName, String> {
    let mut name = DistinguishedName::new();
    for part in unescape(text)?.split(|character| *character == (',', false)) {
        let mut sides = part.splitn(2, |character| *character == ('=', false));
        let (Some(label), Some(value)) = (sides.next(), sides.next()) else {
            return Err(format!("`{}` is not of the form CN=value", trimmed(part)));
        };
        let attribute = find(&trimmed(label))?;
        let kind = DnType::from_oid(attribute.oid);
        if name.get(&kind).is_some() {
            return Err(format!("it names {} twice", attribute.label));
        }
        let value = trimmed(value);
        if value.is_empty() {
            return Err(format!("{} is empty", attribute.label));
        }
        name.push(kind, dn_value(attribute, &value)?);
    }
    Ok(name)
}

fn find(label: &str) -> Result<&'static Attribute, String> {
    ATTRIBUTES.iter().find(|attribute| attribute.label.eq_ignore_ascii_case(label)).ok_or_else(|| {
        let known: Vec<&str> = ATTRIBUTES.iter().map(|attribute| attribute.label).collect();
        format!("there is no attribute `{label}`; known are {}", known.join(", "))
    })
}

fn dn_value(attribute: &Attribute, value: &str) -> Result<DnValue, String> {
    let refused = |_| format!("{} cannot hold `{value}`", attribute.label);
    match attribute.string {
        StringType::Ia5 => Ok(DnValue::Ia5String(value.try_into().map_err(refused)?)),
        StringType::Printable if attribute.label == "C" && value.len() != 2 => {
            Err(format!("C is a country code of two letters, not `{value}`"))
        }
        StringType::Printable => Ok(DnValue::PrintableString(value.try_into().map_err(refused)?)),
        StringType::Utf8 => Ok(DnValue::Utf8String(value.to_owned())),
    }
}

fn unescape(text: &str) -> Result<Vec<Escaped>, String> {
    let mut unescaped = vec![];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        unescaped.push(match character {
            '\\' => match characters.next() {
                Some(escaped @ (',' | '\\' | '+' | '"' | ';' | '<' | '>' | '#' | '=' | ' ')) => {
                    (escaped, true)
                }
                _ => return Err("`\\` stands before a character that needs no escape".to_owned()),
            },
            '+' => return Err("`+` is not supported: write one attribute after the other".to_owned()),
            other => (other, false),
        });
    }
    Ok(unescaped)
}

/// Without the blanks around it, but with those that were escaped.
fn trimmed(text: &[Escaped]) -> String {
    let blank = (' ', false);
    let begin = text.iter().position(|character| *character != blank).unwrap_or(text.len());
    let end = text.iter().rposition(|character| *character != blank).map_or(begin, |last| last + 1);
    text[begin..end].iter().map(|(character, _)| character).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Result<Vec<String>, String> {
        let name = parse(text)?;
        Ok(name
            .iter()
            .map(|(_, value)| match value {
                DnValue::Utf8String(text) => text.clone(),
                other => format!("{other:?}"),
            })
            .collect())
    }

    #[test]
    fn subjects_are_attributes_in_order() {
        assert_eq!(values("CN=hss").unwrap(), ["hss"]);
        assert_eq!(values("CN=hss, O=Example AB").unwrap(), ["hss", "Example AB"]);
        assert_eq!(values("cn=a=b").unwrap(), ["a=b"]);
        assert_eq!(values("O=Example\\, Inc.,CN=\\ x\\ ,OU= y ").unwrap(), ["Example, Inc.", " x ", "y"]);
    }

    #[test]
    fn what_is_no_subject_is_told_apart() {
        let told: Vec<String> =
            ["", "hss", "XY=1", "CN=", "CN=a,CN=b", "C=Sweden", "CN=a\\z", "CN=a+O=b", "DC=ä"]
                .iter()
                .map(|text| values(text).unwrap_err())
                .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        `` is not of the form CN=value
        `hss` is not of the form CN=value
        there is no attribute `XY`; known are C, CN, DC, GN, L, O, OU, SN, ST, STREET, UID, emailAddress, organizationIdentifier, postalCode, serialNumber, title
        CN is empty
        it names CN twice
        C is a country code of two letters, not `Sweden`
        `\` stands before a character that needs no escape
        `+` is not supported: write one attribute after the other
        DC cannot hold `ä`
        ");
    }
}
