//! The command line from the outside: what it accepts, what it prints, and its talk with a node over a real socket.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod documents;
mod parsing;
mod shapes;
mod socket;
mod surroundings;
