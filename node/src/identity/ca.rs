//! The convention's certificate authority: made once by the founder, kept by leaders only.

use super::certificate::{CERTIFICATE_YEARS, NodeName, distinguished_name, node_params, set_validity};
use super::{IdentityError, keys::node_id};
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519, PublicKeyData,
    SubjectPublicKeyInfo,
};
use rustls::pki_types::CertificateDer;
use std::path::Path;

/// The CA outlives the certificates that it signs.
const CA_YEARS: u64 = 3 * CERTIFICATE_YEARS;

pub(crate) struct Ca {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub(crate) fn create() -> Result<Self, IdentityError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut params = CertificateParams::default();
        // The name differs between conventions, so that a stranger's certificate is told apart by its issuer too.
        params.distinguished_name =
            distinguished_name(&format!("odeon convention {}", node_id(&key.subject_public_key_info())));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, CA_YEARS)?;
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    pub(crate) fn load(
        certificate: &CertificateDer<'static>,
        key_pem: &str,
        key_path: &Path,
    ) -> Result<Self, IdentityError> {
        let corrupt = |found: String| IdentityError::corrupt(key_path, found, "the Ed25519 key of ca.pem");
        let key = KeyPair::from_pem(key_pem).map_err(|e| corrupt(e.to_string()))?;
        let spki = key.subject_public_key_info();
        if super::certificate::self_issued_spki(certificate).is_none_or(|of_certificate| of_certificate != spki) {
            return Err(corrupt("the key of something else".into()));
        }
        let issuer = Issuer::from_ca_cert_der(certificate, key).map_err(|e| corrupt(e.to_string()))?;
        Ok(Self { certificate: certificate.clone(), issuer })
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub(crate) fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    pub(crate) fn issue(
        &self,
        spki: &SubjectPublicKeyInfo,
        name: &NodeName,
    ) -> Result<CertificateDer<'static>, IdentityError> {
        Ok(node_params(spki, name)?.signed_by(spki, &self.issuer)?.der().clone())
    }
}
