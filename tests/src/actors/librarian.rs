//! Brings files to actors that have them loaded.

use super::loader::Load;
use odeon::{Address, Context, LoadSource, Message, SOURCE_PIECE_BYTES_MAX, SourceBytes, actor};
use serde::{Deserialize, Serialize};

/// A file, and who is to have it loaded. What became of it is said to the sender, or to who has it loaded in pieces.
#[derive(Debug, Serialize, Deserialize, Message)]
pub struct Bring {
    /// Where it is on this node.
    pub path: String,
    /// Where its signatures are.
    #[serde(default)]
    pub signatures: Vec<String>,
    /// The one who is to have it loaded.
    pub to: Address,
    /// One piece a message, so that it never has the whole; so much is left out at the end.
    #[serde(default)]
    pub in_pieces_without: Option<u64>,
}

/// Reads files.
#[derive(Default)]
pub struct Librarian {
    asked: Option<Address>,
}

#[actor]
impl Librarian {
    #[handler]
    fn bring(&mut self, bring: &Bring, cx: &mut Context) -> std::io::Result<()> {
        let bytes = std::fs::read(&bring.path)?;
        let signatures = bring.signatures.iter().map(std::fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
        let Some(without) = bring.in_pieces_without else {
            cx.send(bring.to, Load { bytes, signatures, reply_to: cx.sender() });
            return Ok(());
        };
        self.asked = Some(cx.sender());
        let size_bytes = bytes.len() as u64;
        let mut offset = 0;
        for piece in bytes[..bytes.len() - without as usize].chunks(SOURCE_PIECE_BYTES_MAX) {
            cx.send(bring.to, SourceBytes { hash: String::new(), offset, bytes: piece.to_vec() });
            offset += piece.len() as u64;
        }
        cx.send(bring.to, LoadSource { size_bytes, signatures });
        Ok(())
    }

    /// What the one says who has something loaded in pieces.
    #[handler]
    fn said(&mut self, said: &String, cx: &mut Context) {
        if let Some(asked) = self.asked.take() {
            cx.send(asked, said.clone());
        }
    }
}
