//! The facts that outlive a leader: what the ledger holds, in the order in which it became true.

use crate::types::{AuthorityActor, ImageApproval, ImageInfo, Millis, RequestId, Role, SourceHash};
use odeon::{Address, Incarnation, NodeId, NodeRef};
use odeon_capabilities::CapabilityMap;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One durable fact. Kinds are only added; a ledger with an unknown kind is refused, not guessed at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// A leader started.
    TermBegan {
        /// Counted up.
        term: u64,
    },
    /// A token was made.
    TokenCreated(TokenFact),
    /// A token was used once.
    TokenUsed {
        /// The token.
        id: [u8; 32],
    },
    /// A node was let in and got its certificate.
    NodeAdmitted {
        /// The node.
        node: NodeId,
        /// What it may do.
        role: Role,
        /// The capability keys that it may claim; none for any.
        claims: Option<Vec<String>>,
    },
    /// A node registered, or changed its capabilities.
    NodeRegistered {
        /// The node and its start.
        node: NodeRef,
        /// Its name.
        name: String,
        /// Where it can be dialled.
        listen: String,
        /// What it has.
        capabilities: CapabilityMap,
    },
    /// A node is gone.
    NodeGone {
        /// The node and its start.
        node: NodeRef,
        /// Whether it said so itself.
        left: bool,
    },
    /// The authority spoke on an image.
    ImageJudged {
        /// The image.
        image: ImageInfo,
        /// Whether it may be used.
        approved: bool,
        /// Which authority said so, and why.
        by: String,
        /// What approved it.
        #[serde(default)]
        approval: ImageApproval,
    },
    /// An image was unloaded.
    ImageUnloaded {
        /// Which.
        hash: SourceHash,
    },
    /// An image was revoked, for ever. Another one of the same image adds that its actors end.
    ImageRevoked {
        /// Which.
        hash: SourceHash,
        /// Whether those of its actors that run are asked to exit.
        end: bool,
        /// Why, for people to read; may be empty.
        reason: String,
        /// Who asked for it, for people to read.
        by: String,
    },
    /// An actor got a global name.
    NameTaken {
        /// The name.
        name: String,
        /// The creation that it was taken for.
        request: RequestId,
        /// The actor.
        address: Address,
        /// Where it lives.
        node: NodeRef,
    },
    /// A global name is free again.
    NameFreed {
        /// The name.
        name: String,
    },
    /// Which authority decides on images.
    AuthoritySet {
        /// How it is set.
        authority: AuthoritySetting,
    },
    /// What the leader had the highest incarnation of a node as; kept so that a copied folder is noticed.
    IncarnationSeen {
        /// The node.
        node: NodeId,
        /// Its highest start.
        incarnation: Incarnation,
    },
    /// An actor decides on images from now on, where the setting lets it.
    AuthorityRegistered {
        /// Which.
        authority: AuthorityActor,
    },
    /// The actor that decides on images is gone.
    AuthorityGone {
        /// Which.
        address: Address,
    },
}

impl fmt::Display for Record {
    /// Its kind: what is in it may be large, or a name that is nobody else's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Record::TermBegan { .. } => "TermBegan",
            Record::TokenCreated(_) => "TokenCreated",
            Record::TokenUsed { .. } => "TokenUsed",
            Record::NodeAdmitted { .. } => "NodeAdmitted",
            Record::NodeRegistered { .. } => "NodeRegistered",
            Record::NodeGone { .. } => "NodeGone",
            Record::ImageJudged { .. } => "ImageJudged",
            Record::ImageUnloaded { .. } => "ImageUnloaded",
            Record::ImageRevoked { .. } => "ImageRevoked",
            Record::NameTaken { .. } => "NameTaken",
            Record::NameFreed { .. } => "NameFreed",
            Record::AuthoritySet { .. } => "AuthoritySet",
            Record::IncarnationSeen { .. } => "IncarnationSeen",
            Record::AuthorityRegistered { .. } => "AuthorityRegistered",
            Record::AuthorityGone { .. } => "AuthorityGone",
        })
    }
}

/// What is known of a token: never its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenFact {
    /// The SHA-256 of the token's public key.
    pub id: [u8; 32],
    /// The role that it gives.
    pub role: Role,
    /// Wall clock, in seconds since 1970, after which it is refused.
    pub expires_unix_s: u64,
    /// How often it may be used; none for any number of times.
    pub uses: Option<u32>,
    /// The capability keys that its user may claim; none for any.
    pub claims: Option<Vec<String>>,
}

/// Which authority decides on images.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum AuthoritySetting {
    /// None: every image is refused with a reason.
    #[default]
    None,
    /// Every well-formed image is approved.
    AcceptAll,
    /// An image needs signatures by keys of this allowed-signers text.
    Keyring {
        /// In the format of OpenSSH.
        allowed_signers: String,
        /// Of so many signers.
        #[serde(default = "one")]
        required: u8,
        /// Where each leader has the keys with which it decrypts images. Never what is in that file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        age_identity: Option<String>,
    },
    /// An actor that has registered decides.
    Actor {
        /// Which actors may register.
        from: Registrants,
        /// How long its verdict on an image is waited for.
        answer_ms: Millis,
    },
}

/// Which actors may be the authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Registrants {
    /// Those on nodes that may lead.
    Leaders,
    /// Those on these nodes.
    Nodes(Vec<NodeId>),
    /// This one, as long as it lives.
    Actor {
        /// Which.
        address: Address,
        /// Where it lives.
        node: NodeRef,
    },
}

fn one() -> u8 {
    1
}
