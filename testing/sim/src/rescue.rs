//! Most hosts are lost, and an honest operator forms the cluster of those that are left.
//!
//! Honest means: the word that the others are down is true, and stays true until they hear the survivors again. So from the
//! loss to where a majority has it on disk that the cluster was formed nothing else strikes the hosts or the networks. From
//! there on no operator is needed, and everything strikes again, while the charter closes, too.

use crate::disk::DiskHealth;
use crate::fault::Fault;
use crate::node::Factory;
use crate::world::{Happening, World};
use phalanx_conduct::{Reply, Request};
use phalanx_ledger::Ledger;
use phalanx_oracle::What;
use phalanx_types::{Charter, Span};

/// Between two looks of the operator: longer than a survivor waits to believe that a node is down.
const LOOK: Span = Span::from_secs(4);
/// Between two looks once it is formed.
const GLANCE: Span = Span::from_millis(50);

/// What the operator is about.
pub struct Rescue {
    survivors: Vec<usize>,
    /// Hosts that stay without power until the cluster is formed.
    lost: Vec<usize>,
}

impl Rescue {
    /// Whether this host must stay down.
    pub fn is_lost(&self, host: usize) -> bool {
        self.lost.contains(&host)
    }

    /// Whether this may strike meanwhile.
    pub fn bears(&self, fault: Fault) -> bool {
        matches!(fault, Fault::Application | Fault::Operator)
    }
}

impl<F: Factory> World<F> {
    /// All but a minority of the hosts crash.
    pub(crate) fn lose_most(&mut self) {
        let minority = (self.hosts.len() - 1) / 2;
        let count = 1 + self.targets.below(minority as u64) as usize;
        let first = self.targets.below(self.hosts.len() as u64) as usize;
        let (survivors, lost): (Vec<usize>, Vec<usize>) = (0..self.hosts.len())
            .partition(|host| (host + self.hosts.len() - first) % self.hosts.len() < count);
        let words = format!("all hosts but {survivors:?} crash");
        self.tell(survivors[0], What::Fault { kind: "form", words });
        self.rescue = Some(Rescue { survivors, lost: lost.clone() });
        self.net.calm();
        self.tell_links(0);
        for host in 0..self.hosts.len() {
            self.hosts[host].resources.cure_all();
            self.hosts[host].journal.set_health(DiskHealth::Well);
            self.deadman_returns(host);
        }
        for host in lost.into_iter().filter(|host| self.hosts[*host].up).collect::<Vec<_>>() {
            self.crash_host(host, Span::ZERO);
        }
        self.later(LOOK, Happening::OperatorLooks);
    }

    /// The cluster is to be formed as long as hosts are lost; the work is done once a majority has that on disk.
    pub(crate) fn operator_looks(&mut self) {
        let Some(rescue) = &self.rescue else { return };
        let (survivors, formed) = (rescue.survivors.clone(), rescue.lost.is_empty());
        let well = survivors.iter().all(|host| self.hosts[*host].up && self.hosts[*host].is_responsive());
        if formed && self.charters().filter(|charter| charter.generation > 1).count() > self.hosts.len() / 2 {
            self.rescue = None;
            return;
        }
        if !formed && well {
            let request = Request::Form { by: "the operator".into(), why: "the others are off".into() };
            self.ask(survivors[0], request);
        }
        self.later(if formed { GLANCE } else { LOOK }, Happening::OperatorLooks);
    }

    /// What each host has on disk of who decides.
    pub(crate) fn charters(&self) -> impl Iterator<Item = Charter> {
        let read = |image: &[u8]| Ledger::from_image(image).map_or(Charter::FIRST, |ledger| ledger.charter());
        self.hosts.iter().map(move |host| read(&host.journal.stored().ledger))
    }

    /// What became of the operator's word. Once it is taken, the lost hosts may come back.
    pub(crate) fn formed(&mut self, reply: &Reply) {
        let (Some(rescue), Reply::Done { .. }) = (&mut self.rescue, reply) else { return };
        for host in std::mem::take(&mut rescue.lost) {
            let (boot, after) = (self.hosts[host].boots, self.targets.span(Span::ZERO, Span::from_secs(5)));
            self.later(after, Happening::PowersOn { host: host as u8, boot });
        }
    }
}
