//! The server: one thread, all clients, nobody waited for.

use crate::acts::{Acts, Desk, Full, UnderWay, acts};
use crate::connection::{Connection, Gone, Member, READ_BYTES_MAX, Stage};
use crate::deactivate::{Deactivator, Order};
use crate::pulse::{Beat, Pulse};
use crate::socket::may_be_client;
use phalanx_groups::domain::{self, Deactivation, Name};
use phalanx_groups::services::{ClientAct, ClientEvent, ClientId};
use phalanx_host::clock::{remaining, timespec};
use phalanx_host::now;
use phalanx_local::Peer;
use phalanx_realtime::{Bell, Giver, Taker, queue};
use phalanx_session::{
    Adapter, Executable, Greeting, Hello, News, Notice, Request, Subscription, Told as Say, Turned, VERSION,
    Welcome,
};
use phalanx_types::limits::{GS_CLIENTS_MAX, GS_REQUESTS_MAX, GS_UNREAD_BYTES_ALL_MAX, GS_UNREAD_BYTES_MANY};
use phalanx_types::{Incarnation, NodeName, Span, Tick};
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::mem;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Batches of events that may wait to be handed out. A server that is further behind drops all its clients.
const WORDS_MAX: usize = 16_384;
/// Of those, what is handed out in a turn: clients that read what they were told, and say something, are not kept waiting
/// for as long as there is more to tell.
const WORDS_PER_TURN: usize = 4;
/// Connections at a time that are no clients: not yet, or no more.
const NEWCOMERS_MAX: usize = 32;
/// Until it is tried again to hand in that clients left.
const RETRY: Span = Span::from_millis(100);
/// Until it is looked again whether requests of a client that is held were taken in: nobody says so.
const HELD_LOOK: Span = Span::from_millis(5);

/// Where clients are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// This node in its present life.
    pub life: Incarnation,
    /// Its name.
    pub node: NodeName,
    /// The cluster's name.
    pub cluster: NodeName,
    /// The group of the host whose members may be clients.
    pub users: String,
}

/// What the server needs from the daemon.
pub trait Daemon {
    /// Whose address it is, if it is a node's.
    fn adapter(&mut self, address: IpAddr) -> Option<Adapter>;
    /// A client was dropped, and why, for the record.
    fn dropped(&mut self, client: &str, why: &'static str);
}

/// What the daemon tells the server.
enum Word {
    /// The node can take clients from now on.
    Open,
    Events(Vec<(ClientId, ClientEvent)>),
    End,
}

/// The daemon's end: cheap to copy, never waits.
#[derive(Clone)]
pub struct Told {
    words: Giver<Word>,
    bell: Arc<Bell>,
    /// Something could not be told: nobody knows any more what clients know.
    lost: Arc<AtomicBool>,
}

/// The server's end.
pub struct Server {
    listener: UnixListener,
    place: Place,
    deactivator: Deactivator,
    words: Taker<Word>,
    bell: Arc<Bell>,
    lost: Arc<AtomicBool>,
    desk: Desk,
    is_open: bool,
    clients: BTreeMap<ClientId, Connection>,
    last_client: u64,
    /// Those that were welcomed, as long as they are connected.
    welcomed: BTreeSet<ClientId>,
    /// Clients that are gone, which the core could not be told yet.
    leaving: Vec<ClientId>,
    /// Clients that are gone and named a deactivate command, the last one last: it may have to run for their providers.
    departed: VecDeque<Departed>,
    /// Providers of one client that are being expelled: the last of them is not known yet.
    expelled: Option<(ClientId, Order)>,
    /// Where what is read comes first.
    buffer: Box<[u8]>,
}

/// A client that is gone.
struct Departed {
    id: ClientId,
    name: String,
    peer: Peer,
    deactivate: Executable,
}

/// Who wants something of the server.
#[derive(Default)]
struct Ready {
    newcomers: bool,
    clients: Vec<ClientId>,
}

impl Told {
    /// Clients can come from now on.
    pub fn open(&self) {
        self.say(Word::Open);
    }

    /// Tells clients what one step of the core said to them.
    pub fn events(&self, events: Vec<(ClientId, ClientEvent)>) {
        self.say(Word::Events(events));
    }

    /// Ends the server; its clients see their connections end.
    pub fn end(&self) {
        self.say(Word::End);
    }

