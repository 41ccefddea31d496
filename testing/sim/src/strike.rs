//! Where faults strike, how they are lifted, and how everything heals.

use crate::disk::DiskHealth;
use crate::fault::{Fault, Strike};
use crate::host::Host;
use crate::net::{Link, Trouble};
use crate::node::Factory;
use crate::world::{Happening, World};
use phalanx_conduct::{Reply, Request};
use phalanx_model::Quorum;
use phalanx_node::Input;
use phalanx_oracle::{HoldEnd, What};
use phalanx_types::{GroupName, NetworkId, NodeId, RequestId, Span};
use std::collections::BTreeSet;

/// The network that service addresses are on.
const SERVICE_NETWORK: u8 = 0;
/// The fault that outlasts all others.
const FOR_GOOD: u32 = u32::MAX;
/// How long what heals waits for hosts that are still away.
const HEALED_TRIES: u32 = 20;

impl<F: Factory> World<F> {
    pub(crate) fn strikes(&mut self, index: usize) {
        let strike = self.strikes[index];
        if strike.fault == Fault::Form {
            return self.lose_most();
        }
        if self.rescue.as_ref().is_some_and(|rescue| !rescue.bears(strike.fault)) {
            return;
        }
        if let Some(host) = self.strike_somewhere(index, &strike) {
            self.later(strike.span, Happening::Lifts { strike: index, host: host as u8 });
        }
    }

    pub(crate) fn lay(&mut self, host: usize, fault: u32, troubles: &[Trouble]) {
        self.net.lay(fault, troubles);
        self.tell_links(host);
    }

    pub(crate) fn lift(&mut self, host: usize, fault: u32) {
        self.net.lift(fault);
        self.tell_links(host);
    }

    /// Shows the oracle that the networks carry something else; it is told by way of this host, and concerns all.
    pub(crate) fn tell_links(&mut self, host: usize) {
        let noisy = self.net.is_noisy();
        self.tell(host, What::LinksChanged { noisy });
    }

    /// Strikes a host, if there is one to strike; says which.
    fn strike_somewhere(&mut self, index: usize, strike: &Strike) -> Option<usize> {
        let host = self.victim(strike.fault)?;
        if strike.counts {
            let (kind, span) = (strike.class.name(), strike.span);
            self.tell(host, What::Fault { kind, words: format!("{} ({span})", strike.fault) });
        }
        match strike.fault {
            Fault::CrashHost => self.crash_host(host, strike.span),
            Fault::CrashDaemon => self.crash_daemon(host, strike.span),
            Fault::Pause => self.stop_daemon(host, strike.span),
            Fault::Restart => self.restart(host, strike.span),
            Fault::Net(troubles) => {
                self.lay(host, index as u32, &troubles.into_iter().flatten().collect::<Vec<_>>());
            }
            Fault::Adapter { network, silent } => self.adapter_dies(index as u32, host, network, silent),
            Fault::Address => self.address_is_taken(host),
            Fault::Operations(ailment) => self.hosts[host].resources.ail(index as u32, ailment),
            Fault::Application => self.end_application(host),
            Fault::Disk(health) => self.hosts[host].journal.set_health(health),
            Fault::Deadman => self.deadman_dies(host),
            Fault::Operator => self.operator(host),
            Fault::Change => {
                let request = self.change_of_policy();
                self.ask(host, request);
            }
            Fault::AllDaemons => self.all_daemons_crash(strike.span),
            Fault::AllHosts => self.all_hosts_crash(strike.span),
            Fault::Freeze => self.freeze(host, strike.span, false),
            Fault::FreezeWithClock => self.freeze(host, strike.span, true),
            // Struck before any host is picked.
            Fault::Form => {}
        }
        Some(host)
    }

    /// Somebody whom this can strike; in half of the cases somebody who holds a group, if there is one.
    fn victim(&mut self, fault: Fault) -> Option<usize> {
        let fits: Vec<_> =
            (0..self.hosts.len()).filter(|host| can_strike(&self.hosts[*host], fault)).collect();
        let holds = |host: &usize| self.hosts[*host].resources.holding();
        let holders: Vec<_> = fits.iter().copied().filter(holds).collect();
        let among = if self.targets.coin() && !holders.is_empty() { &holders } else { &fits };
        self.targets.pick(among).copied()
    }

