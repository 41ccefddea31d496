//! The cluster as its file declares it: parsed at the edge into a model that cannot be wrong.
//!
//! Pure: text in, a [`Cluster`] or every fault at once out. Never opens the file, never resolves a name.
#![forbid(unsafe_code)]

pub mod address;
mod advice;
mod application;
pub mod cluster;
mod directory;
mod duration;
pub mod fault;
pub mod file;
mod group;
pub mod keys;
mod order;
mod print;
mod read;
mod rebase;
pub mod reference;
mod resource;
mod suggest;
mod table;
mod tie;
mod topology;
pub mod words;

pub use cluster::{
    Address, Application, Cluster, Command, CustomMonitor, Exhausted, Fallback, Fallover, FileSystem, Format,
    Group, Monitors, Network, Node, OperationLimits, Quorum, Resource, ResourceKind, RestartPolicy,
    ServiceAddress, Startup, Subnet, TieBreaker, TieBreakerKind,
};
pub use fault::{Fault, FaultId};
pub use file::{Parsed, parse};
pub use rebase::{differ_in_policies_only, rebase};
pub use reference::{messages, reference};
