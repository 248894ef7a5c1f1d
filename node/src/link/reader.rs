//! What comes in over a connection: frames of the lanes, and acknowledgements.

use super::LinkEvents;
use super::error::Close;
use super::frame::{Decoder, Frames, HEADER_BYTES};
use super::limits::{ACK_BYTES, LANES, PART_ACK_WEIGHT, PARTS_LANE, READ_CHUNKS};
use super::session::Session;
use super::shared::Shared;
use super::writer::ACK_RECORD_BYTES;
use bytes::Bytes;
use quinn::{ReadError, ReadExactError, RecvStream};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

/// Why a reader ended: the connection is gone, or the peer broke the rules.
pub(crate) enum ReaderEnd {
    Gone,
    Violation(Close),
}

impl From<ReadError> for ReaderEnd {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(_) => Self::Violation(Close::violation("a lane was reset")),
            _ => Self::Gone,
        }
    }
}

impl From<Close> for ReaderEnd {
    fn from(close: Close) -> Self {
        Self::Violation(close)
    }
}

async fn read_exact(stream: &mut RecvStream, bytes: &mut [u8]) -> Result<(), ReaderEnd> {
    stream.read_exact(bytes).await.map_err(|e| match e {
        ReadExactError::ReadError(e) => e.into(),
        ReadExactError::FinishedEarly(_) => Close::violation("a stream ended within a record").into(),
    })
}

/// Reads one lane of a connection until it ends.
pub(crate) async fn read_lane(session: &Session, events: &dyn LinkEvents, mut stream: RecvStream) -> ReaderEnd {
    match lane(session, events, &mut stream).await {
        Ok(()) => ReaderEnd::Violation(Close::violation("a lane was finished")),
        Err(end) => end,
    }
}

async fn lane(session: &Session, events: &dyn LinkEvents, stream: &mut RecvStream) -> Result<(), ReaderEnd> {
    let mut header = [0; 9];
    read_exact(stream, &mut header).await?;
    let [lane, first @ ..] = header;
    let lane = usize::from(lane);
    let mut next = u64::from_be_bytes(first);
    if lane >= LANES || next == 0 {
        return Err(Close::violation(format!("a lane {lane} that begins with frame {next}")).into());
    }
    let mut decoder = Decoder::of_lane(lane);
    while let Some((frames, bytes)) = poll_fn(|cx| next_frames(stream, &mut decoder, cx)).await? {
        if !frames.is_empty() {
            let came = frames.len() as u64;
            give(session, events, lane, next, frames, bytes)?;
            next += came;
        }
    }
    Ok(())
}

/// Frames, and how many bytes they came in.
type Came = (Frames, usize);

/// What there is of frames; none at the end of the stream. The chunks that they come in are on the stack: a task that waits
/// for a quiet peer, of which a leader has thousands, holds none of them.
fn next_frames(
    stream: &mut RecvStream,
    decoder: &mut Decoder,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<Came>, ReaderEnd>> {
    let mut chunks: [Bytes; READ_CHUNKS] = std::array::from_fn(|_| Bytes::new());
    let Some(count) = ready!(pin!(stream.read_chunks(&mut chunks)).poll(cx))? else { return Poll::Ready(Ok(None)) };
    let mut frames = Frames::default();
    let bytes = chunks[..count].iter().map(Bytes::len).sum();
    frames.expect(bytes);
    for chunk in &chunks[..count] {
        decoder.push(chunk, &mut frames).map_err(|malformed| Close::violation(malformed.to_string()))?;
    }
    Poll::Ready(Ok(Some((frames, bytes))))
}

fn give(
    session: &Session,
    events: &dyn LinkEvents,
    lane: usize,
    first: u64,
    mut frames: Frames,
    mut bytes: usize,
) -> Result<(), Close> {
    let mut state = session.incoming.lane(lane);
    let gap = |expected| Close::violation(format!("frame {first} of lane {lane}, expected {expected}"));
    state.fresh(first, &mut frames).map_err(gap)?;
    if frames.is_empty() {
        return Ok(());
    }
    if let Some(number) = frames.joint().filter(|_| lane == 0 || lane == PARTS_LANE) {
        return Err(Close::violation(format!("long frame {number} on a lane where none may be")));
    }
    let count = frames.len();
    if lane == PARTS_LANE {
        bytes = 0;
        for part in frames.take() {
            bytes += (HEADER_BYTES + part.len()) * PART_ACK_WEIGHT;
            if session.incoming.add_part(&part).map_err(Close::violation)? {
                // Its sender waits for nothing else.
                bytes += ACK_BYTES;
            }
        }
    } else if lane == 0 {
        frames.take().for_each(|frame| events.control(session.peer, frame.into_owned()));
    } else {
        frames.join(|number| session.incoming.long_frame(number)).map_err(Close::violation)?;
        events.messages(session.peer, lane as u8, frames);
    }
    let number = state.took(count);
    drop(state);
    session.note_received(lane, number, bytes);
    Ok(())
}

/// Reads acknowledgements until the connection ends.
pub(crate) async fn read_acks(
    session: &Session,
    generation: u64,
    shared: &Shared,
    stream: &mut RecvStream,
) -> ReaderEnd {
    loop {
        let mut record = [0; ACK_RECORD_BYTES];
        if let Err(end) = read_exact(stream, &mut record).await {
            return end;
        }
        let [lane, number @ ..] = record;
        let mut outgoing = session.outgoing.lock();
        if outgoing.generation != generation {
            return ReaderEnd::Gone;
        }
        let before = outgoing.acknowledged(0);
        let tickets = outgoing.acknowledge(usize::from(lane), u64::from_be_bytes(number));
        let words = outgoing.acknowledged(0) - before;
        drop(outgoing);
        shared.acknowledged.fetch_add(words, Ordering::Relaxed);
        match tickets {
            Ok(tickets) => tickets.into_iter().for_each(|ticket| shared.events.drained(ticket)),
            Err(reason) => return ReaderEnd::Violation(Close::violation(reason)),
        }
    }
}
