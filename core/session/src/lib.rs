//! What a client of Group Services and its node say to each other, byte by byte, and the client's end of it.
//!
//! A connection is a stream of frames: a length, then a body. The first of each side says who it is and which versions it
//! speaks ([`Hello`], [`Greeting`]); then the client sends [`Request`]s and the node sends [`Told`]s. Bodies are CBOR with
//! numbered fields, so that fields can be added. Decoding never panics and never allocates more than four times its input.
#![forbid(unsafe_code)]

mod against;
mod body;
mod client;
mod frame;
mod hello;
mod list;
mod place;
mod request;
mod subscription;
mod told;

pub use against::{Against, Objection};
pub use body::Garbled;
pub use client::{Broken, Heard, Session};
pub use frame::{Frames, TooLong, frame};
pub use hello::{Executable, Greeting, Hello, Responsiveness, Turned, VERSION, Versions, Welcome};
pub use list::{Departed, Providers};
pub use place::{RUN_DIR, SOCKET};
pub use request::{Request, Wants, Wish};
pub use subscription::Subscription;
pub use told::{Adapter, Change, Interface, News, Notice, Proposal, Standing, Told};