    pub(crate) fn lifts(&mut self, index: usize, host: usize) {
        if self.healing {
            return;
        }
        match self.strikes[index].fault {
            Fault::Net(_) => self.lift(host, index as u32),
            Fault::Adapter { network, .. } => {
                self.lift(host, index as u32);
                self.plug(host, index as u32, network);
            }
            Fault::Operations(_) => self.hosts[host].resources.cure(index as u32),
            Fault::Disk(_) => self.hosts[host].journal.set_health(DiskHealth::Well),
            Fault::Deadman => self.deadman_returns(host),
            // What these took down comes back by itself.
            Fault::CrashHost
            | Fault::CrashDaemon
            | Fault::Pause
            | Fault::Restart
            | Fault::Address
            | Fault::Application
            | Fault::Operator
            | Fault::Change
            | Fault::AllDaemons
            | Fault::AllHosts
            | Fault::Freeze
            | Fault::FreezeWithClock
            | Fault::Form => (),
        }
    }

    pub(crate) fn restart(&mut self, host: usize, away: Span) {
        self.hosts[host].away = Some(away);
        let start = self.hosts[host].starts;
        self.answer(host, start, Input::Shutdown);
    }

    /// Nothing passes by a host's adapter on this lane.
    pub(crate) fn adapter_dies(&mut self, fault: u32, host: usize, lane: u8, silent: bool) {
        let (networks, one) = (1 << lane, 1 << host);
        let cut = |from, to| Trouble { networks, from, to, link: Link::CUT };
        self.lay(host, fault, &[cut(one, !0), cut(!0, one)]);
        if !silent {
            self.hosts[host].unplugged.insert((fault, lane));
        }
        self.carrier(host, lane);
    }

    /// What kept a host's adapter on this lane from having a carrier is over.
    pub(crate) fn plug(&mut self, host: usize, fault: u32, lane: u8) {
        self.hosts[host].unplugged.remove(&(fault, lane));
        self.carrier(host, lane);
    }

    /// The carrier of an adapter may have changed.
    fn carrier(&mut self, host: usize, lane: u8) {
        let carriers = self.carriers(host, usize::from(SERVICE_NETWORK));
        self.hosts[host].resources.set_carriers(carriers);
        self.tell_carrier(host, lane);
    }

    /// Which of a host's adapters on a network have a carrier.
    fn carriers(&self, host: usize, network: usize) -> Vec<bool> {
        let lane = |adapter| self.setting.lane(network, adapter);
        (0..self.setting.adapters).map(|adapter| self.hosts[host].has_carrier(lane(adapter))).collect()
    }

    /// The kernel says that something changed about the adapters on a lane's network. One with a carrier is enough.
    pub(crate) fn tell_carrier(&mut self, host: usize, lane: u8) {
        let network = lane / self.setting.adapters as u8;
        let (start, up) = (self.hosts[host].starts, self.carriers(host, network.into()).contains(&true));
        self.answer(host, start, Input::Carrier { network: NetworkId(network), up });
    }

    /// Somebody takes an address off; the kernel says so.
    fn address_is_taken(&mut self, host: usize) {
        let addresses = self.hosts[host].resources.addresses_up();
        if let Some(index) = self.targets.pick(&addresses) {
            self.ends(host, *index, HoldEnd::LetGo, "taken off");
            self.tell_carrier(host, SERVICE_NETWORK);
        }
    }

    fn end_application(&mut self, host: usize) {
        let resources = &self.hosts[host].resources;
        let running: Vec<_> =
            resources.indices().filter(|index| resources.writer(*index).is_some()).collect();
        if let Some(index) = self.targets.pick(&running) {
            self.ends(host, *index, HoldEnd::LetGo, "signal 9");
        }
    }

    pub(crate) fn deadman_dies(&mut self, host: usize) {
        self.hosts[host].deadman.set_gone(true);
        self.tell(host, What::DeadmanGone { gone: true });
        let start = self.hosts[host].starts;
        if let Some(daemon) = self.hosts[host].living(start) {
            daemon.fed = None;
        }
        self.answer(host, start, Input::Unfed);
    }

