use super::*;
use crate::RecordingView;
use crate::samples::{KEYS, map};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const WIDE: MemoLimits = MemoLimits { entries_max: 1000, bytes_max: 1 << 20 };

fn reads(entries: &[(&str, Option<Value>)]) -> Reads {
    Reads(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

fn with(entries: &[(&str, Value)]) -> CapabilityMap {
    let mut map = CapabilityMap::new();
    entries.iter().for_each(|(key, value)| map.set(*key, value.clone()).unwrap());
    map
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn an_answer_is_only_given_for_a_map_that_agrees_on_the_reads(
        history in vec((0u8..3, map(), vec(select(KEYS.to_vec()), 0..4)), 1..30),
        questions in vec((0u8..3, map()), 1..20),
        entries_max in 1usize..20,
    ) {
        let mut memo = Memo::new(MemoLimits { entries_max, bytes_max: 1 << 20 });
        let mut kept: VecDeque<(u8, Reads, usize)> = VecDeque::new();
        for (number, (key, map, keys)) in history.into_iter().enumerate() {
            let view = RecordingView::new(&map);
            keys.iter().for_each(|key| drop(view.value(key)));
            let reads = view.into_reads();
            prop_assert!(memo.remember(key, reads.clone(), number));
            // The model: a list, the oldest dropped.
            match kept.iter_mut().find(|(k, r, _)| *k == key && *r == reads) {
                Some(known) => known.2 = number,
                None => kept.push_back((key, reads, number)),
            }
            if kept.len() > entries_max {
                kept.pop_front();
            }
            prop_assert_eq!(memo.len(), kept.len());
        }
        for (key, map) in questions {
            let right: Vec<usize> = kept.iter().filter(|(k, r, _)| *k == key && r.agree(&map)).map(|k| k.2).collect();
            match memo.find(&key, &map) {
                Some(found) => prop_assert!(right.contains(found), "{found} is not among {right:?}"),
                None => prop_assert!(right.is_empty(), "one of {right:?} was not found"),
            }
        }
    }
}

#[test]
fn a_key_that_was_missing_is_part_of_what_was_read() {
    let mut memo = Memo::new(WIDE);
    memo.remember("check", reads(&[("gpu", None)]), false);
    assert_eq!(memo.find(&"check", &with(&[("zone", "eu".into())])), Some(&false));
    assert_eq!(memo.find(&"check", &with(&[("gpu", 1.into())])), None);
    assert_eq!(memo.find(&"another", &CapabilityMap::new()), None);
}

#[test]
fn a_check_that_reads_other_keys_on_other_maps_is_remembered_for_each() {
    let mut memo = Memo::new(WIDE);
    memo.remember("check", reads(&[("gpu", None)]), "no gpu");
    memo.remember("check", reads(&[("gpu", Some(1.into())), ("zone", None)]), "no zone");
    memo.remember("check", reads(&[("gpu", Some(1.into())), ("zone", Some("eu".into()))]), "fits");
    assert_eq!(memo.find(&"check", &CapabilityMap::new()), Some(&"no gpu"));
    assert_eq!(memo.find(&"check", &with(&[("gpu", 1.into())])), Some(&"no zone"));
    assert_eq!(memo.find(&"check", &with(&[("gpu", 1.into()), ("zone", "eu".into())])), Some(&"fits"));
    assert_eq!(memo.find(&"check", &with(&[("gpu", 2.into())])), None);
}

#[test]
fn a_later_outcome_for_the_same_reads_takes_the_place_of_the_earlier() {
    let mut memo = Memo::new(WIDE);
    memo.remember("check", reads(&[]), 1);
    memo.remember("check", reads(&[]), 2);
    assert_eq!(memo.find(&"check", &CapabilityMap::new()), Some(&2));
    assert_eq!(memo.len(), 1);
}

#[test]
fn the_oldest_go_first_when_there_are_too_many_or_too_large_ones() {
    let mut memo = Memo::new(MemoLimits { entries_max: 2, bytes_max: 100 });
    for n in 0..3 {
        assert!(memo.remember("check", reads(&[("n", Some(n.into()))]), n));
    }
    assert_eq!(memo.find(&"check", &with(&[("n", 0.into())])), None);
    assert_eq!(memo.find(&"check", &with(&[("n", 2.into())])), Some(&2));
    // 91 bytes leave room for one of the others.
    assert!(memo.remember("check", reads(&[("k", Some("x".repeat(90).into()))]), 9));
    assert_eq!(memo.find(&"check", &with(&[("n", 1.into())])), None);
    assert_eq!(memo.find(&"check", &with(&[("n", 2.into())])), Some(&2));
    assert!(!memo.remember("check", reads(&[("k", Some("x".repeat(100).into()))]), 10), "larger than all there is");
    assert_eq!((memo.len(), memo.bytes), (2, 100));
}

#[test]
fn forgetting_a_question_leaves_the_others_and_frees_its_room() {
    let mut memo = Memo::new(MemoLimits { entries_max: 3, bytes_max: 1000 });
    memo.remember("a", reads(&[("n", None)]), 1);
    memo.remember("b", reads(&[("n", None)]), 2);
    memo.remember("a", reads(&[]), 3);
    memo.forget(&"a");
    assert_eq!(memo.find(&"a", &CapabilityMap::new()), None);
    assert_eq!(memo.find(&"b", &CapabilityMap::new()), Some(&2));
    assert_eq!((memo.len(), memo.bytes), (1, 9));
    memo.forget(&"b");
    assert!(memo.is_empty() && memo.bytes == 0);
}

#[test]
fn of_two_outcomes_that_hold_the_later_one_is_found() {
    let mut memo = Memo::new(MemoLimits { entries_max: 10, bytes_max: 1000 });
    let mut map = CapabilityMap::new();
    map.set("gpu", 1).unwrap();
    let gpu = || Reads([("gpu".to_owned(), Some(1.into()))].into());
    memo.remember("key", Reads::default(), "read nothing");
    memo.remember("key", gpu(), "read gpu");
    assert_eq!(memo.find(&"key", &map), Some(&"read gpu"));
    memo.remember("key", Reads::default(), "read nothing again");
    assert_eq!(memo.find(&"key", &map), Some(&"read nothing again"));
    assert_eq!(memo.len(), 2);
}
