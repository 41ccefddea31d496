//! One group on this node: probes, starts, watches, restarts and stops its resources.
//!
//! Told what to do by the manager and when to let go by the lease. Knows one group and one node; decides nothing about
//! others, and starts nothing without a clearance and a permit fetched at that moment.
#![forbid(unsafe_code)]

pub mod active;
pub mod address;
pub mod agent;
pub mod charge;
pub mod desk;
pub mod phase;
pub mod slot;
pub mod sweep;
pub mod task;
pub mod teardown;
pub mod watch;

pub use agent::Agent;
pub use desk::{AgentEffect, Desk, OperationIds};
pub use phase::Phase;
