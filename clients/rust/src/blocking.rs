//! The client that waits: a thread of its own, and no runtime.

use crate::error::ClientError;
use crate::event::{Event, Phase, Seat};
use crate::machine::{GATHERED_BYTES_MAX, Machine, READ_BYTES};
use crate::settings::Settings;
use phalanx_groups::Vote;
use phalanx_groups::domain::{Attributes, LocalName, Message, Name, Phases, Said};
use phalanx_session::{Adapter, Wants, Welcome, Wish};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{ErrorKind, Read, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A client of Group Services. Dropped, it is gone for its groups, as if it had failed.
pub struct Client {
    stream: Stream,
    machine: Machine,
    gathers: bool,
    welcome: Welcome,
    name: LocalName,
    well: Box<dyn FnMut() -> bool + Send>,
}

impl Client {
    /// Connects to the daemon of this node, and waits until that lets clients in.
    pub fn connect(settings: &Settings) -> Result<Client, ClientError> {
        let socket = settings.socket();
        let connected = UnixStream::connect(&socket);
        let connected = connected.map_err(|error| ClientError::unconnected(socket, error))?;
        let mut stream = Stream::new(connected)?;
        let mut machine = Machine::new(&settings.hello());
        stream.send(&mut machine)?;
        let welcome = loop {
            if let Some(welcome) = machine.welcome() {
                break welcome.clone();
            }
            stream.receive(&mut machine, None)?;
        };
        let (name, well) = (settings.name.clone(), Box::new(|| true));
        Ok(Client { stream, machine, gathers: false, welcome, name, well })
    }

    /// Has `well` asked whenever the node checks that this client answers; it is asked while the client waits for something.
    pub fn check_with(&mut self, well: impl FnMut() -> bool + Send + 'static) {
        self.well = Box::new(well);
    }

    /// From now on what is asked for is gathered: it goes out when this client waits for something, with [`Client::flush`], or
    /// once it is much. For programs that ask for many things one behind the other, whom it spares a system call for each,
    /// and their node a wake-up.
    pub fn gather(&mut self) {
        self.gathers = true;
    }

    /// Sends what was gathered.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        self.stream.send(&mut self.machine)
    }

    /// Where this client is: its node and its cluster.
    pub fn place(&self) -> &Welcome {
        &self.welcome
    }

    /// Waits for the next event.
    pub fn next_event(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(event) = self.machine.next_event() {
                return Ok(event);
            }
            self.listen(None)?;
        }
    }

    /// Waits for the next event for no longer than `limit`; nothing came if there is none.
    pub fn next_event_within(&mut self, limit: Duration) -> Result<Option<Event>, ClientError> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(event) = self.machine.next_event() {
                return Ok(Some(event));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.listen(Some(left))? {
                return Ok(None);
            }
        }
    }

    /// The next event if one has come. With [`Client::as_fd`] this is for programs that wait for several things.
    pub fn try_next_event(&mut self) -> Result<Option<Event>, ClientError> {
        if let Some(event) = self.machine.next_event() {
            return Ok(Some(event));
        }
        self.listen(Some(Duration::ZERO))?;
        Ok(self.machine.next_event())
    }

    /// Joins a group as a provider with an instance number that nobody else has in it on this node. It is one once that is
    /// [`Event::Approved`].
    pub fn join(&mut self, group: &Name, instance: i16, attributes: Attributes) -> Result<Seat, ClientError> {
        let (seat, name) = (Seat { group: group.clone(), instance }, self.name.clone());
        self.ask(|machine| machine.join(seat.clone(), name, attributes))?;
        Ok(seat)
    }

    /// Proposes something to a group, with a message if there is one.
    pub fn propose(
        &mut self,
        seat: &Seat,
        wish: Wish,
        message: Option<Message>,
        phases: Phases,
    ) -> Result<(), ClientError> {
        self.ask(|machine| machine.propose(seat, wish, message, phases))
    }

    /// Votes in a phase; the first vote counts.
    pub fn vote(&mut self, phase: &Phase, vote: Vote, said: Said) -> Result<(), ClientError> {
        self.ask(|machine| machine.vote(phase, vote, said))
    }

    /// Leaves a group at once, and hears no more of it.
    pub fn goodbye(&mut self, seat: &Seat) -> Result<(), ClientError> {
        self.ask(|machine| machine.goodbye(seat))
    }

    /// Subscribes to a group: hears how it is, and what becomes of it.
    pub fn subscribe(&mut self, group: &Name, wants: Wants) -> Result<(), ClientError> {
        self.ask(|machine| machine.subscribe(group, wants))
    }

    /// Hears of a group no more.
    pub fn unsubscribe(&mut self, group: &Name) -> Result<(), ClientError> {
        self.ask(|machine| machine.unsubscribe(group))
    }

    /// Whose address that is, if it is one of a node. Events that come meanwhile are kept.
    pub fn adapter(&mut self, address: IpAddr) -> Result<Option<Adapter>, ClientError> {
        let mut number = 0;
        self.ask(|machine| machine.ask_adapter(address).map(|asked| number = asked))?;
        loop {
            if let Some(answer) = self.machine.answer(number) {
                return Ok(answer);
            }
            self.listen(None)?;
        }
    }

    /// Goes, and all providers of this client with it.
    pub fn quit(mut self) -> Result<(), ClientError> {
        self.ask(Machine::quit)?;
        self.flush()
    }

    fn ask(&mut self, ask: impl FnOnce(&mut Machine) -> Result<(), ClientError>) -> Result<(), ClientError> {
        ask(&mut self.machine)?;
        match self.gathers && self.machine.unsent().len() < GATHERED_BYTES_MAX {
            true => Ok(()),
            false => self.flush(),
        }
    }

    /// Waits until something comes, for no longer than `limit`, and answers if it is asked whether it is well. False if nothing
    /// came.
    fn listen(&mut self, limit: Option<Duration>) -> Result<bool, ClientError> {
        self.flush()?;
        let came = self.stream.receive(&mut self.machine, limit)?;
        while let Some(number) = self.machine.pings() {
            let well = (self.well)();
            self.machine.pong(number, well);
        }
        self.flush()?;
        Ok(came)
    }
}

