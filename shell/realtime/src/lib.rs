//! Makes a thread real-time, its process locked in memory, and signals readable.
//!
//! Only what the standard library and rustix lack; never decides when to be real-time.

pub mod priority;
pub mod signals;

pub use priority::{lock_memory, make_helper, make_realtime};
pub use signals::{Signal, Signals};
