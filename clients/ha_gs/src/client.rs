//! The one client of this process: its connection, its tokens, and what it waits for.

use crate::numbers::*;
use crate::raw;
use crate::read::Wrong;
use phalanx_client::{
    Attributes, ClientError, Deactivation, Event, LocalName, Machine, Message, Name, Phase, Phases,
    Providers, Refused, Seat, Standing, StateValue, Wants, Welcome, Wish,
};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const READ_BYTES: usize = 16 << 10;

/// The client, if the process is one. Held only for moments: never while a callback runs or something is waited for.
static CLIENT: Mutex<Option<Client>> = Mutex::new(None);

/// The connection of a client, and its tokens.
pub struct Client {
    /// Shared with whoever waits for it.
    pub wire: Arc<Wire>,
    pub machine: Machine,
    pub welcome: Welcome,
    pub members: BTreeMap<i32, Member>,
    pub subscribers: BTreeMap<i32, Subscriber>,
    pub on_check: raw::CheckCallback,
    pub responsiveness: raw::Responsiveness,
    pub on_delayed_error: raw::DelayedErrorCallback,
    pub may_ask_adapters: bool,
    /// The interface that was told last: C has a pointer to it.
    pub interface: CString,
    pub is_lost: bool,
    last_token: i32,
}

/// What is waited for, and what C waits for.
pub struct Wire {
    pub stream: UnixStream,
    /// Rings while events that have come are not delivered.
    bell: OwnedFd,
    /// Readable when one of them is: the descriptor that C gets.
    both: OwnedFd,
}

// SAFETY: what is C's in it are functions, and a place of a counter that is handed back and never looked at.
unsafe impl Send for Client {}

/// A provider of this process.
pub struct Member {
    pub seat: Seat,
    pub callbacks: Callbacks,
    /// The vote that is owed.
    pub asked: Option<Phase>,
    /// Of which kind the protocol was.
    pub asked_type: u32,
    /// The group, as far as it was told.
    pub standing: Option<Standing>,
    /// What was asked for and is neither begun nor refused.
    pub requests: VecDeque<Asked>,
}

/// What is called for a provider.
#[derive(Clone, Copy)]
pub struct Callbacks {
    pub n_phase: raw::NPhaseCallback,
    pub approved: raw::EndedCallback,
    pub rejected: raw::EndedCallback,
    pub announcement: raw::AnnouncementCallback,
    pub merge: raw::MergeCallback,
}

/// A subscription of this process.
pub struct Subscriber {
    pub group: Name,
    pub wants: Wants,
    pub callback: raw::SubscriberCallback,
}

/// A request, kept for the case that it is refused later.
#[derive(Clone)]
pub enum Asked {
    Join {
        seat: Seat,
        local: LocalName,
        attributes: Attributes,
        callbacks: Callbacks,
    },
    Subscribe {
        group: Name,
        wants: Wants,
        callback: raw::SubscriberCallback,
    },
    Leave {
        phases: Phases,
        code: u32,
    },
    Expel {
        phases: Phases,
        providers: Providers,
        deactivate: Option<Deactivation>,
    },
    State {
        phases: Phases,
        state: StateValue,
    },
    Message {
        phases: Phases,
        message: Message,
    },
    Attributes {
        phases: Phases,
        group: Name,
        attributes: Attributes,
    },
    /// In a protocol of this kind.
    Vote(u32),
}

/// The client of this process, for a moment.
pub fn lock() -> MutexGuard<'static, Option<Client>> {
    // What a thread that broke down left is as whole as a call that was never made.
    CLIENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something with the client, if there is one whose connection stands.
pub fn with<T>(act: impl FnOnce(&mut Client) -> Result<T, Wrong>) -> Result<T, Wrong> {
    match &mut *lock() {
        None => Err(HA_GS_NO_INIT),
        Some(client) if client.is_lost => Err(HA_GS_NOT_OK),
        Some(client) => act(client),
    }
}

