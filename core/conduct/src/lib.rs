//! The cluster manager: turns agreed events into plans, and plans into operations on this node.
//!
//! Stands on the `Group` interface and on nothing below it. Never starts anything without a clearance.
#![forbid(unsafe_code)]

pub mod request;

pub use request::{Reply, Request};
