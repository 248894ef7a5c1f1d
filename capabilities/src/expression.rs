//! A `where` expression: CEL over a capability map, parsed once and evaluated on many maps.
//!
//! Whatever an expression does (a missing key, another type, a panic inside the interpreter, too much work), the
//! outcome on a map is either that it holds or a refusal with a reason. Start with [`Expression::parse`].

mod cost;
mod operands;
mod survey;

use crate::limits::{EVALUATION_STEPS_MAX, EXPRESSION_BYTES_MAX, EXPRESSION_NESTING_MAX};
use crate::refusal::shorten;
use crate::{CapabilityMap, Reads, Refusal, RequirementsError};
use cel::common::types::CelBool;
use cel::{Context, Env, ExecutionError};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use survey::Survey;

/// The name under which an expression sees the whole map, for keys that are no identifiers.
const WHOLE: &str = "cap";

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A parsed CEL expression over capabilities.
///
/// A capability whose key is an identifier is a variable; any key is `cap["Has DB access"]`. Where a key that decides
/// the result is not there, the expression does not hold, and that is the reason.
///
/// ```
/// use odeon_capabilities::{CapabilityMap, Expression};
///
/// let expression = Expression::parse(r#"gpu >= 2 && cap["Has DB access"]"#)?;
/// let mut map = CapabilityMap::new();
/// map.set("gpu", 4)?;
/// let refusal = expression.check(&map).unwrap_err();
/// assert_eq!(
///     refusal.to_string(),
///     r#"where gpu >= 2 && cap["Has DB access"] needs capability "Has DB access""#
/// );
/// map.set("Has DB access", true)?;
/// assert!(expression.holds(&map));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Expression {
    text: String,
    ast: cel::IdedExpr,
    survey: Survey,
}

impl Expression {
    /// Parses an expression. What does not parse, is too long or too deep is refused here and never later.
    pub fn parse(text: &str) -> Result<Self, RequirementsError> {
        if text.len() > EXPRESSION_BYTES_MAX {
            return Err(RequirementsError::ExpressionTooLong { bytes: text.len(), max: EXPRESSION_BYTES_MAX });
        }
        let refused = |reason: String| RequirementsError::Parse { expression: text.to_owned(), reason };
        let parser = ENV.parser().max_recursion_depth(EXPRESSION_NESTING_MAX as u16);
        let ast = catch_unwind(AssertUnwindSafe(|| parser.parse(text)))
            .map_err(|_| refused("the parser gave up on it".to_owned()))?
            .map_err(|errors| refused(first_error(&errors)))?;
        let survey = Survey::of(&ast).map_err(|reason| refused(reason.to_owned()))?;
        Ok(Expression { text: text.to_owned(), ast, survey })
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is true on this map.
    pub fn holds(&self, map: &CapabilityMap) -> bool {
        self.check(map).is_ok()
    }

    /// Evaluates it on a map: nothing where it is true, else why it does not hold.
    pub fn check(&self, map: &CapabilityMap) -> Result<(), Refusal> {
        if self.survey.costly && cost::estimate(&self.ast, map) > EVALUATION_STEPS_MAX {
            return Err(Refusal::TooCostly { expression: self.text.clone() });
        }
        catch_unwind(AssertUnwindSafe(|| self.evaluate(map)))
            .unwrap_or_else(|_| Err(self.failed("the interpreter gave up on it")))
    }

    /// The keys that it reads with what `map` has there: the outcome is the same on every map that agrees on them.
    /// None when it looks at the map as a whole, so that any change can matter.
    pub fn reads(&self, map: &CapabilityMap) -> Option<Reads> {
        let keys = self.keys()?;
        Some(Reads(keys.map(|key| (key.to_owned(), map.value(key).cloned())).collect()))
    }

    /// The keys that it reads; none when it looks at the map as a whole.
    pub fn keys(&self) -> Option<impl Iterator<Item = &str>> {
        (!self.survey.whole).then(|| self.survey.keys())
    }

    fn evaluate(&self, map: &CapabilityMap) -> Result<(), Refusal> {
        let mut context = Context::with_env(Arc::clone(&ENV));
        for name in &self.survey.variables {
            if let Some(value) = map.value(name) {
                context.add_variable_as_val(name.as_str(), operands::operand(value));
            }
        }
        if self.survey.whole {
            context.add_variable_as_val(WHOLE, operands::table(map.iter()));
        } else if self.survey.indexes {
            let read = self.survey.indexed.iter().filter_map(|key| map.value(key).map(|value| (key.as_str(), value)));
            context.add_variable_as_val(WHOLE, operands::table(read));
        }
        let result = cel::Value::resolve_val(&self.ast, &context).map_err(|error| self.refusal(&error, map))?;
        match result.downcast_ref::<CelBool>().map(|b| *b.inner()) {
            Some(true) => Ok(()),
            Some(false) => Err(Refusal::False { expression: self.text.clone() }),
            None => {
                let found = shorten(result.get_type().name());
                Err(Refusal::NotBool { expression: self.text.clone(), found })
            }
        }
    }

    /// The refusal that an error of the interpreter means. Its sentence names no value that a hash table has ordered.
    fn refusal(&self, error: &ExecutionError, map: &CapabilityMap) -> Refusal {
        let needs = |key: &str| Refusal::Needs { expression: self.text.clone(), capability: key.to_owned() };
        match error {
            ExecutionError::UndeclaredReference(name) => {
                let name = name.strip_prefix('.').unwrap_or(name);
                if self.survey.variables.contains(name) && map.value(name).is_none() {
                    return needs(name);
                }
                self.failed(&format!("there is no function {name:?}"))
            }
            ExecutionError::NoSuchKey(key) => {
                let asked = self.survey.whole || self.survey.indexed.contains(key.as_str());
                if asked && map.value(key).is_none() {
                    return needs(key);
                }
                self.failed(&format!("there is no key {:?}", shorten(key)))
            }
            ExecutionError::NoSuchOverload(overload) => self.failed(&overload.to_string()),
            ExecutionError::InvalidArgumentCount { expected, actual } => {
                self.failed(&format!("{actual} arguments where {expected} are expected"))
            }
            ExecutionError::UnexpectedType { got, want } => self.failed(&format!("{got} where {want} is expected")),
            ExecutionError::FunctionError { message, .. } => self.failed(message),
            ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => self.failed("division by zero"),
            ExecutionError::Overflow(..) => self.failed("the result does not fit 64 bits"),
            ExecutionError::IndexOutOfBounds(_) => self.failed("the list has no such position"),
            ExecutionError::ValuesNotComparable(..) => self.failed("values of these types have no order"),
            _ => self.failed("an operation on values that it is not for"),
        }
    }

    fn failed(&self, reason: &str) -> Refusal {
        Refusal::Failed { expression: self.text.clone(), reason: shorten(reason) }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

/// The first thing that is wrong, on one line: what follows it is mostly its consequence.
fn first_error(errors: &cel::ParseErrors) -> String {
    match errors.errors.first() {
        Some(error) if error.msg.contains("Recursion limit") => {
            format!("it nests deeper than {EXPRESSION_NESTING_MAX} levels")
        }
        Some(error) if error.pos.1 > 0 => {
            format!("at line {}, column {}: {}", error.pos.0, error.pos.1, shorten(&error.msg))
        }
        Some(error) => shorten(&error.msg),
        None => "it is not CEL".to_owned(),
    }
}

#[cfg(test)]
mod tests;
