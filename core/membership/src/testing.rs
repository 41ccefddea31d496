//! For tests of the layers above and of the decoders, behind the feature `testing`: what in earnest only the promise book
//! makes, and the messages that only members say to each other.

use crate::fifo::FifoMessage;
use crate::message::{self, Control, Flush, Ordered, Traffic};
use crate::proof::{Expiry, ProofKind};
use phalanx_events::Service;
use phalanx_types::{BootId, Charter, Incarnation, NodeId, ProofClass, Span, Tick, ViewId};

/// The end of a lost node's last lease, as a test says.
pub fn expiry(node: NodeId, until: Tick, class: ProofClass) -> Expiry {
    Expiry::new(node, until, ProofKind::LeaseExpired(class))
}

/// The same of a node that is down by an operator's word.
pub fn confirmed_down(node: NodeId, until: Tick) -> Expiry {
    Expiry::new(node, until, ProofKind::Confirmed)
}

/// Reads bytes as each kind of message between members; whether they were one.
pub fn read_message(bytes: &[u8]) -> bool {
    message::read::<Control>(bytes).is_some() | message::read::<Traffic>(bytes).is_some()
}

/// Messages as members send them.
pub fn messages() -> Vec<Vec<u8>> {
    let life = Incarnation { node: NodeId(1), start: 7 };
    let id = ViewId { counter: 3, coordinator: NodeId(1) };
    let ordered =
        Ordered { sequence: 4, sender: life, number: 2, service: Service::Safe, body: vec![1, 2, 3].into() };
    let fifo = FifoMessage { sender: life, number: 2, after: 1, body: vec![4; 4] };
    let flush = Flush {
        life,
        boot: BootId([5; 16]),
        ready: true,
        blank: false,
        previous: id,
        received: 4,
        held: vec![ordered.clone()],
        promises: [(NodeId(2), Span::from_millis(1_900))].into(),
        passport: vec![9; 9],
        charter: Charter::FIRST,
        fifo: vec![fifo.clone()],
        heard: [(NodeId(1), 2)].into(),
    };
    let control = [Control::Prepare { id, members: vec![life] }, Control::Flush { id, flush }];
    let traffic = [
        Traffic::Submit { view: id, number: 2, service: Service::Agreed, body: vec![1].into() },
        Traffic::Ordered { view: id, message: ordered },
        Traffic::State { view: id, body: vec![0; 40] },
        Traffic::Fifo { view: id, message: fifo },
        Traffic::Heard { view: id, heard: [(NodeId(1), 2)].into() },
    ];
    let written = control.iter().map(message::write).chain(traffic.iter().map(message::write));
    written.map(|bytes| bytes.to_vec()).collect()
}
