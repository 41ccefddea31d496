//! The repository disk of a cluster: what stands where on it, and what is to be believed of it.
//!
//! Decides what is written and in which order, and what bytes that were read are worth. Never opens a device, never waits for
//! one, and never takes damage for emptiness.
#![forbid(unsafe_code)]

mod chain;
mod claim;
mod contents;
mod finding;
mod hand;
mod layout;
mod proposer;
mod reading;
mod sector;
mod source;
mod survey;

pub use claim::{Ballot, Block, Claim};
pub use contents::{Commit, Header, Record};
pub use finding::{Finding, Remedy};
pub use hand::{Act, Hand};
pub use layout::{
    ALIGNMENT_SECTORS, AREAS_FIRST, Area, Copy, Extent, HEADER_FIRST, HEADER_SECOND, LEDGER_BODY_SECTORS,
    Layout, Spot,
};
pub use proposer::{Effect, Outcome, Proposer, Seen, Turn};
pub use reading::{Condition, Version, Whose, read};
pub use sector::{
    MAGIC, PAYLOAD_BYTES_MAX, Raw, SECTOR_BYTES, Sector, SectorBytes, VERSION_MAX, VERSION_MIN,
};
pub use source::{Age, Peer, Source, Unreadable};
pub use survey::{Chain, Expected, Identity, Survey, Traces, survey};
