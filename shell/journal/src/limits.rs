//! What earlier lives of this node may have used up: view counters, and the longest lease.

use minicbor::{Decode, Encode};
use phalanx_types::Span;

/// Limits that were durable before they were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Limits {
    /// View counters up to this one may have been used.
    #[n(0)]
    pub view_counter_max: u64,
    /// The longest lease ever in force.
    #[n(1)]
    pub lease_max: Span,
}
