//! The flight record of a run: what happened, line by line, each with what it followed from.
//!
//! A [`Record`] is written by whoever runs a whole cluster and sees all of it, and read by whoever wants to know why it went
//! wrong. Nothing here opens a file, and nothing here knows what an event means: it keeps order, causes and words.
#![forbid(unsafe_code)]

mod choice;
mod line;
mod record;

pub use choice::{Choice, Telling};
pub use line::{Broken, End, Entry, Head, Kind, SCHEMA, write};
pub use record::{Damage, Record};
