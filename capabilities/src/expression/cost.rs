//! An upper bound on the work of one evaluation, found without doing it.
//!
//! Macros over lists multiply work, and `+` and `map` multiply sizes: twenty short steps can ask for more memory than
//! there is. The interpreter counts nothing, so the sizes are followed through the expression beforehand, starting
//! from what the map at hand holds. Every rule errs on the side of too much.

use super::WHOLE;
use super::survey::{is_map, text};
use crate::{CapabilityMap, Value};
use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, LiteralValue, operators};

/// What compiling a regular expression may cost, when it holds counted repetitions, which multiply it.
const REGEX_REPEATING_STEPS: u64 = 1 << 19;
/// What compiling costs for each byte of a regular expression without them.
const REGEX_BYTE_STEPS: u64 = 64;
/// Bytes that a number or another scalar has as text at most.
const SCALAR_TEXT_BYTES: u64 = 32;

/// Steps that evaluating `ast` on `map` takes at most.
pub(super) fn estimate(ast: &IdedExpr, map: &CapabilityMap) -> u64 {
    Estimate { map, bound: Vec::new() }.of(ast).steps
}

/// How large a value can be.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    /// One for each value in it and for each byte of its text.
    weight: u64,
    /// How many values or keys are directly in it.
    items: u64,
    /// The weight of the heaviest of them.
    item: u64,
}

/// What computing a value takes, and how large it is then.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    steps: u64,
    size: Size,
}

struct Estimate<'e> {
    map: &'e CapabilityMap,
    /// Names that macros bind, innermost last.
    bound: Vec<(&'e str, Size)>,
}

impl<'e> Estimate<'e> {
    fn of(&mut self, at: &'e IdedExpr) -> Cost {
        match &at.expr {
            Expr::Literal(literal) => Cost { steps: 1, size: literal_size(literal) },
            Expr::Ident(name) => Cost { steps: 1, size: self.named(name) },
            Expr::Select(select) => match self.keyed(&select.operand, Some(&select.field)) {
                Some(size) => Cost { steps: size.weight.saturating_add(1), size },
                None => {
                    let operand = self.of(&select.operand);
                    element(operand, 1)
                }
            },
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.collect(list.elements.iter()),
            Expr::Map(map) => self.collect(map.entries.iter().flat_map(parts)),
            Expr::Comprehension(fold) => self.fold(fold),
            // Neither is accepted by the survey.
            Expr::Struct(_) | Expr::Unspecified => Cost { steps: u64::MAX, size: Size::default() },
        }
    }

    /// The size of what a name stands for. A type's name, or one that nothing has, weighs nothing.
    fn named(&self, name: &str) -> Size {
        let (name, absolute) = match name.strip_prefix('.') {
            Some(name) => (name, true),
            None => (name, false),
        };
        if let Some((_, size)) = self.bound.iter().rev().find(|(bound, _)| *bound == name && !absolute) {
            return *size;
        }
        if name == WHOLE {
            return container(self.map.iter().map(|(key, value)| key.len() as u64 + weigh(value)));
        }
        self.map.value(name).map(size_of).unwrap_or_default()
    }

    /// The size of one capability that is read by its key, so that the estimate depends on what is read and on
    /// nothing else of the map.
    fn keyed(&self, operand: &IdedExpr, key: Option<&str>) -> Option<Size> {
        let bound: Vec<&str> = self.bound.iter().map(|(name, _)| *name).collect();
        let key = key.filter(|_| is_map(operand, &bound))?;
        Some(self.map.value(key).map(size_of).unwrap_or_default())
    }

