//! The two messages of `grpc.health.v1`, in the frames that gRPC puts around them.
//!
//! What must never happen here: bytes that are no whole message counting as a status.

/// Tag of field 1 as a string, which is `HealthCheckRequest.service`.
const SERVICE: u8 = 0x0a;

/// `HealthCheckResponse.ServingStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    NotServing,
    Other(u64),
    ServiceUnknown,
    Serving,
    Unknown,
}

impl std::fmt::Display for Health {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotServing => formatter.write_str("NOT_SERVING"),
            Self::Other(number) => write!(formatter, "status {number}"),
            Self::ServiceUnknown => formatter.write_str("SERVICE_UNKNOWN"),
            Self::Serving => formatter.write_str("SERVING"),
            Self::Unknown => formatter.write_str("UNKNOWN"),
        }
    }
}

/// A framed `HealthCheckRequest`; the whole server is asked about where `service` is empty.
pub(super) fn request(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(SERVICE);
        put_varint(&mut message, service.len());
        message.extend(service.as_bytes());
    }
    // Not compressed; the length of a name out of a scenario file is far below what the frame can hold.
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend(message);
    framed
}

fn put_varint(into: &mut Vec<u8>, mut number: usize) {
    while let Ok(low @ 0x80..) | Err(low) = u8::try_from(number).map_err(|_| number.to_le_bytes()[0]) {
        into.push(low | 0x80);
        number >>= 7;
    }
    into.push(number.to_le_bytes()[0]);
}

/// What a framed `HealthCheckResponse` says; none where these bytes are none.
pub(super) fn response(framed: &[u8]) -> Option<Health> {
    let (head, mut rest) = framed.split_at_checked(5)?;
    let len = u32::from_be_bytes(head[1..].try_into().ok()?);
    if head[0] != 0 || usize::try_from(len) != Ok(rest.len()) {
        return None;
    }
    let mut status = 0;
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        match (tag >> 3, tag & 7) {
            (0, _) => return None,
            (1, 0) => status = varint(&mut rest)?,
            // Fields that later versions may have.
            (_, 0) => drop(varint(&mut rest)?),
            (_, 1) => rest = rest.get(8..)?,
            (_, 2) => {
                let len = varint(&mut rest)?;
                rest = rest.get(usize::try_from(len).ok()?..)?;
            }
            (_, 5) => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(match status {
        0 => Health::Unknown,
        1 => Health::Serving,
        2 => Health::NotServing,
        3 => Health::ServiceUnknown,
        other => Health::Other(other),
    })
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_the_service_or_nothing() {
        assert_eq!(request(""), b"\0\0\0\0\0");
        assert_eq!(request("shop.v1.Orders"), b"\0\0\0\0\x10\x0a\x0eshop.v1.Orders");
        let long = request(&"x".repeat(300));
        assert_eq!(&long[..8], b"\0\0\0\x01\x2f\x0a\xac\x02");
        assert_eq!(long.len(), 8 + 300);
        assert_eq!(&request(&"x".repeat(128))[5..8], b"\x0a\x80\x01");
        assert_eq!(&request(&"x".repeat(127))[5..7], b"\x0a\x7f");
    }

    #[test]
    fn a_response_is_its_status_and_nothing_less() {
        for (framed, expected) in [
            (&b"\0\0\0\0\x02\x08\x01"[..], Some(Health::Serving)),
            (b"\0\0\0\0\x02\x08\x02", Some(Health::NotServing)),
            (b"\0\0\0\0\x02\x08\x03", Some(Health::ServiceUnknown)),
            (b"\0\0\0\0\0", Some(Health::Unknown)),
            (b"\0\0\0\0\x03\x08\xac\x02", Some(Health::Other(300))),
            (b"\0\0\0\0\x06\x12\x02xy\x08\x01", Some(Health::Serving)),
            (b"\0\0\0\0\x0b\x11abcdefgh\x08\x01", Some(Health::Serving)),
            (b"\0\0\0\0\x07\x15abcd\x08\x01", Some(Health::Serving)),
            (b"\x01\0\0\0\x02\x08\x01", None), // compressed, which was not asked for
            (b"\0\0\0\0\x03\x08\x01", None),
            (b"\0\0\0\0\x02\x08\x01\0\0\0\0\0", None),
            (b"\0\0\0\0\x02\x08\x81", None),
            (b"\0\0\0\0\x02\x12\x7f", None),
            (b"\0\0\0\0\x02\x0b\x01", None), // a group
            (b"\0\0\0\0\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"\0\0\0", None),
            (b"", None),
        ] {
            assert_eq!(response(framed), expected, "{framed:02x?}");
        }
    }
}
