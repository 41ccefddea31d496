//! Delivery: events become callbacks, one after the other, by one thread at a time.

use crate::client::{Asked, Client, Due, Member, lock};
use crate::numbers::*;
use crate::raw;
use crate::show::{Shown, Stage, code, protocol_type};
use phalanx_client::{
    Change, Event, Incarnation, News, Outcome, Phase, ProviderId, Providers, Refused, Seat,
};
use std::cell::Cell;
use std::sync::{Mutex, PoisonError, TryLockError};

/// Held by the thread that delivers.
static DELIVERS: Mutex<()> = Mutex::new(());

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// What is called, with what it is shown. Made under the lock, called without it.
type Call = Box<dyn FnOnce() -> Option<u32>>;

/// A notification to be delivered, and what follows.
struct Delivery {
    call: Option<Call>,
    /// Kept until the call is over.
    _shown: Shown,
    then: Then,
}

/// What follows when a callback has returned.
enum Then {
    Nothing,
    /// This provider is one no more.
    Leave(i32),
    /// This subscription is over.
    Unsubscribe(i32),
    /// The client answers whether it is well.
    Answer(u64),
}

/// Delivers all that has come. [`HA_GS_NOT_OK`] once the connection is lost and everything before that is delivered.
pub fn deliver() -> u32 {
    if IN_CALLBACK.get() {
        return HA_GS_NOT_OK;
    }
    match DELIVERS.try_lock() {
        Ok(_delivers) => deliver_all(),
        Err(TryLockError::Poisoned(_)) => deliver_all(),
        // Another thread is at it.
        Err(TryLockError::WouldBlock) => HA_GS_OK,
    }
}

/// Delivers whatever comes until the connection is lost or the client quits.
pub fn deliver_on() -> u32 {
    if IN_CALLBACK.get() {
        return HA_GS_NOT_OK;
    }
    let _delivers = DELIVERS.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let outcome = deliver_all();
        if outcome != HA_GS_OK {
            return outcome;
        }
        let wire = lock().as_ref().map(|client| client.wire.clone());
        match wire {
            Some(wire) => wire.wait(None),
            None => return HA_GS_NOT_OK,
        }
    }
}

fn deliver_all() -> u32 {
    if let Some(client) = &mut *lock() {
        client.wire.ring(false);
        client.pump();
    } else {
        return HA_GS_NO_INIT;
    }
    while let Some(delivery) = next() {
        finish(delivery);
    }
    match &*lock() {
        Some(client) if !client.is_lost => HA_GS_OK,
        _ => HA_GS_NOT_OK,
    }
}

fn finish(delivery: Delivery) {
    IN_CALLBACK.set(true);
    let answer = delivery.call.and_then(|call| call());
    IN_CALLBACK.set(false);
    let mut client = lock();
    let Some(client) = &mut *client else { return };
    match delivery.then {
        Then::Nothing => {}
        Then::Leave(token) => drop(client.members.remove(&token)),
        Then::Unsubscribe(token) => drop(client.subscribers.remove(&token)),
        Then::Answer(number) => {
            client.machine.pong(number, answer.is_none_or(|answer| answer == HA_GS_CALLBACK_OK));
            // If that fails the connection is lost, which the next look at it tells.
            let _ = client.ask(|_| Ok(()));
        }
    }
}

/// The next delivery; events for nobody any more are passed over.
fn next() -> Option<Delivery> {
    let mut client = lock();
    let client = client.as_mut()?;
    loop {
        let delivery = match client.due()? {
            Due::Check(number) => Some(check(client, number)),
            Due::Event(event) => prepare(client, *event),
        };
        if delivery.is_some() {
            return delivery;
        }
    }
}

fn check(client: &Client, number: u64) -> Delivery {
    let mut shown = Shown::default();
    let notification = shown.check(client.responsiveness);
    let call = client.on_check.map(|callback| {
        // SAFETY: the notification is kept until the call is over, and the program vouches for its function.
        Box::new(move || Some(unsafe { callback(notification) })) as Call
    });
    Delivery { call, _shown: shown, then: Then::Answer(number) }
}

