use super::*;
use crate::samples;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn what_is_remembered_is_what_a_fresh_look_finds(
        steps in vec((0u8..6, proptest::option::of(samples::map()), 0usize..3), 1..30),
        wanted in vec(samples::requirements(), 3),
    ) {
        let mut index = Index::new();
        // Room for two of three: each is forgotten and found out again now and then.
        let mut selector = Selector::new(2);
        for (node, map, ask) in steps {
            match map {
                Some(map) => index.insert(node, map),
                None => { index.remove(node); }
            }
            let selection = selector.select(&index, &wanted[ask]).unwrap();
            let matcher = Matcher::new(&wanted[ask]).unwrap();
            let mut expected: Vec<Accepted> = index
                .candidates(&matcher)
                .classes()
                .map(|class| Accepted { class: class.id(), score: matcher.score(class.map()) })
                .collect();
            expected.sort_by_key(|a| (std::cmp::Reverse(a.score), a.class));
            prop_assert_eq!(selection.accepted(), expected);
            prop_assert!(selector.by_requirements.len() <= 2 && selector.oldest.len() <= 2);
        }
    }
}

#[test]
fn requirements_that_cannot_be_used_are_refused_each_time_and_not_kept() {
    let index: Index<u8> = Index::new();
    let mut selector = Selector::new(4);
    let wanted = Requirements::none().expression("gpu >");
    for _ in 0..2 {
        assert!(matches!(selector.select(&index, &wanted), Err(RequirementsError::Parse { .. })));
    }
    assert!(selector.oldest.is_empty());
}

#[test]
fn who_has_not_looked_for_long_looks_at_everything() {
    let mut index = Index::new();
    let mut selector = Selector::new(4);
    let wanted = Requirements::none().expression("serial % 2 == 1").prefer("serial > 1000", 1);
    let mut map = crate::CapabilityMap::new();
    selector.select(&index, &wanted).unwrap();
    for serial in 0..i64::try_from(crate::limits::CLASS_CHANGES_MAX).unwrap() + 1 {
        map.set("serial", serial).unwrap();
        index.insert(serial, map.clone());
    }
    assert!(index.changed_since(0).is_none());
    let selection = selector.select(&index, &wanted).unwrap();
    assert_eq!(selection.accepted().len(), 512);
    assert_eq!(selection.accepted()[0].score, 1);
    let one = index.class_of(7).unwrap().id();
    let two = index.class_of(8).unwrap().id();
    assert_eq!((selection.score(one), selection.score(two)), (Some(0), None));
    index.remove(7);
    assert!(index.changed_since(index.changes() - 1).unwrap().eq([one]));
    assert_eq!(selector.select(&index, &wanted).unwrap().score(one), None);
}

proptest! {
    #[test]
    fn maps_that_are_alike_are_judged_alike(
        maps in vec(samples::map(), 1..20),
        wanted in samples::requirements(),
    ) {
        let matcher = Matcher::new(&wanted).unwrap();
        let mut alike = Alike::new(&matcher);
        for map in &maps {
            prop_assert_eq!(alike.judge(map), matcher.judge(map));
        }
    }
}
