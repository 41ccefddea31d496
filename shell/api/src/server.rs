//! The server: one thread, all clients, nobody waited for.

use crate::asked::Asked;
use crate::connection::{Connection, Gone, Waiting};
use crate::protocol::{Answer, Ask, Event, Level};
use crate::socket::Rights;
use phalanx_realtime::{Giver, Taker, queue};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

/// Clients at a time; another one is turned away.
const CLIENTS_MAX: usize = 64;
/// Words of the daemon that may wait to be handed out; clients miss what comes then.
const WORDS_MAX: usize = 65_536;

/// Names a client while it is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(u64);

/// What the daemon tells the server.
enum Word {
    Answer(ClientId, Answer),
    Event(Arc<Event>),
    End,
}

/// The daemon's end: cheap to copy, never waits.
#[derive(Clone)]
pub struct Told {
    words: Giver<Word>,
    bell: Arc<OwnedFd>,
}

/// The server's end.
pub struct Server {
    listener: UnixListener,
    words: Taker<Word>,
    bell: Arc<OwnedFd>,
    clients: BTreeMap<ClientId, Connection>,
    last_client: u64,
}

/// What the server needs from the daemon.
pub trait Daemon {
    /// Passes on an ask; an answer will come by [`Told::answer`].
    fn ask(&mut self, asked: Asked);
    /// The last events, oldest first.
    fn last_events(&mut self, count: usize) -> Vec<Event>;
}

impl Told {
    /// Answers a client.
    pub fn answer(&self, client: ClientId, answer: Answer) {
        self.say(Word::Answer(client, answer));
    }

    /// Tells all who want to hear of an event.
    pub fn event(&self, event: Arc<Event>) {
        self.say(Word::Event(event));
    }

    /// Ends the server, once all answers given before are written.
    pub fn end(&self) {
        self.say(Word::End);
    }

    fn say(&self, word: Word) {
        // If the server is gone, so are its clients; one that is this far behind hands out no more.
        if self.words.give(word).is_ok() {
            let _ = rustix::io::write(&*self.bell, &1u64.to_ne_bytes());
        }
    }
}

impl Server {
    /// A server on a socket, and the daemon's end of it.
    pub fn new(listener: UnixListener) -> io::Result<(Server, Told)> {
        let (sender, words) = queue(WORDS_MAX);
        let bell = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let told = Told { words: sender, bell: Arc::clone(&bell) };
        Ok((Server { listener, words, bell, clients: BTreeMap::new(), last_client: 0 }, told))
    }

    /// Serves until it is told to end.
    pub fn run(&mut self, daemon: &mut dyn Daemon) -> io::Result<()> {
        loop {
            self.wait()?;
            self.accept();
            self.read(daemon);
            if !self.deliver() {
                return Ok(());
            }
            self.clients.retain(|_, client| client.flush().is_ok());
        }
    }

    fn wait(&self) -> io::Result<()> {
        let mut fds = vec![
            PollFd::new(&self.listener, PollFlags::IN),
            PollFd::from_borrowed_fd(self.bell.as_fd(), PollFlags::IN),
        ];
        fds.extend(self.clients.values().map(|client| {
            let wanted = if client.has_unread() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            PollFd::new(client, wanted)
        }));
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let _ = rustix::io::read(&*self.bell, &mut [0; 8]);
        Ok(())
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.clients.len() < CLIENTS_MAX
                && let Ok(connection) = Connection::new(stream)
            {
                self.last_client += 1;
                self.clients.insert(ClientId(self.last_client), connection);
            }
        }
    }

    fn read(&mut self, daemon: &mut dyn Daemon) {
        self.clients.retain(|id, client| client.read().and_then(|()| hear(*id, client, daemon)).is_ok());
    }

    /// Hands out what the daemon said; false when it said to end.
    fn deliver(&mut self) -> bool {
        while let Some(word) = self.words.take() {
            match word {
                Word::Answer(id, answer) => {
                    let told = self.clients.get_mut(&id).map(|client| client.tell(&answer));
                    if let Some(Err(Gone)) = told {
                        self.clients.remove(&id);
                    }
                }
                Word::Event(event) => self.spread(&event),
                Word::End => return false,
            }
        }
        true
    }

    fn spread(&mut self, event: &Event) {
        self.clients.retain(|_, client| {
            let wants = match client.waiting {
                Waiting::Events => true,
                Waiting::Change => event.level >= Level::Info,
                Waiting::Answer | Waiting::No => false,
            };
            !wants || client.tell(&Answer::Event(event.clone())).is_ok()
        });
    }
}

/// Takes each ask that a client has written; all of them came in one bounded read.
fn hear(id: ClientId, client: &mut Connection, daemon: &mut dyn Daemon) -> Result<(), Gone> {
    while let Some(ask) = client.ask() {
        match ask {
            Ok(ask) => take(id, client, ask, daemon)?,
            Err(why) => client.tell(&Answer::Refused { forbidden: false, why })?,
        }
    }
    Ok(())
}

fn take(id: ClientId, client: &mut Connection, ask: Ask, daemon: &mut dyn Daemon) -> Result<(), Gone> {
    if client.waiting != Waiting::No && client.waiting != Waiting::Events {
        let why = "an earlier ask on this connection is under way; open another one".into();
        return client.tell(&Answer::Refused { forbidden: false, why });
    }
    if ask.changes() && client.rights == Rights::Read {
        let why = format!("{} may read but not change; ask as root", client.who);
        return client.tell(&Answer::Refused { forbidden: true, why });
    }
    if let Ask::Events { last, follow } = ask {
        return tell_events(client, daemon.last_events(last), follow);
    }
    client.waiting = if ask.changes() { Waiting::Change } else { Waiting::Answer };
    if ask.changes() {
        client.tell(&Answer::Taken)?;
    }
    daemon.ask(Asked { client: id, ask, by: client.who.clone() });
    Ok(())
}

fn tell_events(client: &mut Connection, events: Vec<Event>, follow: bool) -> Result<(), Gone> {
    for event in events {
        client.tell(&Answer::Event(event))?;
    }
    match follow {
        true => {
            client.waiting = Waiting::Events;
            Ok(())
        }
        false => client.tell(&Answer::End),
    }
}
