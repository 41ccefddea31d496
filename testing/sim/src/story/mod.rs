//! Stories of whole clusters in an operator's words: what happens when, and what nodes and clients say to that.
//!
//! A story is a text (`docs/dev/stories.md`): prose, what the cluster is like, and commands, each followed by what it is
//! expected to lead to. The simulator plays it with the real core before every safety property.

mod act;
mod clients;
mod play;
mod script;
mod shelf;
mod tell;

pub(crate) use clients::{Asked, Manners};
pub use play::{Manner, play};
pub use script::{Fault, Script};
pub use shelf::{Blessing, Found, LUCK, bless, check, files, watch};