    fn say(&self, word: Word) {
        match self.words.give(word) {
            Ok(()) => {}
            // With the server its clients are gone.
            Err(phalanx_realtime::Refused::Gone) => return,
            Err(phalanx_realtime::Refused::Full) => self.lost.store(true, Ordering::Relaxed),
        }
        self.bell.ring();
    }
}

impl Server {
    /// A server on a socket, the daemon's end of it, and where its clients' acts come out.
    pub fn new(
        listener: UnixListener,
        place: Place,
        deactivator: Deactivator,
    ) -> io::Result<(Server, Told, Acts)> {
        let (giver, words) = queue(WORDS_MAX);
        let bell = Arc::new(Bell::new()?);
        let lost = Arc::new(AtomicBool::new(false));
        let (desk, acts) = acts()?;
        let told = Told { words: giver, bell: Arc::clone(&bell), lost: Arc::clone(&lost) };
        let server = Server {
            listener,
            place,
            deactivator,
            words,
            bell,
            lost,
            desk,
            is_open: false,
            clients: BTreeMap::new(),
            last_client: 0,
            welcomed: BTreeSet::new(),
            leaving: Vec::new(),
            departed: VecDeque::new(),
            expelled: None,
            buffer: vec![0; READ_BYTES_MAX].into(),
        };
        Ok((server, told, acts))
    }

    /// Serves until it is told to end.
    pub fn run(&mut self, daemon: &mut dyn Daemon) -> io::Result<()> {
        loop {
            let ready = self.wait()?;
            self.say_who_left();
            if ready.newcomers {
                self.accept();
            }
            self.each(&ready.clients, daemon, |server, id, client, daemon| {
                client.read(&mut server.buffer)?;
                server.hear(id, client, daemon)
            });
            self.desk.ring();
            if !self.deliver(daemon) {
                return Ok(());
            }
            let now = now();
            let due = self.due(now);
            self.each(&due, daemon, |server, id, client, _| {
                client.flush()?;
                server.mind(id, client, now)
            });
            self.desk.ring();
        }
    }

    /// Who has something to read, or a deadline that is over.
    fn due(&self, now: Tick) -> Vec<ClientId> {
        let due = |client: &Connection| client.has_unread() || client.wake_at() <= now;
        self.clients.iter().filter(|(_, client)| due(client)).map(|(id, _)| *id).collect()
    }

    fn wait(&self) -> io::Result<Ready> {
        let mut fds = vec![PollFd::from_borrowed_fd(self.bell.as_fd(), PollFlags::IN)];
        if self.has_place() {
            fds.push(PollFd::new(&self.listener, PollFlags::IN));
        }
        fds.extend(self.clients.values().map(|client| {
            let reads = if client.is_held() { PollFlags::empty() } else { PollFlags::IN };
            PollFd::new(client, if client.has_unread() { reads | PollFlags::OUT } else { reads })
        }));
        match poll(&mut fds, timespec_until(self.wake_at()).as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Ready::default()),
            Err(error) => return Err(error.into()),
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        if ready.next().is_some_and(|rings| rings) {
            self.bell.hush();
        }
        let newcomers = self.has_place() && ready.next().is_some_and(|come| come);
        let is_ready =
            |(ready, (_, client)): &(bool, (&ClientId, &Connection))| *ready || client.is_heard_late();
        let clients = ready.zip(&self.clients).filter(is_ready).map(|(_, (id, _))| *id).collect();
        Ok(Ready { newcomers, clients })
    }

    fn wake_at(&self) -> Tick {
        let retry = match () {
            () if self.clients.values().any(Connection::awaits_requests) => now() + HELD_LOOK,
            () if !self.leaving.is_empty() => now() + RETRY,
            () => Tick::NEVER,
        };
        self.clients.values().map(Connection::wake_at).min().unwrap_or(Tick::NEVER).min(retry)
    }

    /// Some more than there may be clients, so that they can be told that they are turned away.
    fn has_place(&self) -> bool {
        self.is_open && self.clients.len() < GS_CLIENTS_MAX + NEWCOMERS_MAX
    }

    fn accept(&mut self) {
        while self.has_place()
            && let Ok((stream, _)) = self.listener.accept()
        {
            if let Ok(connection) = Connection::new(stream) {
                self.last_client += 1;
                self.clients.insert(ClientId(self.last_client), connection);
            }
        }
    }

