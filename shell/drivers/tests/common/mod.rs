//! A host with drivers, for stories.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(dead_code, reason = "each test binary tells other stories")]

use phalanx_drivers::{Contest, Drivers, Report, Settings};
use phalanx_exec::{Cgroup, Permits};
use phalanx_host::now;
use phalanx_model::Cluster;
use phalanx_sandbox::{CgroupGuard, SCRATCH, alone, eventually, shell};
use phalanx_types::{
    NodeId, Operation, OperationId, OperationResult, OwnershipEpoch, Permit, Span, Tick, Verb, ViewId,
};
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

pub const VIEW: ViewId = ViewId { counter: 4, coordinator: NodeId(1) };
pub const EPOCH: OwnershipEpoch = OwnershipEpoch(262_144);
/// How long the network is asked who has an address.
const PROBE: Span = Span::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(30);

/// One life of a daemon's drivers.
pub struct Host {
    pub drivers: Drivers,
    pub cluster: Arc<Cluster>,
    pub permits: Arc<Permits>,
    pub cgroup: Cgroup,
    reports: mpsc::Receiver<Report>,
    waiting: RefCell<Vec<Report>>,
    next: Cell<u64>,
}

/// Tells a story about the group `shop` with the resources in `resources`, on a host with the interface `client`.
pub fn with_host(resources: &str, story: impl FnOnce(Host)) {
    alone(|| {
        shell("ip link add client type veth peer name wire && ip link set client up && ip link set wire up");
        shell("ip address add 10.11.0.1/24 dev client && ip address add fd00:11::1/64 dev client nodad");
        shell("until ip link show client | grep -q LOWER_UP; do :; done");
        let cgroup = Cgroup::root(&format!("phalanx-test-{}", now().0)).unwrap();
        let _guard = CgroupGuard(cgroup.path());
        story(Host::new(&cgroup, resources));
    });
}

impl Host {
    fn new(cgroup: &Cgroup, resources: &str) -> Host {
        let text = format!(
            r#"
            schema = 1
            cluster = {{ name = "demo" }}
            [node]
            ada = {{ address = {{ client = "10.11.0.1", back = "fd00:11::1" }} }}
            bob = {{ address = {{ client = "10.11.0.2", back = "fd00:11::2" }} }}
            cyd = {{ address = {{ client = "10.11.0.3", back = "fd00:11::3" }} }}
            [network]
            client = {{ subnet = "10.11.0.0/24" }}
            back = {{ subnet = "fd00:11::/64" }}
            [group.shop]
            nodes = ["ada", "bob", "cyd"]
            {resources}
            "#
        );
        let cluster = phalanx_model::parse("test.toml", &text).unwrap_or_else(|faults| panic!("{faults:#?}"));
        Host::alive(cgroup, Arc::new(cluster.cluster), 0)
    }

    fn alive(cgroup: &Cgroup, cluster: Arc<Cluster>, next: u64) -> Host {
        let permits = Permits::none();
        permits.publish(VIEW, now() + Span::from_secs(600));
        let run_dir = PathBuf::from(format!("{SCRATCH}/run"));
        let settings = Settings { node: "ada".into(), run_dir, cgroup: cgroup.clone(), address_probe: PROBE };
        let (sender, reports) = mpsc::channel();
        let drivers =
            Drivers::new(settings, Arc::clone(&permits), move |report| drop(sender.send(report))).unwrap();
        let (waiting, next) = (RefCell::default(), Cell::new(next));
        Host { drivers, cluster, permits, cgroup: cgroup.clone(), reports, waiting, next }
    }

    /// The daemon is gone, and comes back.
    pub fn restarted(self) -> Host {
        Host::alive(&self.cgroup, Arc::clone(&self.cluster), self.next.get() + 1_000)
    }

    pub fn begin(&self, resource: &str, verb: Verb, limit: Span) -> OperationId {
        let id = OperationId(self.next.replace(self.next.get() + 1));
        let (group, resource) = ("shop".parse().unwrap(), resource.parse().unwrap());
        self.drivers
            .run(Operation { id, group, resource, verb, epoch: EPOCH, limit }, Arc::clone(&self.cluster));
        id
    }

