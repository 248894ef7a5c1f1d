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
