//! Names of nodes and actors. Opaque to actor code: it keeps them, compares them and sends to them.

use crate::base32;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// A node: the first 16 bytes of the SHA-256 of its public key. It never travels without an [`Incarnation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub [u8; 16]);

/// Which start of a node this is; a later one supersedes all earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub u32);

/// A node as of one start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeRef {
    /// The node.
    pub id: NodeId,
    /// Its start.
    pub incarnation: Incarnation,
}

/// The address of one actor. It is never reused and cannot be guessed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    node: NodeRef,
    slot: u32,
    nonce: u64,
}

/// Set in a slot number when the actor may live on another node than the one that minted its address.
const PROMISED: u32 = 1 << 31;
/// Bytes of an address on the wire.
pub const ADDRESS_BYTES: usize = 32;
const PREFIX: &str = "act-";
const EXPECTED: &str = "an actor's address (act- and 52 letters and digits)";

impl Address {
    /// Whichever node hosts the actor that sends there; no other can. It takes what is said to it of images
    /// ([`crate::LoadSource`]), and says how nodes are ([`crate::NodeStatusRequest`]); it answers from there.
    pub const NODE: Self =
        Self { node: NodeRef { id: NodeId([0; 16]), incarnation: Incarnation(0) }, slot: 0, nonce: 0 };

    /// Mints the address of an actor that lives in `slot` of `node`. Only a base does this.
    ///
    /// # Panics
    /// When `slot` has its highest bit set.
    pub fn mint(node: NodeRef, slot: u32, nonce: u64) -> Self {
        assert_eq!(slot & PROMISED, 0, "a slot number has 31 bits");
        Self { node, slot, nonce }
    }

    /// Mints an address for an actor that another node may come to host. Only a base does this.
    ///
    /// # Panics
    /// When `slot` has its highest bit set.
    pub fn mint_promised(node: NodeRef, slot: u32, nonce: u64) -> Self {
        assert_eq!(slot & PROMISED, 0, "a slot number has 31 bits");
        Self { node, slot: slot | PROMISED, nonce }
    }

    /// The node that minted this address; for one that is not promised, the node where the actor lives.
    pub fn node(&self) -> NodeRef {
        self.node
    }

    /// The slot on that node.
    pub fn slot(&self) -> u32 {
        self.slot & !PROMISED
    }

    /// The secret that tells this actor from others that had or will have its slot.
    pub fn nonce(&self) -> u64 {
        self.nonce
    }

    /// Whether the node that minted it has to be asked where the actor lives.
    pub fn is_promised(&self) -> bool {
        self.slot & PROMISED != 0
    }

    fn read(text: &str) -> Option<Address> {
        text.strip_prefix(PREFIX).and_then(base32::read).map(Address::from_bytes)
    }

    /// The wire form.
    pub fn to_bytes(&self) -> [u8; ADDRESS_BYTES] {
        let mut bytes = [0; ADDRESS_BYTES];
        bytes[..16].copy_from_slice(&self.node.id.0);
        bytes[16..20].copy_from_slice(&self.node.incarnation.0.to_be_bytes());
        bytes[20..24].copy_from_slice(&self.slot.to_be_bytes());
        bytes[24..].copy_from_slice(&self.nonce.to_be_bytes());
        bytes
    }

    /// The wire form as four numbers, the first byte the highest of the first.
    #[cfg(any(test, target_family = "wasm"))]
    pub(crate) fn to_words(self) -> [u64; 4] {
        let id = u128::from_be_bytes(self.node.id.0);
        let c = u64::from(self.node.incarnation.0) << 32 | u64::from(self.slot);
        [(id >> 64) as u64, id as u64, c, self.nonce]
    }

    /// Reads the wire form as four numbers.
    #[cfg(any(test, target_family = "wasm"))]
    pub(crate) fn from_words([a, b, c, nonce]: [u64; 4]) -> Self {
        let id = NodeId((u128::from(a) << 64 | u128::from(b)).to_be_bytes());
        Self { node: NodeRef { id, incarnation: Incarnation((c >> 32) as u32) }, slot: c as u32, nonce }
    }

    /// Reads the wire form: every 32 bytes are some address, if perhaps of no actor.
    pub fn from_bytes(bytes: [u8; ADDRESS_BYTES]) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&bytes[..16]);
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Self {
            node: NodeRef { id: NodeId(id), incarnation: Incarnation(word(16)) },
            slot: word(20),
            nonce: u64::from(word(24)) << 32 | u64::from(word(28)),
        }
    }
}

/// Why a text is not an address or a node id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {expected}")]
pub struct ParseAddressError {
    found: String,
    expected: &'static str,
}

fn text(prefix: &str, bytes: &[u8]) -> String {
    let mut text = String::with_capacity(prefix.len() + (bytes.len() * 8).div_ceil(5));
    text.push_str(prefix);
    base32::push(&mut text, bytes);
    text
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(PREFIX, &self.to_bytes()))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        Address::read(text)
            .ok_or_else(|| ParseAddressError { found: text.chars().take(80).collect(), expected: EXPECTED })
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        // Text in every format: a message that carries an address can be read in a shell and in any language.
        s.serialize_str(&text(PREFIX, &self.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl de::Visitor<'_> for V {
            type Value = Address;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an actor's address")
            }

            fn visit_str<E: de::Error>(self, v: &str) -> Result<Address, E> {
                Address::read(v).ok_or_else(|| E::custom(format_args!("{v:.80?} is not {EXPECTED}")))
            }

            fn visit_bytes<E: de::Error>(self, v: &[u8]) -> Result<Address, E> {
                let bytes = v.try_into().map_err(|_| E::invalid_length(v.len(), &"32 bytes"))?;
                Ok(Address::from_bytes(bytes))
            }
        }
        d.deserialize_any(V)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text("node-", &self.0))
    }
}

impl FromStr for NodeId {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        text.strip_prefix("node-").and_then(base32::read).map(NodeId).ok_or_else(|| ParseAddressError {
            found: text.chars().take(80).collect(),
            expected: "a node's id (node- and 26 letters and digits)",
        })
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for NodeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.id, self.incarnation)
    }
}
