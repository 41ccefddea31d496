//! A node goes mad: it throws random, cut, changed, replayed and foreign datagrams at the others, and sealed rubbish too. They
//! count it, drop it, and go on as if nothing had come.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hosts;

use hosts::{all_in_one_view, end, members, program, start, status, three_nodes, within};
use phalanx_journal::{StateDir, stamp::life_floor};
use phalanx_sandbox::{SCRATCH, eventually};
use phalanx_types::{ClusterId, NodeId, NodeSet, ViewId};
use phalanx_udp::{Challenge, ClusterKey, Identity, PORT_DEFAULT, Seal};
use std::env::args;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::ExitCode;

/// Datagrams thrown at each of the others.
const THROWN: u64 = 4_000;
/// Genuine datagrams that are kept, to be cut, changed and played again.
const KEPT: usize = 64;

fn main() -> ExitCode {
    match args().nth(1).as_deref() {
        Some("throw") => throw(),
        Some(_) | None => program(story),
    }
}

fn story() {
    let (mut guards, mut daemons) = three_nodes();
    end(&mut daemons[2]);
    let two =
        || status("ada").filter(|status| members(status) == ["ada", "bob"] && status["primary"] == true);
    eventually("the other two go on without cyd", || two().is_some());
    let before = two().unwrap();

    assert!(within("cyd").arg("throw").status().unwrap().success(), "everything was thrown");

    let after = two().expect("ada answers, and is in the same company");
    for key in ["view", "config", "config_version", "generation", "start"] {
        assert_eq!(before[key], after[key], "{key}");
    }
    assert_eq!(before["daemon"]["pid"], after["daemon"]["pid"]);
    assert!(after["lease_left"].as_u64() > Some(0), "and has its lease");
    let dropped = after["daemon"]["dropped"].as_object().unwrap();
    for reason in ["malformed", "cluster", "forged", "replay"] {
        assert!(dropped.get(reason).and_then(|count| count.as_u64()) > Some(0), "{reason} in {dropped:?}");
    }

    daemons[2] = start("cyd");
    all_in_one_view();
    daemons.iter_mut().chain(&mut guards).for_each(end);
}

/// Cyd, gone mad: it has the key and keeps sessions, and means nothing that it says.
fn throw() -> ExitCode {
    let dir = StateDir::look(Path::new(&format!("{SCRATCH}/cyd/state"))).unwrap();
    let (identity, secret) = (dir.identity().unwrap(), dir.secret(None).unwrap());
    let me = dir.begin_life(&identity, life_floor()).unwrap();
    let of = |cluster, key| Identity {
        cluster,
        key_epoch: secret.key_epoch,
        key: ClusterKey(key),
        me,
        challenge: Challenge([0x5a; 32]),
    };
    let everybody = || NodeSet::from_iter([1, 2, 3].map(NodeId));
    let mut mad = Mad {
        seal: Seal::new(of(identity.cluster, secret.key), everybody()),
        foreign: Seal::new(of(ClusterId([0xee; 16]), secret.key), everybody()),
        forger: Seal::new(of(identity.cluster, [7; 32]), everybody()),
        socket: UdpSocket::bind(("10.11.0.3", PORT_DEFAULT)).unwrap(),
        kept: Vec::new(),
        dice: 0x9e37_79b9_7f4a_7c15,
    };
    mad.socket.set_nonblocking(true).unwrap();
    (0..THROWN).for_each(|_| [1, 2].into_iter().for_each(|node| mad.throw_at(NodeId(node))));
    assert!(mad.kept.len() >= KEPT, "there were sessions: {}", mad.kept.len());
    ExitCode::SUCCESS
}

struct Mad {
    seal: Seal,
    /// Of another cluster.
    foreign: Seal,
    /// Of this one, by a wrong key.
    forger: Seal,
    socket: UdpSocket,
    kept: Vec<Vec<u8>>,
    dice: u64,
}

impl Mad {
    fn throw_at(&mut self, node: NodeId) {
        self.listen();
        let body = self.noise(1_100);
        let (view, lane) = (ViewId { counter: self.roll(), coordinator: node }, (self.roll() % 4) as u8);
        let datagram = match self.roll() % 8 {
            0 | 1 => self.noise(1_500),
            2 => self.foreign.seal(node, lane, view, &body).unwrap(),
            3 => self.forger.seal(node, lane, view, &body).unwrap(),
            4 => self.pick(),
            5 => self.cut(),
            6 => self.changed(),
            _ => self.genuine(node, lane, view, &body),
        };
        // A full buffer loses one, as any network may.
        let _ = self.socket.send_to(&datagram, SocketAddr::from(([10, 11, 0, node.0 as u8], PORT_DEFAULT)));
    }

    /// Hears the others out, so that sessions come about.
    fn listen(&mut self) {
        let mut buffer = [0; 2_048];
        while let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            if let Ok(phalanx_udp::Opened::Hello { answer: Some(answer) }) = self.seal.open(&buffer[..length])
            {
                let _ = self.socket.send_to(&answer, source);
            }
        }
    }

    fn genuine(&mut self, node: NodeId, lane: u8, view: ViewId, body: &[u8]) -> Vec<u8> {
        let datagram = self.seal.seal(node, lane, view, body).unwrap();
        if self.kept.len() < 2 * KEPT {
            self.kept.push(datagram.clone());
        }
        datagram
    }

    fn pick(&mut self) -> Vec<u8> {
        let at = self.roll() as usize;
        self.kept.get(at % self.kept.len().max(1)).cloned().unwrap_or_default()
    }

    fn cut(&mut self) -> Vec<u8> {
        let mut datagram = self.pick();
        datagram.truncate(self.roll() as usize % datagram.len().max(1));
        datagram
    }

    fn changed(&mut self) -> Vec<u8> {
        let (mut datagram, at) = (self.pick(), self.roll() as usize);
        let length = datagram.len().max(1);
        if let Some(byte) = datagram.get_mut(at % length) {
            *byte ^= 1 << (at % 8);
        }
        datagram
    }

    fn noise(&mut self, length_max: u64) -> Vec<u8> {
        let length = self.roll() % length_max;
        (0..length).map(|_| self.roll() as u8).collect()
    }

    /// Xorshift: the same rubbish each time.
    fn roll(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice >> 11
    }
}
