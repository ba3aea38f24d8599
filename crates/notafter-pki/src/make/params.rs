//! One spec to what rcgen needs.

use super::{order, subject};
use crate::Error;
use notafter_core::{
    CredentialName, CredentialSpec, CrlSpec, KeyAlgorithm, KeyUsage, ScenarioName, UnixTime,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// 0000-01-01T00:00:00Z: GeneralizedTime has four digits and no sign.
const YEAR_0: i64 = -62_167_219_200;

pub(super) fn certificate_params(
    scenario: &ScenarioName,
    spec: &CredentialSpec,
) -> Result<CertificateParams, Error> {
    let x509 = &spec.x509;
    let mut params = dated(&spec.name, x509.not_before, x509.not_after)?;
    params.serial_number = Some(serial(scenario, &spec.name, x509.not_before, x509.not_after));
    params.distinguished_name = subject::parse(&x509.subject).map_err(|reason| Error::Subject {
        name: spec.name.clone(),
        subject: x509.subject.clone(),
        reason,
    })?;
    params.subject_alt_names = subject_alt_names(spec)?;
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = x509
        .usage
        .iter()
        .map(|usage| match usage {
            KeyUsage::Client => ExtendedKeyUsagePurpose::ClientAuth,
            KeyUsage::Server => ExtendedKeyUsagePurpose::ServerAuth,
        })
        .collect();
    if order::is_ca(spec) {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    } else {
        // Said explicitly, for then rcgen adds the subject key identifier, too.
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if matches!(x509.key, KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa4096) {
            params.key_usages.push(KeyUsagePurpose::KeyEncipherment); // TLS 1.2 with RSA key exchange
        }
    }
    Ok(params)
}

/// Parameters with nothing but their dates.
fn dated(
    name: &CredentialName,
    not_before: UnixTime,
    not_after: UnixTime,
) -> Result<CertificateParams, Error> {
    if not_after < not_before {
        return Err(Error::ValidityReversed { name: name.clone(), not_before, not_after });
    }
    if not_before.as_secs() < YEAR_0 {
        return Err(Error::DateNotEncodable { name: name.clone(), at: not_before });
    }
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let date = |at: UnixTime| {
        let distance = Duration::from_secs(at.as_secs().unsigned_abs());
        if at.as_secs() < 0 { epoch - distance } else { epoch + distance }
    };
    let mut params = CertificateParams::default();
    params.not_before = date(not_before);
    params.not_after = date(not_after);
    Ok(params)
}

/// A revocation list that revokes the certificates with these serial numbers in its first second.
pub(super) fn crl_params(
    scenario: &ScenarioName,
    spec: &CrlSpec,
    revoked: Vec<SerialNumber>,
) -> Result<CertificateRevocationListParams, Error> {
    let dates = dated(&spec.name, spec.this_update, spec.next_update)?;
    let revoked = revoked.into_iter().map(|serial_number| RevokedCertParams {
        serial_number,
        revocation_time: dates.not_before,
        reason_code: None,
        invalidity_date: None,
    });
    Ok(CertificateRevocationListParams {
        this_update: dates.not_before,
        next_update: dates.not_after,
        crl_number: serial(scenario, &spec.name, spec.this_update, spec.next_update),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: dates.key_identifier_method,
    })
}

fn subject_alt_names(spec: &CredentialSpec) -> Result<Vec<SanType>, Error> {
    let dns = spec.x509.dns.iter().map(|dns| {
        let name = dns.as_str().try_into();
        name.map(SanType::DnsName).map_err(|_| Error::DnsName { name: spec.name.clone(), dns: dns.clone() })
    });
    dns.chain(spec.x509.ip.iter().map(|ip| Ok(SanType::IpAddress(*ip)))).collect()
}

/// 16 octets: the same in every run of a scenario, another one for every credential and, as RFC 5280 §4.1.2.2 wants,
/// for every date with which it is issued.
fn serial(scenario: &ScenarioName, name: &CredentialName, from: UnixTime, until: UnixTime) -> SerialNumber {
    let (from, until) = (from.as_secs(), until.as_secs());
    let digest = Sha256::digest(format!("{scenario}\n{name}\n{from}\n{until}"));
    let mut octets = digest[..16].to_vec();
    octets[0] = octets[0] & 0x7f | 0x40; // positive, and of the same length everywhere
    SerialNumber::from(octets)
}
