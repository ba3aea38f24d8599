//! `WWW-Authenticate`: how a registry wants to know who asks (RFC 9110 §11.6.1, and the token scheme of the distribution
//! project).

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    /// A token, to be had at `realm` for `service`.
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

impl Challenge {
    /// None for schemes that are unknown here.
    pub(super) fn parse(field: &str) -> Option<Self> {
        let (scheme, rest) = field.trim().split_once(' ').unwrap_or((field.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, None);
        for (name, value) in parameters(rest) {
            if name.eq_ignore_ascii_case("realm") {
                realm = Some(value);
            } else if name.eq_ignore_ascii_case("service") {
                service = Some(value);
            }
        }
        Some(Self::Bearer { realm: realm?, service })
    }
}

/// `name="value", name=value`; what is malformed ends it.
fn parameters(mut text: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    loop {
        text = text.trim_start_matches([' ', ',', '\t']);
        let Some((name, rest)) = text.split_once('=') else { return found };
        let name = name.trim();
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find([',', ' ']).unwrap_or(rest.len());
            found.push((name, rest[..end].to_owned()));
            text = &rest[end..];
            continue;
        };
        let (mut value, mut chars) = (String::new(), quoted.char_indices());
        loop {
            match chars.next() {
                None => return found,
                Some((at, '"')) => {
                    text = &quoted[at + 1..];
                    break;
                }
                Some((_, '\\')) => value.extend(chars.next().map(|(_, char)| char)),
                Some((_, char)) => value.push(char),
            }
        }
        found.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
        };
        for (field, challenge) in [
            ("Basic realm=\"Registry Realm\"", Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://auth.example/token\",service=\"registry.example\",scope=\"a:b:pull,push\"",
                bearer("https://auth.example/token", Some("registry.example")),
            ),
            ("Bearer service=x, realm=\"https://a/?b=\\\"c\"", bearer("https://a/?b=\"c", Some("x"))),
            ("Bearer service=\"x\"", None),
            ("Bearer realm=\"never ends", None),
            ("Negotiate", None),
            ("", None),
        ] {
            assert_eq!(Challenge::parse(field), challenge, "{field}");
        }
    }
}
