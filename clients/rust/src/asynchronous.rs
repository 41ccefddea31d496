//! The same client for programs that run on tokio.

use crate::error::ClientError;
use crate::event::{Event, Phase, Seat};
use crate::machine::{GATHERED_BYTES_MAX, Machine, READ_BYTES};
use crate::settings::Settings;
use phalanx_groups::Vote;
use phalanx_groups::domain::{Attributes, LocalName, Message, Name, Phases, Said};
use phalanx_session::{Adapter, Wants, Welcome, Wish};
use std::io::ErrorKind;
use std::net::IpAddr;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// A client of Group Services. Dropped, it is gone for its groups, as if it had failed.
pub struct Client {
    stream: UnixStream,
    machine: Machine,
    gathers: bool,
    buffer: Box<[u8]>,
    welcome: Welcome,
    name: LocalName,
    well: Box<dyn FnMut() -> bool + Send>,
}

impl Client {
    /// Connects to the daemon of this node, and waits until that lets clients in.
    pub async fn connect(settings: &Settings) -> Result<Client, ClientError> {
        let socket = settings.socket();
        let connected = UnixStream::connect(&socket).await;
        let stream = connected.map_err(|error| ClientError::unconnected(socket, error))?;
        let mut machine = Machine::new(&settings.hello());
        let mut buffer: Box<[u8]> = vec![0; READ_BYTES].into();
        let welcome = loop {
            if let Some(welcome) = machine.welcome() {
                break welcome.clone();
            }
            exchange(&stream, &mut machine, &mut buffer).await?;
        };
        let (name, well) = (settings.name.clone(), Box::new(|| true));
        Ok(Client { stream, machine, gathers: false, buffer, welcome, name, well })
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

    /// Sends what was gathered. What is not sent when this is given up is sent with whatever comes next.
    pub async fn flush(&mut self) -> Result<(), ClientError> {
        send_all(&self.stream, &mut self.machine, &mut self.buffer).await
    }

    /// Where this client is: its node and its cluster.
    pub fn place(&self) -> &Welcome {
        &self.welcome
    }

    /// Waits for the next event. A wait that is given up loses nothing.
    pub async fn next_event(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(event) = self.machine.next_event() {
                return Ok(event);
            }
            self.listen().await?;
        }
    }

    /// Joins a group as a provider with an instance number that nobody else has in it on this node. It is one once that is
    /// [`Event::Approved`].
    pub async fn join(
        &mut self,
        group: &Name,
        instance: i16,
        attributes: Attributes,
    ) -> Result<Seat, ClientError> {
        let seat = Seat { group: group.clone(), instance };
        self.machine.join(seat.clone(), self.name.clone(), attributes)?;
        self.send().await?;
        Ok(seat)
    }

    /// Proposes something to a group, with a message if there is one.
    pub async fn propose(
        &mut self,
        seat: &Seat,
        wish: Wish,
        message: Option<Message>,
        phases: Phases,
    ) -> Result<(), ClientError> {
        self.machine.propose(seat, wish, message, phases)?;
        self.send().await
    }

    /// Votes in a phase; the first vote counts.
    pub async fn vote(&mut self, phase: &Phase, vote: Vote, said: Said) -> Result<(), ClientError> {
        self.machine.vote(phase, vote, said)?;
        self.send().await
    }

    /// Leaves a group at once, and hears no more of it.
    pub async fn goodbye(&mut self, seat: &Seat) -> Result<(), ClientError> {
        self.machine.goodbye(seat)?;
        self.send().await
    }

    /// Subscribes to a group: hears how it is, and what becomes of it.
    pub async fn subscribe(&mut self, group: &Name, wants: Wants) -> Result<(), ClientError> {
        self.machine.subscribe(group, wants)?;
        self.send().await
    }

    /// Hears of a group no more.
    pub async fn unsubscribe(&mut self, group: &Name) -> Result<(), ClientError> {
        self.machine.unsubscribe(group)?;
        self.send().await
    }

    /// Whose address that is, if it is one of a node. Events that come meanwhile are kept.
    pub async fn adapter(&mut self, address: IpAddr) -> Result<Option<Adapter>, ClientError> {
        let number = self.machine.ask_adapter(address)?;
        loop {
            if let Some(answer) = self.machine.answer(number) {
                return Ok(answer);
            }
            self.listen().await?;
        }
    }

    /// Goes, and all providers of this client with it.
    pub async fn quit(mut self) -> Result<(), ClientError> {
        self.machine.quit()?;
        self.flush().await
    }

    async fn listen(&mut self) -> Result<(), ClientError> {
        exchange(&self.stream, &mut self.machine, &mut self.buffer).await?;
        while let Some(number) = self.machine.pings() {
            let well = (self.well)();
            self.machine.pong(number, well);
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), ClientError> {
        match self.gathers && self.machine.unsent().len() < GATHERED_BYTES_MAX {
            true => Ok(()),
            false => self.flush().await,
        }
    }
}

/// Sends what is to be sent and waits until something comes.
async fn exchange(stream: &UnixStream, machine: &mut Machine, buffer: &mut [u8]) -> Result<(), ClientError> {
    send_all(stream, machine, buffer).await?;
    stream.readable().await?;
    receive(stream, machine, buffer)
}

/// Sends what is to be sent. A node that takes nothing may wait for this client to read what it was told: that is taken in
/// meanwhile.
async fn send_all(stream: &UnixStream, machine: &mut Machine, buffer: &mut [u8]) -> Result<(), ClientError> {
    while !machine.unsent().is_empty() {
        let ready = stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
        if ready.is_writable() {
            send(stream, machine)?;
        } else {
            receive(stream, machine, buffer)?;
        }
    }
    Ok(())
}

fn receive(stream: &UnixStream, machine: &mut Machine, buffer: &mut [u8]) -> Result<(), ClientError> {
    match stream.try_read(buffer) {
        Ok(0) => Err(ClientError::Ended),
        Ok(length) => Ok(machine.receive(&buffer[..length])?),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn send(stream: &UnixStream, machine: &mut Machine) -> Result<(), ClientError> {
    match stream.try_write(machine.unsent()) {
        Ok(0) => Err(ClientError::Ended),
        Ok(length) => {
            machine.sent(length);
            Ok(())
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
