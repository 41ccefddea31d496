//! The drivers of every node: check a permit and act, answer once, and let the deadman watch what is held.

use crate::deadman::Act;
use crate::node::Factory;
use crate::resource::Answer;
use crate::world::{Happening, World};
use phalanx_node::Input;
use phalanx_oracle::{HoldEnd, What};
use phalanx_types::{Operation, OperationId, OperationResult, Span, Verb};

/// Between two writes of an application to the shared disk.
const WRITE_EVERY: (Span, Span) = (Span::from_millis(8), Span::from_millis(12));
/// From an application's start to its first write.
const FIRST_WRITE: Span = Span::from_millis(1);

impl<F: Factory> World<F> {
    /// A driver is about to act. A stopped daemon's driver is stopped too.
    pub(crate) fn begins(&mut self, host: usize, start: u64, operation: Operation) {
        let local = self.hosts[host].clock.local(self.now);
        let Some(daemon) = self.hosts[host].living(start) else { return };
        if let Some(stopped) = &mut daemon.stopped {
            stopped.operations.push(operation);
            return;
        }
        if let Verb::Start(permit) = operation.verb
            && (permit.view != daemon.view || local >= permit.valid_until)
        {
            return self.answer(
                host,
                start,
                Input::Operated { id: operation.id, result: OperationResult::Stale },
            );
        }
        self.act(host, start, operation);
    }

    /// It acts.
    fn act(&mut self, host: usize, start: u64, operation: Operation) {
        let local = self.hosts[host].clock.local(self.now);
        let index = self.hosts[host].resources.find(&operation);
        let index =
            index.unwrap_or_else(|| panic!("an operation on something that is not there: {operation:?}"));
        self.tell(host, What::OperationBegan { operation: operation.clone(), local });
        let (id, verb) = (operation.id, operation.verb);
        let looks =
            matches!(verb, Verb::Probe | Verb::Scout | Verb::Monitor).then(|| Box::new(operation.clone()));
        let begun = self.hosts[host].resources.begin(index, start, operation, &mut self.seen);
        self.tell_seen(host);
        let begun = match begun {
            Ok(begun) => begun,
            Err(result) => return self.answer(host, start, Input::Operated { id, result }),
        };
        if let Some(cut_short) = begun.interrupted {
            self.operated(host, cut_short);
        }
        let (after, boot, number) = (begun.after, self.hosts[host].boots, host as u8);
        match looks {
            Some(operation) => {
                self.later(after, Happening::Looked { host: number, boot, start, index, operation, after });
            }
            None => self.later(after, Happening::Over { host: number, boot, start, index, id }),
        }
        if matches!(verb, Verb::Start(_)) {
            self.set_deadman(host);
            self.start_writing(host, index);
        }
    }

    fn start_writing(&mut self, host: usize, index: usize) {
        let boot = self.hosts[host].boots;
        if let Some((serial, _)) = self.hosts[host].resources.new_writer(index) {
            self.later(FIRST_WRITE, Happening::Writes { host: host as u8, boot, index, serial });
        }
    }

    /// An application writes to the shared disk, as long as it is the same one.
    pub(crate) fn writes(&mut self, (host, boot): (usize, u64), index: usize, serial: u32) {
        let resources = &self.hosts[host].resources;
        let writer =
            resources.writer(index).filter(|(now, _)| *now == serial && self.hosts[host].boots == boot);
        let Some((_, epoch)) = writer else { return };
        let group = resources.name(index).0.clone();
        self.tell(host, What::DiskWrite { group, epoch });
        let after = self.workload.span(WRITE_EVERY.0, WRITE_EVERY.1);
        self.later(after, Happening::Writes { host: host as u8, boot, index, serial });
    }

    /// A probe or a monitor has looked.
    pub(crate) fn looked(
        &mut self,
        (host, boot): (usize, u64),
        start: u64,
        index: usize,
        operation: &Operation,
        after: Span,
    ) {
        if self.hosts[host].boots == boot {
            let result = self.hosts[host].resources.looked(index, operation, after);
            self.operated(host, Answer { start, operation: operation.clone(), result });
        }
    }