    fn call(&mut self, call: &'e CallExpr) -> Cost {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT, [map, key]) => {
                if let Some(size) = self.keyed(map, text(key)) {
                    return Cost { steps: size.weight.saturating_add(1), size };
                }
            }
            (operators::IN, [key, map]) if self.keyed(map, text(key)).is_some() => {
                return Cost { steps: 1, size: scalar() };
            }
            _ => {}
        }
        let operands: Vec<Cost> = call.target.as_deref().into_iter().chain(&call.args).map(|a| self.of(a)).collect();
        let steps = operands.iter().fold(1u64, |sum, c| sum.saturating_add(c.steps));
        let weights = operands.iter().fold(0u64, |sum, c| sum.saturating_add(c.size.weight));
        let working = steps.saturating_add(weights);
        match (call.func_name.as_str(), operands.as_slice()) {
            (operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT, [operand, key]) => {
                element(*operand, key.steps.saturating_add(key.size.weight))
            }
            (operators::CONDITIONAL, [_, yes, no]) => Cost { steps, size: larger(yes.size, no.size) },
            ("matches", [text, pattern]) => {
                let compile = match call.args.last().map(|a| &a.expr) {
                    Some(Expr::Literal(LiteralValue::String(p))) if !p.inner().contains('{') => {
                        REGEX_BYTE_STEPS.saturating_mul(pattern.size.weight)
                    }
                    _ => REGEX_REPEATING_STEPS,
                };
                let search = text.size.weight.saturating_mul(1 + pattern.size.weight / 16);
                Cost { steps: working.saturating_add(compile).saturating_add(search), size: scalar() }
            }
            (
                operators::LOGICAL_AND
                | operators::LOGICAL_OR
                | operators::LOGICAL_NOT
                | operators::NOT_STRICTLY_FALSE
                | operators::NEGATE
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO,
                _,
            ) => Cost { steps, size: scalar() },
            (
                operators::EQUALS
                | operators::NOT_EQUALS
                | operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS
                | operators::IN
                | "size"
                | "contains"
                | "startsWith"
                | "endsWith",
                _,
            ) => Cost { steps: working, size: scalar() },
            (operators::ADD, [a, b]) => {
                let size = Size {
                    weight: weights,
                    items: a.size.items.saturating_add(b.size.items),
                    item: a.size.item.max(b.size.item),
                };
                Cost { steps: working, size }
            }
            // Everything else makes at most what it is given, and a number may become text.
            _ => {
                let size = Size {
                    weight: weights.saturating_add(SCALAR_TEXT_BYTES),
                    items: operands.iter().fold(SCALAR_TEXT_BYTES, |sum, c| sum.saturating_add(c.size.items)),
                    item: operands.iter().map(|c| c.size.item).max().unwrap_or_default(),
                };
                Cost { steps: working, size }
            }
        }
    }

    /// A list or map in the expression: every part is copied into it.
    fn collect(&mut self, parts: impl Iterator<Item = &'e IdedExpr>) -> Cost {
        let mut steps = 1u64;
        let mut sizes = Vec::new();
        for part in parts {
            let part = self.of(part);
            steps = steps.saturating_add(part.steps).saturating_add(part.size.weight);
            sizes.push(part.size.weight);
        }
        Cost { steps, size: container(sizes.into_iter()) }
    }

    /// A macro over a list or map: the steps of its body for each item. What the body adds to the result, each adds.
    fn fold(&mut self, fold: &'e ComprehensionExpr) -> Cost {
        let range = self.of(&fold.iter_range);
        let init = self.of(&fold.accu_init);
        let rounds = range.size.items;
        let item = Size { weight: range.size.item, items: range.size.item, item: range.size.item };

        let outside = self.bound.len();
        self.bound.push((&fold.accu_var, init.size));
        self.bound.push((&fold.iter_var, item));
        if let Some(second) = &fold.iter_var2 {
            self.bound.push((second, item));
        }
        let condition = self.of(&fold.loop_cond);
        let step = self.of(&fold.loop_step);
        self.bound.truncate(outside);

        let grown = Size {
            weight: init.size.weight.saturating_add(rounds.saturating_mul(step.size.weight)),
            items: init.size.items.saturating_add(rounds.saturating_mul(step.size.items)),
            item: init.size.item.max(step.size.item),
        };
        self.bound.push((&fold.accu_var, grown));
        let result = self.of(&fold.result);
        self.bound.truncate(outside);

        // A round also copies the item and what it adds.
        let round = [condition.steps, step.steps, step.size.weight, item.weight, 4]
            .into_iter()
            .fold(0u64, |sum, steps| sum.saturating_add(steps));
        let steps = [range.steps, init.steps, rounds.saturating_mul(round), result.steps]
            .into_iter()
            .fold(0u64, |sum, steps| sum.saturating_add(steps));
        Cost { steps, size: result.size }
    }
}

fn scalar() -> Size {
    Size { weight: 1, items: 0, item: 0 }
}

fn literal_size(literal: &LiteralValue) -> Size {
    let bytes = match literal {
        LiteralValue::String(text) => text.inner().len(),
        LiteralValue::Bytes(bytes) => bytes.inner().len(),
        _ => 0,
    };
    Size { weight: 1 + bytes as u64, items: 0, item: 0 }
}

/// One element of a container that took `operand` to compute: it may be copied out.
fn element(operand: Cost, lookup: u64) -> Cost {
    let item = operand.size.item;
    let steps = operand.steps.saturating_add(lookup).saturating_add(item).saturating_add(1);
    Cost { steps, size: Size { weight: item, items: item, item } }
}

fn larger(a: Size, b: Size) -> Size {
    Size { weight: a.weight.max(b.weight), items: a.items.max(b.items), item: a.item.max(b.item) }
}

fn container(weights: impl Iterator<Item = u64>) -> Size {
    weights.fold(Size { weight: 1, items: 0, item: 0 }, |size, weight| Size {
        weight: size.weight.saturating_add(weight),
        items: size.items + 1,
        item: size.item.max(weight),
    })
}

fn size_of(value: &Value) -> Size {
    match value {
        Value::List(list) => container(list.iter().map(weigh)),
        Value::Map(map) => container(map.iter().map(|(key, value)| key.len() as u64 + weigh(value))),
        Value::String(text) => Size { weight: 1 + text.len() as u64, items: 0, item: 0 },
        _ => scalar(),
    }
}

fn weigh(value: &Value) -> u64 {
    size_of(value).weight
}

fn parts(entry: &IdedEntryExpr) -> Vec<&IdedExpr> {
    match &entry.expr {
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
        EntryExpr::StructField(field) => vec![&field.value],
    }
}
