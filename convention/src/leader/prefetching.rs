//! Prefetching: members fetch an image before an actor of it is asked for.
//!
//! Nothing of it is kept: who has the image is known as always, and whoever asks looks at that, and asks again.

use super::Answer;
use super::machine::Leader;
use super::placing::Refusal;
use crate::codes;
use crate::fit::Wish;
use crate::types::{ImageInfo, SourceHash};
use crate::wire::ToMember;
use odeon::NodeRef;
use odeon_capabilities::Requirements;

impl Leader {
    /// Tells the members that fit, and have not got the image, to fetch it. Answers with all that fit.
    pub(super) fn prefetch(&mut self, hash: SourceHash, requirements: &Requirements) -> Answer {
        let image = match self.usable_image(hash) {
            Ok(image) => image.clone(),
            Err(Refusal { code, reason }) => return Answer::Refused { code, reason },
        };
        let wish = match Wish::parse(requirements) {
            Ok(wish) => wish,
            Err(error) => return Answer::Refused { code: codes::BAD_REQUIREMENT, reason: error.to_string() },
        };
        let (mut nodes, mut lacking) = (Vec::new(), Vec::new());
        for peer in self.peers.live.values().filter(|peer| peer.current) {
            let Some(registered) = self.facts.registered.get(&peer.node.id) else { continue };
            if wish.lacks(&registered.capabilities, &[]).is_empty() {
                nodes.push(peer.node);
                if !peer.images().contains(&hash) {
                    lacking.push(peer.node);
                }
            }
        }
        for node in lacking {
            self.ask_to_fetch(node, image.clone());
        }
        Answer::Prefetching { nodes }
    }

    fn ask_to_fetch(&mut self, node: NodeRef, image: ImageInfo) {
        let sources = self.sources(image.hash, node);
        self.send(node, ToMember::Prefetch { image: Box::new(image), sources });
    }
}
