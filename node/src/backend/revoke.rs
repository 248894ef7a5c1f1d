//! Revoking an image: nothing comes from it any more, anywhere, and who has confirmed that.

use super::images::{item, parse_hash};
use super::nodes::named;
use super::{NodeBackend, Outcome, failed, led};
use crate::admin::Caller;
use crate::admin::protocol::{Failed, ImageItem, Reply, Request, RevokeImage, RevokedItem};
use crate::driver::View;
use odeon_convention::codes;
use odeon_convention::leader::{Answer, Confirmations, Operation};
use odeon_convention::types::SourceHash;
use odeon_convention::wire::RevokedImage;
use std::time::{Duration, Instant};

/// How long a command may wait for confirmations.
const CONFIRM_TIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// How often it is looked at who has confirmed.
const CONFIRM_LOOK: Duration = Duration::from_millis(50);

impl NodeBackend {
    /// Who asks is said by the node that was asked: a command says nothing of that, a node that passes it on has said.
    pub(super) fn sign(&self, caller: &Caller, request: &mut Request) {
        let Request::RevokeImage(revoke) = request else { return };
        match caller {
            Caller::Owner => revoke.by = format!("the owner of node {}", self.name),
            Caller::Operator => revoke.by = format!("an operator at node {}", self.name),
            Caller::Peer(..) => {}
        }
    }

    pub(super) async fn revoke_image(&self, view: &View, revoke: RevokeImage) -> Outcome {
        let RevokeImage { image, end, reason, timeout_ms, by } = revoke;
        let images = self.listed(led(view)?);
        let hash = the_one(&images, &image)?;
        self.operation(Operation::RevokeImage { image: RevokedImage { hash, end }, reason, by }).await?;
        self.pending.withdraw(hash, &failed(codes::IMAGE_REVOKED, format!("image {hash} was revoked")));
        let until = Instant::now() + Duration::from_millis(timeout_ms).min(CONFIRM_TIME_MAX);
        let Confirmations { confirmed, unconfirmed } = loop {
            let confirmations = self.confirmations(hash).await?;
            if confirmations.unconfirmed.is_empty() || Instant::now() >= until {
                break confirmations;
            }
            tokio::time::sleep(CONFIRM_LOOK).await;
        };
        let view = self.view().await?;
        let led = led(&view)?;
        let unconfirmed = named(led, &unconfirmed);
        let known = led.images.iter().find(|i| i.image.hash == hash).map(item);
        let (name, version) = known.map_or_else(Default::default, |item| (item.name, item.version));
        Ok(Reply::Revoked(RevokedItem { hash: hash.to_string(), name, version, confirmed, unconfirmed }))
    }

    async fn confirmations(&self, hash: SourceHash) -> Result<Confirmations, Failed> {
        match self.operation(Operation::Confirmations { hash }).await? {
            Answer::Confirmations(confirmations) => Ok(confirmations),
            _ => Err(failed(codes::INTERNAL, "the leader does not say who has confirmed")),
        }
    }
}

/// The only image that fits. What is for ever is not done to the newest of several, which may be another one when it is
/// asked for again. One that was never pushed, or was unloaded, has its whole hash.
fn the_one(images: &[ImageItem], text: &str) -> Result<SourceHash, Failed> {
    if let Some(hash) = parse_hash(text) {
        // What somebody pushed may be known by what the authority made out of it.
        let made = images.iter().find(|i| i.pushed.as_deref() == Some(text)).and_then(|i| parse_hash(&i.hash));
        return Ok(made.unwrap_or(hash));
    }
    let (name, version) = text.split_once('@').map_or((text, None), |(name, version)| (name, Some(version)));
    let fitting = images.iter().filter(|i| i.name == name && version.is_none_or(|version| i.version == version));
    match fitting.map(|i| format!("{}@{} {}", i.name, i.version, i.hash)).collect::<Vec<_>>().as_slice() {
        [] | [_] => super::images::resolve(images, text),
        many => {
            let message = format!("{text:?} fits {}: name one by its hash", many.join(", "));
            Err(failed(codes::IMAGE_AMBIGUOUS, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(digit: char, version: &str, state: &str) -> ImageItem {
        ImageItem {
            hash: digit.to_string().repeat(64),
            name: "hello".into(),
            version: version.into(),
            size: 1,
            state: state.into(),
            by: String::new(),
            nodes: 0,
            actors: 0,
            pushed: None,
        }
    }

    #[test]
    fn only_an_image_that_nothing_else_fits_is_revoked() {
        let images = [image('a', "1", "approved"), image('b', "2", "revoked"), image('c', "2", "approved")];
        let code = |text: &str| the_one(&images, text).map_err(|failed| failed.code);
        assert_eq!(code("hello"), Err(codes::IMAGE_AMBIGUOUS));
        assert_eq!(code("hello@2"), Err(codes::IMAGE_AMBIGUOUS), "one of them is revoked, and may be meant");
        assert_eq!(code("hello@1"), Ok(SourceHash([0xaa; 32])));
        assert_eq!(code("bbbbbbbb"), Ok(SourceHash([0xbb; 32])));
        assert_eq!(code("bbbb"), Err(codes::IMAGE_UNKNOWN));
        assert_eq!(code(&"d".repeat(64)), Ok(SourceHash([0xdd; 32])), "known or not");
        assert_eq!(the_one(&images[..1], "hello").unwrap(), SourceHash([0xaa; 32]));
        let made = [ImageItem { pushed: Some("e".repeat(64)), ..image('a', "1", "approved") }];
        assert_eq!(the_one(&made, &"e".repeat(64)).unwrap(), SourceHash([0xaa; 32]), "by what was pushed");
    }
}