    pub(crate) fn deadman_returns(&mut self, host: usize) {
        if self.hosts[host].deadman.is_gone() {
            self.hosts[host].deadman.set_gone(false);
            self.tell(host, What::DeadmanGone { gone: false });
            self.set_deadman(host);
        }
    }

    fn all_daemons_crash(&mut self, span: Span) {
        for host in 0..self.hosts.len() {
            if can_strike(&self.hosts[host], Fault::CrashDaemon) {
                let back = self.targets.span(Span::ZERO, span);
                self.crash_daemon(host, back);
            }
        }
    }

    fn all_hosts_crash(&mut self, span: Span) {
        for host in 0..self.hosts.len() {
            if can_strike(&self.hosts[host], Fault::CrashHost) {
                let back = self.targets.span(Span::from_millis(500), span);
                self.crash_host(host, back);
            }
        }
    }

    /// An operator asks a node for something that makes sense.
    fn operator(&mut self, host: usize) {
        if self.targets.below(4) == 0 {
            let request = self.change_of_policy();
            return self.ask(host, request);
        }
        let groups = &self.setting.groups;
        let group = &groups[self.targets.below(groups.len() as u64) as usize];
        let (name, nodes) = (group.name.clone(), group.nodes.clone());
        let to = *self.targets.pick(&nodes).expect("a group has nodes");
        let request = match self.targets.below(7) {
            6 => Request::ShrinkTimings,
            0..=2 => Request::Move { group: name, to },
            3 => Request::Restore { group: name },
            4 => Request::Online { group: name },
            _ => Request::Offline { group: name },
        };
        if let Request::Offline { group } = &request {
            self.excuse(host, group.clone());
        }
        self.ask(host, request);
    }

    /// A cluster file that changes what a group does when a better node joins, and nothing else.
    fn change_of_policy(&mut self) -> Request {
        let groups = &mut self.wanted.groups;
        let index = self.targets.below(groups.len() as u64) as usize;
        groups[index].falls_back = !groups[index].falls_back;
        Request::Apply { text: self.wanted.text() }
    }

    fn excuse(&mut self, host: usize, group: GroupName) {
        if self.excused.insert(group.clone()) {
            self.tell(host, What::Excused { group });
        }
    }

    pub(crate) fn ask(&mut self, host: usize, request: Request) {
        let start = self.hosts[host].starts;
        let Some(daemon) = self.hosts[host].living(start) else { return };
        self.requests += 1;
        let id = RequestId(self.requests);
        daemon.open.insert(id, request.clone());
        self.tell(host, What::Asked { id, words: format!("{request:?}") });
        self.answer(host, start, Input::Asked { id, request });
    }

    /// A group that was brought online again after healing is expected to be online.
    pub(crate) fn answered(&mut self, host: usize, request: &Request, reply: &Reply) {
        if let Request::Form { .. } = request {
            self.formed(reply);
        }
        if let (true, Request::Online { group }, Reply::Done { .. }) = (self.healing, request, reply) {
            self.excused.remove(group);
            self.tell(host, What::Expected { group: group.clone() });
        }
    }

    /// Every fault ends. In one seed of four a minority stays away for ever; in one of four of those with a second network
    /// an adapter is dead for ever.
    pub(crate) fn heals(&mut self) {
        self.healing = true;
        self.net.calm();
        self.tie_breaker.heal();
        self.tell_links(0);
        // Where not simply a majority decides, those that do are needed; and quorum `dynamic` may be about to come to that.
        let needed =
            self.setting.quorum == Quorum::Dynamic || self.charters().any(|charter| charter.few().is_some());
        if self.rescue.take().is_none() && !needed {
            self.retire_some();
        }
        for host in 0..self.hosts.len() {
            self.heal_host(host);
        }
        self.retire_an_adapter();
        self.later(self.phases.rest(&self.terms), Happening::Healed { tries: 0 });
    }

    fn retire_some(&mut self) {
        let minority = (self.hosts.len() - 1) / 2;
        let count = if self.targets.below(4) == 0 { self.targets.below(minority as u64 + 1) } else { 0 };
        for _ in 0..count {
            let host = self.targets.below(self.hosts.len() as u64) as usize;
            self.hosts[host].retired = true;
            if self.hosts[host].up {
                self.crash_host(host, Span::ZERO);
            }
        }
    }

