//! Makes a thread real-time, its process locked in memory with an allocator without locks, signals readable, and queues and bells
//! that keep nobody spinning.
//!
//! Only what the standard library and rustix lack; never decides when to be real-time.

pub mod bell;
pub mod memory;
pub mod priority;
pub mod queue;
pub mod signals;

pub use bell::Bell;
pub use memory::{Allocator, lock_memory};
pub use priority::{make_helper, make_realtime};
pub use queue::{Giver, Refused, Taker, queue};
pub use signals::{Signal, Signals};
