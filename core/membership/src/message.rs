//! What members say to each other over links, and how it is written.
//!
//! A view is formed in three messages. The coordinator sends [`Control::Prepare`] to every member to be. Each stops
//! delivering in its old view and answers [`Control::Flush`] with all it knows. When all have answered, the coordinator sends
//! [`Control::Install`], from which each finishes its old view and begins the new one. Within a view, members send
//! [`Traffic::Submit`] to the sequencer, which gives each message its number and sends [`Traffic::Ordered`] to all. What
//! needs no order goes from its sender to all as [`Traffic::Fifo`].

use crate::fifo::{FifoMessage, Heard};
use minicbor::{Decode, Encode};
use phalanx_events::{MessageId, Service};
use phalanx_types::{BootId, Charter, Incarnation, NodeId, Shared, Span, View, ViewId};
use std::collections::BTreeMap;

/// Messages that form a view.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub(crate) enum Control {
    /// Coordinator to each member to be.
    #[n(0)]
    Prepare {
        #[n(0)]
        id: ViewId,
        #[n(1)]
        members: Vec<Incarnation>,
    },
    /// Each member to be to the coordinator.
    #[n(1)]
    Flush {
        #[n(0)]
        id: ViewId,
        #[n(1)]
        flush: Flush,
    },
    /// Coordinator to each member.
    #[n(2)]
    Install(#[n(0)] Install),
}

/// What a member brings out of its old view.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub(crate) struct Flush {
    #[n(0)]
    pub life: Incarnation,
    #[n(1)]
    pub boot: BootId,
    /// Its quarantine is over.
    #[n(2)]
    pub ready: bool,
    /// It holds nothing.
    #[n(3)]
    pub blank: bool,
    #[n(4)]
    pub previous: ViewId,
    /// All messages of the old view up to this number were received.
    #[n(5)]
    pub received: u64,
    /// Those that not every member is known to have.
    #[n(6)]
    pub held: Vec<Ordered>,
    /// How much longer it takes no part in taking over from each other configured node.
    #[n(7)]
    pub promises: BTreeMap<NodeId, Span>,
    /// The words of the layers above.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub passport: Vec<u8>,
    /// Whose agreement makes a primary view, as far as it knows.
    #[n(9)]
    pub charter: Charter,
    /// Messages without an order that not every member of the old view is known to have.
    #[n(10)]
    pub fifo: Vec<FifoMessage>,
    /// How far it has heard each sender's messages without an order.
    #[n(11)]
    pub heard: Heard,
}

/// A new view and the end of the old ones.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub(crate) struct Install {
    #[n(0)]
    pub view: View,
    /// The view each member comes from.
    #[n(1)]
    pub previous: BTreeMap<NodeId, ViewId>,
    /// How each of those views ends.
    #[n(2)]
    pub endings: BTreeMap<ViewId, Ending>,
    /// For each configured node that is not a member: the longest promise left of any member that counts.
    #[n(3)]
    pub promises: BTreeMap<NodeId, Span>,
    #[n(4)]
    pub passports: BTreeMap<NodeId, Passport>,
    /// The charter that the view is formed under: the latest that any member knows.
    #[n(5)]
    pub charter: Charter,
}

/// Bytes of the layers above that membership only carries.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub(crate) struct Passport(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

/// The end of a view for the members that leave it together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub(crate) struct Ending {
    /// The last number that is delivered.
    #[n(0)]
    pub last: u64,
    /// The messages up to `last` that at least one of them lacks.
    #[n(1)]
    pub missing: Vec<Ordered>,
    /// The messages without an order that at least one of them may lack.
    #[n(2)]
    pub fifo: Vec<FifoMessage>,
    /// How far they have heard each sender's messages without an order after it.
    #[n(3)]
    pub heard: Heard,
}

