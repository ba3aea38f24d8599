//! `CN=hss,O=Example` to a distinguished name (RFC 4514, in the order in which it is written).

use crate::attribute::{ATTRIBUTES, Attribute, StringType};
use rcgen::{DistinguishedName, DnType, DnValue};

/// Parses a subject. The error is a lower-case fragment.
pub(super) fn parse(text: &str) -> Result<DistinguishedName, String> {
    let mut name = DistinguishedName::new();
    for part in split(text)? {
        let (label, value) = part
            .text
            .split_once('=')
            .ok_or_else(|| format!("`{}` is not of the form CN=value", part.text))?;
        let attribute = find(label.trim())?;
        let kind = DnType::from_oid(attribute.oid);
        if name.get(&kind).is_some() {
            return Err(format!("it names {} twice", attribute.label));
        }
        let value = part.trimmed(value);
        if value.is_empty() {
            return Err(format!("{} is empty", attribute.label));
        }
        name.push(kind, dn_value(attribute, value)?);
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

/// `label=value` without escapes, and how many bytes at its end were escaped, so are not to be trimmed.
struct Part {
    text: String,
    keep: usize,
}

impl Part {
    /// The value without the blanks around it, unless they were escaped.
    fn trimmed<'a>(&self, value: &'a str) -> &'a str {
        let kept = value.len().saturating_sub(self.text.len() - self.keep);
        let (fixed, loose) = value.split_at(kept);
        let value = &value[..fixed.len() + loose.trim_end().len()];
        value.trim_start()
    }
}

/// Splits at commas that are not escaped.
fn split(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = vec![];
    let mut part = Part { text: String::new(), keep: 0 };
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ',' => parts.push(std::mem::replace(&mut part, Part { text: String::new(), keep: 0 })),
            '\\' => {
                match characters.next() {
                    Some(escaped @ (',' | '\\' | '+' | '"' | ';' | '<' | '>' | '#' | '=' | ' ')) => {
                        part.text.push(escaped);
                    }
                    _ => return Err("`\\` stands before a character that needs no escape".to_owned()),
                }
                part.keep = part.text.len();
            }
            '+' => return Err("`+` is not supported: write one attribute after the other".to_owned()),
            other => part.text.push(other),
        }
    }
    parts.push(part);
    Ok(parts)
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
        assert_eq!(values("O=Example\\, Inc.,CN=x\\ ").unwrap(), ["Example, Inc.", "x "]);
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
