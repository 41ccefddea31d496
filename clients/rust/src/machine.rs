//! A client without its connection: what it asks becomes bytes, and bytes become events and answers.

use crate::error::ClientError;
use crate::event::{Event, Outcome, Phase, Seat};
use phalanx_groups::Vote;
use phalanx_groups::domain::{Attributes, LocalName, Message, Name, Phases, ProviderId, Refused, Said};
use phalanx_session::{
    Adapter, Against, Broken, Heard, Hello, Notice, Request, Session, Told, Wants, Welcome, Wish,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

/// Bytes that are read at a time.
pub(crate) const READ_BYTES: usize = 256 << 10;
/// Bytes of what is asked for that are gathered at most.
pub(crate) const GATHERED_BYTES_MAX: usize = 64 << 10;

/// A client without its connection. Whoever has one sends what is [`Machine::unsent`], hands in what comes, answers the
/// [`Machine::pings`], and takes the events.
#[derive(Clone, Debug)]
pub struct Machine {
    session: Session,
    welcome: Option<Welcome>,
    /// Providers that are not refused and have not heard anything yet.
    joining: BTreeSet<Seat>,
    events: VecDeque<Event>,
    pings: VecDeque<u64>,
    /// The number of the last question.
    asked: u64,
    answers: BTreeMap<u64, Option<Adapter>>,
}

impl Machine {
    /// A client that begins with this hello.
    pub fn new(hello: &Hello) -> Machine {
        Machine {
            session: Session::new(hello),
            welcome: None,
            joining: BTreeSet::new(),
            events: VecDeque::new(),
            pings: VecDeque::new(),
            asked: 0,
            answers: BTreeMap::new(),
        }
    }

    /// What is to be sent.
    pub fn unsent(&self) -> &[u8] {
        self.session.unsent()
    }

    /// So many bytes of it are on their way.
    pub fn sent(&mut self, count: usize) {
        self.session.sent(count);
    }

    /// Bytes came. What came before a fault is heard all the same.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.session.receive(bytes);
        while let Some(heard) = self.session.hear()? {
            match heard {
                Heard::Welcome(welcome) => self.welcome = Some(welcome),
                Heard::Told(told) => self.take(told),
            }
        }
        Ok(())
    }

    /// Where the client is, once it is welcomed.
    pub fn welcome(&self) -> Option<&Welcome> {
        self.welcome.as_ref()
    }

    /// The next event, if one has come.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Puts an event in front: what it means is not done yet.
    pub fn again(&mut self, event: Event) {
        self.events.push_front(event);
    }

    /// The next question whether the client is well; it wants a [`Machine::pong`].
    pub fn pings(&mut self) -> Option<u64> {
        self.pings.pop_front()
    }

    /// Answers such a question.
    pub fn pong(&mut self, number: u64, well: bool) {
        // A pong is short.
        let _ = self.session.request(&Request::Pong { number, well });
    }

    /// Joins a group as a provider. It is one once the join is [`Event::Approved`].
    pub fn join(&mut self, seat: Seat, local: LocalName, attributes: Attributes) -> Result<(), ClientError> {
        let Seat { group, instance } = seat.clone();
        self.ask(&Request::Join { group, instance, local, attributes })?;
        self.joining.insert(seat);
        Ok(())
    }

    /// Proposes something to a group.
    pub fn propose(
        &mut self,
        seat: &Seat,
        wish: Wish,
        message: Option<Message>,
        phases: Phases,
    ) -> Result<(), ClientError> {
        let Seat { group, instance } = seat.clone();
        self.ask(&Request::Propose { group, instance, wish, message, phases })
    }

    /// Votes in a phase.
    pub fn vote(&mut self, phase: &Phase, vote: Vote, said: Said) -> Result<(), ClientError> {
        let Seat { group, instance } = phase.seat.clone();
        let Phase { protocol, phase, .. } = *phase;
        self.ask(&Request::Vote { group, instance, protocol, phase, vote, said })
    }

    /// Leaves a group at once, as if this provider had failed.
    pub fn goodbye(&mut self, seat: &Seat) -> Result<(), ClientError> {
        let Seat { group, instance } = seat.clone();
        self.joining.remove(seat);
        self.ask(&Request::Goodbye { group, instance })
    }

    /// Subscribes to a group.
    pub fn subscribe(&mut self, group: &Name, wants: Wants) -> Result<(), ClientError> {
        self.ask(&Request::Subscribe { group: group.clone(), wants })
    }

    /// Hears of a group no more.
    pub fn unsubscribe(&mut self, group: &Name) -> Result<(), ClientError> {
        self.ask(&Request::Unsubscribe { group: group.clone() })
    }

    /// Asks whose address that is; gives what names the answer.
    pub fn ask_adapter(&mut self, address: IpAddr) -> Result<u64, ClientError> {
        self.asked += 1;
        let number = self.asked;
        self.ask(&Request::Adapter { number, address })?;
        Ok(number)
    }

    /// The answer to a question, if it has come.
    pub fn answer(&mut self, number: u64) -> Option<Option<Adapter>> {
        self.answers.remove(&number)
    }

    /// Goes, and all providers of the client with it.
    pub fn quit(&mut self) -> Result<(), ClientError> {
        self.ask(&Request::Quit)
    }

    fn ask(&mut self, request: &Request) -> Result<(), ClientError> {
        Ok(self.session.request(request)?)
    }

    fn take(&mut self, told: Told) {
        let event = match told {
            Told::Provider { group, provider, notice } => self.notice(group, provider, notice),
            Told::Subscriber { group, news } => Event::News { group, news },
            Told::NotYours { group, instance } => {
                let seat = Seat { group, instance };
                let joined = self.joining.remove(&seat);
                let why = if joined { Refused::DuplicateInstance } else { Refused::NotAMember };
                Event::Refused { seat, why }
            }
            Told::Dissolved => Event::Dissolved,
            Told::Ping { number } => return self.pings.push_back(number),
            Told::Adapter { number, adapter } => return drop(self.answers.insert(number, adapter)),
        };
        self.events.push_back(event);
    }

    fn notice(&mut self, group: Name, provider: ProviderId, notice: Notice) -> Event {
        let seat = Seat { group, instance: provider.instance };
        self.joining.remove(&seat);
        match notice {
            Notice::Phase { protocol, from, phase, limit, summary, proposal } => {
                Event::Phase(Phase { seat, protocol, from, phase, limit, summary, proposal })
            }
            Notice::Approved { protocol, from, summary, proposal, standing } => {
                let against = Against::default();
                Event::Approved(Outcome { seat, protocol, from, summary, proposal, standing, against })
            }
            Notice::Rejected { protocol, from, summary, proposal, standing, against } => {
                Event::Rejected(Outcome { seat, protocol, from, summary, proposal, standing, against })
            }
            Notice::Silent { protocol, providers } => Event::Silent { seat, protocol, providers },
            Notice::Refused(why) => Event::Refused { seat, why },
            Notice::Responsiveness { provider, responsive } => {
                Event::Responsiveness { seat, provider, responsive }
            }
            Notice::Dissolved => Event::GroupDissolved { seat },
        }
    }
}
