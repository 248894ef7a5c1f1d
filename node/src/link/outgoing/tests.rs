use super::*;
use crate::link::frame::{Decoder, Frames, SHARED_BYTES_MAX};
use crate::link::incoming::LongFrames;
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Wake;

fn push(out: &mut Outgoing, lane: usize, frame: &[u8]) -> Option<u64> {
    out.push(lane, lane as u64, frame.to_vec(), || 7).unwrap_or_else(|(why, _)| panic!("{why:?}"))
}

#[test]
fn frames_are_given_again_from_the_first_that_the_peer_has_not() {
    let mut out = Outgoing::default();
    for frame in [b"one", b"two", b"six"] {
        push(&mut out, 1, frame);
    }
    let mut buffer = Vec::new();
    out.take(1, &mut buffer, usize::MAX);
    assert_eq!(buffer, b"\0\0\0\x03one\0\0\0\x03two\0\0\0\x03six");
    let mut received = [0; LANES];
    received[1] = 1;
    assert_eq!(out.resume(&received), Ok(vec![]));
    assert_eq!(out.next_number(1), 2);
    buffer.clear();
    out.take(1, &mut buffer, usize::MAX);
    assert_eq!(buffer, b"\0\0\0\x03two\0\0\0\x03six");
    received[1] = 4;
    assert!(out.resume(&received).is_err());
}

#[test]
fn a_frame_shares_its_head_with_the_one_before_it_as_long_as_that_is_held() {
    let mut out = Outgoing::default();
    let took = |out: &mut Outgoing, limit| {
        let mut buffer = Vec::new();
        out.take(1, &mut buffer, limit);
        buffer
    };
    let long = vec![9; SHARED_BYTES_MAX + 1];
    for frame in [&b"to him: one"[..], b"to him: other", b"to her: one", &long, &long] {
        push(&mut out, 1, frame);
    }
    assert_eq!(took(&mut out, 18), b"\0\0\0\x0bto him: one\x09\0\0\x04");
    // What is under way of a frame does not change by an acknowledgement.
    assert_eq!(out.acknowledge(1, 1), Ok(vec![]));
    assert_eq!(took(&mut out, 12), b"ther\x04\0\0\x07er: ");
    assert_eq!(took(&mut out, 3), b"one");
    assert_eq!(out.acknowledge(1, 3), Ok(vec![]));
    let rest = took(&mut out, usize::MAX);
    assert_eq!(rest, [&b"\0\0\0\xff"[..], &long, &[254, 0, 0, 1, 9]].concat());
    // The next connection begins anew, whatever the last one was given.
    assert_eq!(out.resume(&[0, 4, 0, 0, 0, 0, 0, 0, 0]), Ok(vec![]));
    assert_eq!(took(&mut out, usize::MAX), [&b"\0\0\0\xff"[..], &long].concat());
    for _ in 0..2 {
        push(&mut out, 0, b"control");
    }
    let mut control = Vec::new();
    out.take(0, &mut control, usize::MAX);
    assert_eq!(control, b"\0\0\0\x07control\0\0\0\x07control");
}

