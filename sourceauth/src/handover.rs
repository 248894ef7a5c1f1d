//! A file that somebody hands over piece by piece. Pure; whoever hands it over is not trusted to keep to any bound.

use crate::Breach;
use crate::limits::{IMAGE_BYTES_MAX, PIECE_BYTES_MAX};

/// What has been handed over so far.
#[derive(Debug, Default)]
pub struct Handover(Vec<u8>);

impl Handover {
    /// Takes a piece. One at 0 begins anew.
    pub fn take(&mut self, offset: u64, piece: &[u8]) -> Result<(), Breach> {
        if piece.len() > PIECE_BYTES_MAX {
            return Err(Breach::Piece { found: piece.len() });
        }
        if offset == 0 {
            self.0.clear();
        }
        if offset != self.0.len() as u64 {
            return Err(Breach::Gap { expected: self.0.len(), found: offset });
        }
        if self.0.len() + piece.len() > IMAGE_BYTES_MAX {
            return Err(Breach::TooLarge);
        }
        self.0.extend_from_slice(piece);
        Ok(())
    }

    /// How many bytes are here.
    pub fn size_bytes(&self) -> usize {
        self.0.len()
    }

    /// All that was handed over, if it is so much. Then nothing is here any more.
    pub fn finish(&mut self, size_bytes: u64) -> Result<Vec<u8>, Breach> {
        if size_bytes != self.0.len() as u64 {
            return Err(Breach::Size { said: size_bytes, found: self.0.len() });
        }
        Ok(std::mem::take(&mut self.0))
    }
}
