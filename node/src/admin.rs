//! What operators ask of a running node, over its own socket or an operator's link.

pub mod protocol;
