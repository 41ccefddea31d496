//! From operations to drivers, and from what they did to answers.

use crate::answers::{Answers, TooMany};
use crate::driver::{Activity, Driver, Task, Trouble, driver_of};
use crate::host::{Host, Key, Report, Settings};
use crate::record::Record;
use crate::starts::Starts;
use phalanx_exec::{Clearance, Permits};
use phalanx_host::now;
use phalanx_model::Cluster;
use phalanx_realtime::make_helper;
use phalanx_types::limits::OPERATION_GRACE;
use phalanx_types::{GroupName, Operation, OperationId, OperationResult, Verb};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::{io, thread};

const STACK_BYTES: usize = 512 * 1024;

/// The drivers of this host.
pub struct Drivers {
    inner: Arc<Inner>,
}

struct Inner {
    host: Host,
    answers: Arc<Answers>,
    starts: Starts,
}

impl Drivers {
    /// Drivers that act under `permits` and call `report` on their own threads.
    pub fn new(
        settings: Settings,
        permits: Arc<Permits>,
        report: impl Fn(Report) + Send + Sync + 'static,
    ) -> io::Result<Drivers> {
        let host = Host::new(settings, permits, Arc::new(report));
        let answers = Answers::begin(Arc::clone(&host.report))?;
        Ok(Drivers { inner: Arc::new(Inner { host, answers, starts: Starts::default() }) })
    }

    /// Carries out `operation` on a resource of `cluster`. Does not wait; exactly one [`Report::Operated`] follows, at
    /// the latest when the operation's limit and half of the grace after it are over.
    pub fn run(&self, operation: Operation, cluster: Arc<Cluster>) {
        let id = operation.id;
        let key = Key { group: operation.group.clone(), resource: operation.resource.clone() };
        let clearance = self.clearance(operation.verb);
        let deadline = now() + operation.limit;
        if self.inner.answers.open(id, &key, deadline + OPERATION_GRACE / 2, clearance.clone())
            == Err(TooMany)
        {
            let why = format!("earlier operations on {key} hang and have not come back");
            return (self.inner.host.report)(Report::Operated { id, result: OperationResult::Failed(why) });
        }
        if let Some(clearance) = &clearance {
            self.inner.starts.begin(id, &key, clearance);
        }
        let inner = Arc::clone(&self.inner);
        let work = move || {
            // Where it is refused so is the daemon's own attempt, which tells why.
            let _ = make_helper();
            inner.work(&Work { operation, key, cluster, clearance, deadline });
        };
        let name = format!("operation-{}", id.0);
        if let Err(error) = thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(work) {
            self.inner.starts.end(id);
            self.inner.answers.answer(id, OperationResult::Failed(format!("no thread to do it: {error}")));
        }
    }

    /// What would keep the resources of `group` from starting on this host, as far as can be told.
    pub fn verify(&self, group: &GroupName, cluster: &Cluster) -> Vec<String> {
        let resources = cluster.groups.get(group).into_iter().flat_map(|group| &group.resources);
        let faults = |resource| driver_of(resource, cluster).verify();
        resources
            .flat_map(|resource| {
                faults(resource).into_iter().map(|fault| format!("{}: {fault}", resource.name.as_str()))
            })
            .collect()
    }

    /// Operations that were answered for lack of time, and whose threads have not come back.
    pub fn abandoned(&self) -> usize {
        self.inner.answers.abandoned()
    }

    fn clearance(&self, verb: Verb) -> Option<Clearance> {
        match verb {
            Verb::Start(permit) => Some(Clearance::new(&self.inner.host.permits, permit)),
            Verb::Probe | Verb::Scout | Verb::Stop | Verb::Kill | Verb::Monitor => None,
        }
    }
}

impl Drop for Drivers {
    fn drop(&mut self) {
        self.inner.answers.close();
    }
}

struct Work {
    operation: Operation,
    key: Key,
    cluster: Arc<Cluster>,
    clearance: Option<Clearance>,
    deadline: phalanx_types::Tick,
}

impl Inner {
    fn work(&self, work: &Work) {
        let done = catch_unwind(AssertUnwindSafe(|| self.operate(work)));
        let result =
            done.unwrap_or_else(|_| Err(Trouble::Failed("its driver broke down; the log says where".into())));
        self.starts.end(work.operation.id);
        self.answers.answer(work.operation.id, result.unwrap_or_else(OperationResult::from));
    }

    fn operate(&self, work: &Work) -> Result<OperationResult, Trouble> {
        let (key, epoch) = (&work.key, work.operation.epoch);
        let resource = work.cluster.groups.get(&key.group).and_then(|group| group.resource(&key.resource));
        let resource = resource.ok_or_else(|| Trouble::Failed(format!("there is no resource {key}")))?;
        let driver = driver_of(resource, &work.cluster);
        let identity = &self.host.identity(&work.cluster, key, epoch);
        let cgroup = &self.host.cgroup(key);
        let (id, deadline, host) = (work.operation.id, work.deadline, &self.host);
        let task = Task { id, key, epoch, deadline, identity, cgroup, host };
        match (work.operation.verb, &work.clearance) {
            (Verb::Start(_), Some(clearance)) => self.start(&*driver, &task, clearance),
            (Verb::Start(_), None) => unreachable!("a start has a clearance from its beginning"),
            (Verb::Probe, _) => self.probe(&*driver, &task),
            (Verb::Scout, _) => driver.scout(&task).map(|()| OperationResult::Done),
            (Verb::Stop, _) => self.end(&task, || driver.stop(&task)),
            (Verb::Kill, _) => self.end(&task, || driver.kill(&task)),
            (Verb::Monitor, _) => driver.monitor(&task).map(|()| OperationResult::Done),
        }
    }

    fn start(
        &self,
        driver: &dyn Driver,
        task: &Task<'_>,
        clearance: &Clearance,
    ) -> Result<OperationResult, Trouble> {
        clearance.check()?;
        self.remember(task)?;
        let done = driver.start(task, clearance)?;
        if clearance.check().is_ok() {
            return Ok(done);
        }
        // It took so long that it is no longer ours to have.
        driver.kill(task).and(Err(Trouble::Stale))
    }

    /// Writes down the acquisition. A start that finds its resource active keeps what is known of it.
    fn remember(&self, task: &Task<'_>) -> Result<(), Trouble> {
        let known = self.host.records.read(task.key).and_then(|record| record.main);
        let record = Record { epoch: task.epoch, main: known };
        self.host
            .records
            .write(task.key, record)
            .map_err(|error| Trouble::Failed(format!("cannot write its record: {error}")))
    }

    fn end(
        &self,
        task: &Task<'_>,
        end: impl FnOnce() -> Result<(), Trouble>,
    ) -> Result<OperationResult, Trouble> {
        self.starts.revoke(task.key);
        end().map(|()| OperationResult::Done)
    }

    fn probe(&self, driver: &dyn Driver, task: &Task<'_>) -> Result<OperationResult, Trouble> {
        let active =
            || OperationResult::Active { epoch: self.host.records.read(task.key).map(|record| record.epoch) };
        // First this: a start that ends after the look has been looked at.
        let may_become_active = self.starts.has(task.key);
        match driver.probe(task)? {
            Activity::Active => Ok(active()),
            Activity::Inactive if may_become_active => Ok(active()),
            Activity::Inactive => {
                self.host.records.remove(task.key);
                Ok(OperationResult::Inactive)
            }
        }
    }
}

/// What a command made for one operation is called, so that two never share a cgroup.
pub(crate) fn command_name(what: &str, id: OperationId) -> String {
    format!("{what}-{}", id.0)
}
