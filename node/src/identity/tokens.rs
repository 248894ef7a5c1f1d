//! The tokens that a leader accepts in a handshake. The durable truth is the leader's; this is its shadow.

use hashbrown::HashMap;
use odeon_convention::types::Role;
use parking_lot::RwLock;
use rustls::CertificateError;
use std::sync::Arc;

/// Tokens at most; more are not taken over.
pub const TOKENS_MAX: usize = 65_536;

/// What a leader knows of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenEntry {
    /// The SHA-256 of its public key.
    pub id: [u8; 32],
    /// The role that it gives.
    pub role: Role,
    /// Wall clock, in seconds since 1970, after which it is refused.
    pub expires_unix_s: u64,
    /// How often it may still be used; none for any number of times.
    pub uses_left: Option<u32>,
}

/// The table that the handshake looks into. A clone is the same table.
#[derive(Debug, Clone, Default)]
pub struct Tokens(Arc<RwLock<HashMap<[u8; 32], TokenEntry>>>);

impl Tokens {
    /// Takes these tokens and no others from now on.
    pub fn replace(&self, entries: impl IntoIterator<Item = TokenEntry>) {
        *self.0.write() = entries.into_iter().take(TOKENS_MAX).map(|entry| (entry.id, entry)).collect();
    }

    /// The role that the token gives at this time, or what its user is to be told.
    pub(crate) fn check(&self, id: &[u8; 32], now_unix_s: u64) -> Result<Role, CertificateError> {
        let table = self.0.read();
        let entry = table.get(id).ok_or(CertificateError::UnknownIssuer)?;
        if now_unix_s >= entry.expires_unix_s {
            return Err(CertificateError::Expired);
        }
        if entry.uses_left == Some(0) {
            return Err(CertificateError::Revoked);
        }
        Ok(entry.role)
    }
}
