use super::*;
use crate::leader::natives::LinkedLists;
use crate::types::NativeActor;
use odeon_capabilities::{CapabilityMap, Index};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Classes and lists of linked types to be of.
fn kinds() -> (Vec<ClassId>, Vec<Arc<Linked>>) {
    let mut index = Index::new();
    for n in 0..3u8 {
        let mut map = CapabilityMap::new();
        map.set("n", i64::from(n)).unwrap();
        index.insert(n, map);
    }
    let mut lists = LinkedLists::default();
    let linked = ["A", "B"].map(|name| lists.take(vec![NativeActor { name: name.to_owned(), required: vec![] }]));
    (index.classes().map(|class| class.id()).collect(), linked.into())
}

proptest! {
    #[test]
    fn pools_hold_who_has_a_standing_and_follow_every_change(
        steps in vec((0u8..12, option::weighted(0.8, (0usize..3, 0usize..2, any::<bool>(), 0u32..4))), 1..80),
        passed_over in proptest::collection::btree_set(0u8..12, 0..6),
    ) {
        let (classes, linked) = kinds();
        let mut pools = Pools::default();
        let mut plain: BTreeMap<u8, (usize, usize, bool, u32)> = BTreeMap::new();
        let mut known: BTreeMap<Slot, (ClassId, LinkedId)> = BTreeMap::new();
        for (n, to) in steps {
            let before = pools.changes();
            pools.set(NodeId([n; 16]), to.map(|(class, list, reachable, load)| Standing {
                class: classes[class], linked: Arc::clone(&linked[list]), reachable, load,
            }));
            match to {
                Some(to) => { plain.insert(n, to); }
                None => { plain.remove(&n); }
            }
            // Whoever follows the changes knows every pool.
            for slot in pools.changed_since(before).unwrap() {
                known.remove(&slot);
                known.extend(pools.pool(slot).map(|pool| (slot, (pool.class(), pool.linked().id()))));
            }
            let passed = |id: NodeId| passed_over.contains(&id.0[0]);
            let mut count = 0;
            for (at, class) in classes.iter().enumerate() {
                for (slot, pool) in pools.of_class(*class) {
                    prop_assert_eq!(known.get(&slot), Some(&(*class, pool.linked().id())));
                    count += 1;
                    for reachable in [true, false] {
                        let of = |(_, (class, list, up, _)): &(&u8, &(usize, usize, bool, u32))| {
                            *class == at && linked[*list].id() == pool.linked().id() && *up == reachable
                        };
                        let expected: Vec<(u32, NodeId)> =
                            plain.iter().filter(of).map(|(n, (.., load))| (*load, NodeId([*n; 16]))).collect();
                        let side = pool.side(reachable);
                        let mut members = side.members().to_vec();
                        members.sort();
                        prop_assert_eq!(members, expected.iter().map(|(_, id)| *id).collect::<Vec<_>>());
                        let left = || expected.iter().copied().filter(|(_, id)| !passed(*id));
                        prop_assert_eq!(side.fewest(passed).copied(), left().min());
                        let most = left().min_by_key(|(load, id)| (std::cmp::Reverse(*load), *id));
                        prop_assert_eq!(side.most(passed).copied(), most);
                        let ends = pools.ends(slot, reachable);
                        prop_assert_eq!(ends.map_or(0, |ends| ends.count as usize), expected.len());
                        prop_assert_eq!(ends.map(|ends| ends.fewest), expected.iter().copied().min());
                        prop_assert_eq!(ends.map(|ends| &ends.most), side.most(|_| false));
                    }
                }
            }
            prop_assert_eq!(known.len(), count, "no pool is left of which nobody is");
            for n in 0..12u8 {
                let place = pools.place_of(NodeId([n; 16]));
                let kind = place.and_then(|(slot, up)| Some((pools.pool(slot)?.kind(), up)));
                let expected = plain.get(&n).map(|(class, list, up, _)| ((classes[*class], linked[*list].id()), *up));
                prop_assert_eq!(kind, expected);
            }
        }
    }
}

#[test]
fn changes_that_are_too_long_ago_are_not_told() {
    let (classes, linked) = kinds();
    let mut pools = Pools::default();
    let standing = |class| Standing { class, linked: Arc::clone(&linked[0]), reachable: true, load: 0 };
    let before = pools.changes();
    for n in 0..=limits::POOL_CHANGES_MAX {
        pools.set(NodeId([1; 16]), Some(standing(classes[n % 2])));
    }
    assert!(pools.changed_since(before).is_none());
    assert_eq!(pools.changed_since(pools.changes()).unwrap().count(), 0);
    assert!(pools.changed_since(pools.changes() + 1).is_none(), "of another history");
    assert_eq!(pools.slots.len(), 1, "a slot is used again");
}
