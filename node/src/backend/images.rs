//! Images: pushing them past the authority, listing and unloading them, and the authority itself.

use super::judging::{Judged, approval, authority_of, judge, keyring, version_of};
use super::{NodeBackend, Outcome, failed, led};
use crate::admin::Replies;
use crate::admin::protocol::{AuthorityView, Failed, ImageItem, PushImage, Reply, Request};
use crate::driver::{Event, LedView, View};
use odeon_convention::codes;
use odeon_convention::leader::{ImageState, ImageView, Operation};
use odeon_convention::record::AuthoritySetting;
use odeon_convention::types::SourceHash;
use odeon_sourceauth::Signer;

/// The shortest prefix of a hash that stands for it.
const PREFIX_DIGITS_MIN: usize = 8;

impl NodeBackend {
    pub(super) async fn images(&self, view: &View) -> Result<Vec<ImageItem>, Failed> {
        let Some(led) = &view.led else {
            return match self.ask_leader(view, &Request::Images).await? {
                Reply::Images(images) => Ok(images),
                _ => Err(failed(codes::BAD_REQUEST, "the leader answers something else than images")),
            };
        };
        let actors = self.all_actors(view).await;
        let running = |hash: &str| actors.iter().filter(|a| a.image.as_deref() == Some(hash)).count();
        Ok(led
            .images
            .iter()
            .map(|image| {
                let mut item = item(image);
                item.actors = u32::try_from(running(&item.hash)).unwrap_or(u32::MAX);
                item
            })
            .collect())
    }

    /// The image that a person means: a hash, a prefix of one, or `name[@version]`.
    pub(super) async fn find_image(&self, view: &View, text: &str) -> Result<SourceHash, Failed> {
        let images = match &view.led {
            Some(led) => led.images.iter().map(item).collect(),
            None => self.images(view).await?,
        };
        resolve(&images, text)
    }

    pub(super) async fn push_image(&self, push: PushImage) -> Outcome {
        let _one_at_a_time = self.pushing.lock().await;
        let LedView { authority, images: known, .. } = led(&self.view().await?)?.clone();
        let images = self.images.clone();
        // Unpacking, verifying and compiling take a while: not on an I/O thread.
        let judged = tokio::task::spawn_blocking(move || judge(&images, &authority, &known, push));
        let Judged { image, verdict, usable_here } =
            judged.await.map_err(|e| failed(codes::INTERNAL, e.to_string()))??;
        let hash = image.hash;
        let by = match &verdict {
            Ok(verified) => format!("{}: {}", verified.approval().by, verified.approval().reason),
            Err(rejection) => rejection.message.clone(),
        };
        if verdict.is_ok() {
            self.hold_by_majority(&image).await?;
        }
        let approval = verdict.as_ref().map(approval).unwrap_or_default();
        self.operation(Operation::JudgeImage { image, approved: verdict.is_ok(), by, approval }).await?;
        verdict?;
        if usable_here {
            self.event(Event::Fetched { hash, failure: None }).await?;
        }
        let view = self.view().await?;
        let pushed = led(&view)?.images.iter().find(|i| i.image.hash == hash).map(item);
        pushed.map(Reply::Pushed).ok_or_else(|| failed(codes::INTERNAL, "the image is not in the leader's list"))
    }

    pub(super) async fn unload_image(&self, view: &View, text: &str) -> Outcome {
        let hash = self.find_image(view, text).await?;
        self.operation(Operation::UnloadImage { hash }).await?;
        Ok(Reply::Done)
    }

    pub(super) async fn set_authority(&self, authority: AuthoritySetting) -> Outcome {
        authority_of(&authority)?;
        self.operation(Operation::SetAuthority(authority)).await?;
        Ok(Reply::Done)
    }

    pub(super) async fn authority(&self, view: &View, _replies: &Replies) -> Outcome {
        let Some(led) = &view.led else { return self.ask_leader(view, &Request::Authority).await };
        let (authority, required, signers) = match &led.authority {
            AuthoritySetting::None => ("none", None, Vec::new()),
            AuthoritySetting::AcceptAll => ("accept-all", None, Vec::new()),
            AuthoritySetting::Keyring { allowed_signers, required } => {
                let keyring =
                    keyring(allowed_signers, *required).map_err(|e| failed(codes::DATA_UNUSABLE, e.to_string()))?;
                ("keyring", Some(*required), keyring.allowed().signers().iter().map(describe).collect())
            }
        };
        Ok(Reply::Authority(AuthorityView { authority: authority.to_owned(), required, signers }))
    }
}

