//! The cluster manager: turns agreed events into plans, and plans into operations on this node.
//!
//! Stands on the `Group` interface and on nothing below it. Never starts anything without a clearance.
#![forbid(unsafe_code)]

mod acting;
mod adapter;
mod apply;
mod charter;
mod clearing;
mod config;
mod form;
mod guard;
pub mod manager;
mod message;
mod networks;
mod ordered;
mod planning;
pub mod request;
mod requests;
mod shutdown;
pub mod status;
mod stretch;
mod tie;

pub use manager::{Manager, ManagerEffect, ManagerInput};
pub use phalanx_plan::PlannerLevel;
pub use request::{Reply, Request};
pub use status::{GroupStatus, GroupWord, Status};