/// Readable when there is something for [`Client::try_next_event`]; to be waited for, not to be read.
impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.socket.as_fd()
    }
}

/// The connection. Its socket never blocks; what it waits for is said.
struct Stream {
    socket: UnixStream,
    buffer: Box<[u8]>,
}

impl Stream {
    fn new(socket: UnixStream) -> Result<Stream, ClientError> {
        socket.set_nonblocking(true)?;
        Ok(Stream { socket, buffer: vec![0; READ_BYTES].into() })
    }

    /// Takes in what comes within `limit`; false if nothing did.
    fn receive(&mut self, machine: &mut Machine, limit: Option<Duration>) -> Result<bool, ClientError> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        loop {
            if self.take_in(machine)? {
                return Ok(true);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(false);
            }
            self.wait(PollFlags::IN, left)?;
        }
    }

    /// Sends all that is to be sent. A node that takes nothing may wait for this client to read what it was told: that is taken
    /// in meanwhile.
    fn send(&mut self, machine: &mut Machine) -> Result<(), ClientError> {
        while !machine.unsent().is_empty() {
            match self.socket.write(machine.unsent()) {
                Ok(0) => return Err(ClientError::Ended),
                Ok(length) => machine.sent(length),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait(PollFlags::IN | PollFlags::OUT, None)?;
                    self.take_in(machine)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes in what has come; false if nothing has.
    fn take_in(&mut self, machine: &mut Machine) -> Result<bool, ClientError> {
        match self.socket.read(&mut self.buffer) {
            Ok(0) => Err(ClientError::Ended),
            Ok(length) => {
                machine.receive(&self.buffer[..length])?;
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn wait(&self, what: PollFlags, limit: Option<Duration>) -> Result<(), ClientError> {
        // One that is too long to be said is for ever.
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match poll(&mut [PollFd::new(&self.socket, what)], limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(ClientError::Io(error.into())),
        }
    }
}
