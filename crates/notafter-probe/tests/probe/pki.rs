//! Certificates with dates of the test's choosing.

use notafter_core::{Fingerprint, UnixTime};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::time::Duration;

/// Midnight `day` days after 2030-01-01.
pub(crate) fn day(day: i64) -> UnixTime {
    UnixTime::parse("2030-01-01T00:00:00Z").unwrap().plus_secs(day * 86_400)
}

pub(crate) fn fingerprint(der: &CertificateDer<'_>) -> Fingerprint {
    notafter_pki::read::fingerprint(der)
}

/// First and last second, both inclusive.
pub(crate) type Validity = (UnixTime, UnixTime);

/// Days 0 to 1000.
pub(crate) fn long() -> Validity {
    (day(0), day(1000))
}

fn params(name: &str, sans: &[&str], validity: Validity) -> CertificateParams {
    let date =
        |at: UnixTime| date_time_ymd(1970, 1, 1) + Duration::from_secs(at.as_secs().try_into().unwrap());
    let sans: Vec<String> = sans.iter().map(|&san| san.to_owned()).collect();
    let mut params = CertificateParams::new(sans).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date(validity.0), date(validity.1));
    params
}

/// A CA.
pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn params(name: &str, validity: Validity) -> CertificateParams {
        let mut params = params(name, &[], validity);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    pub(crate) fn root(validity: Validity) -> Self {
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(Self::params("root", validity), key).unwrap())
    }

    pub(crate) fn intermediate(&self, validity: Validity) -> Self {
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::signed_by(Self::params("intermediate", validity), key, &self.0).unwrap())
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A server certificate for `name`.
    pub(crate) fn server(&self, name: &str, validity: Validity) -> Leaf {
        self.leaf(name, ExtendedKeyUsagePurpose::ServerAuth, validity)
    }

    /// A client certificate for `name`.
    pub(crate) fn client(&self, name: &str, validity: Validity) -> Leaf {
        self.leaf(name, ExtendedKeyUsagePurpose::ClientAuth, validity)
    }

    fn leaf(&self, name: &str, usage: ExtendedKeyUsagePurpose, validity: Validity) -> Leaf {
        let mut params = params(name, &[name], validity);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let der = params.signed_by(&key, &self.0).unwrap().der().clone();
        Leaf { chain: vec![der], key: key.serialize_der() }
    }
}

/// A certificate with its chain and key.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Leaf {
    pub(crate) fn followed_by(mut self, ca: &Ca) -> Self {
        self.chain.push(ca.der());
        self
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.clone().into())
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.chain[0])
    }
}
