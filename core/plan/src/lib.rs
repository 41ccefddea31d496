//! Where each group belongs, and the graph of steps that brings it there.
//!
//! Pure functions of the agreed view and the replicated state: every manager computes the same plan from them, byte
//! for byte. Never acts, never looks at a clock, never guesses what a node holds: what is not reported is unknown.
#![forbid(unsafe_code)]

mod level;
pub mod order;
pub mod place;
pub mod plan;
pub mod reach;
pub mod render;
pub mod state;
pub mod step;
pub mod transition;

pub use level::PlannerLevel;
pub use order::{Objection, Order};
pub use place::{Standstill, Verdict, verdict};
pub use plan::{Plan, inputs, plan};
pub use reach::{Footing, Outage, Reach, Reaches};
pub use state::{
    Acquire, GroupRecord, GroupsState, Holding, Intent, Motion, NodeRecord, Reason, RestartTimes, Restarts,
    Urge,
};
pub use step::{Step, StepId, StepKind};
