//! A Source Authority in a dozen lines: it takes images that were put through ROT13, and hands over what they were.
//!
//! ROT13 keeps nothing secret: in the place of `rotated` there would be a key. The same source is a library of a program
//! (see `examples/examine.rs`) and the code of an image.
//!
//! ```text
//! odeon authority set actor                # an actor on a leader may be the authority
//! odeon create rot13 Rot13 --on LEADER     # from an image that was approved before
//! odeon tell ADDRESS true                  # it registers
//! odeon image push hello.rot13             # known as the image that it makes out of it
//! ```

use odeon::{Context, ReadSource, SourceBytes, ValidateSource, ValidatedSource, actor};

/// Decides on images, piece by piece, so that it needs little memory however large they are.
#[derive(Default)]
pub struct Rot13;

#[actor]
impl Rot13 {
    #[handler]
    fn begin(&mut self, _: &bool, cx: &mut Context) {
        cx.register_source_authority();
    }

    #[handler]
    fn validate(&mut self, image: &ValidateSource, cx: &mut Context) {
        cx.reply(ReadSource { hash: image.hash.clone(), offset: 0, bytes_max: u64::MAX });
    }

    #[handler]
    fn piece(&mut self, piece: &SourceBytes, cx: &mut Context) {
        let SourceBytes { hash, offset, bytes } = piece;
        if bytes.is_empty() {
            return cx.reply(ValidatedSource::approved_as(hash, *offset));
        }
        let next = offset + bytes.len() as u64;
        cx.reply(SourceBytes { bytes: bytes.iter().copied().map(rotated).collect(), ..piece.clone() });
        cx.reply(ReadSource { hash: hash.clone(), offset: next, bytes_max: u64::MAX });
    }
}

/// A letter 13 places on, and everything else as it is. Done twice, it is undone.
pub fn rotated(byte: u8) -> u8 {
    match byte {
        b'A'..=b'M' | b'a'..=b'm' => byte + 13,
        b'N'..=b'Z' | b'n'..=b'z' => byte - 13,
        other => other,
    }
}

odeon::export!(Rot13);
