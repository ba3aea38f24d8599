//! Keys that the design of the format has and this version has not.

/// Keys that the design of the format has and this version has not. They are refused by a message of their own.
const PLANNED: [(&str, &[&str]); 6] = [
    ("credential", &["env", "file", "jks", "jwks", "ocsp", "pkcs12", "served_by", "ssh"]),
    ("service", &["clock", "health", "job", "resources", "skew"]),
    ("file", &["store"]),
    ("probe", &["grpc", "postgres"]),
    ("expectation", &["served", "warns"]),
    ("trust", &["system", "file"]),
];

/// Whether `key` of `owner` is part of the design and not built yet.
pub(crate) fn is_planned(owner: &str, key: &str) -> bool {
    PLANNED.iter().any(|(name, keys)| *name == owner && keys.contains(&key))
}
