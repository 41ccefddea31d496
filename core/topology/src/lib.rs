//! Who is heard by whom on which path, and reliable streams between two nodes.
//!
//! Judges paths and peers by their beats, finds the set of nodes that all hear each other, and carries membership's
//! messages over whichever path works. Never decides who is a member.
#![forbid(unsafe_code)]

mod clique;
mod lateness;
mod link;
pub mod outlook;
mod path;
mod peer;
mod ring;
mod topology;

pub use link::{Link, LinkFull, Transmit};
pub use ring::{Earned, Posting};
pub use topology::{Heard, Hearing, Occasion, Speech, Spoken, Strategy, Topology};
