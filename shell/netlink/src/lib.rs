//! Addresses on this host's interfaces: listed, put on, taken off, watched, probed for and announced.
//!
//! Speaks route netlink for the first four and raw Ethernet for the last two; and ICMP, to ask hosts outside the cluster whether
//! they are reached. Never decides who should have an address,
//! and never touches one that it was not told to.
#![allow(clippy::wildcard_enum_match_arm, reason = "the enums of netlink are the kernel's, and grow with it")]

pub mod adapters;
pub mod announce;
pub mod echo;
pub mod frame;
pub mod interface;
pub mod packet;
pub mod probe;
pub mod request;
pub mod watch;

pub use adapters::{Adapters, services};
pub use announce::{Announcement, Claim};
pub use frame::Mac;
pub use interface::{Held, Interface};
pub use probe::{Owners, ask};
pub use request::{Netlink, NetlinkError};
pub use watch::{Change, Watch};
