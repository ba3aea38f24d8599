//! The outline of a certificate (RFC 5280 §4.1): which elements stand where, and that they fill each other exactly.
//!
//! This is what turns away data that merely resembles a certificate, and, within the first few elements, nearly
//! everything else. Values are not looked at, but for the version and the form of the dates.

use super::der::{Element, Reader, is_filled_exactly, tag};

/// Checks one whole encoding. The error is a lower-case fragment.
pub(super) fn check(der: &[u8]) -> Result<(), &'static str> {
    let mut document = Reader::new(der);
    let outer = document.take(tag::SEQUENCE).ok_or("it is no SEQUENCE")?;
    let mut parts = outer.reader();
    let body = parts.take(tag::SEQUENCE).ok_or("it has no body")?;
    let algorithm = parts.take(tag::SEQUENCE).ok_or("it names no signature algorithm")?;
    let signature = parts.take(tag::BIT_STRING).ok_or("it has no signature")?;
    check_body(&body)?;
    let whole = document.is_at_end()
        && parts.is_at_end()
        && is_algorithm(algorithm.reader())
        && is_bit_string(&signature)
        && is_filled_exactly(der);
    whole.then_some(()).ok_or("its elements do not fill it exactly")
}

/// Checks one whole body without algorithm and signature behind it.
pub(super) fn check_body_alone(der: &[u8]) -> Result<(), &'static str> {
    let mut document = Reader::new(der);
    let body = document.take(tag::SEQUENCE).ok_or("it is no SEQUENCE")?;
    check_body(&body)?;
    let whole = document.is_at_end() && is_filled_exactly(der);
    whole.then_some(()).ok_or("its elements do not fill it exactly")
}

fn check_body(body: &Element<'_>) -> Result<(), &'static str> {
    let mut fields = body.reader();
    if let Some(version) = fields.take(tag::CONTEXT_0)
        && !matches!(version.contents, [tag::INTEGER, 1, 0..=2])
    {
        return Err("its version is none of v1, v2, v3");
    }
    fields
        .take(tag::INTEGER)
        .filter(|serial| !serial.contents.is_empty())
        .ok_or("it has no serial number")?;
    let mut sequence = |check: fn(Reader<'_>) -> bool, missing| {
        fields.take(tag::SEQUENCE).filter(|field| check(field.reader())).ok_or(missing)
    };
    sequence(is_algorithm, "its body names no signature algorithm")?;
    sequence(is_name, "it has no issuer")?;
    sequence(is_validity, "its validity is not two dates to the second in UTC")?;
    sequence(is_name, "it has no subject")?;
    sequence(is_public_key, "it has no public key")?;
    for unique_id in tag::UNIQUE_IDS {
        fields.take(unique_id);
    }
    if let Some(extensions) = fields.take(tag::CONTEXT_3)
        && !extensions.reader().holds_just(tag::SEQUENCE, |list| list.holds_only(tag::SEQUENCE, is_extension))
    {
        return Err("its extensions are malformed");
    }
    if fields.is_at_end() { Ok(()) } else { Err("its body holds more than a certificate's") }
}

/// An OBJECT IDENTIFIER and at most one parameter.
fn is_algorithm(mut fields: Reader<'_>) -> bool {
    let known = fields.take(tag::OBJECT_IDENTIFIER).is_some();
    known && (fields.is_at_end() || fields.next().is_some() && fields.is_at_end())
}

/// At least one bit, and a count of unused ones below 8.
fn is_bit_string(element: &Element<'_>) -> bool {
    matches!(element.contents, [0..=7, _, ..])
}

fn is_extension(mut fields: Reader<'_>) -> bool {
    let id = fields.take(tag::OBJECT_IDENTIFIER).is_some();
    fields.take(tag::BOOLEAN);
    id && fields.take(tag::OCTET_STRING).is_some() && fields.is_at_end()
}

fn is_name(sets: Reader<'_>) -> bool {
    sets.holds_only(tag::SET, |set| !set.is_at_end() && set.holds_only(tag::SEQUENCE, is_attribute))
}

fn is_attribute(mut fields: Reader<'_>) -> bool {
    fields.take(tag::OBJECT_IDENTIFIER).is_some() && fields.next().is_some() && fields.is_at_end()
}

fn is_public_key(mut fields: Reader<'_>) -> bool {
    fields.take(tag::SEQUENCE).is_some_and(|algorithm| is_algorithm(algorithm.reader()))
        && fields.take(tag::BIT_STRING).is_some_and(|key| is_bit_string(&key))
        && fields.is_at_end()
}

fn is_validity(mut dates: Reader<'_>) -> bool {
    let mut date = || dates.next().is_some_and(|date| has_date_form(&date));
    date() && date() && dates.is_at_end()
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280 §4.1.2.5). OpenSSL and webpki refuse other forms too.
fn has_date_form(date: &Element<'_>) -> bool {
    let digits = match date.tag {
        tag::UTC_TIME => 12,
        tag::GENERALIZED_TIME => 14,
        _ => return false,
    };
    matches!(date.contents.split_last(), Some((b'Z', before))
        if before.len() == digits && before.iter().all(u8::is_ascii_digit))
}
