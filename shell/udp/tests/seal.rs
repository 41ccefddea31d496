//! Stories of two daemons and somebody between them who keeps, changes and plays again all that he hears.

use phalanx_types::{ClusterId, Incarnation, NodeId, NodeSet, ViewId};
use phalanx_udp::{Challenge, ClusterKey, Dropped, Identity, Opened, Seal};
use proptest::prelude::*;

const ADA: NodeId = NodeId(1);
const BOB: NodeId = NodeId(2);

fn identity(node: NodeId, start: u64) -> Identity {
    let mut challenge = [node.0 as u8; 32];
    challenge[..8].copy_from_slice(&start.to_le_bytes());
    let me = Incarnation { node, start };
    let key = ClusterKey([7; 32]);
    Identity { cluster: ClusterId([9; 16]), key_epoch: 1, key, me, challenge: Challenge(challenge) }
}

fn seal_of(identity: Identity) -> Seal {
    Seal::new(identity, NodeSet::from_iter([ADA, BOB]))
}

fn seal(node: NodeId, start: u64) -> Seal {
    seal_of(identity(node, start))
}

fn send(from: &mut Seal, to: NodeId, body: &[u8]) -> Vec<u8> {
    from.seal(to, 0, ViewId { counter: 5, coordinator: ADA }, body).expect("both are peers")
}

fn frame(opened: Result<Opened, Dropped>) -> Vec<u8> {
    match opened {
        Ok(Opened::Frame { bytes, .. }) => bytes,
        other => panic!("no frame: {other:?}"),
    }
}

fn answer(opened: Result<Opened, Dropped>) -> Option<Vec<u8>> {
    match opened {
        Ok(Opened::Hello { answer }) => answer,
        other => panic!("no Hello: {other:?}"),
    }
}

/// Ada wants to send and greets; Bob answers; from then on frames go both ways. Gives Ada's Hello and first frame.
fn meet(ada: &mut Seal, bob: &mut Seal) -> (Vec<u8>, Vec<u8>) {
    let hello = send(ada, BOB, b"lost");
    let reply = answer(bob.open(&hello)).expect("Ada has not heard Bob's challenge");
    assert_eq!(answer(ada.open(&reply)), None, "Bob has heard Ada's");
    let first = send(ada, BOB, b"one");
    assert_eq!(frame(bob.open(&first)), b"one");
    let back = send(bob, ADA, b"two");
    assert_eq!(frame(ada.open(&back)), b"two");
    (hello, first)
}

#[test]
fn two_daemons_meet_and_talk() {
    let (mut ada, mut bob) = (seal(ADA, 1), seal(BOB, 1));
    meet(&mut ada, &mut bob);
    assert_eq!(ada.life(BOB), Some(Incarnation { node: BOB, start: 1 }));
}

#[test]
fn both_greet_at_once_and_every_answer_is_lost_but_one() {
    let (mut ada, mut bob) = (seal(ADA, 1), seal(BOB, 1));
    let (from_ada, from_bob) = (send(&mut ada, BOB, b""), send(&mut bob, ADA, b""));
    answer(bob.open(&from_ada)).expect("this answer is lost");
    answer(ada.open(&from_bob)).expect("this one too");
    let again = send(&mut ada, BOB, b"");
    assert_eq!(answer(bob.open(&again)), None, "it is a Hello that echoes Bob's challenge");
    let first = send(&mut bob, ADA, b"one");
    assert_eq!(frame(ada.open(&first)), b"one");
}

#[test]
fn a_frame_is_taken_once_and_in_any_order() {
    let (mut ada, mut bob) = (seal(ADA, 1), seal(BOB, 1));
    let (_, first) = meet(&mut ada, &mut bob);
    let (second, third) = (send(&mut ada, BOB, b"2"), send(&mut ada, BOB, b"3"));
    assert_eq!(frame(bob.open(&third)), b"3");
    assert_eq!(frame(bob.open(&second)), b"2");
    for replayed in [&first, &second, &third] {
        assert_eq!(bob.open(replayed), Err(Dropped::Replay));
    }
}

#[test]
fn every_flipped_bit_of_a_frame_and_of_a_hello_is_noticed() {
    let (mut ada, mut bob) = (seal(ADA, 1), seal(BOB, 1));
    let (hello, _) = meet(&mut ada, &mut bob);
    let sealed = send(&mut ada, BOB, b"a body of some length");
    for whole in [&hello, &sealed] {
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let version_only = (4..6).contains(&(bit / 8));
            let opened = bob.open(&changed);
            assert!(opened.is_err(), "bit {bit} (version: {version_only}): {opened:?}");
        }
        for length in 0..whole.len() {
            assert!(bob.open(&whole[..length]).is_err(), "cut to {length}");
        }
    }
    assert_eq!(frame(bob.open(&sealed)), b"a body of some length", "no failed attempt used it up");
}

#[test]
fn what_is_reflected_misdirected_or_foreign_is_named_so() {
    let (mut ada, mut bob) = (seal(ADA, 1), seal(BOB, 1));
    let (hello, _) = meet(&mut ada, &mut bob);
    let sealed = send(&mut ada, BOB, b"x");
    assert_eq!(ada.open(&sealed), Err(Dropped::Receiver), "reflected");
    assert_eq!(ada.open(&hello), Err(Dropped::Receiver), "reflected");
    let mut from_nobody = sealed.clone();
    from_nobody[30] = 77;
    assert_eq!(bob.open(&from_nobody), Err(Dropped::Sender));
    let check = |change: fn(&mut Identity), expected: Dropped| {
        let mut foreign = identity(ADA, 9);
        change(&mut foreign);
        let hello = send(&mut seal_of(foreign), BOB, b"");
        assert_eq!(seal(BOB, 1).open(&hello), Err(expected));
    };
    check(|foreign| foreign.cluster = ClusterId([8; 16]), Dropped::Cluster);
    check(|foreign| foreign.key_epoch = 2, Dropped::KeyEpoch);
    check(|foreign| foreign.key = ClusterKey([6; 32]), Dropped::Forged);
    assert_eq!(
        bob.open(b"not ours at all, and longer than a header is, which needs some more of these letters"),
        Err(Dropped::Malformed)
    );
}