    fn retire_an_adapter(&mut self) {
        let here: Vec<usize> = (0..self.hosts.len()).filter(|host| !self.hosts[*host].retired).collect();
        let chosen = (self.targets.below(4) == 0, self.targets.pick(&here).copied(), self.targets.coin());
        if let (true, Some(host), silent) = chosen
            && self.setting.networks > 1
        {
            self.adapter_dies(FOR_GOOD, host, SERVICE_NETWORK, silent);
            self.tell(host, What::AdapterDead { silent });
        }
    }

    fn heal_host(&mut self, host: usize) {
        let target = &mut self.hosts[host];
        target.resources.cure_all();
        target.journal.set_health(DiskHealth::Well);
        if let Some(since) = target.ice.as_ref().map(|ice| ice.since) {
            self.thaws(host, since);
        }
        self.deadman_returns(host);
        let stopped = self.hosts[host].daemon.as_ref().and_then(|daemon| daemon.stopped.as_ref());
        if let Some(number) = stopped.map(|stopped| stopped.number) {
            self.resumes(host, number);
        }
        self.hosts[host].unplugged.clear();
        (0..self.setting.lanes() as u8).for_each(|lane| self.carrier(host, lane));
        let soon = self.targets.span(Span::from_millis(100), Span::from_secs(1));
        let boot = self.hosts[host].boots;
        match self.hosts[host].up {
            false => self.later(soon, Happening::PowersOn { host: host as u8, boot }),
            true => self.start_daemon_after(host, soon),
        }
    }

    fn core(&self) -> BTreeSet<NodeId> {
        self.hosts.iter().filter(|host| !host.retired).map(|host| host.id).collect()
    }

    /// All is well, once everybody who will come back is back.
    pub(crate) fn healed(&mut self, tries: u32) {
        let away = self.hosts.iter().any(|host| !host.retired && host.daemon.is_none());
        if away && tries < HEALED_TRIES {
            return self.later(Span::from_secs(1), Happening::Healed { tries: tries + 1 });
        }
        let core = self.core();
        let lowest = core.first().expect("a majority is never retired").0 as usize - 1;
        self.excuse_the_homeless(lowest, &core);
        self.tell(lowest, What::Healed { core });
        self.later(self.terms.slowest().detect_longest() * 3, Happening::AsksOnline);
        self.later(self.phases.quiet(&self.terms), Happening::Ends);
    }

    /// A group that starts only at home need not start while its home is away.
    fn excuse_the_homeless(&mut self, host: usize, core: &BTreeSet<NodeId>) {
        let homeless = |group: &&crate::setting::Group| group.home_only && !core.contains(&group.nodes[0]);
        let names: Vec<_> =
            self.setting.groups.iter().filter(homeless).map(|group| group.name.clone()).collect();
        names.into_iter().for_each(|group| self.excuse(host, group));
    }

    /// What operators brought offline is brought online again.
    pub(crate) fn asks_online(&mut self) {
        let lowest = self.core().first().expect("a majority is never retired").0 as usize - 1;
        for group in self.excused.clone() {
            self.ask(lowest, Request::Online { group });
        }
    }
}

/// Whether a fault has something to strike on this host, and strikes nothing that another fault already leaves without
/// protection: a host without its deadman must keep its daemon and its stops.
fn can_strike<N>(host: &Host<N>, fault: Fault) -> bool {
    let runs = host.up && host.is_responsive();
    let guarded = !host.deadman.is_gone();
    match fault {
        Fault::CrashHost | Fault::AllHosts => host.up,
        Fault::CrashDaemon | Fault::Pause | Fault::Restart | Fault::AllDaemons => runs && guarded,
        Fault::Freeze | Fault::FreezeWithClock => runs && guarded,
        Fault::Operations(_) => host.up && guarded,
        Fault::Deadman => runs && guarded && !host.resources.ails(),
        Fault::Address => host.up && !host.resources.addresses_up().is_empty(),
        Fault::Application => runs && host.resources.holding(),
        Fault::Operator | Fault::Change => runs,
        Fault::Net(_) | Fault::Adapter { .. } | Fault::Disk(_) | Fault::Form => true,
    }
}
