//! Packets on the stream between a node and its relay: the other end's id, a length, the bytes.

use crate::link::limits::RELAYED_PACKET_BYTES_MAX;
use odeon::NodeId;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

const ID_BYTES: usize = 16;
const HEADER_BYTES: usize = ID_BYTES + 2;

/// A packet and who is at the other end: whom it is for on the way to a relay, whom it is from on the way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) other: NodeId,
    pub(super) bytes: Vec<u8>,
}

impl Packet {
    /// Its bytes on the stream.
    pub(super) fn size(&self) -> usize {
        HEADER_BYTES + self.bytes.len()
    }

    /// Appends it. It must not be longer than a packet may be.
    pub(super) fn put(&self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&self.other.0);
        buffer.extend_from_slice(&(self.bytes.len() as u16).to_be_bytes());
        buffer.extend_from_slice(&self.bytes);
    }

    /// The next one; none at the end of the stream.
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut id = [0; ID_BYTES];
        match stream.read_exact(&mut id).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let length = usize::from(stream.read_u16().await?);
        if length > RELAYED_PACKET_BYTES_MAX {
            let reason = format!("a packet of {length} bytes, at most {RELAYED_PACKET_BYTES_MAX} are relayed");
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).await?;
        Ok(Some(Self { other: NodeId(id), bytes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(mut bytes: &[u8]) -> io::Result<Vec<Packet>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(async {
            let mut all = Vec::new();
            while let Some(packet) = Packet::read(&mut bytes).await? {
                all.push(packet);
            }
            Ok(all)
        })
    }

    proptest! {
        #[test]
        fn packets_come_out_as_they_went_in(
            packets in prop::collection::vec((any::<[u8; 16]>(), prop::collection::vec(any::<u8>(), 0..60)), 0..8),
        ) {
            let packets: Vec<_> = packets.into_iter().map(|(id, bytes)| Packet { other: NodeId(id), bytes }).collect();
            let mut buffer = Vec::new();
            packets.iter().for_each(|packet| packet.put(&mut buffer));
            prop_assert_eq!(buffer.len(), packets.iter().map(Packet::size).sum::<usize>());
            prop_assert_eq!(read_all(&buffer).unwrap(), packets);
        }

        #[test]
        fn any_bytes_are_packets_within_the_limit_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            for packet in read_all(&bytes).unwrap_or_default() {
                prop_assert!(packet.bytes.len() <= RELAYED_PACKET_BYTES_MAX);
            }
        }
    }

    #[test]
    fn a_packet_that_is_too_long_is_refused_by_its_length() {
        let mut bytes = vec![7; 16];
        bytes.extend_from_slice(&(RELAYED_PACKET_BYTES_MAX as u16 + 1).to_be_bytes());
        assert_eq!(read_all(&bytes).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
