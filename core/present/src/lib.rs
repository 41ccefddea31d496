//! What happens in a cluster, in words for people. Decides nothing, and leaves out what only programs want.
#![forbid(unsafe_code)]

mod names;
mod notes;

pub use names::Names;
pub use notes::text;
