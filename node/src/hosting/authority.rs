//! Actors here that ask to be the Source Authority: the convention decides, and they find its answer in the log.

use super::Hosting;
use super::outside::parse_hash;
use odeon::{Address, Level};
use odeon_convention::limits::AUTHORITY_CLAIMS_MAX;
use odeon_convention::types::AuthorityClaim;

impl Hosting {
    pub(crate) fn register_source_authority(&self, by: Address) {
        let claims = &mut self.kept.lock().claims;
        claims.retain(|other| *other != by);
        if claims.len() < AUTHORITY_CLAIMS_MAX {
            claims.push(by);
        }
        self.kept_changed.notify_one();
    }

    /// What the convention has to know of an actor that asks; none for one that is gone.
    pub(crate) fn authority_claim(&self, by: Address) -> Option<AuthorityClaim> {
        let status = self.system().status(by)?;
        let image = status.image.as_deref().and_then(parse_hash);
        Some(AuthorityClaim { address: by, actor: status.actor, image })
    }

    /// Whether an actor that asked is the authority.
    pub(crate) fn authority_answered(&self, by: Address, refusal: Option<&str>) {
        let Some(actor) = self.system().status(by) else { return };
        let (level, line) = match refusal {
            Some(reason) => (Level::Warn, format!("is not the Source Authority: {reason}")),
            None => (Level::Info, "is the Source Authority".to_owned()),
        };
        self.log.line(by, &actor.actor, actor.image.as_deref(), level, &line);
    }
}