impl Wire {
    /// A connection, and the descriptor that C gets.
    pub fn new(stream: UnixStream) -> Result<Wire, Errno> {
        let bell = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        let both = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for source in [stream.as_fd(), bell.as_fd()] {
            epoll::add(&both, source, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        }
        Ok(Wire { stream, bell, both })
    }

    /// The descriptor for C, which is not read.
    pub fn descriptor(&self) -> i32 {
        self.both.as_raw_fd()
    }

    /// Waits until there is something to do, or for so many milliseconds.
    pub fn wait(&self, millis: Option<i64>) {
        wait_for(&self.both, PollFlags::IN, millis);
    }

    /// Waits until something comes from the node, or for so many milliseconds.
    pub fn wait_for_bytes(&self, millis: i64) {
        wait_for(&self.stream, PollFlags::IN, Some(millis));
    }

    /// Has the descriptor say whether something is to be delivered that it cannot know of.
    pub fn ring(&self, rings: bool) {
        let _ = match rings {
            true => rustix::io::write(&self.bell, &1u64.to_ne_bytes()),
            false => rustix::io::read(&self.bell, &mut [0; 8]),
        };
    }

    /// Whoever waits for it sees its end.
    pub fn close(&self) {
        let _ = shutdown(&self.stream, Shutdown::Both);
    }

    /// Sends all that a machine has to say. Without a signal if nobody is there any more. A node that takes nothing may wait for
    /// this client to read what it was told: that is taken in meanwhile, and the descriptor says so.
    pub fn send(&self, machine: &mut Machine) -> Result<(), Errno> {
        while !machine.unsent().is_empty() {
            match send(&self.stream, machine.unsent(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(length) => machine.sent(length),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    wait_for(&self.stream, PollFlags::IN | PollFlags::OUT, None);
                    if !self.receive(machine, RecvFlags::DONTWAIT) {
                        return Err(Errno::PIPE);
                    }
                    self.ring(true);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Hands a machine all that has come; false once the connection has ended.
    pub fn receive(&self, machine: &mut Machine, flags: RecvFlags) -> bool {
        let mut buffer = [0; READ_BYTES];
        loop {
            match recv(&self.stream, &mut buffer, flags) {
                Ok((_, 0)) => return false,
                Ok((_, length)) => match machine.receive(&buffer[..length]) {
                    Ok(()) if flags.contains(RecvFlags::DONTWAIT) => {}
                    Ok(()) => return true,
                    Err(_) => return false,
                },
                Err(Errno::AGAIN) => return true,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }
}

fn wait_for(source: &impl AsFd, what: PollFlags, millis: Option<i64>) {
    let limit = millis.map(|millis| Timespec { tv_sec: millis / 1_000, tv_nsec: millis % 1_000 * 1_000_000 });
    let mut fds = [PollFd::new(source, what)];
    // Interrupted or failed: whoever waits looks again.
    let _ = poll(&mut fds, limit.as_ref());
}

impl Client {
    /// A client that was welcomed.
    pub fn new(
        wire: Wire,
        machine: Machine,
        welcome: Welcome,
        responsiveness: raw::Responsiveness,
    ) -> Client {
        Client {
            wire: Arc::new(wire),
            machine,
            welcome,
            members: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            on_check: None,
            responsiveness,
            on_delayed_error: None,
            may_ask_adapters: false,
            interface: CString::default(),
            is_lost: false,
            last_token: 0,
        }
    }

    /// A token that was never given out before.
    pub fn new_token(&mut self) -> i32 {
        self.last_token += 1;
        self.last_token
    }

    /// Takes in what has come.
    pub fn pump(&mut self) {
        if !self.is_lost && !self.wire.receive(&mut self.machine, RecvFlags::DONTWAIT) {
            self.is_lost = true;
        }
    }

    /// Asks something of the machine, and sends it.
    pub fn ask(&mut self, ask: impl FnOnce(&mut Machine) -> Result<(), ClientError>) -> Result<(), Wrong> {
        ask(&mut self.machine).map_err(|_| HA_GS_BAD_PARAMETER)?;
        self.wire.send(&mut self.machine).map_err(|_| {
            self.is_lost = true;
            HA_GS_NOT_OK
        })
    }

    /// A provider by its token.
    pub fn member(&mut self, token: i32) -> Result<&mut Member, Wrong> {
        self.members.get_mut(&token).ok_or(HA_GS_BAD_MEMBER_TOKEN)
    }

    /// A provider of this process, by what it is called on the node.
    pub fn token_of(&self, seat: &Seat) -> Option<i32> {
        self.members.iter().find(|(_, member)| member.seat == *seat).map(|(token, _)| *token)
    }

    /// A provider proposes something.
    pub fn propose(
        &mut self,
        token: i32,
        asked: Asked,
        wish: Wish,
        message: Option<Message>,
    ) -> Result<(), Wrong> {
        let (seat, phases) = (self.member(token)?.seat.clone(), asked.phases());
        self.ask(|machine| machine.propose(&seat, wish, message, phases))?;
        self.member(token)?.requests.push_back(asked);
        Ok(())
    }
}

impl Member {
    /// What was refused: of what was asked for, the first that can be refused so.
    pub fn refused(&mut self, why: Refused) -> Asked {
        let fits = |asked: &Asked| match why {
            Refused::VoteNotExpected => matches!(asked, Asked::Vote(_)),
            Refused::BadAttributes => matches!(asked, Asked::Join { .. } | Asked::Attributes { .. }),
            Refused::DuplicateInstance | Refused::NoSourceProvider | Refused::Reserved => {
                matches!(asked, Asked::Join { .. })
            }
            Refused::Collide | Refused::NotAMember | Refused::UnknownGroup | Refused::Full => {
                !matches!(asked, Asked::Vote(_))
            }
        };
        let at = self.requests.iter().position(fits);
        at.and_then(|at| self.requests.remove(at)).unwrap_or(Asked::Vote(self.asked_type))
    }

    /// A protocol began or ended. If this provider proposed it, or its joining is what it is about, that is refused no more.
    pub fn note_begun(&mut self, protocol_type: u32, is_own: bool) {
        let fits = |asked: &Asked| asked.protocol_type() == protocol_type;
        if is_own && let Some(at) = self.requests.iter().position(fits) {
            self.requests.remove(at);
        }
    }
}

impl Asked {
    /// What kind of request it is.
    pub fn protocol_type(&self) -> u32 {
        match self {
            Asked::Join { .. } => HA_GS_JOIN,
            Asked::Subscribe { .. } => HA_GS_SUBSCRIPTION,
            Asked::Leave { .. } => HA_GS_LEAVE,
            Asked::Expel { .. } => HA_GS_EXPEL,
            Asked::State { .. } => HA_GS_STATE_VALUE_CHANGE,
            Asked::Message { .. } => HA_GS_PROVIDER_MESSAGE,
            Asked::Attributes { .. } => HA_GS_GROUP_ATTRIBUTE_CHANGE,
            Asked::Vote(protocol_type) => *protocol_type,
        }
    }

    fn phases(&self) -> Phases {
        match self {
            Asked::Leave { phases, .. }
            | Asked::Expel { phases, .. }
            | Asked::State { phases, .. }
            | Asked::Message { phases, .. }
            | Asked::Attributes { phases, .. } => *phases,
            Asked::Join { .. } | Asked::Subscribe { .. } | Asked::Vote(_) => Phases::One,
        }
    }
}

/// The next thing to deliver.
pub enum Due {
    Event(Box<Event>),
    Check(u64),
}

impl Client {
    /// The next thing to deliver, if there is one.
    pub fn due(&mut self) -> Option<Due> {
        if let Some(number) = self.machine.pings() {
            return Some(Due::Check(number));
        }
        self.machine.next_event().map(|event| Due::Event(Box::new(event)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_client::{Incarnation, NodeId, Service, Settings};
    use phalanx_session::{Greeting, Told, VERSION, frame};
    use std::io::{Read, Write};
    use std::thread;
    use std::time::Duration;

    /// Together more than what the kernel keeps of either direction.
    const MESSAGES: usize = 64;
    const TOLD: usize = 200_000;
    /// A client that does not listen fails the test after this time.
    const LIMIT: Duration = Duration::from_secs(20);

    /// The node takes nothing of it before it has read what it was told.
    #[test]
    fn a_client_listens_while_it_talks() {
        let (ours, mut node) = UnixStream::pair().unwrap();
        node.set_write_timeout(Some(LIMIT)).unwrap();
        let wire = Wire::new(ours).unwrap();
        let mut machine = Machine::new(&Settings::new("talks").unwrap().hello());
        let seat = Seat { group: Name::new("web").unwrap(), instance: 1 };
        let message = || Some(Message::new(vec![7; 64 << 10]).unwrap());
        for _ in 0..MESSAGES {
            machine.propose(&seat, Wish::Message(Service::Agreed), message(), Phases::One).unwrap();
        }
        let unsent = machine.unsent().len();
        let serve = move || {
            let (name, life) = ("bob".parse().unwrap(), Incarnation { node: NodeId(2), start: 1 });
            let welcome = Welcome { client: 1, life, node: name, cluster: "demo".parse().unwrap() };
            let told = Told::NotYours { group: seat.group, instance: seat.instance };
            let told = frame(&told.write()).unwrap().repeat(TOLD);
            let welcome = frame(&Greeting::Welcome(welcome).write(VERSION.newest)).unwrap();
            node.write_all(&[welcome, told].concat()).unwrap();
            node.read_exact(&mut vec![0; unsent]).unwrap();
        };
        let node = thread::spawn(serve);
        wire.send(&mut machine).unwrap();
        node.join().unwrap();
        let mut fds = [PollFd::new(&wire.both, PollFlags::IN)];
        assert_eq!(poll(&mut fds, Some(&Timespec::default())), Ok(1), "there is something to deliver");
        wire.receive(&mut machine, RecvFlags::DONTWAIT);
        assert_eq!(std::iter::from_fn(|| machine.next_event()).count(), TOLD);
    }
}
