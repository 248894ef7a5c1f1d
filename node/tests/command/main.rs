//! The command line from the outside: what it accepts, what it prints, and its talk with a node over a real socket.

mod documents;
mod parsing;
mod shapes;
mod socket;
mod surroundings;
