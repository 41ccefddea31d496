//! Stories of clients at the socket: welcomed, heard, told, checked, deactivated, dropped alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use phalanx_exec::Cgroup;
use phalanx_groups::domain::{
    Attributes, Change, Deactivation, Flag, LocalName, Message, Name, Notice, Phases, Proposal, ProviderId,
    Service, Standing, StateValue, Summary,
};
use phalanx_groups::services::{ClientAct, ClientEvent, ClientId};
use phalanx_providers::{Act, Acts, Daemon, Deactivated, Deactivator, Place, Server, Told, listen, path};
use phalanx_sandbox::{CgroupGuard, SCRATCH, alone};
use phalanx_session::{
    Adapter, Executable, Greeting, Heard, Hello, News, Request, Responsiveness, Session, Told as Say, Turned,
    VERSION, Versions, Wants, Welcome, Wish, frame,
};
use phalanx_types::limits::{GS_REQUESTS_BYTES_MAX, GS_REQUESTS_MAX};
use phalanx_types::{Incarnation, NodeId, Span};
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
const ME: Incarnation = Incarnation { node: NodeId(2), start: 7 };

/// A server, and the end where a daemon would be.
struct Site {
    run_dir: PathBuf,
    told: Told,
    acts: Acts,
    dropped: Receiver<&'static str>,
    deactivated: Receiver<Deactivated>,
    server: Option<JoinHandle<()>>,
}

struct Porter(Sender<&'static str>);

impl Daemon for Porter {
    fn adapter(&mut self, address: IpAddr) -> Option<Adapter> {
        let known = address == IpAddr::from([10, 11, 0, 1]);
        known.then(|| Adapter { node: NodeId(1), network: "client".parse().unwrap(), interface: None })
    }

    fn dropped(&mut self, _: &str, why: &'static str) {
        // A test that looks at nothing any more.
        let _ = self.0.send(why);
    }
}

impl Site {
    fn new(name: &str) -> Site {
        let run_dir = std::env::temp_dir().join(format!("phalanx-providers-{}-{name}", std::process::id()));
        Site::at(run_dir, Cgroup::at("/nowhere"))
    }

    fn at(run_dir: PathBuf, cgroup: Cgroup) -> Site {
        let listener = listen(&run_dir, "no-such-group").unwrap();
        let (ended, deactivated) = mpsc::channel();
        let report = move |how| drop(ended.send(how));
        let deactivator = Deactivator::new(cgroup, "demo".into(), "bob".into(), report);
        let (cluster, node) = ("demo".parse().unwrap(), "bob".parse().unwrap());
        let place = Place { life: ME, node, cluster, users: "no-such-group".into() };
        let (mut server, told, acts) = Server::new(listener, place, deactivator).unwrap();
        let (sender, dropped) = mpsc::channel();
        let serve = move || server.run(&mut Porter(sender)).unwrap();
        told.open();
        Site { run_dir, told, acts, dropped, deactivated, server: Some(thread::spawn(serve)) }
    }

    fn client(&self, hello: &Hello) -> Client {
        let mut client = Client::connect(self, hello);
        let Some(Heard::Welcome(Welcome { client: id, .. })) = client.hear() else { panic!("no welcome") };
        Client { id: ClientId(id), ..client }
    }

    /// What a client does next.
    fn act(&self) -> (ClientId, ClientAct) {
        let Act { client, act, .. } = self.whole_act();
        (client, act)
    }

    /// The next act of a client, waiting for it. It is under way until it is dropped.
    fn whole_act(&self) -> Act {
        loop {
            if let Some(act) = self.acts.take() {
                return act;
            }
            self.acts.hush();
            let mut fds = [PollFd::new(&self.acts, PollFlags::IN)];
            let limit = rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 };
            assert_eq!(poll(&mut fds, Some(&limit)).unwrap(), 1, "nobody does anything");
        }
    }

    fn tell(&self, client: &Client, event: ClientEvent) {
        self.told.events(vec![(client.id, event)]);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.told.end();
        self.server.take().map(JoinHandle::join).unwrap().unwrap();
        let _ = fs::remove_dir_all(&self.run_dir);
    }
}

struct Client {
    id: ClientId,
    stream: UnixStream,
    session: Session,
}