#[test]
fn nothing_of_an_older_life_can_be_played_again() {
    let (mut ada, mut bob) = (seal(ADA, 1), seal(BOB, 1));
    let (old_hello, old_frame) = meet(&mut ada, &mut bob);
    let unread = send(&mut ada, BOB, b"never arrived");

    let mut ada = seal(ADA, 2);
    meet(&mut ada, &mut bob);
    assert_eq!(bob.open(&old_hello), Err(Dropped::OldLife));
    assert_eq!(bob.open(&old_frame), Err(Dropped::NoSession));
    assert_eq!(bob.open(&unread), Err(Dropped::NoSession));

    let mut bob = seal(BOB, 2);
    assert!(
        answer(bob.open(&old_hello)).is_some(),
        "a daemon that has heard of nobody believes a Hello a little"
    );
    assert_eq!(bob.open(&unread), Err(Dropped::Receiver), "but frames are for another life of it");
    let hello = send(&mut bob, ADA, b"still a Hello");
    let reply = answer(ada.open(&hello)).unwrap();
    assert_eq!(answer(bob.open(&reply)), None);
    let first = send(&mut bob, ADA, b"one");
    assert_eq!(frame(ada.open(&first)), b"one");
}

#[test]
fn a_replayed_hello_never_takes_the_place_of_the_session_in_use() {
    let (mut ada, mut bob) = (seal(ADA, 3), seal(BOB, 1));
    meet(&mut ada, &mut bob);
    let mut later = seal(ADA, 4);
    let hello = send(&mut later, BOB, b"");
    assert!(answer(bob.open(&hello)).is_some());
    for n in 0..3 {
        let between = send(&mut ada, BOB, &[n]);
        assert_eq!(frame(bob.open(&between)), [n], "a Hello alone changes nothing");
        let back = send(&mut bob, ADA, &[n]);
        assert_eq!(frame(ada.open(&back)), [n]);
    }
    meet(&mut later, &mut bob);
    let stale = send(&mut ada, BOB, b"old");
    assert_eq!(bob.open(&stale), Err(Dropped::NoSession), "a frame of the later life does");
}

#[test]
fn a_second_daemon_with_the_same_life_is_told_apart() {
    let (mut ada, mut bob) = (seal(ADA, 1), seal(BOB, 1));
    meet(&mut ada, &mut bob);
    let mut twin = identity(ADA, 1);
    twin.challenge = Challenge([0xee; 32]);
    let hello = send(&mut seal_of(twin), BOB, b"");
    assert_eq!(bob.open(&hello), Err(Dropped::Twin));
    assert_eq!(bob.doubles().get(&ADA), Some(&1));
}

#[test]
fn a_copied_identity_leaves_signs_at_its_original_and_at_its_peers() {
    let (mut ada, mut copy, mut bob) = (seal(ADA, 5), seal(ADA, 6), seal(BOB, 1));
    meet(&mut ada, &mut bob);
    let hello = send(&mut copy, BOB, b"lost");
    let reply = answer(bob.open(&hello)).expect("Bob's challenge is new to the copy");
    answer(copy.open(&reply));
    frame(bob.open(&send(&mut copy, BOB, b"one")));
    assert!(bob.open(&send(&mut ada, BOB, b"I am Ada")).is_err());
    assert_eq!(bob.doubles().get(&ADA), Some(&1), "Bob hears Ada as she was before");
    assert!(ada.open(&send(&mut bob, ADA, b"to the copy")).is_err());
    assert_eq!(ada.doubles().get(&ADA), Some(&1), "Ada hears that she lives on elsewhere");
}

#[test]
fn no_counter_is_used_twice_whatever_becomes_of_sessions() {
    let (mut ada, mut bob) = (seal(ADA, 1), seal(BOB, 1));
    meet(&mut ada, &mut bob);
    let counter = |datagram: &[u8]| phalanx_wire::Header::decode(datagram).unwrap().0.counter;
    let before = counter(&send(&mut ada, BOB, b""));
    let mut bob = seal(BOB, 2);
    let hello = send(&mut bob, ADA, b"");
    let reply = answer(ada.open(&hello)).unwrap();
    assert!(counter(&reply) > before);
    assert!(counter(&send(&mut ada, BOB, b"")) > counter(&reply));
}

proptest! {
    #[test]
    fn arbitrary_datagrams_are_dropped_and_touch_nothing(
        tails in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..20),
        keep in 0..120usize,
    ) {
        let (mut ada, mut bob) = (seal(ADA, 1), seal(BOB, 1));
        meet(&mut ada, &mut bob);
        let good = send(&mut ada, BOB, b"good");
        for tail in tails {
            let head = &good[..keep.min(good.len())];
            let mixed = [head, &tail].concat();
            if mixed != good {
                prop_assert!(bob.open(&mixed).is_err());
            }
        }
        prop_assert_eq!(frame(bob.open(&good)), b"good");
    }
}