    pub fn answer(&self, id: OperationId) -> OperationResult {
        let is_it = |report: &Report| matches!(report, Report::Operated { id: its, .. } if *its == id);
        match self.expect(is_it) {
            Report::Operated { result, .. } => result,
            Report::Ended { .. } | Report::Contested { .. } => unreachable!("it was asked for"),
        }
    }

    /// How the next end that nobody asked for is told.
    pub fn ended(&self) -> String {
        match self.expect(|report| matches!(report, Report::Ended { .. })) {
            Report::Ended { how, .. } => how,
            Report::Operated { .. } | Report::Contested { .. } => unreachable!("it was asked for"),
        }
    }

    /// What was reported and not yet looked at.
    pub fn unread(&self) -> Vec<Report> {
        self.waiting.borrow_mut().extend(self.reports.try_iter());
        self.waiting.borrow().clone()
    }

    fn expect(&self, wanted: impl Fn(&Report) -> bool) -> Report {
        let mut waiting = self.waiting.borrow_mut();
        loop {
            if let Some(position) = waiting.iter().position(&wanted) {
                return waiting.remove(position);
            }
            waiting.push(self.reports.recv_timeout(PATIENCE).expect("a report comes"));
        }
    }

    /// The next host that is found to have an address of ours.
    pub fn contested(&self) -> Contest {
        match self.expect(|report| matches!(report, Report::Contested { .. })) {
            Report::Contested { contest, .. } => contest,
            Report::Operated { .. } | Report::Ended { .. } => unreachable!("it was asked for"),
        }
    }

    pub fn run_within(&self, resource: &str, verb: Verb, limit: Span) -> OperationResult {
        self.answer(self.begin(resource, verb, limit))
    }

    pub fn run(&self, resource: &str, verb: Verb) -> OperationResult {
        self.run_within(resource, verb, Span::from_secs(10))
    }

    pub fn start(&self, resource: &str) -> OperationResult {
        self.run(resource, permitted())
    }

    /// Starts it, lets it be probed, stops it, and sees that nothing is left.
    pub fn check_comes_and_goes(&self, resource: &str) {
        assert_eq!(self.run(resource, Verb::Probe), OperationResult::Inactive);
        for end in [Verb::Stop, Verb::Kill] {
            for _ in 0..2 {
                let started = self.start(resource);
                assert!(
                    matches!(started, OperationResult::Done | OperationResult::Placed { .. }),
                    "{started:?}"
                );
                assert_eq!(self.run(resource, Verb::Probe), OperationResult::Active { epoch: Some(EPOCH) });
                assert_eq!(self.run(resource, Verb::Monitor), OperationResult::Done);
            }
            for _ in 0..2 {
                assert_eq!(self.run(resource, end), OperationResult::Done);
                assert_eq!(self.run(resource, Verb::Probe), OperationResult::Inactive);
            }
        }
    }

    /// Starts it under a permit of another view, and without a lease: nothing happens.
    pub fn check_needs_a_permit(&self, resource: &str) {
        let other = Verb::Start(Permit { view: ViewId { counter: 3, ..VIEW }, valid_until: Tick::NEVER });
        assert_eq!(self.run(resource, other), OperationResult::Stale);
        self.permits.publish(VIEW, now());
        assert_eq!(self.start(resource), OperationResult::Stale);
        assert_eq!(self.run(resource, Verb::Probe), OperationResult::Inactive);
    }
}

pub fn permitted() -> Verb {
    Verb::Start(Permit { view: VIEW, valid_until: Tick::NEVER })
}

/// Waits until the file `name` in the scratch directory says something.
pub fn said(name: &str) -> String {
    let read = || std::fs::read_to_string(format!("{SCRATCH}/{name}")).unwrap_or_default();
    eventually(name, || read().ends_with('\n'));
    read().trim().to_owned()
}
