//! Names of nodes and actors. Opaque to actor code: it keeps them, compares them and sends to them.

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

impl Address {
    /// Whichever node hosts the actor that sends there; no other can. It takes what is said to it of images
    /// ([`crate::LoadSource`]), and answers from there.
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

    /// The wire form.
    pub fn to_bytes(&self) -> [u8; ADDRESS_BYTES] {
        let mut bytes = [0; ADDRESS_BYTES];
        bytes[..16].copy_from_slice(&self.node.id.0);
        bytes[16..20].copy_from_slice(&self.node.incarnation.0.to_be_bytes());
        bytes[20..24].copy_from_slice(&self.slot.to_be_bytes());
        bytes[24..].copy_from_slice(&self.nonce.to_be_bytes());
        bytes
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

fn base32(bytes: &[u8]) -> String {
    data_encoding::BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

fn unbase32<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != (N * 8).div_ceil(5) {
        return None;
    }
    data_encoding::BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?.try_into().ok()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", base32(&self.to_bytes()))
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
        text.strip_prefix(PREFIX).and_then(unbase32).map(Address::from_bytes).ok_or_else(|| ParseAddressError {
            found: text.chars().take(80).collect(),
            expected: "an actor's address (act- and 52 letters and digits)",
        })
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        // Text in every format: a message that carries an address can be read in a shell and in any language.
        s.collect_str(self)
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
                v.parse().map_err(E::custom)
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
        write!(f, "node-{}", base32(&self.0))
    }
}

impl FromStr for NodeId {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        text.strip_prefix("node-").and_then(unbase32).map(NodeId).ok_or_else(|| ParseAddressError {
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
