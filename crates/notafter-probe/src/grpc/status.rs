//! The names of gRPC's status codes.

/// The caller may not (grpc.io, "Status codes").
pub(super) const PERMISSION_DENIED: u32 = 7;
/// The service cannot serve at the moment.
pub(super) const UNAVAILABLE: u32 = 14;
/// The caller is not known.
pub(super) const UNAUTHENTICATED: u32 = 16;

const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The name of `code`, or its number.
pub(super) fn name(code: u32) -> String {
    let known = usize::try_from(code).ok().and_then(|index| NAMES.get(index));
    known.map_or_else(|| code.to_string(), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_that_people_know() {
        for (code, expected) in [
            (0, "OK"),
            (PERMISSION_DENIED, "PERMISSION_DENIED"),
            (12, "UNIMPLEMENTED"),
            (UNAVAILABLE, "UNAVAILABLE"),
            (UNAUTHENTICATED, "UNAUTHENTICATED"),
            (17, "17"),
        ] {
            assert_eq!(name(code), expected);
        }
    }
}
