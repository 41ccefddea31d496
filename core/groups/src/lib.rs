//! Group Services: groups, providers, proposals, votes and outcomes in one agreed order.
//!
//! A provider talks to its group through [`Group`] and hears from it through [`Notice`]s; every provider of a group
//! hears the same notices in the same order. Nothing here knows what is voted on.
#![forbid(unsafe_code)]

mod ballot;
pub mod domain;
mod engine;
pub mod group;
pub mod outlook;
mod own;
mod questions;
pub mod services;
mod word;

pub use engine::{Begun, Engine, Provider};
pub use group::{Cause, Group, Membership, Notice, Outcome, Passport, ProposalId, Refusal, StateStamp, Vote};
