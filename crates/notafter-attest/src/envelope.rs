//! DSSE envelopes (secure-systems-lab/dsse, v1.0.2).

use crate::{Error, SigningKey, VerifyingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The payload is an in-toto statement.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Signature {
    #[serde(default)]
    keyid: String,
    sig: String,
}

impl Envelope {
    /// `payload` under one signature.
    pub(crate) fn sign(payload: &[u8], key: &SigningKey) -> Result<Self, Error> {
        let signature = key.sign(&encoded(PAYLOAD_TYPE, payload))?;
        Ok(Self {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: STANDARD.encode(payload),
            signatures: vec![Signature { keyid: key.id().to_owned(), sig: STANDARD.encode(signature) }],
        })
    }

    /// The payload, where `key` signed it; the hint of a key's name is not believed.
    pub(crate) fn open(&self, key: &VerifyingKey) -> Result<Vec<u8>, Opening> {
        if self.payload_type != PAYLOAD_TYPE {
            return Err(Opening::Malformed("its payload is no in-toto statement"));
        }
        let payload =
            STANDARD.decode(&self.payload).map_err(|_| Opening::Malformed("its payload is no base64"))?;
        let message = encoded(&self.payload_type, &payload);
        let signed = self
            .signatures
            .iter()
            .filter_map(|signature| STANDARD.decode(&signature.sig).ok())
            .any(|signature| key.accepts(&message, &signature));
        if signed { Ok(payload) } else { Err(Opening::WrongKey) }
    }
}

/// Why an envelope does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    Malformed(&'static str),
    WrongKey,
}

/// The pre-authentication encoding: what is signed.
fn encoded(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_encoded_as_dsse_says() {
        // The example of the specification.
        let expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
        assert_eq!(encoded("http://example.com/HelloWorld", b"hello world"), expected);
    }
}
