//! Capability values as the interpreter sees them. Text is borrowed, and maps are iterated over in the order of their
//! keys, so that an expression has one result in every run.

use crate::Value;
use cel::common::traits::{Container, Indexer, Iterable, Iterator as CelIterator, Sizer, Zeroer};
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, Type};
use cel::common::value::{Builtin, BuiltinRef, Val};
use std::collections::HashMap;

/// A value for the interpreter.
pub(super) fn operand<'v>(value: &'v Value) -> Box<dyn Val + 'v> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(v) => Box::new(CelBool::from(*v)),
        Value::Integer(v) => Box::new(CelInt::from(*v)),
        Value::Float(v) => Box::new(CelDouble::from(*v)),
        Value::String(v) => Box::new(CelString::from(v.as_str())),
        Value::List(list) => Box::new(CelList::from(list.iter().map(operand).collect::<Vec<_>>())),
        Value::Map(map) => table(map.iter().map(|(key, value)| (key.as_str(), value))),
    }
}

/// A map for the interpreter; `entries` come sorted by key.
pub(super) fn table<'v>(entries: impl Iterator<Item = (&'v str, &'v Value)>) -> Box<dyn Val + 'v> {
    let mut keys = Vec::new();
    let mut map: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = HashMap::new();
    for (key, value) in entries {
        keys.push(CelMapKey::from(key));
        map.insert(CelMapKey::from(key), operand(value));
    }
    Box::new(Table { keys, map: CelMap::from(map) })
}

/// The interpreter's own map with its keys in order beside it. Everything but iteration is the map's.
#[derive(Debug, Clone)]
struct Table<'v> {
    keys: Vec<CelMapKey<'v>>,
    map: CelMap<'v>,
}

impl<'v> Val for Table<'v> {
    fn get_type(&self) -> &Type {
        self.map.get_type()
    }

    fn cel_type() -> &'static Type {
        <CelMap<'v> as Val>::cel_type()
    }

    fn as_container(&self) -> Option<&dyn Container> {
        self.map.as_container()
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        self.map.as_indexer()
    }

    fn into_indexer<'w>(self: Box<Self>) -> Option<Box<dyn Indexer + 'w>>
    where
        Self: 'w,
    {
        Box::new(self.map).into_indexer()
    }

    fn as_iterable<'b, 'w>(&'b self) -> Option<&'b (dyn Iterable + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        self.map.as_sizer()
    }

    fn as_zeroer(&self) -> Option<&dyn Zeroer> {
        self.map.as_zeroer()
    }

    fn equals(&self, other: &dyn Val) -> bool {
        self.map.equals(other)
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(self.clone())
    }

    fn as_builtin<'b, 'w>(&'b self) -> BuiltinRef<'b, 'w>
    where
        Self: 'w,
    {
        BuiltinRef::Map(&self.map)
    }

    fn into_builtin<'w>(self: Box<Self>) -> Option<Builtin<'w>>
    where
        Self: 'w,
    {
        Some(Builtin::Map(self.map))
    }
}

impl Iterable for Table<'_> {
    fn iter<'b, 'w>(&'b self) -> Box<dyn CelIterator<'b, 'w> + 'b>
    where
        Self: 'w,
    {
        Box::new(Keys(self.keys.iter()))
    }
}

struct Keys<'b, 'v>(std::slice::Iter<'b, CelMapKey<'v>>);

impl<'b, 'w, 'v: 'w> CelIterator<'b, 'w> for Keys<'b, 'v> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'w)> {
        self.0.next().map(|key| key.inner() as &(dyn Val + 'w))
    }
}
