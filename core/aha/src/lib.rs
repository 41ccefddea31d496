//! The event file system of Cluster Aware AIX (AHAFS): what its files are, what a program writes into them, and what it reads.
//!
//! [`Events`] is the whole: the [`Tree`] of factories and monitor files, and the state of each open one. The shell hands in
//! what the kernel asks and what [`Producer`]s see, and carries out [`Effect`]s. Nothing here mounts, waits or looks at a clock.
#![forbid(unsafe_code)]

mod buffer;
pub mod code;
mod errno;
mod events;
mod herald;
mod producer;
mod record;
mod registration;
mod threshold;
mod tree;
mod watch;

pub use buffer::{BUF_WRAP, Buffer, EVENT_OVERFLOW};
pub use errno::Errno;
pub use events::{Asked, Effect, Events, Handle, Patience, Poll, Read, Refusal, Ticket};
pub use herald::Herald;
pub use producer::{Origin, Producer, Stack, Subject, Trigger};
pub use record::{Cause, Moment, Occurrence, STACK_FRAME};
pub use registration::{Count, Fault, Key, Level, Reach, Registration, Wait, When};
pub use threshold::{Side, Thresholds};
pub use tree::{Kind, Node, NodeNo, Object, Owner, ROOT, Tree};