    /// Does something for each of these clients; who is gone by that is dropped.
    fn each(
        &mut self,
        clients: &[ClientId],
        daemon: &mut dyn Daemon,
        mut act: impl FnMut(&mut Server, ClientId, &mut Connection, &mut dyn Daemon) -> Result<(), Gone>,
    ) {
        for id in clients {
            let Some(mut client) = self.clients.remove(id) else { continue };
            match act(self, *id, &mut client, daemon) {
                Ok(()) => drop(self.clients.insert(*id, client)),
                Err(gone) => self.drop_client(*id, &client, gone, daemon),
            }
        }
    }

    /// Its providers fail, if it has any: with the connection the client is gone.
    fn drop_client(&mut self, id: ClientId, client: &Connection, gone: Gone, daemon: &mut dyn Daemon) {
        if let Some(why) = gone.fault() {
            daemon.dropped(&name(client), why);
        }
        if self.welcomed.remove(&id) {
            self.remember(id, client);
            self.leaving.push(id);
            self.say_who_left();
        }
    }

    fn remember(&mut self, id: ClientId, client: &Connection) {
        let Stage::Open(member) = &client.stage else { return };
        let Some(deactivate) = member.hello.deactivate.clone() else { return };
        if self.departed.len() >= GS_CLIENTS_MAX {
            self.departed.pop_front();
        }
        self.departed.push_back(Departed { id, name: name(client), peer: client.peer.clone(), deactivate });
    }

    fn say_who_left(&mut self) {
        let desk = &self.desk;
        self.leaving
            .retain(|id| matches!(desk.leave(*id, ClientAct::Quit, &UnderWay::default(), 0), Err(Full)));
    }

    /// Takes each frame that a client has sent; all of them came in one bounded read.
    fn hear(&mut self, id: ClientId, client: &mut Connection, daemon: &mut dyn Daemon) -> Result<(), Gone> {
        let mut frames = mem::take(&mut client.frames);
        let heard = loop {
            if client.is_held() {
                break Ok(());
            }
            match frames.take() {
                Ok(Some(body)) => match self.take(id, client, body, daemon) {
                    Ok(()) => {}
                    Err(gone) => break Err(gone),
                },
                Ok(None) => break Ok(()),
                Err(phalanx_session::TooLong) => break Err(Gone::Garbled),
            }
        };
        client.frames = frames;
        heard
    }

    fn take(
        &mut self,
        id: ClientId,
        client: &mut Connection,
        body: &[u8],
        daemon: &mut dyn Daemon,
    ) -> Result<(), Gone> {
        match client.stage {
            Stage::Greeting { .. } => self.greet(id, client, body),
            Stage::Open(_) => {
                let request = Request::read(body).map_err(|_| Gone::Garbled)?;
                self.serve(id, client, (request, body.len()), daemon)
            }
            Stage::Closing { .. } => Ok(()),
        }
    }

    fn greet(&mut self, id: ClientId, client: &mut Connection, body: &[u8]) -> Result<(), Gone> {
        let (versions, hello) = Hello::read(body).map_err(|_| Gone::Garbled)?;
        let (Some(version), Some(hello)) = (versions.common(VERSION), hello) else {
            return turn_away(client, Turned::Foreign);
        };
        if !may_be_client(&client.peer, &self.place.users) {
            return turn_away(client, Turned::Forbidden);
        }
        if self.welcomed.len() + self.leaving.len() >= GS_CLIENTS_MAX {
            return turn_away(client, Turned::Full);
        }
        self.welcomed.insert(id);
        let Place { life, node, cluster, .. } = self.place.clone();
        let pulse = hello.responsiveness.map(|how| Pulse::new(now(), how));
        let (subscriptions, under_way) = (BTreeMap::new(), UnderWay::default());
        client.stage = Stage::Open(Box::new(Member { hello, pulse, subscriptions, under_way }));
        client.write(&Greeting::Welcome(Welcome { client: id.0, life, node, cluster }).write(version))
    }

    fn serve(
        &mut self,
        id: ClientId,
        client: &mut Connection,
        (request, bytes): (Request, usize),
        daemon: &mut dyn Daemon,
    ) -> Result<(), Gone> {
        let Stage::Open(member) = &mut client.stage else { return Ok(()) };
        match &request {
            Request::Quit => return Err(Gone::Over),
            Request::Adapter { number, address } => {
                let (number, adapter) = (*number, daemon.adapter(*address));
                return client.tell(&Say::Adapter { number, adapter });
            }
            Request::Pong { number, well } => {
                let news = member.pulse.as_mut().and_then(|pulse| pulse.pong(now(), *number, *well));
                return news.map_or(Ok(()), |responsive| {
                    self.hand_in(id, member, ClientAct::Responsive { responsive }, bytes)
                });
            }
            Request::Subscribe { group, wants } => {
                member.subscriptions.insert(group.clone(), Subscription::new(*wants));
            }
            Request::Unsubscribe { group } => drop(member.subscriptions.remove(group)),
            Request::Join { .. }
            | Request::Propose { .. }
            | Request::Vote { .. }
            | Request::Goodbye { .. } => {}
        }
        match request.act(self.place.life) {
            Some(act) => self.hand_in(id, member, act, bytes),
            None => Ok(()),
        }
    }

