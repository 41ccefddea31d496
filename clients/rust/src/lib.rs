//! Clients of Phalanx Group Services: processes that join groups, propose changes, vote on them, and hear in one agreed order
//! what comes of it; on every node of the cluster the same.
//!
//! A [`Client`] is connected to the daemon of its own node. It joins a group as a provider, or subscribes to one, and takes
//! [`Event`]s one after the other. A proposal is approved at once or voted on in phases; in each phase every provider gets an
//! [`Event::Phase`] and answers with one [`Client::vote`].
//!
//! ```no_run
//! use phalanx_client::{Attributes, Client, Event, Name, Said, Settings, Vote};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::connect(&Settings::new("counter")?)?;
//! client.join(&Name::new("counters")?, 1, Attributes::default())?;
//! loop {
//!     match client.next_event()? {
//!         Event::Phase(phase) => client.vote(&phase, Vote::Approve, Said::default())?,
//!         Event::Approved(outcome) => println!("the state is {:?}", outcome.standing.state.bytes()),
//!         Event::Dissolved => break,
//!         other => println!("{other:?}"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The feature `tokio` adds [`asynchronous::Client`], the same for that runtime. Both are a connection around one [`Machine`],
//! which reads and writes nothing and can be put around any other.
#![forbid(unsafe_code)]

#[cfg(feature = "tokio")]
pub mod asynchronous;
mod blocking;
mod error;
mod event;
mod machine;
mod settings;

pub use blocking::Client;
pub use error::ClientError;
pub use event::{Event, Outcome, Phase, Seat};
pub use machine::Machine;
pub use settings::Settings;

pub use phalanx_groups::Vote;
pub use phalanx_groups::domain::{
    Attributes, Batch, Deactivation, DefaultVote, Flag, Gone, LocalName, Merge, Message, Name, Phases,
    ProviderId, Refused, Said, Service, StateValue, Summary, Unfit,
};
pub use phalanx_session::{
    Adapter, Against, Broken, Change, Departed, Executable, Hello, Interface, News, Objection, Proposal,
    Providers, Responsiveness, Standing, Turned, Wants, Welcome, Wish,
};
pub use phalanx_types::{Incarnation, NodeId, NodeName, Span};