fn prepare(client: &mut Client, event: Event) -> Option<Delivery> {
    match event {
        Event::Phase(phase) => n_phase(client, phase),
        Event::Approved(outcome) => ended(client, outcome, Stage::Approved),
        Event::Rejected(outcome) => ended(client, outcome, Stage::Rejected),
        Event::Silent { seat, providers, .. } => {
            announce(client, &seat, HA_GS_TIME_LIMIT_EXCEEDED, &providers)
        }
        Event::Responsiveness { seat, provider, responsive } => {
            let code = if responsive { HA_GS_RESPONSIVE_RESPONSE } else { HA_GS_RESPONSIVE_NO_RESPONSE };
            announce(client, &seat, code, &Providers(vec![provider]))
        }
        Event::Refused { seat, why } => refused(client, &seat, why),
        Event::GroupDissolved { seat } => merged(client, &seat),
        Event::News { group, news } => {
            let token =
                client.subscribers.iter().find(|(_, one)| one.group == group).map(|(token, _)| *token)?;
            told(client, token, news)
        }
        Event::Dissolved => dissolved(client),
    }
}

fn n_phase(client: &mut Client, phase: Phase) -> Option<Delivery> {
    let token = client.token_of(&phase.seat)?;
    let life = client.welcome.life;
    let member = client.members.get_mut(&token)?;
    let mut shown = Shown::default();
    let notification = shown.phase(token, member, &phase);
    let protocol_type = protocol_type(&phase.proposal.change);
    member.note_begun(protocol_type, is_own(&member.seat, life, phase.from, &phase.proposal.change));
    (member.asked, member.asked_type) = (Some(phase), protocol_type);
    let call = member.callbacks.n_phase.map(|callback| {
        // SAFETY: the notification is kept until the call is over, and the program vouches for its function.
        Box::new(move || {
            unsafe { callback(notification) };
            None
        }) as Call
    });
    Some(Delivery { call, _shown: shown, then: Then::Nothing })
}

fn ended(client: &mut Client, outcome: Outcome, stage: Stage) -> Option<Delivery> {
    let token = client.token_of(&outcome.seat)?;
    let life = client.welcome.life;
    let member = client.members.get_mut(&token)?;
    let mut shown = Shown::default();
    let notification = shown.ended(token, member, &outcome, stage);
    let change = &outcome.proposal.change;
    member.note_begun(protocol_type(change), is_own(&member.seat, life, outcome.from, change));
    member.asked = None;
    let there = |seat: &Seat| {
        outcome.standing.members.0.iter().any(|one| one.life == life && one.instance == seat.instance)
    };
    let then = if there(&member.seat) { Then::Nothing } else { Then::Leave(token) };
    let callback = match stage {
        Stage::Rejected => member.callbacks.rejected,
        Stage::Approved | Stage::Asked(_) => member.callbacks.approved,
    };
    member.standing = Some(outcome.standing);
    let call = callback.map(|callback| {
        // SAFETY: the notification is kept until the call is over, and the program vouches for its function.
        Box::new(move || {
            unsafe { callback(notification) };
            None
        }) as Call
    });
    Some(Delivery { call, _shown: shown, then })
}

/// Whether a protocol is what this provider asked for.
fn is_own(seat: &Seat, life: Incarnation, from: Option<ProviderId>, change: &Change) -> bool {
    let me = ProviderId { life, instance: seat.instance };
    from == Some(me) || matches!(change, Change::Join(joining) if joining.0.contains(&me))
}

fn announce(client: &Client, seat: &Seat, code: u32, providers: &Providers) -> Option<Delivery> {
    let token = client.token_of(seat)?;
    Some(announcement(token, client.members.get(&token)?, code, providers, Then::Nothing))
}

fn announcement(token: i32, member: &Member, code: u32, providers: &Providers, then: Then) -> Delivery {
    let mut shown = Shown::default();
    let notification = shown.announcement(token, code, &providers.0);
    let call = member.callbacks.announcement.map(|callback| {
        // SAFETY: the notification is kept until the call is over, and the program vouches for its function.
        Box::new(move || {
            unsafe { callback(notification) };
            None
        }) as Call
    });
    Delivery { call, _shown: shown, then }
}