    fn hand_in(&self, id: ClientId, member: &Member, act: ClientAct, bytes: usize) -> Result<(), Gone> {
        if member.under_way.count() >= GS_REQUESTS_MAX {
            return Err(Gone::Floods);
        }
        self.desk.leave(id, act, &member.under_way, bytes).map_err(|Full| Gone::Floods)
    }

    /// What is due for a client: its hello, its checks.
    fn mind(&mut self, id: ClientId, client: &mut Connection, now: Tick) -> Result<(), Gone> {
        match &mut client.stage {
            Stage::Greeting { until } if *until <= now => Err(Gone::Mute),
            Stage::Closing { until } if *until <= now => Err(Gone::Hangs),
            Stage::Greeting { .. } | Stage::Closing { .. } => Ok(()),
            Stage::Open(member) => match member.pulse.as_mut().and_then(|pulse| pulse.beat(now)) {
                None => Ok(()),
                Some(Beat::Ask(number)) => client.tell(&Say::Ping { number }),
                Some(Beat::Lost) => self.hand_in(id, member, ClientAct::Responsive { responsive: false }, 0),
            },
        }
    }

    /// Hands out some of what the daemon said; false when it said to end.
    fn deliver(&mut self, daemon: &mut dyn Daemon) -> bool {
        if self.lost.swap(false, Ordering::Relaxed) {
            let all: Vec<ClientId> = self.clients.keys().copied().collect();
            self.each(&all, daemon, |_, _, _, _| Err(Gone::Hangs));
        }
        for _ in 0..WORDS_PER_TURN {
            let Some(word) = self.words.take() else { return true };
            match word {
                Word::Open => self.is_open = true,
                Word::Events(events) => {
                    events.into_iter().for_each(|(id, event)| self.pass(id, event, daemon));
                    self.deactivate();
                    self.catch_up(daemon);
                }
                Word::End => return false,
            }
        }
        // Some may be left.
        self.bell.ring();
        true
    }

    /// Who is behind gets what the kernel takes by now, not only once a turn: in one it may be told more than that.
    fn catch_up(&mut self, daemon: &mut dyn Daemon) {
        let behind: Vec<ClientId> =
            self.clients.iter().filter(|(_, client)| client.is_behind()).map(|(id, _)| *id).collect();
        self.each(&behind, daemon, |_, _, client, _| client.flush());
    }

    fn pass(&mut self, id: ClientId, event: ClientEvent, daemon: &mut dyn Daemon) {
        let Some(mut client) = self.clients.remove(&id) else { return self.tell_departed(id, event) };
        match self.tell(id, &mut client, event) {
            Ok(()) => drop(self.clients.insert(id, client)),
            Err(gone) => self.drop_client(id, &client, gone, daemon),
        }
    }

    fn tell(&mut self, id: ClientId, client: &mut Connection, event: ClientEvent) -> Result<(), Gone> {
        let Stage::Open(member) = &mut client.stage else { return Ok(()) };
        let told = match event {
            ClientEvent::Provider { group, provider, notice: domain::Notice::Deactivate(how) } => {
                self.expel(id, group, provider.instance, how);
                return Ok(());
            }
            ClientEvent::Provider { group, provider, notice } => match Notice::of(notice) {
                Some(notice) => Say::Provider { group, provider, notice },
                None => return Ok(()),
            },
            ClientEvent::Subscriber { group, notice } => match news(member, &group, notice) {
                Some(news) => Say::Subscriber { group, news },
                None => return Ok(()),
            },
            ClientEvent::NotYours { group, instance } => Say::NotYours { group, instance },
            ClientEvent::Dissolved => {
                client.tell(&Say::Dissolved)?;
                client.close();
                return client.flush();
            }
        };
        client.tell(&told)?;
        match client.unread() > GS_UNREAD_BYTES_MANY
            && self.unread() + client.unread() > GS_UNREAD_BYTES_ALL_MAX
        {
            true => Err(Gone::Hangs),
            false => Ok(()),
        }
    }

