//! One walk over a parsed expression: which keys it reads, and whether it is within bounds. It evaluates nothing.

use super::WHOLE;
use crate::limits::EXPRESSION_DEPTH_MAX;
use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedEntryExpr, LiteralValue, operators};
use std::collections::BTreeSet;

/// What an expression may look at.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Names that no macro binds: each is a capability's key.
    pub(super) variables: BTreeSet<String>,
    /// Keys that are read as `cap["key"]`, `cap.key`, `has(cap.key)` or `"key" in cap`.
    pub(super) indexed: BTreeSet<String>,
    /// `cap` occurs, so the interpreter needs it.
    pub(super) indexes: bool,
    /// `cap` is used in a way that can read any key.
    pub(super) whole: bool,
    /// Something in it can multiply work or sizes, so the cost has to be estimated before an evaluation.
    pub(super) costly: bool,
    comprehensions: bool,
    tables: bool,
}

impl Survey {
    /// Walks over `ast`, or says why it is not accepted.
    pub(super) fn of(ast: &IdedExpr) -> Result<Self, &'static str> {
        let mut survey = Survey::default();
        survey.walk(ast, &mut Vec::new(), 0)?;
        if survey.tables && survey.comprehensions {
            // The interpreter iterates over such a map in random order: the same question could get two answers.
            return Err("a map in braces cannot be together with all, exists, exists_one, map or filter");
        }
        Ok(survey)
    }

    /// All keys that are read, some perhaps twice.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().chain(&self.indexed).map(String::as_str)
    }

    fn walk<'e>(&mut self, at: &'e IdedExpr, bound: &mut Vec<&'e str>, depth: usize) -> Result<(), &'static str> {
        if depth > EXPRESSION_DEPTH_MAX {
            return Err("it has too many operations inside each other");
        }
        match &at.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => {
                self.name(name, bound);
                Ok(())
            }
            Expr::Select(select) if is_map(&select.operand, bound) => {
                self.index(&select.field);
                Ok(())
            }
            Expr::Select(select) => self.walk(&select.operand, bound, depth + 1),
            Expr::Call(call) => self.call(call, bound, depth),
            Expr::List(list) => list.elements.iter().try_for_each(|e| self.walk(e, bound, depth + 1)),
            Expr::Map(map) => {
                self.tables = true;
                map.entries.iter().try_for_each(|entry| self.entry(entry, bound, depth))
            }
            Expr::Comprehension(fold) => {
                self.costly = true;
                self.comprehensions = true;
                self.walk(&fold.iter_range, bound, depth + 1)?;
                self.walk(&fold.accu_init, bound, depth + 1)?;
                let outside = bound.len();
                bound.push(&fold.accu_var);
                self.walk(&fold.result, bound, depth + 1)?;
                bound.push(&fold.iter_var);
                bound.extend(fold.iter_var2.as_deref());
                self.walk(&fold.loop_cond, bound, depth + 1)?;
                self.walk(&fold.loop_step, bound, depth + 1)?;
                bound.truncate(outside);
                Ok(())
            }
            Expr::Struct(_) => Err("there are no message types here"),
            Expr::Unspecified => Err("a part of it is empty"),
        }
    }

    fn call<'e>(&mut self, call: &'e CallExpr, bound: &mut Vec<&'e str>, depth: usize) -> Result<(), &'static str> {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT, [map, key])
            | (operators::IN, [key, map])
                if is_map(map, bound) && text(key).is_some() =>
            {
                self.index(text(key).unwrap_or_default());
                return Ok(());
            }
            (operators::ADD | "matches", _) => self.costly = true,
            _ => {}
        }
        if let Some(target) = &call.target {
            self.walk(target, bound, depth + 1)?;
        }
        call.args.iter().try_for_each(|arg| self.walk(arg, bound, depth + 1))
    }

    fn entry<'e>(
        &mut self,
        entry: &'e IdedEntryExpr,
        bound: &mut Vec<&'e str>,
        depth: usize,
    ) -> Result<(), &'static str> {
        match &entry.expr {
            EntryExpr::MapEntry(entry) => {
                self.walk(&entry.key, bound, depth + 1)?;
                self.walk(&entry.value, bound, depth + 1)
            }
            EntryExpr::StructField(_) => Err("there are no message types here"),
        }
    }

    fn name(&mut self, name: &str, bound: &[&str]) {
        // A leading dot skips what macros bind.
        let (name, absolute) = match name.strip_prefix('.') {
            Some(name) => (name, true),
            None => (name, false),
        };
        if name == WHOLE && (absolute || !bound.contains(&name)) {
            self.indexes = true;
            self.whole = true;
            self.costly = true;
        } else if absolute || !bound.contains(&name) {
            self.variables.insert(name.to_owned());
        }
    }

    fn index(&mut self, key: &str) {
        self.indexes = true;
        self.indexed.insert(key.to_owned());
    }
}

/// Whether this is the whole map and not a name that a macro binds.
pub(super) fn is_map(at: &IdedExpr, bound: &[&str]) -> bool {
    matches!(&at.expr, Expr::Ident(name) if name == WHOLE && !bound.contains(&WHOLE))
}

/// The text, when this is a literal text.
pub(super) fn text(at: &IdedExpr) -> Option<&str> {
    match &at.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}
