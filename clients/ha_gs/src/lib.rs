//! RSCT's Group Services in C, on Phalanx: the entry points, types and numbers of `ha_gs.h`.
//!
//! One connection per process, as RSCT has it. `entry` is what C calls; it reads what C hands over (`read`), acts on the one
//! `client`, and has `dispatch` call back with what `show` makes of events. No panic leaves an entry point, no lock is held
//! while a callback runs, and a pointer of C's is looked at only while the call that brought it lasts.

mod client;
mod dispatch;
mod entry;
pub mod numbers;
pub mod raw;
mod read;
mod show;
