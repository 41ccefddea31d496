//! Whatever is said survives the wire; what is not said that way is refused; and the bytes stay what they are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "a test reads the files that it compares with")]

mod makers;

use makers::{greetings, hellos, requests, told};
use phalanx_groups::domain::{Message, Name, ProviderId, StateValue, Summary};
use phalanx_session::{
    Against, Change, Frames, Garbled, Greeting, Heard, Hello, Notice, Proposal, Providers, Request, Session,
    Standing, Told, TooLong, VERSION, Versions,
};
use phalanx_types::limits::{GS_FRAME_BYTES_MAX, GS_MESSAGE_BYTES_MAX, GS_PROVIDERS_MAX, GS_STATE_BYTES_MAX};
use phalanx_types::{Incarnation, NodeId};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn what_is_said_is_heard(hello in hellos(), greeting in greetings(), request in requests(), told in told()) {
        prop_assert_eq!(Hello::read(&hello.write(VERSION)), Ok((VERSION, Some(hello))));
        prop_assert_eq!(Greeting::read(&greeting.write(7)), Ok((7, greeting)));
        prop_assert_eq!(Request::read(&request.write()), Ok(request));
        prop_assert_eq!(Told::read(&told.write()), Ok(told));
    }

    #[test]
    fn any_bytes_are_heard_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = (Hello::read(&bytes), Greeting::read(&bytes), Request::read(&bytes), Told::read(&bytes));
    }

    #[test]
    fn what_is_garbled_on_the_way_is_heard_or_refused(
        request in requests(), told in told(), at in any::<prop::sample::Index>(), byte in any::<u8>(), short in any::<bool>()
    ) {
        for mut body in [request.write(), told.write()] {
            let at = at.index(body.len());
            body[at] = byte;
            body.truncate(if short { at } else { body.len() });
            let _ = (Request::read(&body), Told::read(&body));
        }
    }

    #[test]
    fn nothing_is_said_in_front_or_behind(request in requests(), more in vec(any::<u8>(), 1..4)) {
        prop_assert_eq!(Request::read(&[request.write(), more].concat()), Err(Garbled));
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_the_stream_is_cut(
        bodies in vec(vec(any::<u8>(), 0..300), 0..6), cuts in vec(1..100usize, 1..40)
    ) {
        let stream: Vec<u8> = bodies.iter().flat_map(|body| phalanx_session::frame(body).unwrap()).collect();
        let (mut frames, mut out, mut rest) = (Frames::default(), Vec::new(), stream.as_slice());
        for cut in cuts.iter().cycle().take_while(|_| !stream.is_empty()) {
            let (now, later) = rest.split_at(rest.len().min(*cut));
            frames.push(now);
            while let Some(body) = frames.take().unwrap() {
                out.push(body.to_vec());
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(out, bodies);
        prop_assert_eq!(frames.waiting(), 0);
    }
}

#[test]
fn a_frame_that_claims_to_be_long_costs_nothing_and_ends_the_stream() {
    let mut frames = Frames::default();
    frames.push(&(GS_FRAME_BYTES_MAX as u32 + 1).to_le_bytes());
    assert_eq!(frames.take(), Err(TooLong));
    assert_eq!(phalanx_session::frame(&[0; GS_FRAME_BYTES_MAX + 1]), Err(TooLong));
    let mut frames = Frames::default();
    frames.push(&(GS_FRAME_BYTES_MAX as u32).to_le_bytes());
    assert_eq!(frames.take(), Ok(None));
    assert_eq!(frames.waiting(), 4);
}

#[test]
fn two_ends_go_on_in_the_highest_version_of_both() {
    let versions = |oldest, newest| Versions { oldest, newest };
    for (ours, theirs, common) in [
        (versions(1, 1), versions(1, 3), Some(1)),
        (versions(1, 4), versions(2, 3), Some(3)),
        (versions(3, 4), versions(1, 2), None),
    ] {
        assert_eq!((ours.common(theirs), theirs.common(ours)), (common, common));
    }
    let newer = versions(VERSION.newest + 1, VERSION.newest + 2);
    let hello = makers::hello().write(newer);
    assert_eq!(Hello::read(&hello), Ok((newer, None)), "what it says beyond that is not looked at");
    assert_eq!(Hello::read(b"GET / HTTP/1.1"), Err(Garbled));
}

#[test]
fn a_session_is_greeted_first_and_is_over_after_a_word_that_is_none() {
    let told = Told::Dissolved;
    let greeted = |version: u16| {
        let mut session = Session::new(&makers::hello());
        let hello = session.unsent().to_vec();
        session.sent(hello.len());
        assert!(session.unsent().is_empty() && hello.ends_with(&makers::hello().write(VERSION)));
        session
            .receive(&phalanx_session::frame(&Greeting::Welcome(makers::welcome()).write(version)).unwrap());
        session
    };
    let mut session = greeted(VERSION.newest);
    assert_eq!(session.hear(), Ok(Some(Heard::Welcome(makers::welcome()))));
    assert_eq!(session.hear(), Ok(None));
    session.receive(&phalanx_session::frame(&told.write()).unwrap());
    assert_eq!(session.hear(), Ok(Some(Heard::Told(told))));
    session.receive(&phalanx_session::frame(b"\xff").unwrap());
    assert!(session.hear().is_err() && session.hear().is_err());
    assert!(greeted(VERSION.newest + 1).hear().is_err(), "nobody asked for that version");
}

/// As many providers as there may be, and all of them were against as long a message as there may be, each at length.
#[test]
fn the_longest_rejection_fits_into_a_frame() {
    let provider = |instance| ProviderId { life: Incarnation { node: NodeId(1), start: u64::MAX }, instance };
    let everybody: Vec<ProviderId> = (0..GS_PROVIDERS_MAX as i16).map(provider).collect();
    let message = Message::new(vec![7; GS_MESSAGE_BYTES_MAX]).ok();
    let words = Message::new(vec![7; 100]).ok();
    let state = StateValue::new(vec![7; GS_STATE_BYTES_MAX]).unwrap();
    let change = Change::Expel { providers: Providers(everybody.clone()), deactivate: None };
    let notice = Notice::Rejected {
        protocol: u64::MAX,
        from: Some(provider(1)),
        summary: Summary::default(),
        proposal: Proposal { change, state: Some(state.clone()), message },
        standing: Standing { members: Providers(everybody.clone()), state },
        against: Against::of(everybody.into_iter().map(|provider| (provider, words.clone()))),
    };
    let told = Told::Provider { group: Name::new(&"n".repeat(32)).unwrap(), provider: provider(1), notice };
    assert!(told.frame_onto(&mut Vec::new()).is_ok());
    assert_eq!(Told::read(&told.write()), Ok(told));
}

/// These bytes are spoken by programs that were built long ago: they only ever get company.
#[test]
fn the_bytes_stay_what_they_are() {
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if std::env::var_os("BLESS").is_some() {
        let line = |(name, bytes): (String, Vec<u8>)| format!("{name} {}\n", hex(bytes));
        let lines: String = makers::examples().into_iter().map(line).collect();
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden.txt"), lines).unwrap();
    }
    let golden: Vec<String> = include_str!("golden.txt").lines().map(str::to_owned).collect();
    let said: Vec<String> =
        makers::examples().into_iter().map(|(name, bytes)| format!("{name} {}", hex(bytes))).collect();
    assert_eq!(said, golden);
}