impl Client {
    fn connect(site: &Site, hello: &Hello) -> Client {
        let stream = UnixStream::connect(path(&site.run_dir)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut client = Client { id: ClientId(0), stream, session: Session::new(hello) };
        client.flush();
        client
    }

    fn ask(&mut self, request: &Request) {
        self.session.request(request).unwrap();
        self.flush();
    }

    fn flush(&mut self) {
        let unsent = self.session.unsent().to_vec();
        self.stream.write_all(&unsent).unwrap();
        self.session.sent(unsent.len());
    }

    /// What it hears next; nothing once the connection has ended.
    fn hear(&mut self) -> Option<Heard> {
        loop {
            if let Some(heard) = self.session.hear().unwrap() {
                return Some(heard);
            }
            let mut buffer = [0; 4_096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(length) => self.session.receive(&buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn told(&mut self) -> Option<Say> {
        match self.hear()? {
            Heard::Told(told) => Some(told),
            Heard::Welcome(_) => panic!("it is welcomed once"),
        }
    }
}

fn hello() -> Hello {
    Hello { name: LocalName::new("counter").unwrap(), deactivate: None, responsiveness: None }
}

fn group() -> Name {
    Name::new("web").unwrap()
}

fn goodbye() -> Request {
    Request::Goodbye { group: group(), instance: 1 }
}

fn standing(nodes: &[u16], state: u8) -> Standing {
    let provider =
        |node: &u16| ProviderId { life: Incarnation { node: NodeId(*node), start: 1 }, instance: 1 };
    Standing { members: nodes.iter().map(provider).collect(), state: StateValue::new(vec![state]).unwrap() }
}

#[test]
fn a_client_is_welcomed_heard_and_told() {
    let site = Site::new("told");
    let mut client = site.client(&hello());
    let (local, attributes) = (LocalName::new("x").unwrap(), Attributes::default());
    client.ask(&Request::Join {
        group: group(),
        instance: 3,
        local: local.clone(),
        attributes: attributes.clone(),
    });
    assert_eq!(site.act(), (client.id, ClientAct::Join { group: group(), instance: 3, local, attributes }));
    site.tell(&client, ClientEvent::NotYours { group: group(), instance: 3 });
    assert_eq!(client.told(), Some(Say::NotYours { group: group(), instance: 3 }));
    client.ask(&Request::Adapter { number: 5, address: IpAddr::from([10, 11, 0, 1]) });
    client.ask(&Request::Adapter { number: 6, address: IpAddr::from([10, 11, 0, 9]) });
    assert!(matches!(client.told(), Some(Say::Adapter { number: 5, adapter: Some(_) })));
    assert_eq!(client.told(), Some(Say::Adapter { number: 6, adapter: None }));
}

#[test]
fn who_quits_or_just_goes_is_gone_for_the_core() {
    let site = Site::new("quit");
    let (mut quits, goes) = (site.client(&hello()), site.client(&hello()));
    quits.ask(&Request::Quit);
    assert_eq!(site.act(), (quits.id, ClientAct::Quit));
    assert_eq!(quits.told(), None, "its connection ends");
    let id = goes.id;
    drop(goes);
    assert_eq!(site.act(), (id, ClientAct::Quit));
}

#[test]
fn who_speaks_another_version_is_told_so() {
    let site = Site::new("version");
    let mut stream = UnixStream::connect(path(&site.run_dir)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let newer = Versions { oldest: VERSION.newest + 1, newest: VERSION.newest + 1 };
    stream.write_all(&frame(&hello().write(newer)).unwrap()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let (version, greeting) = Greeting::read(&answer[4..]).unwrap();
    assert_eq!((version, greeting), (VERSION.newest, Greeting::Turned(Turned::Foreign)));
}

#[test]
fn garbage_is_dropped_alone() {
    let site = Site::new("garbage");
    let mut well = site.client(&hello());
    let mut stranger = UnixStream::connect(path(&site.run_dir)).unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(site.dropped.recv_timeout(LIMIT).unwrap(), "says what is no request");
    let mut mad = site.client(&hello());
    mad.stream.write_all(&frame(&[0xff]).unwrap()).unwrap();
    assert_eq!(site.dropped.recv_timeout(LIMIT).unwrap(), "says what is no request");
    assert_eq!(site.act(), (mad.id, ClientAct::Quit), "its providers fail, and the stranger had none");
    well.ask(&goodbye());
    assert_eq!(site.act().0, well.id);
}

#[test]
fn who_floods_is_dropped_alone() {
    let site = Site::new("flood");
    let (mut well, mut floods) = (site.client(&hello()), site.client(&hello()));
    for _ in 0..=GS_REQUESTS_MAX {
        floods.session.request(&goodbye()).unwrap();
    }
    floods.flush();
    assert_eq!(site.dropped.recv_timeout(LIMIT).unwrap(), "asks for more than may be under way");
    let acts: Vec<_> = std::iter::from_fn(|| Some(site.act())).take(GS_REQUESTS_MAX + 1).collect();
    assert!(acts.iter().all(|(client, _)| *client == floods.id));
    assert_eq!(acts.last().map(|(_, act)| act), Some(&ClientAct::Quit));
    well.ask(&goodbye());
    assert_eq!(site.act().0, well.id);
}

#[test]
fn who_has_as_much_under_way_as_may_be_goes_on_once_it_was_taken_in() {
    let site = Site::new("busy");
    let mut client = site.client(&hello());
    for _ in 0..3 {
        (0..GS_REQUESTS_MAX).for_each(|_| client.session.request(&goodbye()).unwrap());
        client.flush();
        (0..GS_REQUESTS_MAX).for_each(|_| assert_ne!(site.act().1, ClientAct::Quit));
    }
}

#[test]
fn of_who_says_much_no_more_is_read_until_it_was_taken_in() {
    const MESSAGES: usize = 40;
    let site = Site::new("much");
    let mut client = site.client(&hello());
    let message = Some(Message::new(vec![7; 64 << 10]).unwrap());
    let request = Request::Propose {
        group: group(),
        instance: 1,
        wish: Wish::Message(Service::Agreed),
        message,
        phases: Phases::One,
    };
    let frame = frame(&request.write()).unwrap();
    let talks = thread::spawn(move || {
        (0..MESSAGES).for_each(|_| client.stream.write_all(&frame).unwrap());
        client
    });
    // Whatever it has sent by now: beside what one read brings no more than the limit is under way.
    let held: Vec<Act> = (0..GS_REQUESTS_BYTES_MAX >> 16).map(|_| site.whole_act()).collect();
    assert!(site.dropped.recv_timeout(Duration::from_millis(50)).is_err(), "it is not dropped");
    assert!(site.acts.take().is_none(), "{} of {MESSAGES} are under way, and no more", held.len());
    drop(held);
    (0..MESSAGES - (GS_REQUESTS_BYTES_MAX >> 16)).for_each(|_| drop(site.act()));
    assert_eq!(talks.join().unwrap().stream.take_error().unwrap().map(|error| error.kind()), None);
}

#[test]
fn who_does_not_listen_is_not_heard_until_it_does() {
    // More than the kernel keeps for it, less than what it would be dropped for.
    const MESSAGES: usize = 240;
    let site = Site::new("deaf");
    let (mut well, mut deaf) = (site.client(&hello()), site.client(&hello()));
    let change = Change::Message(Service::Agreed);
    let message = Some(Message::new(vec![7; 64 << 10]).unwrap());
    let proposal = Proposal { change, state: None, message };
    let (provider, standing) = (ProviderId { life: ME, instance: 1 }, standing(&[1], 0));
    let notice =
        Notice::Approved { protocol: 1, from: None, summary: Summary::default(), proposal, standing };
    for _ in 0..MESSAGES {
        let notice = notice.clone();
        site.tell(&deaf, ClientEvent::Provider { group: group(), provider, notice });
    }
    site.tell(&well, ClientEvent::NotYours { group: group(), instance: 1 });
    assert!(well.told().is_some(), "the other was told everything before");
    deaf.ask(&goodbye());
    for _ in 0..2 {
        well.ask(&goodbye());
        assert_eq!(site.act().0, well.id);
    }
    (0..MESSAGES).for_each(|_| assert!(matches!(deaf.told(), Some(Say::Provider { .. }))));
    assert_eq!(site.act(), (deaf.id, ClientAct::Goodbye { group: group(), instance: 1 }));
    assert_eq!(site.dropped.try_recv().ok(), None);
}

#[test]
fn who_does_not_read_is_dropped_alone() {
    let site = Site::new("slow");
    let (mut well, slow) = (site.client(&hello()), site.client(&hello()));
    let long = standing(&[1; 500], 0);
    for client in [&well, &slow] {
        let mut stream = client.stream.try_clone().unwrap();
        let wants = Wants { members: true, ..Wants::default() };
        stream.write_all(&frame(&Request::Subscribe { group: group(), wants }.write()).unwrap()).unwrap();
        assert!(matches!(site.act().1, ClientAct::Subscribe { .. }));
    }
    let reader = thread::spawn(move || {
        let mut heard = 0;
        while let Some(Say::Subscriber { .. }) = well.told() {
            heard += 1;
        }
        (well, heard)
    });
    let mut rounds = 0;
    let why = loop {
        for _ in 0..16 {
            rounds += 1;
            let mut standing = long.clone();
            standing.members[0].instance = rounds;
            let notice = Notice::Changed { changing: BTreeSet::new(), standing };
            let event = |id| (id, ClientEvent::Subscriber { group: group(), notice: notice.clone() });
            site.told.events(vec![event(slow.id), event(ClientId(slow.id.0 - 1))]);
        }
        if let Ok(why) = site.dropped.recv_timeout(Duration::from_millis(2)) {
            break why;
        }
    };
    assert_eq!(why, "does not read what it is told");
    assert_eq!(site.act(), (slow.id, ClientAct::Quit));
    site.told.events(vec![(ClientId(slow.id.0 - 1), ClientEvent::Dissolved)]);
    assert_eq!(reader.join().unwrap().1, rounds, "the other has heard all of it");
}

#[test]
fn a_subscriber_hears_what_it_wants() {
    let site = Site::new("news");
    let mut client = site.client(&hello());
    client.ask(&Request::Subscribe { group: group(), wants: Wants { state: true, ..Wants::default() } });
    assert_eq!(site.act(), (client.id, ClientAct::Subscribe { group: group() }));
    for (nodes, state) in [([1].as_slice(), 1), (&[1, 2], 1), (&[1, 2], 2)] {
        let notice = Notice::Changed { changing: BTreeSet::new(), standing: standing(nodes, state) };
        site.tell(&client, ClientEvent::Subscriber { group: group(), notice });
    }
    site.tell(&client, ClientEvent::Subscriber { group: group(), notice: Notice::Dissolved });
    let mut states = Vec::new();
    while let Some(Say::Subscriber {
        news: News::Changed { state: Some(state), members: None, .. }, ..
    }) = client.told()
    {
        states.extend_from_slice(state.bytes());
    }
    assert_eq!(states, [1, 2]);
}

#[test]
fn whose_group_is_dissolved_is_told_and_stays() {
    let site = Site::new("merged");
    let mut client = site.client(&hello());
    let (provider, notice) = (ProviderId { life: ME, instance: 1 }, Notice::Dissolved);
    site.tell(&client, ClientEvent::Provider { group: group(), provider, notice });
    let told = Say::Provider { group: group(), provider, notice: phalanx_session::Notice::Dissolved };
    assert_eq!(client.told(), Some(told));
    client.ask(&Request::Goodbye { group: group(), instance: 2 });
    assert_eq!(site.act(), (client.id, ClientAct::Goodbye { group: group(), instance: 2 }));
}

#[test]
fn who_is_dissolved_is_told_and_let_go() {
    let site = Site::new("dissolved");
    let mut client = site.client(&hello());
    site.tell(&client, ClientEvent::Dissolved);
    assert_eq!((client.told(), client.told()), (Some(Say::Dissolved), None));
    assert_eq!(site.act(), (client.id, ClientAct::Quit));
}

#[test]
fn who_stops_to_answer_is_told_to_the_core_and_when_it_answers_again() {
    let site = Site::new("pulse");
    let often = Responsiveness { interval: Span::from_millis(100), limit: Span::from_millis(50) };
    let mut client = site.client(&Hello { responsiveness: Some(often), ..hello() });
    for round in 1..=3 {
        assert_eq!(client.told(), Some(Say::Ping { number: round }));
        assert_eq!(site.act(), (client.id, ClientAct::Responsive { responsive: false }));
        client.ask(&Request::Pong { number: round, well: true });
        assert_eq!(site.act(), (client.id, ClientAct::Responsive { responsive: true }));
    }
}

#[test]
fn the_expelled_are_deactivated_together_and_a_command_has_its_time() {
    alone(|| {
        let root = Cgroup::root(&format!("phalanx-test-{}", phalanx_host::now().0)).unwrap();
        let _guard = CgroupGuard(root.path());
        let site = Site::at(format!("{SCRATCH}/run").into(), root.child("@deactivate"));
        let script = format!("{SCRATCH}/off");
        fs::write(&script, "#!/bin/sh\necho $1 $2 $3 $4 $PHALANX_GROUP\n[ $3 = hang ] && sleep 60\nexit 0\n")
            .unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let client = site.client(&Hello { deactivate: Executable::new(&script), ..hello() });
        let id = client.id;
        let expel = |flag: &str, instance| {
            let how = Deactivation { flag: Flag::new(flag).unwrap(), limit: Span::from_millis(1_500) };
            let provider = ProviderId { life: ME, instance };
            (id, ClientEvent::Provider { group: group(), provider, notice: Notice::Deactivate(how) })
        };
        site.told.events(vec![expel("off", 1), expel("off", 2)]);
        let well = site.deactivated.recv_timeout(LIMIT).unwrap();
        let said = format!("{} 2 off 1,2 web", std::process::id());
        assert!(well.well && well.how.contains(&said), "{well:?}");
        site.told.events(vec![expel("hang", 1)]);
        let hangs = site.deactivated.recv_timeout(LIMIT).unwrap();
        assert!(!hangs.well && hangs.how.contains("did not end in time"), "{hangs:?}");
        drop(client);
        assert_eq!(site.act(), (id, ClientAct::Quit));
        site.told.events(vec![expel("late", 1)]);
        let late = site.deactivated.recv_timeout(LIMIT).unwrap();
        assert!(late.well && late.how.contains("late 1 web"), "its client is gone: {late:?}");
        let bare = site.client(&hello());
        let (_, event) = expel("off", 1);
        site.told.events(vec![(bare.id, event)]);
        assert!(!site.deactivated.recv_timeout(LIMIT).unwrap().well);
    });
}
