//! The client that waits: a thread of its own, and nothing but the standard library.

use crate::error::ClientError;
use crate::event::{Event, Phase, Seat};
use crate::machine::{GATHERED_BYTES_MAX, Machine, READ_BYTES};
use crate::settings::Settings;
use phalanx_groups::Vote;
use phalanx_groups::domain::{Attributes, LocalName, Message, Name, Phases, Said};
use phalanx_session::{Adapter, Wants, Welcome, Wish};
use std::io::{ErrorKind, Read, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long a node that takes nothing is waited for, before what it has told meanwhile is read.
const WRITE_PATIENCE: Duration = Duration::from_millis(2);
/// Reads before it is tried again to send.
const READS_MAX: usize = 16;

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
            if left.is_zero() || !self.listen_within(left)? {
                return Ok(None);
            }
        }
    }

    /// The next event if one has come. With [`Client::as_fd`] this is for programs that wait for several things.
    pub fn try_next_event(&mut self) -> Result<Option<Event>, ClientError> {
        if let Some(event) = self.machine.next_event() {
            return Ok(Some(event));
        }
        self.flush()?;
        self.stream.socket.set_nonblocking(true)?;
        let came = self.listen(None);
        self.stream.socket.set_nonblocking(false)?;
        match came {
            Ok(()) => Ok(self.machine.next_event()),
            Err(ClientError::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
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

    /// Waits until something comes, for no longer than `limit`, and answers if it is asked whether it is well.
    fn listen(&mut self, limit: Option<Duration>) -> Result<(), ClientError> {
        self.flush()?;
        self.stream.receive(&mut self.machine, limit)?;
        while let Some(number) = self.machine.pings() {
            let well = (self.well)();
            self.machine.pong(number, well);
        }
        self.flush()
    }

    /// False if nothing came.
    fn listen_within(&mut self, limit: Duration) -> Result<bool, ClientError> {
        match self.listen(Some(limit)) {
            Ok(()) => Ok(true),
            Err(ClientError::Io(error))
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// Readable when there is something for [`Client::try_next_event`]; to be waited for, not to be read.
impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.socket.as_fd()
    }
}

/// The connection.
struct Stream {
    socket: UnixStream,
    /// How long a read waits.
    limit: Option<Duration>,
    buffer: Box<[u8]>,
}

impl Stream {
    fn new(socket: UnixStream) -> Result<Stream, ClientError> {
        socket.set_write_timeout(Some(WRITE_PATIENCE))?;
        Ok(Stream { socket, limit: None, buffer: vec![0; READ_BYTES].into() })
    }

    fn receive(&mut self, machine: &mut Machine, limit: Option<Duration>) -> Result<(), ClientError> {
        if limit != self.limit {
            self.socket.set_read_timeout(limit)?;
            self.limit = limit;
        }
        loop {
            match self.socket.read(&mut self.buffer) {
                Ok(0) => return Err(ClientError::Ended),
                Ok(length) => return Ok(machine.receive(&self.buffer[..length])?),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn send(&mut self, machine: &mut Machine) -> Result<(), ClientError> {
        while !machine.unsent().is_empty() {
            match self.socket.write(machine.unsent()) {
                Ok(0) => return Err(ClientError::Ended),
                Ok(length) => machine.sent(length),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    self.take_in(machine)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes in what has come, while the node takes nothing: it tells more meanwhile, and who does not read is dropped.
    fn take_in(&mut self, machine: &mut Machine) -> Result<(), ClientError> {
        self.socket.set_nonblocking(true)?;
        let came = (0..READS_MAX).try_for_each(|_| match self.socket.read(&mut self.buffer) {
            Ok(0) => Err(ClientError::Ended),
            Ok(length) => Ok(machine.receive(&self.buffer[..length])?),
            Err(error) => Err(error.into()),
        });
        self.socket.set_nonblocking(false)?;
        match came {
            Err(ClientError::Io(error))
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Ok(())
            }
            came => came,
        }
    }
}
