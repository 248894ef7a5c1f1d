use super::*;
use crate::Requirements;
use crate::samples;
use proptest::collection::vec;
use proptest::prelude::*;

/// One change of an index.
#[derive(Debug, Clone)]
enum Change {
    Insert(u8, CapabilityMap),
    Remove(u8),
    Apply(u8, Delta),
}

fn change() -> impl Strategy<Value = Change> {
    let node = 0u8..12;
    prop_oneof![
        4 => (node.clone(), samples::map()).prop_map(|(node, map)| Change::Insert(node, map)),
        1 => node.clone().prop_map(Change::Remove),
        2 => (node, samples::delta()).prop_map(|(node, delta)| Change::Apply(node, delta)),
    ]
}

/// The index after some changes, and every node's map as a plain table.
fn after(changes: Vec<Change>) -> (Index<u8>, BTreeMap<u8, CapabilityMap>) {
    let mut index = Index::new();
    let mut plain: BTreeMap<u8, CapabilityMap> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Insert(node, map) => {
                index.insert(node, map.clone());
                plain.insert(node, map);
            }
            Change::Remove(node) => assert_eq!(index.remove(node), plain.remove(&node).is_some()),
            Change::Apply(node, delta) => {
                let changed = plain.get_mut(&node).is_some_and(|map| map.apply(&delta).unwrap());
                assert_eq!(index.apply(node, &delta), Ok(changed));
            }
        }
    }
    (index, plain)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn candidates_are_what_asking_every_node_finds(
        changes in vec(change(), 0..40),
        wanted in vec(samples::requirements(), 1..4),
    ) {
        let (index, plain) = after(changes);
        for wanted in wanted {
            let matcher = Matcher::new(&wanted).unwrap();
            let mut found: Vec<u8> = index.candidates(&matcher).nodes().collect();
            found.sort_unstable();
            let asked: Vec<u8> =
                plain.iter().filter(|(_, map)| matcher.refusals(map).is_empty()).map(|(node, _)| *node).collect();
            prop_assert_eq!(index.candidates(&matcher).len(), asked.len());
            prop_assert_eq!(found, asked);
            for (class, refusals) in index.explain(&matcher) {
                prop_assert_eq!(refusals, matcher.refusals(class.map()));
            }
        }
    }

    #[test]
    fn there_is_one_class_for_each_distinct_map_and_no_empty_one(changes in vec(change(), 0..60)) {
        let (index, plain) = after(changes);
        let distinct: std::collections::HashSet<&CapabilityMap> = plain.values().collect();
        prop_assert_eq!(index.classes().count(), distinct.len());
        prop_assert_eq!(index.len(), plain.len());
        for (node, map) in &plain {
            prop_assert_eq!(index.map(*node), Some(map));
            prop_assert!(index.class_of(*node).unwrap().nodes().contains(node));
        }
        prop_assert_eq!(index.classes().map(|class| class.nodes().len()).sum::<usize>(), plain.len());
        prop_assert!(index.nodes().eq(plain.keys().copied()));
    }

    #[test]
    fn an_index_that_lost_all_nodes_holds_nothing(changes in vec(change(), 0..40)) {
        let (mut index, plain) = after(changes);
        plain.keys().for_each(|node| assert!(index.remove(*node)));
        prop_assert!(index.is_empty() && index.by_map.is_empty() && index.classes.is_empty());
        prop_assert!(index.postings.is_empty(), "{:?}", index.postings);
    }

    #[test]
    fn the_classes_are_the_same_while_the_count_of_changes_is(changes in vec(change(), 1..40)) {
        let mut index = Index::new();
        for change in changes {
            let before = (index.changes(), index.classes().map(Class::id).collect::<Vec<_>>());
            match change {
                Change::Insert(node, map) => index.insert(node, map),
                Change::Remove(node) => { index.remove(node); }
                Change::Apply(node, delta) => { index.apply(node, &delta).unwrap(); }
            }
            let same = before.1 == index.classes().map(Class::id).collect::<Vec<_>>();
            prop_assert_eq!(before.0 == index.changes(), same);
        }
    }
}

#[test]
fn a_refused_change_leaves_the_index_as_it_was() {
    let mut index = Index::new();
    index.insert(1, CapabilityMap::new());
    let mut delta = Delta::default();
    delta.0.insert(String::new(), Some(1.into()));
    assert_eq!(index.apply(1, &delta), Err(MapError::KeyEmpty));
    assert_eq!(index.map(1), Some(&CapabilityMap::new()));
    assert_eq!(index.apply(2, &delta), Ok(false), "a node that is not here");
    assert!(index.map(2).is_none());
}

#[test]
fn an_id_is_never_given_to_another_map() {
    let mut index = Index::new();
    let mut map = CapabilityMap::new();
    index.insert(1, map.clone());
    let first = index.class_of(1).unwrap().id();
    map.set("gpu", 1).unwrap();
    index.insert(1, map);
    assert!(index.class(first).is_none());
    index.insert(1, CapabilityMap::new());
    assert_ne!(index.class_of(1).unwrap().id(), first);
}

#[test]
fn an_equality_with_a_list_or_an_unknown_key_is_answered_like_any_other() {
    let mut index = Index::new();
    let list = crate::Value::List(vec![1.into()]);
    for (node, value) in [(1, list.clone()), (2, crate::Value::List(vec![])), (3, false.into())] {
        let mut map = CapabilityMap::new();
        map.set("tags", value).unwrap();
        index.insert(node, map);
    }
    let nodes =
        |wanted: Requirements| -> Vec<i32> { index.candidates(&Matcher::new(&wanted).unwrap()).nodes().collect() };
    assert_eq!(nodes(Requirements::none().equal("tags", list)), [1]);
    assert_eq!(nodes(Requirements::none().equal("tags", false)), [3]);
    assert_eq!(nodes(Requirements::none().require("tags")), [1, 2]);
    assert_eq!(nodes(Requirements::none().equal("nothing", 1)), [0; 0]);
    assert_eq!(nodes(Requirements::none().equal("tags", crate::Value::Null)), [0; 0]);
}
