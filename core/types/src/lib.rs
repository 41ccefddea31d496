//! The vocabulary of Phalanx: ids, units of time, names, limits, timings and views.
//!
//! Everything here is a plain value that cannot be wrong once it exists. Nothing here decides, and nothing
//! here reads a clock, a file or the environment.
#![forbid(unsafe_code)]

pub mod charter;
pub mod id;
pub mod limits;
pub mod name;
pub mod node_set;
pub mod operation;
pub mod planted;
pub mod shared;
pub mod stretch;
pub mod tie;
pub mod time;
pub mod timing;
pub mod view;

pub use charter::{Charter, CharterStage, Electorate, Majority, Origin};
pub use id::{
    BootId, ClusterId, Digest, Incarnation, NetworkId, NodeId, OperationId, OwnershipEpoch, PathId,
    RepositoryId, RequestId, Seat, Segment, ViewId,
};
pub use name::{GroupName, NameError, NetworkName, NodeName, ResourceName, TieBreakerName};
pub use node_set::NodeSet;
pub use operation::{Operation, OperationResult, Permit, Verb};
pub use planted::{Bug, Plot};
pub use shared::{Shared, Source};
pub use stretch::{Stall, Step, Stretch, StretchRecord};
pub use tie::{Claim, Verdict};
pub use time::{Span, Tick};
pub use timing::{Monitoring, ProofClass, TimingProfile, Timings};
pub use view::{Member, View};