/// The provider is none any more, so that it can join again from within the callback. Who wants to hear nothing of merging
/// hears it as an announcement.
fn merged(client: &mut Client, seat: &Seat) -> Option<Delivery> {
    let token = client.token_of(seat)?;
    let member = client.members.remove(&token)?;
    let Some(callback) = member.callbacks.merge else {
        let nobody = Providers::default();
        return Some(announcement(token, &member, HA_GS_GROUP_DISSOLVED, &nobody, Then::Nothing));
    };
    let mut shown = Shown::default();
    let notification = shown.merge(token);
    let call = Box::new(move || {
        // SAFETY: the notification is kept until the call is over, and the program vouches for its function.
        unsafe { callback(notification) };
        None
    }) as Call;
    Some(Delivery { call: Some(call), _shown: shown, then: Then::Nothing })
}

fn refused(client: &mut Client, seat: &Seat, why: Refused) -> Option<Delivery> {
    let token = client.token_of(seat)?;
    let callback = client.on_delayed_error;
    let asked = client.members.get_mut(&token)?.refused(why);
    let never_was = matches!(asked, Asked::Join { .. });
    let mut shown = Shown::default();
    let notification = shown.delayed_error(token, &asked, code(why));
    let then = if never_was { Then::Leave(token) } else { Then::Nothing };
    Some(delayed_error(callback, notification, shown, then))
}

fn delayed_error(
    callback: raw::DelayedErrorCallback,
    notification: *const raw::DelayedError,
    shown: Shown,
    then: Then,
) -> Delivery {
    let call = callback.map(|callback| {
        // SAFETY: the notification is kept until the call is over, and the program vouches for its function.
        Box::new(move || {
            unsafe { callback(notification) };
            None
        }) as Call
    });
    Delivery { call, _shown: shown, then }
}

/// Who came and who went are told in one notification each, for C has one place for both.
fn told(client: &mut Client, token: i32, news: News) -> Option<Delivery> {
    let subscriber = client.subscribers.get(&token)?;
    let mut shown = Shown::default();
    let (notifications, then) = match news {
        News::Refused(why) => {
            let (group, wants, callback) = (subscriber.group.clone(), subscriber.wants, subscriber.callback);
            let asked = Asked::Subscribe { group, wants, callback };
            let notification = shown.delayed_error(token, &asked, code(why));
            let then = Then::Unsubscribe(token);
            return Some(delayed_error(client.on_delayed_error, notification, shown, then));
        }
        News::Dissolved => {
            let notification = shown.subscription(token, HA_GS_SUBSCRIPTION_DISSOLVED, None, None, &[]);
            (vec![notification], Then::Unsubscribe(token))
        }
        News::Changed { state, members, came, left } => {
            let members = members.as_ref().map(|members| members.0.as_slice());
            let kind = |state: bool, members: bool| {
                let state = if state { HA_GS_SUBSCRIPTION_STATE } else { 0 };
                state | if members { HA_GS_SUBSCRIPTION_MEMBERSHIP } else { 0 }
            };
            let mut notifications = Vec::new();
            if !left.0.is_empty() && !came.0.is_empty() {
                let kind = HA_GS_SUBSCRIPTION_DELTA_LEAVE;
                notifications.push(shown.subscription(token, kind, None, None, &left.0));
            }
            let (changing, delta) = match came.0.is_empty() {
                false => (&came.0, HA_GS_SUBSCRIPTION_DELTA_JOIN),
                true if left.0.is_empty() => (&left.0, 0),
                true => (&left.0, HA_GS_SUBSCRIPTION_DELTA_LEAVE),
            };
            let kind = kind(state.is_some(), members.is_some()) | delta;
            notifications.push(shown.subscription(token, kind, state.as_ref(), members, changing));
            (notifications, Then::Nothing)
        }
    };
    let call = subscriber.callback.map(|callback| {
        Box::new(move || {
            for notification in notifications {
                // SAFETY: the notification is kept until the call is over, and the program vouches for its function.
                unsafe { callback(notification) };
            }
            None
        }) as Call
    });
    Some(Delivery { call, _shown: shown, then })
}

/// Each provider and each subscriber hears that its group is dissolved, and the connection is as good as lost.
fn dissolved(client: &mut Client) -> Option<Delivery> {
    if let Some((token, member)) = client.members.iter().next() {
        let delivery =
            announcement(*token, member, HA_GS_GROUP_DISSOLVED, &Providers::default(), Then::Leave(*token));
        client.machine.again(Event::Dissolved);
        return Some(delivery);
    }
    let token = *client.subscribers.keys().next()?;
    client.machine.again(Event::Dissolved);
    told(client, token, News::Dissolved)
}
