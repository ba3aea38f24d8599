//! The attributes of distinguished names that have a short name (RFC 4514 §3 and what OpenSSL adds).

/// Which ASN.1 string type a made attribute gets (RFC 5280 appendix A.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StringType {
    Ia5,
    Printable,
    Utf8,
}

/// One attribute type.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) label: &'static str,
    pub(crate) oid: &'static [u64],
    pub(crate) string: StringType,
}

const fn x520(label: &'static str, oid: &'static [u64]) -> Attribute {
    Attribute { label, oid, string: StringType::Utf8 }
}

/// Sorted by label, capitals first.
pub(crate) const ATTRIBUTES: &[Attribute] = &[
    Attribute { label: "C", oid: &[2, 5, 4, 6], string: StringType::Printable },
    x520("CN", &[2, 5, 4, 3]),
    Attribute { label: "DC", oid: &[0, 9, 2342, 19_200_300, 100, 1, 25], string: StringType::Ia5 },
    x520("GN", &[2, 5, 4, 42]),
    x520("L", &[2, 5, 4, 7]),
    x520("O", &[2, 5, 4, 10]),
    x520("OU", &[2, 5, 4, 11]),
    x520("SN", &[2, 5, 4, 4]),
    x520("ST", &[2, 5, 4, 8]),
    x520("STREET", &[2, 5, 4, 9]),
    x520("UID", &[0, 9, 2342, 19_200_300, 100, 1, 1]),
    Attribute { label: "emailAddress", oid: &[1, 2, 840, 113_549, 1, 9, 1], string: StringType::Ia5 },
    x520("organizationIdentifier", &[2, 5, 4, 97]),
    x520("postalCode", &[2, 5, 4, 17]),
    Attribute { label: "serialNumber", oid: &[2, 5, 4, 5], string: StringType::Printable },
    x520("title", &[2, 5, 4, 12]),
];
