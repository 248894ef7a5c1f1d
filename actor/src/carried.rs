//! A message inside a message: as it was sent while both stay in one program, encoded where they cross a boundary.

use crate::{AnyMessage, Encoded};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};

impl Serialize for AnyMessage {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.encode().map_err(ser::Error::custom)?.serialize(s)
    }
}

impl<'de> Deserialize<'de> for AnyMessage {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Encoded::deserialize(d).map(AnyMessage::from_encoded)
    }
}
