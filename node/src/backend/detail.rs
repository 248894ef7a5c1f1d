//! Everything that is known of one image: what approved it, what is in it, who holds it.

use super::images::resolve;
use super::{NodeBackend, Outcome, failed};
use crate::admin::protocol::{ImageDetail, ImageEndorsement, ImageGrants, ImageType, Reply, Request};
use crate::driver::{Event, View};
use crate::logs::time;
use odeon_convention::codes;
use odeon_convention::types::{Endorsement, ImageApproval, SourceHash};
use odeon_sourceauth::Grants;
use tokio::sync::oneshot;

impl NodeBackend {
    pub(super) async fn show_image(&self, view: &View, text: &str) -> Outcome {
        let Some(led) = &view.led else {
            return self.ask_leader(view, &Request::ShowImage { image: text.to_owned() }).await;
        };
        let images = self.images(view).await?;
        let hash = resolve(&images, text)?;
        let unknown = || failed(codes::IMAGE_UNKNOWN, format!("no image has the hash {hash}"));
        let item = images.into_iter().find(|item| item.hash == hash.to_string()).ok_or_else(unknown)?;
        // One that waits for its verdict is nothing but bytes.
        let info = led.images.iter().find(|known| known.image.hash == hash).map(|known| &known.image);
        let (end, held_by) = oneshot::channel();
        self.event(Event::HeldBy { hash, end }).await?;
        let held_by = held_by.await.map_err(|_| super::stopping())?;
        let approval: ImageApproval = self
            .ledger
            .as_ref()
            .and_then(|ledger| ledger.look(|facts| facts.approval(hash).cloned()))
            .unwrap_or_default();
        let mut nodes: Vec<String> = led
            .members
            .iter()
            .filter(|member| held_by.contains(&member.node))
            .map(|member| member.name.clone())
            .collect();
        nodes.sort_unstable();
        let grants = self.grants_of(hash).await;
        Ok(Reply::Image(Box::new(ImageDetail {
            hash: item.hash,
            name: item.name,
            version: item.version,
            size: item.size,
            state: item.state,
            by: item.by,
            approved: (approval.at_unix_s > 0).then(|| time::format_s(approval.at_unix_s)),
            until: approval.until_unix_s.map(time::format_s),
            types: info
                .into_iter()
                .flat_map(|info| &info.actors)
                .map(|actor| ImageType { name: actor.name.clone(), require: actor.required.clone() })
                .collect(),
            approvals: approval.endorsements.into_iter().map(endorsement).collect(),
            nodes,
            actors: item.actors,
            pushed: item.pushed,
            grants,
        })))
    }

    /// What an image asks for, where it is here.
    async fn grants_of(&self, hash: SourceHash) -> Option<ImageGrants> {
        let images = self.images.clone();
        match tokio::task::spawn_blocking(move || images.grants(hash)).await {
            Ok(Ok(grants)) => Some(grants_item(&grants)),
            Ok(Err(error)) => {
                tracing::debug!(image = %hash, %error, "what an image asks for is not known");
                None
            }
            Err(_) => None,
        }
    }
}

fn grants_item(grants: &Grants) -> ImageGrants {
    fn texts<T: ToString>(all: &[T]) -> Vec<String> {
        all.iter().map(T::to_string).collect()
    }
    ImageGrants {
        outbound: texts(&grants.outbound),
        folders: texts(&grants.folders),
        environment: texts(&grants.environment),
    }
}

fn endorsement(kept: Endorsement) -> ImageEndorsement {
    ImageEndorsement {
        by: kept.by,
        fingerprint: kept.fingerprint,
        signed: if kept.statement { "statement" } else { "file" }.to_owned(),
        not_before: kept.not_before_unix_s.map(time::format_s),
        not_after: kept.not_after_unix_s.map(time::format_s),
        text: kept.text,
    }
}
