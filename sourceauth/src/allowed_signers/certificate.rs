//! Certificates of OpenSSH (PROTOCOL.certkeys): whose key it was that signed, by the word of an authority.

use super::pattern::{Fit, fit};
use crate::limits::PRINCIPALS_MAX;
use crate::signature::made_by;
use crate::time::format_unix_s;
use ssh_key::certificate::CertType;
use ssh_key::{Certificate, HashAlg};

/// The principals of a certificate that fit those of the authority's line, or why it does not count.
///
/// Stricter than OpenSSH: without principals it is nobody's, where an ssh server takes it as everybody's. The caller
/// has seen that its authority is that of the line.
pub(super) fn principals(certificate: &Certificate, line: &str, now_unix_s: u64) -> Result<String, String> {
    let whose = format!("certificate {:?} (serial {})", certificate.key_id(), certificate.serial());
    if certificate.cert_type() != CertType::User {
        return Err(format!("{whose} is for a host, expected one for a user"));
    }
    if let Some(option) = certificate.critical_options().keys().next() {
        return Err(format!("{whose} has the critical option {option:?}, which nothing here can keep"));
    }
    if now_unix_s < certificate.valid_after() {
        return Err(format!("{whose} counts from {} on", format_unix_s(certificate.valid_after())));
    }
    if now_unix_s >= certificate.valid_before() {
        return Err(format!("{whose} counted until {}", format_unix_s(certificate.valid_before())));
    }
    let all = certificate.valid_principals();
    if all.len() > PRINCIPALS_MAX {
        return Err(format!("{whose} has more than {PRINCIPALS_MAX} principals"));
    }
    let fitting: Vec<&str> = all.iter().map(String::as_str).filter(|name| fit(name, line) == Fit::Fits).collect();
    if fitting.is_empty() {
        return Err(format!("{whose} is for the principals {all:?}, of which none fits {line:?}"));
    }
    let authority = certificate.signature_key();
    made_by(authority, certificate.signature()).map_err(|e| format!("{whose}: {e}"))?;
    certificate
        .validate_at(now_unix_s, &[authority.fingerprint(HashAlg::Sha256)])
        .map_err(|_| format!("{whose} was not made by its authority"))?;
    Ok(fitting.join(","))
}
