//! Images: pushing them past the authority, listing and unloading them.

use super::judging::{Judged, Pushed, approval, judge, unless_revoked, version_of};
use super::{NodeBackend, Outcome, aside, failed, led};
use crate::admin::Replies;
use crate::admin::protocol::{Failed, ImageItem, PushImage, Reply, Request};
use crate::driver::{Event, LedView, View};
use odeon_convention::codes;
use odeon_convention::leader::{ImageState, ImageView, Operation};
use odeon_convention::types::SourceHash;
use std::sync::Arc;

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
        let mut items = self.listed(led);
        for item in &mut items {
            item.actors = u32::try_from(running(&item.hash)).unwrap_or(u32::MAX);
        }
        Ok(items)
    }

    /// The image that a person means: a hash, a prefix of one, or `name[@version]`.
    pub(super) async fn find_image(&self, view: &View, text: &str) -> Result<SourceHash, Failed> {
        let images = match &view.led {
            Some(led) => self.listed(led),
            None => self.images(view).await?,
        };
        resolve(&images, text)
    }

    pub(super) async fn push_image(&self, push: PushImage, replies: &Replies) -> Outcome {
        let pushed = Arc::new(aside(move || Pushed::of(push)).await??);
        let mut place = self.pending.enter(pushed.waits())?;
        replies.note("other pushes are judged before");
        let _one_at_a_time = place.unless_withdrawn(self.pushing.lock()).await?;
        unless_revoked(SourceHash(pushed.hash.0), &led(&self.view().await?)?.images)?;
        let word = self.word_on(&pushed, &mut place, replies).await?;
        drop(place);
        let known = led(&self.view().await?)?.images.clone();
        let (images, judges) = (self.images.clone(), pushed.clone());
        // Unpacking, verifying and compiling take a while: not on an I/O thread.
        let Judged { image, verdict, usable_here } = aside(move || judge(&images, &known, &judges, word)).await??;
        let hash = image.hash;
        let by = match &verdict {
            Ok(verified) => format!("{}: {}", verified.approval().by, verified.approval().reason),
            Err(rejection) => rejection.message.clone(),
        };
        if verdict.is_ok() {
            replies.note("the leaders store it");
            self.hold_by_majority(&image).await?;
        }
        let approval = verdict.as_ref().map(|verified| approval(verified, pushed.hash)).unwrap_or_default();
        self.operation(Operation::JudgeImage { image, approved: verdict.is_ok(), by, approval }).await?;
        verdict?;
        if usable_here {
            self.event(Event::Fetched { hash, failure: None }).await?;
        }
        let view = self.view().await?;
        let pushed = led(&view)?.images.iter().find(|i| i.image.hash == hash).map(item);
        pushed.map(Reply::Pushed).ok_or_else(|| failed(codes::INTERNAL, "the image is not in the leader's list"))
    }

    /// What a leader lists: what was judged, and what waits for that.
    pub(super) fn listed(&self, led: &LedView) -> Vec<ImageItem> {
        let mut items: Vec<ImageItem> = led.images.iter().map(item).collect();
        for waits in self.pending.list() {
            match items.iter_mut().find(|known| known.hash == waits.hash) {
                // What it may be used for is not changed by waiting.
                Some(known) if known.state == "rejected" => known.state = waits.state,
                Some(_) => {}
                None => items.push(waits),
            }
        }
        items
    }

    pub(super) async fn unload_image(&self, view: &View, text: &str) -> Outcome {
        let hash = self.find_image(view, text).await?;
        let why =
            failed(codes::IMAGE_NOT_APPROVED, format!("image {hash} was unloaded before its authority had spoken"));
        let waited = self.pending.withdraw(hash, &why);
        // What was never judged is gone with that.
        if !waited || led(view)?.images.iter().any(|known| known.image.hash == hash) {
            self.operation(Operation::UnloadImage { hash }).await?;
        }
        Ok(Reply::Done)
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
        pushed: view.pushed.map(|hash| hash.to_string()),
    }
}

pub(super) fn resolve(images: &[ImageItem], text: &str) -> Result<SourceHash, Failed> {
    let looks_like_hash = text.len() >= PREFIX_DIGITS_MIN && text.bytes().all(|b| b.is_ascii_hexdigit());
    // What it was made out of names it as well.
    let begins =
        |i: &ImageItem| i.hash.starts_with(text) || i.pushed.as_ref().is_some_and(|hash| hash.starts_with(text));
    let by_hash: Vec<_> = images.iter().filter(|i| looks_like_hash && begins(i)).collect();
    let (name, version) = text.split_once('@').map_or((text, None), |(name, version)| (name, Some(version)));
    let found = match by_hash.as_slice() {
        [one] => one,
        [] => images
            .iter()
            .filter(|i| i.name == name && version.is_none_or(|v| i.version == v))
            // The newest version, without those that are revoked or wait for their verdict as long as there is another; of
            // one version that was pushed twice, what may be used goes first.
            .max_by(|a, b| {
                let is = |image: &ImageItem, state| image.state == state;
                let is_out = |image: &ImageItem| is(image, "revoked") || is(image, "pending");
                let out = is_out(b).cmp(&is_out(a));
                let version = || version_of(&a.version).cmp(&version_of(&b.version));
                out.then_with(version).then_with(|| is(a, "approved").cmp(&is(b, "approved")))
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
            pushed: None,
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
    fn an_image_is_found_by_the_hash_of_what_it_was_made_out_of() {
        let made = ImageItem { pushed: Some("d".repeat(64)), ..image('a', "hello", "1") };
        let images = [made, image('b', "hello", "2")];
        assert_eq!(resolve(&images, &"d".repeat(64)).unwrap(), SourceHash([0xaa; 32]));
        assert_eq!(resolve(&images, "dddddddd").unwrap(), SourceHash([0xaa; 32]));
    }

    #[test]
    fn a_name_alone_is_not_an_image_that_waits_for_its_verdict() {
        let pending = |digit, version| ImageItem { state: "pending".into(), ..image(digit, "hello", version) };
        let images = [image('a', "hello", "1"), pending('b', "2")];
        assert_eq!(resolve(&images, "hello").unwrap(), SourceHash([0xaa; 32]));
        assert_eq!(resolve(&images, "hello@2").unwrap(), SourceHash([0xbb; 32]));
        assert_eq!(resolve(&images[1..], "hello").unwrap(), SourceHash([0xbb; 32]), "there is no other");
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
