//! Frames: four bytes of length, highest first, then that many bytes of MessagePack.
//!
//! The same over a Unix socket and over a QUIC stream. It never believes a length: memory grows with the bytes that
//! really arrive, and a frame has to be one value and nothing more.

use super::limits::{FRAME_BYTES_MAX, FRAME_DEPTH_MAX};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes after which it is told how many were written.
const PIECE_BYTES: usize = 64 * 1024;

/// Why a frame could not be read or written. The stream is of no use afterwards.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum FrameError {
    #[error("frame of {bytes} bytes is larger than {FRAME_BYTES_MAX} bytes")]
    TooLarge { bytes: usize },
    #[error("frame ends after {found} of {expected} bytes")]
    Truncated { found: usize, expected: usize },
    #[error("frame of {bytes} bytes is not a {expected}: {reason}")]
    Malformed { bytes: usize, expected: &'static str, reason: String },
    #[error("a {what} cannot be encoded: {reason}")]
    Unencodable { what: &'static str, reason: String },
    #[error("the stream broke")]
    Broken(#[from] io::Error),
}

/// Reads one frame; none when the stream ended before it began.
pub async fn read_frame<T: DeserializeOwned>(
    reader: &mut (impl AsyncRead + Unpin + ?Sized),
) -> Result<Option<T>, FrameError> {
    let Some(length) = read_length(reader).await? else { return Ok(None) };
    if length > FRAME_BYTES_MAX {
        return Err(FrameError::TooLarge { bytes: length });
    }
    let mut bytes = Vec::new();
    reader.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(FrameError::Truncated { found: bytes.len(), expected: length });
    }
    decode(&bytes).map(Some)
}

/// Writes one frame and flushes it.
pub async fn write_frame<T: Serialize>(
    writer: &mut (impl AsyncWrite + Unpin + ?Sized),
    value: &T,
) -> Result<(), FrameError> {
    write_frame_telling(writer, value, |_, _| ()).await
}

/// The same; `told` hears how many bytes have been written, and of how many.
pub(super) async fn write_frame_telling<T: Serialize>(
    writer: &mut (impl AsyncWrite + Unpin + ?Sized),
    value: &T,
    mut told: impl FnMut(u64, u64),
) -> Result<(), FrameError> {
    let bytes = rmp_serde::to_vec_named(value)
        .map_err(|e| FrameError::Unencodable { what: short_name::<T>(), reason: e.to_string() })?;
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLarge { bytes: bytes.len() });
    }
    // At most FRAME_BYTES_MAX, so it fits.
    writer.write_all(&(bytes.len() as u32).to_be_bytes()).await?;
    let mut written = 0;
    for piece in bytes.chunks(PIECE_BYTES) {
        writer.write_all(piece).await?;
        written += piece.len() as u64;
        told(written, bytes.len() as u64);
    }
    Ok(writer.flush().await?)
}

async fn read_length(reader: &mut (impl AsyncRead + Unpin + ?Sized)) -> Result<Option<usize>, FrameError> {
    let mut length = [0; 4];
    let mut found = 0;
    while found < length.len() {
        match reader.read(&mut length[found..]).await? {
            0 if found == 0 => return Ok(None),
            0 => return Err(FrameError::Truncated { found, expected: length.len() }),
            n => found += n,
        }
    }
    Ok(Some(u32::from_be_bytes(length) as usize))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    let malformed = |reason: String| FrameError::Malformed { bytes: bytes.len(), expected: short_name::<T>(), reason };
    let mut rest = bytes;
    let mut decoder = rmp_serde::Deserializer::new(&mut rest);
    decoder.set_max_depth(FRAME_DEPTH_MAX);
    let value = T::deserialize(&mut decoder).map_err(|e| malformed(e.to_string()))?;
    match rest.len() {
        0 => Ok(value),
        left => Err(malformed(format!("{left} bytes follow it"))),
    }
}

fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.rsplit("::").next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::protocol::{PushImage, Reply, Request};
    use odeon::Value;
    use proptest::prelude::*;

    async fn read(bytes: &[u8]) -> Result<Option<Request>, FrameError> {
        let mut bytes = bytes;
        read_frame(&mut bytes).await
    }

    fn framed(body: &[u8]) -> Vec<u8> {
        let mut frame = (body.len() as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(body);
        frame
    }

    #[tokio::test]
    async fn a_request_survives_the_frame() {
        let request = Request::PushImage(PushImage {
            bytes: vec![0, 255, 7],
            signature: Some("s".into()),
            more_signatures: vec!["t".into()],
            allow_older: true,
        });
        let mut wire = Vec::new();
        write_frame(&mut wire, &request).await.unwrap();
        assert_eq!(read(&wire).await.unwrap(), Some(request));
        assert_eq!(read(&[]).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_was_written_is_told_piece_by_piece() {
        let bytes = vec![7; 2 * PIECE_BYTES];
        let push = PushImage { bytes, signature: None, more_signatures: Vec::new(), allow_older: false };
        let (mut wire, mut told) = (Vec::new(), Vec::new());
        write_frame_telling(&mut wire, &Request::PushImage(push), |done, of| told.push((done, of))).await.unwrap();
        let of = wire.len() as u64 - 4;
        assert_eq!(told, [(PIECE_BYTES as u64, of), (2 * PIECE_BYTES as u64, of), (of, of)]);
    }

    #[tokio::test]
    async fn bytes_of_an_image_travel_as_bytes() {
        let request = Request::PushImage(PushImage {
            bytes: vec![200; 10_000],
            signature: None,
            more_signatures: Vec::new(),
            allow_older: false,
        });
        let mut wire = Vec::new();
        write_frame(&mut wire, &request).await.unwrap();
        assert!(wire.len() < 10_100, "{} bytes for 10,000", wire.len());
    }

    #[tokio::test]
    async fn a_length_beyond_the_limit_is_refused_before_anything_is_read() {
        let frame = ((FRAME_BYTES_MAX + 1) as u32).to_be_bytes();
        assert!(matches!(read(&frame).await, Err(FrameError::TooLarge { bytes }) if bytes == FRAME_BYTES_MAX + 1));
    }

    #[tokio::test]
    async fn a_frame_that_is_cut_says_how_much_came() {
        assert!(matches!(read(&[0, 0]).await, Err(FrameError::Truncated { found: 2, expected: 4 })));
        assert!(matches!(read(&[0, 0, 0, 9, 1, 2]).await, Err(FrameError::Truncated { found: 2, expected: 9 })));
    }

    #[tokio::test]
    async fn garbage_and_trailing_bytes_are_malformed() {
        let mut body = rmp_serde::to_vec_named(&Request::Nodes).unwrap();
        assert_eq!(read(&framed(&body)).await.unwrap(), Some(Request::Nodes));
        body.push(0xc0);
        let error = read(&framed(&body)).await.unwrap_err();
        assert!(error.to_string().contains("1 bytes follow it"), "{error}");
        for garbage in [&b"GET / HTTP/1.1\r\n"[..], &[0xc1; 40], b"\xa6Nodess", b""] {
            assert!(matches!(read(&framed(garbage)).await, Err(FrameError::Malformed { expected: "Request", .. })));
        }
    }

    #[tokio::test]
    async fn deep_nesting_is_an_error_and_not_a_crash() {
        // A reply that is a status that is a list in a list in a list, 100,000 times.
        let mut body = b"\x81\xa6Status".to_vec();
        body.extend(std::iter::repeat_n(0x91, 100_000));
        body.push(0xc0);
        let mut wire = &framed(&body)[..];
        assert!(matches!(read_frame::<Reply>(&mut wire).await, Err(FrameError::Malformed { .. })));
    }

    #[tokio::test]
    async fn a_value_as_deep_as_values_may_be_passes() {
        let mut value = Value::Null;
        for _ in 1..odeon_capabilities::limits::VALUE_DEPTH_MAX {
            value = Value::List(vec![value]);
        }
        let mut wire = Vec::new();
        write_frame(&mut wire, &Reply::Answer(value.clone())).await.unwrap();
        assert_eq!(read_frame::<Reply>(&mut &wire[..]).await.unwrap(), Some(Reply::Answer(value)));
    }

    fn some_request() -> impl Strategy<Value = Request> {
        prop_oneof![
            Just(Request::Nodes),
            "\\PC{0,20}".prop_map(|of| Request::Status { of: Some(of) }),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Request::PushImage(PushImage {
                bytes,
                signature: None,
                more_signatures: Vec::new(),
                allow_older: false
            })),
            any::<(i64, bool)>().prop_map(|(n, b)| {
                let address = odeon::Address::from_bytes([n as u8; odeon::ADDRESS_BYTES]);
                let message = Value::List(vec![n.into(), b.into(), Value::Map([("k".to_owned(), n.into())].into())]);
                Request::Ask { address, message, timeout_ms: 5 }
            }),
        ]
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<Request>(&bytes);
            let _ = decode::<Reply>(&bytes);
        }

        #[test]
        fn a_damaged_request_does_not_make_the_decoder_panic(request in some_request(), at: prop::sample::Index, with: u8) {
            let mut body = rmp_serde::to_vec_named(&request).unwrap();
            prop_assert_eq!(decode::<Request>(&body).unwrap(), request);
            let at = at.index(body.len());
            body[at] ^= with;
            let _ = decode::<Request>(&body);
        }
    }
}
