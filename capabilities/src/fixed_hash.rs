//! Hash tables whose hasher has no seed: the same inputs give the same table in every run. They are looked up in and
//! never iterated over for an outcome, and every one of them is bounded, so that chosen collisions cost little.

use std::hash::{BuildHasherDefault, DefaultHasher};

/// Builds the hasher that is the same in every process.
pub(crate) type FixedState = BuildHasherDefault<DefaultHasher>;

/// A map for look-ups.
pub(crate) type FixedMap<K, V> = hashbrown::HashMap<K, V, FixedState>;