pub(super) fn item(view: &ImageView) -> ImageItem {
    ImageItem {
        hash: view.image.hash.to_string(),
        name: view.image.name.clone(),
        version: view.image.version.clone(),
        size: view.image.size_bytes,
        state: match view.state {
            ImageState::Approved => "approved".to_owned(),
            ImageState::Rejected => "rejected".to_owned(),
            ImageState::Expired => "expired".to_owned(),
            ImageState::Revoked => "revoked".to_owned(),
        },
        by: view.by.clone(),
        nodes: view.nodes,
        actors: 0,
    }
}

/// A signer as `authority show` shows it.
fn describe(signer: &Signer) -> String {
    let certifies = if signer.certifies { " cert-authority" } else { "" };
    let namespaces = signer.namespaces().map_or_else(String::new, |list| format!(" namespaces={list:?}"));
    format!("{}{certifies}{namespaces} {}", signer.principals, signer.fingerprint())
}

pub(super) fn resolve(images: &[ImageItem], text: &str) -> Result<SourceHash, Failed> {
    let looks_like_hash = text.len() >= PREFIX_DIGITS_MIN && text.bytes().all(|b| b.is_ascii_hexdigit());
    let by_hash: Vec<_> = images.iter().filter(|i| looks_like_hash && i.hash.starts_with(text)).collect();
    let (name, version) = text.split_once('@').map_or((text, None), |(name, version)| (name, Some(version)));
    let found = match by_hash.as_slice() {
        [one] => one,
        [] => images
            .iter()
            .filter(|i| i.name == name && version.is_none_or(|v| i.version == v))
            // The newest version, without those that are revoked as long as there is another; of one version that was
            // pushed twice, what may be used goes first.
            .max_by(|a, b| {
                let is = |image: &ImageItem, state| image.state == state;
                let revoked = is(b, "revoked").cmp(&is(a, "revoked"));
                let version = || version_of(&a.version).cmp(&version_of(&b.version));
                revoked.then_with(version).then_with(|| is(a, "approved").cmp(&is(b, "approved")))
            })
            .ok_or_else(|| failed(codes::IMAGE_UNKNOWN, format!("no image has the hash or name {text:?}")))?,
        many => {
            let hashes: Vec<_> = many.iter().map(|i| i.hash.as_str()).collect();
            return Err(failed(codes::IMAGE_AMBIGUOUS, format!("{text:?} fits {}", hashes.join(", "))));
        }
    };
    parse_hash(&found.hash).ok_or_else(|| failed(codes::INTERNAL, format!("{:?} is not a source hash", found.hash)))
}

pub(super) fn parse_hash(text: &str) -> Option<SourceHash> {
    let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?;
    bytes.try_into().ok().map(SourceHash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(digit: char, name: &str, version: &str) -> ImageItem {
        ImageItem {
            hash: digit.to_string().repeat(64),
            name: name.into(),
            version: version.into(),
            size: 1,
            state: "approved".into(),
            by: String::new(),
            nodes: 0,
            actors: 0,
        }
    }

    #[test]
    fn an_image_is_found_by_hash_prefix_name_and_version() {
        let images = [image('a', "hello", "1.9.0"), image('b', "hello", "1.10.0"), image('c', "other", "1")];
        assert_eq!(resolve(&images, "aaaaaaaa").unwrap(), SourceHash([0xaa; 32]));
        assert_eq!(resolve(&images, "hello").unwrap(), SourceHash([0xbb; 32]), "the newest version");
        assert_eq!(resolve(&images, "hello@1.9.0").unwrap(), SourceHash([0xaa; 32]));
        assert_eq!(resolve(&images, "aaaa").unwrap_err().code, codes::IMAGE_UNKNOWN, "too short for a prefix");
        assert_eq!(resolve(&images, "hello@2").unwrap_err().code, codes::IMAGE_UNKNOWN);
    }

    #[test]
    fn a_revoked_image_is_found_by_its_name_only_where_there_is_no_other() {
        let mut images = [image('a', "hello", "1.9.0"), image('b', "hello", "1.10.0")];
        images[1].state = "revoked".into();
        assert_eq!(resolve(&images, "hello").unwrap(), SourceHash([0xaa; 32]));
        assert_eq!(resolve(&images, "hello@1.10.0").unwrap(), SourceHash([0xbb; 32]));
        images[0].state = "revoked".into();
        assert_eq!(resolve(&images, "hello").unwrap(), SourceHash([0xbb; 32]));
    }

    #[test]
    fn a_prefix_of_two_hashes_is_ambiguous() {
        let mut other = image('a', "other", "1");
        other.hash.replace_range(60.., "bbbb");
        let images = [image('a', "hello", "1"), other];
        assert_eq!(resolve(&images, "aaaaaaaa").unwrap_err().code, codes::IMAGE_AMBIGUOUS);
    }
}
