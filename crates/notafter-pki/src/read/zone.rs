//! Signed zones of the DNS, as text: master files (RFC 1035 §5) with signatures (RFC 4034 §3.2).

use super::certificate::fingerprint;
use notafter_core::{Credential, CredentialKind, UnixTime};

/// How far into a file the first record is looked for, in bytes.
const HEAD_LEN: usize = 1024;

/// Whether a file that begins with `head` may be a zone: the SOA record comes first (RFC 1035 §5.2).
#[must_use]
pub fn may_be_zone(head: &[u8]) -> bool {
    let head = &head[..head.len().min(HEAD_LEN)];
    let is_blank = |at: usize| head.get(at).is_none_or(u8::is_ascii_whitespace);
    let mut found = memchr::memmem::find_iter(head, b"SOA");
    !head.contains(&0) && found.any(|at| at > 0 && is_blank(at - 1) && is_blank(at + 3))
}

/// A zone as a whole: it ends with the first of its signatures that does. A validator refuses what that one covers from
/// the second behind its expiration on (RFC 4035 §5.3.1), some a while later.
pub(super) fn zone(bytes: &[u8]) -> Option<Credential> {
    if !may_be_zone(bytes) {
        return None;
    }
    memchr::memmem::find(bytes, b"RRSIG")?;
    let mut fields = Fields(std::str::from_utf8(bytes).ok()?);
    let (mut has_start, mut name) = (false, None);
    let (mut ends, mut begins) = (None::<UnixTime>, None::<UnixTime>);
    while let Some(field) = fields.next() {
        let mut ahead = fields.clone();
        match field {
            "SOA" => has_start |= ahead.nth(2).is_some_and(|serial| serial.parse::<u32>().is_ok()),
            "RRSIG" => {
                // The list of types in an NSEC record names it as well.
                let Some(signature) = Signature::read(&mut ahead) else { continue };
                fields = ahead;
                if signature.covered == "SOA" {
                    name = Some(signature.signer);
                }
                let (end, begin) = (signature.expiration, signature.inception);
                ends = Some(ends.map_or(end, |known| known.min(end)));
                begins = Some(begins.map_or(begin, |known| known.max(begin)));
            }
            _ => {}
        }
    }
    if !has_start {
        return None;
    }
    Some(Credential {
        subject: format!("zone {}", name?),
        not_before: begins?,
        not_after: ends?,
        ..Credential::found(CredentialKind::DnssecSignatures, fingerprint(bytes))
    })
}

/// What a signature says of itself.
struct Signature<'a> {
    covered: &'a str,
    expiration: UnixTime,
    inception: UnixTime,
    signer: &'a str,
}

impl<'a> Signature<'a> {
    fn read(fields: &mut Fields<'a>) -> Option<Self> {
        let covered = fields.next()?;
        let _algorithm = fields.next()?;
        fields.next()?.parse::<u8>().ok()?; // labels
        fields.next()?.parse::<u32>().ok()?; // the TTL that was signed
        let (expiration, inception) = (instant(fields.next()?)?, instant(fields.next()?)?);
        fields.next()?.parse::<u16>().ok()?; // the tag of the key
        let signer = fields.next()?;
        let is_name = |byte: u8| byte.is_ascii_graphic();
        (inception <= expiration && signer.bytes().all(is_name)).then_some(Self {
            covered,
            expiration,
            inception,
            signer,
        })
    }
}

/// `YYYYMMDDHHmmSS`, or seconds since 1970.
fn instant(field: &str) -> Option<UnixTime> {
    if !field.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if field.len() < 14 {
        return UnixTime::from_secs(field.parse::<u32>().ok()?.into()).ok();
    }
    let part = |from: usize, to: usize| field.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, field.len())?);
    UnixTime::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")).ok()
}

/// The fields of a master file, without its comments, quoted texts and brackets.
#[derive(Clone)]
struct Fields<'a>(&'a str);

impl<'a> Iterator for Fields<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let is_between = |character: char| character.is_ascii_whitespace() || matches!(character, '(' | ')');
        loop {
            let rest = self.0.trim_start_matches(is_between);
            match rest.bytes().next()? {
                b';' => self.0 = rest.split_once('\n').map_or("", |(_, behind)| behind),
                b'"' => self.0 = behind_quote(&rest[1..]),
                _ => {
                    let ends = |character| is_between(character) || matches!(character, ';' | '"');
                    let (field, behind) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
                    self.0 = behind;
                    return Some(field);
                }
            }
        }
    }
}

/// What follows the quoted text that `text` begins in.
fn behind_quote(text: &str) -> &str {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As ldns-signzone writes them, a record a line.
    const LINES: &str = "\
        demo.\t300\tIN\tSOA\tns.demo. h.demo. 1 300 300 300 300\n\
        demo.\t300\tIN\tRRSIG\tSOA 13 1 300 20261230010203 20261128100915 32153 demo. w9aIBS==\n\
        demo.\t300\tIN\tTXT\t\"a \\\" b ; RRSIG A 13 1 300 20010101000000 20000101000000 1 x. c\"\n\
        h0.demo.\t300\tIN\tNSEC3\t1 0 1 -  db4lj7 NS SOA RRSIG DNSKEY NSEC3PARAM \n\
        ns.demo.\t300\tIN\tRRSIG\tA 13 2 300 20261229010203 20261128100915 32153 demo. GAiDkj==\n";
    /// As dnssec-signzone does, with brackets and comments.
    const BRACKETS: &str = "\
        ; File written on Sat Nov 28 10:09:15 2026\n\
        demo.\t\t3600 IN SOA ns.demo. h.demo. (\n\t1 ; serial\n\t300 300 300 300 )\n\
        \t\t3600 RRSIG SOA 13 1 3600 (\n\t20261230010203 20261128100915 32153 demo.\n\tw9aIBS== )\n";

    fn read(text: &str) -> Option<(String, String, String)> {
        let found = zone(text.as_bytes())?;
        Some((found.subject, found.not_before.to_string(), found.not_after.to_string()))
    }

    fn told(from: &str, through: &str) -> Option<(String, String, String)> {
        Some(("zone demo.".to_owned(), from.to_owned(), through.to_owned()))
    }

    #[test]
    fn a_zone_ends_with_the_first_of_its_signatures() {
        assert_eq!(read(LINES), told("2026-11-28T10:09:15Z", "2026-12-29T01:02:03Z"));
        assert_eq!(read(BRACKETS), told("2026-11-28T10:09:15Z", "2026-12-30T01:02:03Z"));
        let in_seconds = BRACKETS.replace("20261230010203", "1798592523");
        assert_eq!(read(&in_seconds), read(BRACKETS));
    }

    #[test]
    fn what_is_no_signed_zone_has_no_end() {
        let unsigned: String = LINES.lines().filter(|line| !line.contains("RRSIG")).collect();
        let of_no_zone = LINES.replace("RRSIG\tSOA", "RRSIG\tNS");
        let backwards = BRACKETS.replace("20261230010203", "20251230010203");
        let of_no_month = BRACKETS.replace("20261230010203", "20261330010203");
        let prose = "An RRSIG SOA 5 3 86400 20030322173103 20030220173103 2642 example.com. says";
        for text in [&unsigned, &of_no_zone, &backwards, &of_no_month, prose, "", "SOA", " SOA RRSIG"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_zone_that_is_cut_anywhere_is_read_without_a_panic() {
        for text in [LINES, BRACKETS] {
            for end in 0..text.len() {
                _ = read(&text[..end]);
            }
        }
    }
}