    /// Bytes that wait to be read by all clients but one that is being told something.
    fn unread(&self) -> usize {
        self.clients.values().map(Connection::unread).sum()
    }

    /// Who is gone hears nothing any more; but its deactivate command may run.
    fn tell_departed(&mut self, id: ClientId, event: ClientEvent) {
        if let ClientEvent::Provider { group, provider, notice: domain::Notice::Deactivate(how) } = event {
            self.expel(id, group, provider.instance, how);
        }
    }

    /// Providers of one client that are expelled together are deactivated together.
    fn expel(&mut self, id: ClientId, group: Name, instance: i16, how: Deactivation) {
        match &mut self.expelled {
            Some((client, order)) if (*client, &order.group, &order.how) == (id, &group, &how) => {
                order.instances.push(instance);
            }
            _ => {
                self.deactivate();
                self.expelled = Some((id, Order { group, instances: vec![instance], how }));
            }
        }
    }

    fn deactivate(&mut self) {
        let Some((id, order)) = self.expelled.take() else { return };
        if let Some(client) = self.clients.get(&id) {
            if let Stage::Open(member) = &client.stage {
                self.deactivator.run(&name(client), &client.peer, member.hello.deactivate.as_ref(), order);
            }
        } else if let Some(departed) = self.departed.iter().find(|departed| departed.id == id) {
            let Departed { name, peer, deactivate, .. } = departed;
            self.deactivator.run(name, peer, Some(deactivate), order);
        }
    }
}

/// What a subscriber hears of what happened in a group.
fn news(member: &mut Member, group: &Name, notice: domain::Notice) -> Option<News> {
    match notice {
        domain::Notice::Changed { standing, .. } => member.subscriptions.get_mut(group)?.news(standing),
        domain::Notice::Refused(why) => {
            member.subscriptions.remove(group);
            Some(News::Refused(why))
        }
        domain::Notice::Dissolved => member.subscriptions.remove(group).map(|_| News::Dissolved),
        domain::Notice::Phase { .. }
        | domain::Notice::Approved { .. }
        | domain::Notice::Rejected { .. }
        | domain::Notice::Silent { .. }
        | domain::Notice::Responsiveness { .. }
        | domain::Notice::Deactivate(_) => None,
    }
}

fn turn_away(client: &mut Connection, why: Turned) -> Result<(), Gone> {
    client.write(&Greeting::Turned(why).write(VERSION.newest))?;
    client.close();
    client.flush()
}

/// What a client is called in the record.
fn name(client: &Connection) -> String {
    let Stage::Open(member) = &client.stage else {
        return format!("pid {} of {}", client.peer.pid, client.peer);
    };
    format!("{} (pid {} of {})", member.hello.name.as_str(), client.peer.pid, client.peer)
}

fn timespec_until(at: Tick) -> Option<rustix::event::Timespec> {
    (at != Tick::NEVER).then(|| timespec(remaining(at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_exec::Cgroup;
    use phalanx_types::NodeId;

    struct Nobody;

    impl Daemon for Nobody {
        fn adapter(&mut self, _: IpAddr) -> Option<Adapter> {
            None
        }

        fn dropped(&mut self, _: &str, _: &'static str) {}
    }

    #[test]
    fn the_daemon_never_has_so_much_to_say_that_clients_do_not_get_their_turn() {
        let path = std::env::temp_dir().join(format!("phalanx-turns-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        let (node, cluster, users) = ("bob".parse().unwrap(), "demo".parse().unwrap(), String::new());
        let place = Place { life: Incarnation { node: NodeId(1), start: 1 }, node, cluster, users };
        let deactivator = Deactivator::new(Cgroup::at("/nowhere"), "demo".into(), "bob".into(), drop);
        let (mut server, told, _acts) = Server::new(listener, place, deactivator).unwrap();
        (0..=WORDS_PER_TURN).for_each(|_| told.open());
        server.bell.hush();
        let rings = |server: &Server| {
            let mut waits = [PollFd::new(&*server.bell, PollFlags::IN)];
            poll(&mut waits, Some(&timespec(Span::ZERO))).unwrap() == 1
        };
        assert!(server.deliver(&mut Nobody) && rings(&server), "one is left for the next turn");
        server.bell.hush();
        assert!(server.deliver(&mut Nobody) && !rings(&server));
        told.end();
        assert!(!server.deliver(&mut Nobody));
    }
}