#[test]
fn a_frame_longer_than_a_batch_is_given_in_parts() {
    let mut out = Outgoing::default();
    push(&mut out, 2, b"abcdefgh");
    let mut all = Vec::new();
    for _ in 0..4 {
        let mut buffer = Vec::new();
        out.take(2, &mut buffer, 5);
        all.extend(buffer);
    }
    assert_eq!(all, b"\0\0\0\x08abcdefgh");
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_a_violation() {
    let mut out = Outgoing::default();
    push(&mut out, 1, b"x");
    assert!(out.acknowledge(1, 1).is_err());
    assert!(out.acknowledge(LANES, 0).is_err());
}

#[test]
fn senders_are_put_aside_at_the_high_mark_and_go_on_at_the_low_mark() {
    let mut out = Outgoing::default();
    let frame = vec![0; WHOLE_BYTES_MAX];
    let tickets: Vec<_> = (0..32).map(|_| push(&mut out, 1, &frame)).collect();
    assert_eq!(tickets[..31], [None; 31]);
    assert_eq!(tickets[31], Some(7));
    out.take(1, &mut Vec::new(), usize::MAX);
    assert_eq!(out.acknowledge(1, 16), Ok(vec![]));
    assert_eq!(out.acknowledge(1, 17), Ok(vec![7]));
    assert_eq!(out.acknowledge(1, 32), Ok(vec![]));
    assert_eq!(out.held_bytes(), 0);
}

#[test]
fn what_is_beyond_the_limit_comes_back() {
    let mut out = Outgoing::default();
    let frame = vec![0; WHOLE_BYTES_MAX];
    for _ in 0..383 {
        push(&mut out, 1, &frame);
    }
    let refused = out.push(1, 1, frame, || 7).expect_err("96 MiB and their overhead are too much");
    assert_eq!((refused.0, refused.1.len()), (NotTaken::Full, WHOLE_BYTES_MAX));
    push(&mut out, 0, b"control has its own limit");
    let long = vec![0; 64 * 1024 * 1024];
    for key in 0..3 {
        out.push(1, key, long.clone(), || 8).unwrap_or_else(|_| panic!("long frames have their own limit"));
    }
    assert_eq!(out.push(1, 9, long, || 8).expect_err("four times 64 MiB and their overhead").0, NotTaken::Full);
}

/// What a peer makes of the bytes of a lane.
fn frames(bytes: &[u8]) -> Frames {
    let mut frames = Frames::default();
    Decoder::of_lane(1).push(bytes, &mut frames).expect("frames within their limit");
    frames
}

fn whole(mut frames: Frames) -> Vec<Vec<u8>> {
    frames.take().map(Cow::into_owned).collect()
}

/// The next parts of long frames, so many at most.
fn parts(out: &mut Outgoing, count: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for _ in 0..count {
        let Some(part) = out.take_part(&mut all) else { break };
        all.extend_from_slice(&part);
    }
    whole(frames(&all))
}

/// What comes next on a lane, with the number in the place of a long frame.
fn taken(out: &mut Outgoing, lane: usize) -> Vec<Vec<u8>> {
    let mut buffer = Vec::new();
    out.take(lane, &mut buffer, usize::MAX);
    let mut frames = frames(&buffer);
    frames.join(|number| Ok::<_, ()>(format!("long {number}").into_bytes())).unwrap();
    whole(frames)
}

#[test]
fn a_long_frame_goes_beside_the_others_and_only_those_of_its_key_wait_for_it() {
    let mut out = Outgoing::default();
    let long: Vec<u8> = (0..PART_BYTES * 4 + 100).map(|n| n as u8).collect();
    assert!(long.len() > WHOLE_BYTES_MAX);
    let mut push =
        |key, frame: &[u8]| out.push(1, key, frame.to_vec(), || 7).unwrap_or_else(|(why, _)| panic!("{why:?}"));
    push(5, b"before");
    push(5, &long);
    push(5, b"after");
    push(6, b"of another key");
    push(5, &long);
    push(5, b"last");
    assert_eq!(taken(&mut out, 1), [b"before".to_vec(), b"of another key".to_vec()]);
    let mut assembled = LongFrames::default();
    let add = |assembled: &mut LongFrames, parts: Vec<Vec<u8>>| {
        for part in &parts {
            assembled.add(part).expect("a part");
        }
        parts.len() as u64
    };
    // The connection is lost after two parts.
    let two = parts(&mut out, 2);
    assert_eq!(add(&mut assembled, two), 2);
    let mut received = [0; LANES];
    (received[1], received[PARTS_LANE]) = (2, 2);
    assert_eq!(out.resume(&received), Ok(vec![]));
    assert_eq!(add(&mut assembled, parts(&mut out, 9)), 3);
    assert!(taken(&mut out, 1).is_empty(), "the peer has not said that it has all parts");
    assert_eq!(out.acknowledge(PARTS_LANE, 5), Ok(vec![]));
    assert_eq!(taken(&mut out, 1), [b"long 1".to_vec(), b"after".to_vec()]);
    assert_eq!(assembled.take(1), Ok(long.clone()));
    // The second one of the key.
    assert_eq!(add(&mut assembled, parts(&mut out, 9)), 5);
    assert_eq!(out.acknowledge(PARTS_LANE, 10), Ok(vec![]));
    assert_eq!(taken(&mut out, 1), [b"long 2".to_vec(), b"last".to_vec()]);
    assert_eq!(assembled.take(2), Ok(long));
    assert_eq!(out.acknowledge(1, 6), Ok(vec![]));
    assert!(!out.has_undelivered());
    assert_eq!(out.held_bytes(), 0);
}

#[test]
fn parts_of_several_long_frames_take_turns_and_their_senders_wait_apart_from_others() {
    let mut out = Outgoing::default();
    let long = vec![1; 6 * 1024 * 1024];
    assert_eq!(out.push(1, 1, long.clone(), || 7), Ok(None));
    assert_eq!(out.push(2, 2, long, || 7), Ok(Some(7)));
    assert_eq!(out.push(1, 3, vec![0; 9], || 8), Ok(None), "who sends little is not put aside for it");
    let ids: Vec<u8> = parts(&mut out, 4).iter().map(|part| part[7]).collect();
    assert_eq!(ids, [1, 2, 1, 2]);
    parts(&mut out, 1000);
    let last = out.next_number(PARTS_LANE) - 1;
    assert_eq!(out.acknowledge(PARTS_LANE, last), Ok(vec![]));
    out.take(1, &mut Vec::new(), usize::MAX);
    assert_eq!(out.acknowledge(1, 2), Ok(vec![]), "one of 6 MiB is above the low mark");
    out.take(2, &mut Vec::new(), usize::MAX);
    assert_eq!(out.acknowledge(2, 1), Ok(vec![7]));
}

#[test]
fn parts_count_as_under_way_until_they_are_acknowledged_and_the_writer_is_woken_then() {
    let mut out = Outgoing::default();
    push(&mut out, 1, &vec![1; PART_BYTES * 8]);
    assert!(!std::mem::take(&mut out.came_shorter), "a long frame does not go beside itself");
    push(&mut out, 1, b"behind it");
    assert!(!out.came_shorter);
    out.push(1, 9, b"beside it".to_vec(), || 7).expect("there is room");
    assert!(out.came_shorter);
    parts(&mut out, 3);
    assert_eq!(out.parts_under_way(), 3);
    let woken = Arc::new(Woken::default());
    out.writer = Some(woken.clone().into());
    assert_eq!(out.acknowledge(PARTS_LANE, 2), Ok(vec![]));
    assert_eq!((out.parts_under_way(), woken.0.load(Relaxed)), (1, true));
    assert_eq!(out.resume(&[0, 0, 0, 0, 0, 0, 0, 0, 2]), Ok(vec![]));
    assert_eq!(out.parts_under_way(), 0, "the next connection is given them again");
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn the_end_gives_back_the_actor_frames_that_were_not_acknowledged() {
    let mut out = Outgoing::default();
    push(&mut out, 0, b"control");
    push(&mut out, 1, b"a");
    push(&mut out, 1, b"b");
    push(&mut out, 3, b"c");
    let long = vec![9; WHOLE_BYTES_MAX + 1];
    for key in [20, 21] {
        out.push(2, key, long.clone(), || 7).expect("there is room");
    }
    out.push(2, 20, b"d".to_vec(), || 7).expect("there is room");
    out.take(1, &mut Vec::new(), usize::MAX);
    assert_eq!(out.acknowledge(1, 1), Ok(vec![]));
    // Of two long frames one is whole at the peer, and its joint is on its way.
    parts(&mut out, 1000);
    let parts = out.next_number(PARTS_LANE) - 1;
    assert_eq!(out.acknowledge(PARTS_LANE, parts - 1), Ok(vec![]));
    let undelivered = vec![b"b".to_vec(), long.clone(), b"d".to_vec(), b"c".to_vec(), long];
    assert_eq!(out.end(), (undelivered, vec![]));
    assert_eq!(out.push(1, 1, vec![], || 7), Err((NotTaken::Over, vec![])));
}
