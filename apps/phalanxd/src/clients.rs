//! The threads that serve clients of Group Services, and what they need of the daemon.
//!
//! The real-time thread takes the clients' acts a few at a time, and none while much of what they want said waits: then
//! their requests wait where they are, and a client that goes on asking is dropped.

use crate::error::StartError;
use crate::inbox::{Post, Word};
use crate::remark::Remark;
use crate::settings::Settings;
use phalanx_exec::Cgroup;
use phalanx_groups::services::{ClientEvent, ClientId};
use phalanx_model::Cluster;
use phalanx_netlink::Netlink;
use phalanx_node::{Input, Node};
use phalanx_providers::{Act, Acts, Daemon, Deactivator, Place, Server, Told, listen};
use phalanx_session::{Adapter, Interface};
use phalanx_types::limits::{GS_REQUESTS_PER_TURN, GS_UNSAID_MAX};
use phalanx_types::{Incarnation, NodeId, ViewId};
use std::io;
use std::mem;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

const STACK_BYTES: usize = 512 * 1024;
/// Where deactivate commands run, below the cgroup for resources. No resource group has such a name.
const CGROUP: &str = "@deactivate";

/// The clients, as the real-time thread has them.
pub struct Clients {
    told: Told,
    acts: Acts,
    events: Vec<(ClientId, ClientEvent)>,
    is_open: bool,
    /// Some acts were left, for much waits to be said.
    is_behind: bool,
    cluster: Shared,
    thread: JoinHandle<()>,
}

/// The active configuration, where another thread can see it. Nobody holds the lock longer than a pointer takes.
type Shared = Arc<Mutex<Arc<Cluster>>>;

struct Porter {
    me: NodeId,
    cluster: Shared,
    post: Post,
}

impl Clients {
    /// Begins to serve on the socket of the run directory. Nobody is let in before the node has a view.
    pub fn begin(
        settings: &Settings,
        me: Incarnation,
        cluster: &Arc<Cluster>,
        cgroup: &Cgroup,
        post: Post,
    ) -> Result<Clients, StartError> {
        let listener = listen(&settings.run_dir, &settings.clients).map_err(StartError::Socket)?;
        let node =
            cluster.nodes.get(&me.node).map(|node| node.name.clone()).expect("it was born in this cluster");
        let place = Place { life: me, node, cluster: cluster.name.clone(), users: settings.clients.clone() };
        let (name, report) = (place.node.to_string(), post.clone());
        let deactivated = move |how| report.send(Word::Remark(Remark::deactivated(how)));
        let deactivator = Deactivator::new(cgroup.child(CGROUP), cluster.name.to_string(), name, deactivated);
        let (server, told, acts) = Server::new(listener, place, deactivator)?;
        let cluster = Arc::new(Mutex::new(Arc::clone(cluster)));
        let porter = Porter { me: me.node, cluster: Arc::clone(&cluster), post };
        let thread = serve(server, porter)?;
        Ok(Clients { told, acts, events: Vec::new(), is_open: false, is_behind: false, cluster, thread })
    }

    /// Hands to `step` some of what clients did. The rest is for the next turn of the thread.
    pub fn take(&mut self, node: &Node) -> Vec<Act> {
        self.acts.hush();
        self.is_behind = node.unsaid() >= GS_UNSAID_MAX;
        if self.is_behind {
            return Vec::new();
        }
        let acts: Vec<Act> = std::iter::from_fn(|| self.acts.take()).take(GS_REQUESTS_PER_TURN).collect();
        if acts.len() == GS_REQUESTS_PER_TURN {
            self.acts.ring();
        }
        acts
    }

    /// Whether acts were left that are to be taken as soon as there is room again.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// A client is to hear something, once the step is done that says it.
    pub fn tell(&mut self, client: ClientId, event: ClientEvent) {
        self.events.push((client, event));
    }

    /// A step is done: what it said goes out at once; with the first view clients are let in.
    pub fn stepped(&mut self, node: &Node) {
        if !self.is_open && node.view().is_some_and(|view| view.id != ViewId::NONE) {
            self.is_open = true;
            self.told.open();
        }
        if !self.events.is_empty() {
            self.told.events(mem::take(&mut self.events));
        }
    }

    /// Another configuration is active.
    pub fn follow(&self, cluster: &Arc<Cluster>) {
        *self.cluster.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(cluster);
    }

    /// Ends the server; its clients see their connections end.
    pub fn end(self) {
        self.told.end();
        // A server that broke down has said so on standard error.
        let _ = self.thread.join();
    }
}

impl AsFd for Clients {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.acts.as_fd()
    }
}

/// What clients did, as an input of the core. The acts are under way until the input is taken in.
pub fn input(acts: &[Act]) -> Input {
    Input::Clients(acts.iter().map(|act| (act.client, act.act.clone())).collect())
}

fn serve(mut server: Server, mut porter: Porter) -> io::Result<JoinHandle<()>> {
    let work = move || {
        // If it is refused the main thread's own attempt tells why.
        let _ = phalanx_realtime::make_helper();
        if let Err(error) = server.run(&mut porter) {
            eprintln!("phalanxd: the socket of Group Services is closed: {error}");
        }
    };
    thread::Builder::new().name("clients".into()).stack_size(STACK_BYTES).spawn(work)
}

impl Daemon for Porter {
    fn adapter(&mut self, address: IpAddr) -> Option<Adapter> {
        let cluster = Arc::clone(&self.cluster.lock().unwrap_or_else(PoisonError::into_inner));
        let (node, network) = cluster.nodes.iter().find_map(|(node, configured)| {
            let network = configured.addresses.iter().find(|(_, addresses)| addresses.contains(&address))?;
            Some((*node, *network.0))
        })?;
        let network = cluster.networks.get(&network)?.name.clone();
        let interface = if node == self.me { interface_with(address) } else { None };
        Some(Adapter { node, network, interface })
    }

    fn dropped(&mut self, client: &str, why: &'static str) {
        self.post.send(Word::Remark(Remark::ClientDropped { client: client.to_owned(), why }));
    }
}

/// The interface of this host that has an address. None if the kernel does not say.
fn interface_with(address: IpAddr) -> Option<Interface> {
    let mut netlink = Netlink::open().ok()?;
    let index = netlink.holders(address).ok()?.first()?.interface;
    let interfaces = netlink.interfaces().ok()?;
    Interface::new(&interfaces.iter().find(|interface| interface.index == index)?.name)
}