/// Messages within a view.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub(crate) enum Traffic {
    /// Member to sequencer.
    #[n(0)]
    Submit {
        #[n(0)]
        view: ViewId,
        #[n(1)]
        number: u64,
        #[n(2)]
        service: Service,
        #[cbor(n(3), with = "phalanx_types::shared")]
        body: Shared,
    },
    /// Sequencer to all.
    #[n(1)]
    Ordered {
        #[n(0)]
        view: ViewId,
        #[n(1)]
        message: Ordered,
    },
    /// One member to another, outside the order: replicated state for one that is not in step.
    #[n(2)]
    State {
        #[n(0)]
        view: ViewId,
        #[cbor(n(1), with = "minicbor::bytes")]
        body: Vec<u8>,
    },
    /// Sender to all, in no order but the sender's.
    #[n(3)]
    Fifo {
        #[n(0)]
        view: ViewId,
        #[n(1)]
        message: FifoMessage,
    },
    /// Member to all: how far it has heard each sender's messages without an order.
    #[n(4)]
    Heard {
        #[n(0)]
        view: ViewId,
        #[n(1)]
        heard: Heard,
    },
}

/// A message with its place in the order.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub(crate) struct Ordered {
    #[n(0)]
    pub sequence: u64,
    #[n(1)]
    pub sender: Incarnation,
    #[n(2)]
    pub number: u64,
    #[n(3)]
    pub service: Service,
    #[cbor(n(4), with = "phalanx_types::shared")]
    pub body: Shared,
}

impl Traffic {
    /// The view it belongs to.
    pub fn view(&self) -> ViewId {
        match self {
            Traffic::Submit { view, .. }
            | Traffic::Ordered { view, .. }
            | Traffic::State { view, .. }
            | Traffic::Fifo { view, .. }
            | Traffic::Heard { view, .. } => *view,
        }
    }

    fn body_bytes(&self) -> usize {
        match self {
            Traffic::Submit { body, .. } => body.len(),
            Traffic::Ordered { message, .. } => message.body.len(),
            Traffic::State { body, .. } => body.len(),
            Traffic::Fifo { message, .. } => message.body.len(),
            Traffic::Heard { .. } => 0,
        }
    }
}

impl Ordered {
    pub fn id(&self) -> MessageId {
        MessageId { life: self.sender, number: self.number }
    }
}

/// Bytes of a message in a view without its body, as good as always.
const TRAFFIC_BYTES: usize = 64;

/// Writes a message of this module.
pub(crate) fn write<T: Encode<()>>(message: &T) -> Shared {
    minicbor::to_vec(message).expect("writing to memory does not fail").into()
}

/// The same of a message in a view: room for all of it is made at once.
pub(crate) fn write_traffic(traffic: &Traffic) -> Shared {
    let mut bytes = Vec::with_capacity(TRAFFIC_BYTES + traffic.body_bytes());
    minicbor::encode(traffic, &mut bytes).expect("writing to memory does not fail");
    bytes.into()
}

/// Reads a message of this module; the whole input must be one.
pub(crate) fn read<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Option<T> {
    read_from(bytes, &mut ())
}

/// The same of a message in a view, whose body stays where it is.
pub(crate) fn read_traffic(message: &Shared) -> Option<Traffic> {
    read_from(message, &mut &*message)
}

fn read_from<'b, C, T: Decode<'b, C>>(bytes: &'b [u8], source: &mut C) -> Option<T> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let message = decoder.decode_with(source).ok()?;
    (decoder.position() == bytes.len()).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prepare() -> Control {
        let id = ViewId { counter: 3, coordinator: NodeId(1) };
        Control::Prepare { id, members: vec![Incarnation { node: NodeId(1), start: 300 }] }
    }

    #[test]
    fn golden_bytes_of_a_prepare() {
        let golden = [0x82, 0, 0x82, 0x82, 3, 1, 0x81, 0x82, 1, 0x19, 1, 44];
        assert_eq!(&write(&prepare())[..], golden);
        assert_eq!(read::<Control>(&golden), Some(prepare()));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let bytes = [&write(&prepare())[..], &[0]].concat();
        assert_eq!(read::<Control>(&bytes), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (read::<Control>(&bytes), read::<Traffic>(&bytes));
        }
    }
}
