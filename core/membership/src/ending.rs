//! What a coordinator makes of the flushes: the new view, and how each old view ends. A pure function.

use crate::fifo::{FifoMessage, Heard};
use crate::message::{Ending, Flush, Install, Ordered, Passport};
use phalanx_types::{Charter, Electorate, Member, NodeId, NodeSet, Span, View, ViewId};
use std::collections::BTreeMap;

/// The view `id` of the nodes that flushed. `all` are those of the active configuration.
pub(crate) fn install(id: ViewId, all: Electorate, flushes: BTreeMap<NodeId, Flush>) -> Install {
    let all_blank = all.nodes.iter().all(|node| flushes.get(&node).is_some_and(|flush| flush.blank));
    let member = |flush: &Flush| Member {
        incarnation: flush.life,
        boot: flush.boot,
        counts: flush.ready || all_blank,
    };
    let members: BTreeMap<_, _> = flushes.iter().map(|(node, flush)| (*node, member(flush))).collect();
    let charter = flushes.values().map(|flush| flush.charter).fold(Charter::FIRST, Charter::merged);
    let count = members.iter().filter(|(_, member)| member.counts).map(|(node, _)| *node).collect();
    let primary = charter.is_met(count, all);
    let counting = || flushes.values().filter(|flush| members[&flush.life.node].counts);
    Install {
        promises: longest_promises(all.nodes, &flushes, counting()),
        previous: flushes.iter().map(|(node, flush)| (*node, flush.previous)).collect(),
        endings: endings(&flushes),
        passports: flushes.iter().map(|(node, flush)| (*node, Passport(flush.passport.clone()))).collect(),
        view: View { id, members, primary },
        charter,
    }
}

/// For each node left out, the longest promise of those that count: every quorum that could have leased it has one of
/// them in it.
fn longest_promises<'a>(
    configured: NodeSet,
    flushes: &BTreeMap<NodeId, Flush>,
    counting: impl Iterator<Item = &'a Flush>,
) -> BTreeMap<NodeId, Span> {
    let mut longest = BTreeMap::new();
    for (node, left) in counting.flat_map(|flush| &flush.promises) {
        if configured.has(*node) && !flushes.contains_key(node) {
            let known = longest.entry(*node).or_insert(Span::ZERO);
            *known = (*left).max(*known);
        }
    }
    longest
}

fn endings(flushes: &BTreeMap<NodeId, Flush>) -> BTreeMap<ViewId, Ending> {
    let mut together: BTreeMap<ViewId, Vec<&Flush>> = BTreeMap::new();
    for flush in flushes.values() {
        together.entry(flush.previous).or_default().push(flush);
    }
    together.into_iter().map(|(view, flushes)| (view, ending(&flushes))).collect()
}

/// The union of what those leaving one view have, up to the most that any has.
fn ending(flushes: &[&Flush]) -> Ending {
    let last = flushes.iter().map(|flush| flush.received).max().unwrap_or(0);
    let least = flushes.iter().map(|flush| flush.received).min().unwrap_or(0);
    let held = flushes.iter().flat_map(|flush| &flush.held);
    let wanted = held.filter(|message| message.sequence > least && message.sequence <= last);
    let missing: BTreeMap<u64, Ordered> = wanted.map(|message| (message.sequence, message.clone())).collect();
    let fifo = flushes.iter().flat_map(|flush| &flush.fifo);
    let fifo: BTreeMap<_, FifoMessage> =
        fifo.map(|message| ((message.sender.node, message.number), message.clone())).collect();
    let mut heard = Heard::new();
    for (sender, number) in flushes.iter().flat_map(|flush| &flush.heard) {
        let known = heard.entry(*sender).or_insert(0);
        *known = (*number).max(*known);
    }
    Ending { last, missing: missing.into_values().collect(), fifo: fifo.into_values().collect(), heard }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_events::Service;
    use phalanx_types::{BootId, Incarnation, Shared};

    const OLD: ViewId = ViewId { counter: 4, coordinator: NodeId(1) };
    const NEW: ViewId = ViewId { counter: 5, coordinator: NodeId(1) };

    fn flush(node: u16, received: u64, held: &[u64]) -> (NodeId, Flush) {
        let sender = Incarnation { node: NodeId(1), start: 1 };
        let message = |sequence: &u64| Ordered {
            sequence: *sequence,
            sender,
            number: *sequence,
            service: Service::Agreed,
            body: Shared::default(),
        };
        let flush = Flush {
            life: Incarnation { node: NodeId(node), start: 1 },
            boot: BootId([0; 16]),
            ready: true,
            blank: false,
            previous: OLD,
            received,
            held: held.iter().map(message).collect(),
            promises: [(NodeId(3), Span(u64::from(node) * 10))].into(),
            passport: vec![],
            charter: Charter::FIRST,
            fifo: vec![],
            heard: Heard::new(),
        };
        (NodeId(node), flush)
    }

    fn three() -> Electorate {
        Electorate { nodes: [1, 2, 3].map(NodeId).into_iter().collect(), quorum: 2 }
    }

    #[test]
    fn whoever_lacks_a_message_gets_it_from_the_others() {
        let install = install(NEW, three(), [flush(1, 5, &[4, 5]), flush(2, 7, &[5, 6, 7])].into());
        let ending = &install.endings[&OLD];
        assert_eq!(ending.last, 7);
        assert_eq!(ending.missing.iter().map(|message| message.sequence).collect::<Vec<_>>(), [6, 7]);
    }

    #[test]
    fn the_longest_promise_toward_a_lost_node_stands() {
        let install = install(NEW, three(), [flush(1, 0, &[]), flush(2, 0, &[])].into());
        assert_eq!(install.promises, [(NodeId(3), Span(20))].into());
    }

    #[test]
    fn a_member_in_quarantine_makes_no_quorum_and_its_guess_no_promise() {
        let mut flushes: BTreeMap<_, _> = [flush(1, 0, &[]), flush(2, 0, &[])].into();
        flushes.get_mut(&NodeId(2)).unwrap().ready = false;
        let install = install(NEW, three(), flushes);
        assert!(!install.view.primary);
        assert_eq!(install.promises, [(NodeId(3), Span(10))].into());
    }

    #[test]
    fn the_latest_charter_that_anybody_knows_says_who_decides() {
        let check = |formed_by: u16, members: &[u16]| {
            let few = NodeSet::EMPTY.with(NodeId(formed_by));
            let mut flushes: BTreeMap<_, _> = members.iter().map(|node| flush(*node, 0, &[])).collect();
            let informed = flushes.values_mut().next_back().expect("there are members");
            informed.charter = Charter::FIRST.formed_by(few, NodeSet::EMPTY, 1);
            install(NEW, three(), flushes).view.primary
        };
        assert!(check(1, &[1]));
        assert!(!check(1, &[2, 3]), "a majority that knows that 1 formed without it");
        assert!(check(1, &[1, 3]));
    }

    #[test]
    fn all_configured_nodes_together_and_blank_count_at_once() {
        let check = |nodes: &[u16], blank: bool| {
            let mut flushes: BTreeMap<_, _> = nodes.iter().map(|node| flush(*node, 0, &[])).collect();
            for flush in flushes.values_mut() {
                (flush.ready, flush.blank) = (false, blank);
            }
            install(NEW, three(), flushes).view.primary
        };
        assert!(check(&[1, 2, 3], true));
        assert!(!check(&[1, 2, 3], false));
        assert!(!check(&[1, 2], true));
    }
}
