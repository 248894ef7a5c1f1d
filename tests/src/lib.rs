//! What the tests of whole conventions stand on: the simulator, and real nodes as processes.

pub mod actors;
pub mod cluster;
pub mod hosts;
pub mod rotten;
pub mod sim;
pub mod strangers;
