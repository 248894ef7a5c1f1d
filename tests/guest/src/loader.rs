//! An actor that has images loaded and unloaded. The tests' own nodes link the same source in.

use odeon::{
    Address, Context, LoadOutcome, LoadSource, Message, SourceBytes, SourceLoaded, SourceUnloaded, actor, bytes,
};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A file that a [`Loader`] is to have loaded.
#[derive(Debug, Serialize, Deserialize, Message)]
pub struct Load {
    /// Its bytes.
    #[serde(with = "bytes")]
    pub bytes: Vec<u8>,
    /// Signatures on it.
    pub signatures: Vec<String>,
    /// Who hears what became of it.
    pub reply_to: Address,
}

/// An image that it is to have unloaded.
#[derive(Debug, Serialize, Deserialize, Message)]
pub struct Unload {
    /// Its source hash.
    pub hash: String,
}

/// Says what became of it to whoever told it.
#[derive(Default)]
pub struct Loader {
    reply_to: VecDeque<Address>,
}

#[actor]
impl Loader {
    #[handler]
    fn load(&mut self, load: &Load, cx: &mut Context) {
        self.reply_to.push_back(load.reply_to);
        cx.load_source(&load.bytes, load.signatures.clone());
    }

    #[handler]
    fn unload(&mut self, unload: &Unload, cx: &mut Context) {
        self.reply_to.push_back(cx.sender());
        cx.unload_source(&unload.hash);
    }

    /// A piece of a file that it never has as a whole.
    #[handler]
    fn piece(&mut self, piece: &SourceBytes, cx: &mut Context) {
        cx.send(Address::NODE, piece.clone());
    }

    #[handler]
    fn whole(&mut self, load: &LoadSource, cx: &mut Context) {
        self.reply_to.push_back(cx.sender());
        cx.send(Address::NODE, load.clone());
    }

    #[handler]
    fn loaded(&mut self, SourceLoaded { pushed, outcome }: &SourceLoaded, cx: &mut Context) {
        self.say(
            cx,
            match outcome {
                LoadOutcome::Approved { hash, name, version } => {
                    format!("approved {hash} {name} {version}, was {pushed}")
                }
                LoadOutcome::Rejected { code, reason } => format!("rejected {code}: {reason}"),
                LoadOutcome::Failed { code, reason } => format!("failed {code}: {reason}"),
            },
        );
    }

    #[handler]
    fn unloaded(&mut self, unloaded: &SourceUnloaded, cx: &mut Context) {
        let SourceUnloaded { hash, refusal } = unloaded;
        self.say(
            cx,
            match refusal {
                None => format!("unloaded {hash}"),
                Some((code, reason)) => format!("refused {code}: {reason}"),
            },
        );
    }
}

impl Loader {
    fn say(&mut self, cx: &Context, what: String) {
        if let Some(to) = self.reply_to.pop_front() {
            cx.send(to, what);
        }
    }
}