    /// A start, stop or kill is over.
    pub(crate) fn over(&mut self, (host, boot): (usize, u64), start: u64, index: usize, id: OperationId) {
        if self.hosts[host].boots != boot {
            return;
        }
        let answer = self.hosts[host].resources.over(index, id, start, &mut self.seen);
        self.tell_seen(host);
        let Some(answer) = answer else { return };
        let started =
            matches!(answer.operation.verb, Verb::Start(_)) && answer.result == OperationResult::Done;
        self.operated(host, answer);
        if started && self.hosts[host].resources.is_dead_application(index) {
            self.application_ended(host, index, "exit code 1");
        }
    }

    fn operated(&mut self, host: usize, answer: Answer) {
        let Answer { start, operation, result } = answer;
        let id = operation.id;
        self.tell(host, What::OperationEnded { operation, result: result.clone() });
        self.answer(host, start, Input::Operated { id, result });
    }

    /// The daemon's process monitor notices that an application is gone.
    pub(crate) fn application_ended(&mut self, host: usize, index: usize, how: &str) {
        let (group, resource) = self.hosts[host].resources.name(index);
        let (group, resource) = (group.clone(), resource.clone());
        if let Some(start) = self.hosts[host].daemon.as_ref().map(|daemon| daemon.life.start) {
            self.answer(host, start, Input::Ended { group, resource, how: how.into() });
        }
    }

    /// Sees to it that the deadman looks when it has to.
    pub(crate) fn set_deadman(&mut self, host: usize) {
        let target = &mut self.hosts[host];
        if !target.resources.holding() || target.deadman.is_gone() {
            return;
        }
        let due = target.clock.global(target.deadman.look_at()).max(self.now);
        if due < target.look {
            target.look = due;
            let boot = target.boots;
            self.queue.push(due, Happening::DeadmanLooks { host: host as u8, boot });
        }
    }

    pub(crate) fn deadman_looks(&mut self, host: usize, boot: u64) {
        let target = &mut self.hosts[host];
        if target.boots != boot || !target.up {
            return;
        }
        if target.look <= self.now {
            target.look = u64::MAX;
        }
        // What was written down in time counts.
        self.accepts(host);
        let target = &mut self.hosts[host];
        let holding = target.resources.holding();
        match target.deadman.look(target.clock.local(self.now), holding) {
            Act::Rest => (),
            Act::WaitUntil(_) => self.set_deadman(host),
            Act::Kill(_) => self.deadman_kills_all(host),
            Act::Reset => {
                self.tell(host, What::DeadmanReset);
                let back = self.clocks.span(Span::from_millis(500), Span::from_secs(3));
                self.crash_host(host, back);
            }
        }
    }

    fn deadman_kills_all(&mut self, host: usize) {
        self.tell(host, What::DeadmanKilled);
        let boot = self.hosts[host].boots;
        for index in self.hosts[host].resources.indices() {
            if let Some(after) = self.hosts[host].resources.deadman_kill() {
                self.later(after, Happening::DeadmanKills { host: host as u8, boot, index });
            }
        }
        self.set_deadman(host);
    }

    pub(crate) fn deadman_kills(&mut self, (host, boot): (usize, u64), index: usize) {
        if self.hosts[host].boots == boot {
            self.ends(host, index, HoldEnd::Torn, "killed by the deadman");
        }
    }

    /// Something dies of itself or is killed; the daemon hears of it if it was an application.
    pub(crate) fn ends(&mut self, host: usize, index: usize, by: HoldEnd, how: &str) {
        let died = self.hosts[host].resources.die(index, by, &mut self.seen);
        self.tell_seen(host);
        if died && self.hosts[host].resources.is_dead_application(index) {
            self.application_ended(host, index, how);
        }
    }
}
