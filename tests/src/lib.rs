//! What tests share: the deterministic simulator of a whole convention. Never part of a product.

pub mod sim;
