//! The frames between nodes, byte by byte.
//!
//! Fixed layouts, little-endian on every machine, checked by golden bytes. Decoding never panics, never allocates more
//! than the input's length, and gives an error that says what is wrong. Nothing here decides anything.
#![forbid(unsafe_code)]

pub mod arrival;
pub mod beat;
pub mod frame;
pub mod header;
pub mod ring;
mod varint;

pub use arrival::Arrival;
pub use beat::{Beat, BeatEntry, BeatFlags, BeatGrant};
pub use frame::{Ack, Frame, SEGMENT_HEAD_BYTES, Segment, Stream, WireError};
pub use header::{DatagramKind, HEADER_BYTES, Header, LANE_OFFSET};
pub use ring::{LeaseRequest, LeaseRound, Receipt, RingFrame, RingId, RingWord, RoundGrant};
