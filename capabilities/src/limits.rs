//! Every bound of this crate, with its unit in the name.

/// Keys in one capability map.
pub const KEYS_MAX: usize = 1024;
/// Bytes of one capability key.
pub const KEY_BYTES_MAX: usize = 256;
/// Lists and maps inside each other in a capability.
pub const DEPTH_MAX: usize = 8;
/// Bytes of all keys and strings, plus 8 for every other value, of one map.
pub const MAP_BYTES_MAX: usize = 64 * 1024;
/// Lists and maps inside each other in a value that is read from bytes or text.
pub const VALUE_DEPTH_MAX: usize = 64;

/// Names, equalities and preferences that one set of requirements may hold together.
pub const REQUIREMENTS_MAX: usize = 256;
/// Expressions that one set of requirements may prefer.
pub const PREFERENCES_MAX: usize = 16;
/// Bytes of all names and values that requirements may hold, counted as for a capability map.
pub const REQUIREMENTS_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one expression.
pub const EXPRESSION_BYTES_MAX: usize = 2048;
/// Operations of an expression inside each other: `a + b + c` are two.
pub const EXPRESSION_DEPTH_MAX: usize = 96;
/// Brackets, braces, calls and alternatives of an expression inside each other. Each costs the parser 5 to 16 KiB of
/// stack in a development build, and ten times as much in the fuzzer's.
pub const EXPRESSION_NESTING_MAX: usize = 32;
/// Steps that one evaluation may take at most, as estimated before it from the sizes of what it reads.
pub const EVALUATION_STEPS_MAX: u64 = 1 << 20;

/// Classes that came or went that an index remembers: who looked before the first of them looks at all classes.
pub const CLASS_CHANGES_MAX: usize = 1024;

/// Characters of a value, or of another program's error, in a refusal's sentence.
pub const REFUSAL_TEXT_CHARS_MAX: usize = 120;
/// Different reasons that an explanation counts; what comes later is counted together.
pub const REASONS_MAX: usize = 256;
/// Nodes that an explanation names as nearly fitting.
pub const NEAREST_MAX: usize = 5;
