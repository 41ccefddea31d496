//! Applications: a main process in the foreground, all its descendants in one cgroup.

use crate::driver::{Activity, Driver, Task, Trouble};
use crate::drivers::command_name;
use crate::record::Record;
use crate::watch::{Wish, make_output, open_output, tell};
use phalanx_exec::job::PATH;
use phalanx_exec::{Cgroup, Clearance, Ending, Job, Process};
use phalanx_host::clock::remaining;
use phalanx_host::now;
use phalanx_model::{Application, Command, CustomMonitor};
use phalanx_realtime::make_helper;
use phalanx_types::{OperationResult, ResourceName, Span};
use rustix::process::Signal;
use std::path::Path;
use std::thread;

/// How long the kernel may take to clear a cgroup whose processes all got SIGKILL.
const KILL_GRACE: Span = Span::from_millis(200);
/// Within the resource's cgroup, where the application itself lives; commands live beside it.
const MAIN: &str = "main";

/// The driver of one application.
pub(crate) struct ApplicationDriver {
    application: Application,
}

impl ApplicationDriver {
    pub(crate) fn new(application: Application) -> ApplicationDriver {
        ApplicationDriver { application }
    }

    /// Whether the end of the main process is a failure.
    fn wish(&self) -> Wish {
        if self.application.monitors.process { Wish::Tell } else { Wish::Ignore }
    }

    fn spawn(&self, task: &Task<'_>, clearance: &Clearance) -> Result<(), Trouble> {
        let pipe = make_output(&task.host.records.output(task.key));
        let (read, write) =
            pipe.map_err(|error| Trouble::Failed(format!("cannot make its output: {error}")))?;
        let (command, cgroup) = (&self.application.start.0, &task.cgroup.child(MAIN));
        let job = Job { command, cgroup, identity: task.identity, clearance: Some(clearance), user: None };
        let process = job.spawn_onto(read, write)?;
        let main = process.birth().map(|birth| (process.pid(), birth));
        let remembered = task.host.records.write(task.key, Record { epoch: task.epoch, main });
        task.host.watches.begin(task.host, task.key, process, self.wish()).map_err(Trouble::failed)?;
        // A later life could neither watch nor tell apart what is not written down.
        remembered.map_err(|error| Trouble::Failed(format!("cannot write its record: {error}")))
    }

    /// Takes over the application that an earlier life of the daemon started.
    fn adopt(&self, task: &Task<'_>) {
        let Some((pid, birth)) = task.host.records.read(task.key).and_then(|record| record.main) else {
            return;
        };
        let output = open_output(&task.host.records.output(task.key)).ok();
        if let Some(process) = Process::adopt(pid, birth, output) {
            // Without a thread to watch it the next probe tries again.
            let _ = task.host.watches.begin(task.host, task.key, process, self.wish());
        } else {
            task.host.records.forget_main(task.key, (pid, birth));
            tell(&task.host.report, task.key, self.wish(), &Ending::Unseen.to_string());
        }
    }

    /// Runs the stop command, if there is one; how it ended matters less than what is left.
    fn run_stop(&self, task: &Task<'_>, stop: &Command) {
        let cgroup = &task.cgroup.child(&command_name("stop", task.id));
        let job = Job { command: &stop.0, cgroup, identity: task.identity, clearance: None, user: None };
        let _ = job.run(task.deadline);
    }

    fn end(&self, cgroup: &Cgroup, task: &Task<'_>) -> Result<(), Trouble> {
        cgroup.end(task.deadline.max(now() + KILL_GRACE)).map_err(Trouble::failed)?;
        // One that the kernel keeps a moment longer is used again by the next start.
        let _ = cgroup.remove();
        Ok(())
    }

    fn run_monitor(
        &self,
        task: &Task<'_>,
        name: &ResourceName,
        monitor: &CustomMonitor,
    ) -> Result<(), Trouble> {
        let cgroup = &task.cgroup.child(&command_name(name.as_str(), task.id));
        let job =
            Job { command: &monitor.command.0, cgroup, identity: task.identity, clearance: None, user: None };
        let finished = job.run(now() + monitor.limit.at_most(remaining(task.deadline)))?;
        match finished.is_success() {
            true => Ok(()),
            false => Err(Trouble::Failed(format!("{} {finished}", name.as_str()))),
        }
    }
}

impl Driver for ApplicationDriver {
    fn verify(&self) -> Vec<String> {
        let monitors = self.application.monitors.custom.values().map(|monitor| &monitor.command);
        let commands = [&self.application.start].into_iter().chain(&self.application.stop).chain(monitors);
        let programs = commands.filter_map(|command| command.0.first());
        programs
            .filter(|program| !is_program(program))
            .map(|program| format!("there is no program {program}"))
            .collect()
    }

    fn start(&self, task: &Task<'_>, clearance: &Clearance) -> Result<OperationResult, Trouble> {
        let main = task.cgroup.child(MAIN);
        if main.is_populated().map_err(Trouble::failed)? && task.host.watches.has(task.key) {
            return Ok(OperationResult::Done);
        }
        // What an earlier start left behind would be in the way of this one.
        self.end(task.cgroup, task)?;
        self.spawn(task, clearance).map(|()| OperationResult::Done)
    }

    fn stop(&self, task: &Task<'_>) -> Result<(), Trouble> {
        task.host.watches.expect_end(task.key);
        let main = task.cgroup.child(MAIN);
        self.application.stop.iter().for_each(|stop| self.run_stop(task, stop));
        main.signal(Signal::TERM).map_err(Trouble::failed)?;
        main.wait_empty(task.deadline);
        self.end(task.cgroup, task)
    }

    fn kill(&self, task: &Task<'_>) -> Result<(), Trouble> {
        task.host.watches.expect_end(task.key);
        self.end(task.cgroup, task)
    }

    fn probe(&self, task: &Task<'_>) -> Result<Activity, Trouble> {
        if !task.cgroup.is_populated().map_err(Trouble::failed)? {
            return Ok(Activity::Inactive);
        }
        if !task.host.watches.has(task.key) {
            self.adopt(task);
        }
        Ok(Activity::Active)
    }

    fn monitor(&self, task: &Task<'_>) -> Result<(), Trouble> {
        thread::scope(|scope| {
            let monitors = self.application.monitors.custom.iter();
            let running: Vec<_> = monitors
                .map(|(name, monitor)| {
                    scope.spawn(|| {
                        // Where it is refused so is the daemon's own attempt, which tells why.
                        let _ = make_helper();
                        self.run_monitor(task, name, monitor)
                    })
                })
                .collect();
            let broken = || Err(Trouble::Failed("its monitor broke down; the log says where".into()));
            running.into_iter().try_for_each(|one| one.join().unwrap_or_else(|_| broken()))
        })
    }
}

/// Whether `program` can be found.
fn is_program(program: &str) -> bool {
    match program.contains('/') {
        true => Path::new(program).is_file(),
        false => PATH.split(':').any(|directory| Path::new(directory).join(program).is_file()),
    }
}
