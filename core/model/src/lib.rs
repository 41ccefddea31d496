//! The cluster as its file declares it: parsed at the edge into a model that cannot be wrong.
//!
//! Pure: text in, a [`Cluster`] or every fault at once out. Never opens the file, never resolves a name.
#![forbid(unsafe_code)]

pub mod cluster;

pub use cluster::{
    Address, Application, Cluster, Command, CustomMonitor, Exhausted, Fallback, Fallover, FileSystem, Format,
    Group, Monitors, Network, Node, OperationLimits, Quorum, Resource, ResourceKind, RestartPolicy,
    ServiceAddress, Startup, Subnet,
};
