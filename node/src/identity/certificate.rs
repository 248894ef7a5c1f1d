//! What a node's certificate says, and how it says it: `<node id>.<role>.odeon` as its only DNS name.

use super::IdentityError;
use super::keys::node_id;
use odeon::NodeId;
use odeon_convention::types::Role;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose, SubjectPublicKeyInfo,
};
use rustls::CertificateError;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Years that a certificate is valid from the day it is issued.
pub const CERTIFICATE_YEARS: u64 = 10;
/// A certificate counts from this many seconds before it is issued, so that clocks may differ by hours.
const BACKDATED_S: u64 = 24 * 60 * 60;
const YEAR_S: u64 = 365 * 24 * 60 * 60;
const SUFFIX: &str = ".odeon";

/// Who a certificate is for and what it lets it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeName {
    /// The node.
    pub id: NodeId,
    /// Its role.
    pub role: Role,
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}{SUFFIX}", self.id, role_name(self.role))
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Leader => "leader",
        Role::Member => "member",
        Role::Operator => "operator",
    }
}

impl NodeName {
    fn parse(name: &str) -> Option<Self> {
        let (id, role) = name.strip_suffix(SUFFIX)?.split_once('.')?;
        let role = match role {
            "leader" => Role::Leader,
            "member" => Role::Member,
            _ => return None,
        };
        Some(Self { id: id.parse().ok()?, role })
    }

    /// What a certificate says of its owner. Whether the CA said it is for the caller to verify.
    pub(crate) fn read(der: &[u8]) -> Result<Self, CertificateError> {
        let certificate = parse(der)?;
        let names = certificate.subject_alternative_name().map_err(|_| CertificateError::BadEncoding)?;
        let name = match names.as_ref().map(|n| n.value.general_names.as_slice()) {
            Some([GeneralName::DNSName(name)]) => Self::parse(name),
            _ => None,
        };
        // The id is a digest of the key, so that no certificate can say another node's id for its own key.
        name.filter(|n| n.id == node_id(certificate.public_key().raw)).ok_or(CertificateError::NotValidForName)
    }
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, CertificateError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(CertificateError::BadEncoding),
    }
}

/// The SubjectPublicKeyInfo of a certificate that names itself as its issuer.
pub(crate) fn self_issued_spki(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = parse(der).ok()?;
    (certificate.subject() == certificate.issuer()).then(|| certificate.public_key().raw.to_vec())
}

pub(crate) fn distinguished_name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Sets how long a certificate that is made now is valid.
pub(crate) fn set_validity(params: &mut CertificateParams, years: u64) -> Result<(), IdentityError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| IdentityError::Certificate("the clock of this machine is before 1970".into()))?;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(Duration::from_secs(BACKDATED_S));
    params.not_after = epoch + now + Duration::from_secs(years * YEAR_S);
    Ok(())
}

/// What a node's certificate contains.
pub(crate) fn node_params(spki: &SubjectPublicKeyInfo, name: &NodeName) -> Result<CertificateParams, IdentityError> {
    use rcgen::PublicKeyData;
    let found = node_id(&spki.subject_public_key_info());
    if found != name.id {
        return Err(IdentityError::Certificate(format!("the key is that of {found}, not of {}", name.id)));
    }
    let mut params = CertificateParams::new(vec![name.to_string()])?;
    params.distinguished_name = distinguished_name("odeon node");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, CERTIFICATE_YEARS)?;
    Ok(params)
}
