//! What is linked into the members: kept once for all members that are alike in it.

use crate::types::NativeActor;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is linked into one member, or into many.
#[derive(Debug)]
pub(crate) struct Linked {
    id: LinkedId,
    natives: Arc<[NativeActor]>,
    /// The position of each name, the first where one is there twice.
    by_name: BTreeMap<String, usize>,
}

/// Never given to another list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkedId(u64);

impl LinkedId {
    pub(crate) const FIRST: Self = Self(0);
    pub(crate) const LAST: Self = Self(u64::MAX);
}

impl Linked {
    pub(crate) fn id(&self) -> LinkedId {
        self.id
    }

    pub(crate) fn natives(&self) -> &[NativeActor] {
        &self.natives
    }

    pub(crate) fn of(&self, actor: &str) -> Option<&NativeActor> {
        self.natives.get(*self.by_name.get(actor)?)
    }
}

/// The distinct lists, each as long as a member has it.
#[derive(Debug, Default)]
pub(crate) struct LinkedLists {
    by_natives: BTreeMap<Arc<[NativeActor]>, (Arc<Linked>, usize)>,
    /// In how many lists each actor type is.
    names: BTreeMap<String, usize>,
    next: u64,
}

impl LinkedLists {
    /// For one more member that has these.
    pub(crate) fn take(&mut self, natives: Vec<NativeActor>) -> Arc<Linked> {
        if let Some((linked, members)) = self.by_natives.get_mut(natives.as_slice()) {
            *members += 1;
            return Arc::clone(linked);
        }
        let natives: Arc<[NativeActor]> = natives.into();
        let mut by_name = BTreeMap::new();
        for (at, native) in natives.iter().enumerate() {
            by_name.entry(native.name.clone()).or_insert(at);
        }
        for name in by_name.keys() {
            *self.names.entry(name.clone()).or_default() += 1;
        }
        let linked = Arc::new(Linked { id: LinkedId(self.next), natives: Arc::clone(&natives), by_name });
        self.next += 1;
        self.by_natives.insert(natives, (Arc::clone(&linked), 1));
        linked
    }

    /// A member does not have it any more.
    pub(crate) fn give_back(&mut self, linked: &Linked) {
        let Some((_, members)) = self.by_natives.get_mut(&linked.natives) else { return };
        *members -= 1;
        if *members > 0 {
            return;
        }
        self.by_natives.remove(&linked.natives);
        for name in linked.by_name.keys() {
            if let Some(lists) = self.names.get_mut(name) {
                *lists -= 1;
                if *lists == 0 {
                    self.names.remove(name);
                }
            }
        }
    }

    /// Whether some member has the actor type.
    pub(crate) fn know(&self, actor: &str) -> bool {
        self.names.contains_key(actor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn natives(names: &[&str]) -> Vec<NativeActor> {
        names.iter().map(|name| NativeActor { name: (*name).to_owned(), required: vec![] }).collect()
    }

    #[test]
    fn equal_lists_are_one_and_a_list_goes_with_its_last_member() {
        let mut lists = LinkedLists::default();
        let first = lists.take(natives(&["a", "b"]));
        let second = lists.take(natives(&["a", "b"]));
        let other = lists.take(natives(&["b"]));
        assert!(Arc::ptr_eq(&first, &second) && first.id() != other.id());
        lists.give_back(&first);
        assert!(lists.know("a"));
        lists.give_back(&second);
        assert!(!lists.know("a") && lists.know("b"));
        lists.give_back(&other);
        assert!(lists.by_natives.is_empty() && lists.names.is_empty());
    }

    #[test]
    fn of_two_of_one_name_the_first_counts() {
        let mut both = natives(&["a", "a"]);
        both[1].required.push("db".to_owned());
        let linked = LinkedLists::default().take(both);
        assert_eq!(linked.of("a").unwrap().required, Vec::<String>::new());
        assert!(linked.of("b").is_none());
    }
}
