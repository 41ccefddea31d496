//! The demo: a story told live, on real daemons, with a real service.

use crate::client::Client;
use crate::host::Net;
use crate::keep;
use crate::outage::{Kind, Outages};
use crate::parts::Parts;
use crate::report::{self, Freeze, Paused};
use crate::sampler::{Sampler, Target};
use crate::site::{GROUP, NAMES, Site};
use crate::tool::{Outcome, Trouble, While, this_program, wait_until};
use rustix::process::Signal;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// Where the service answers.
const SERVICE: &str = "10.11.0.100:80";
/// The longest that any act may take.
const ACT_LIMIT: Duration = Duration::from_secs(30);
/// How long the frozen owner stays frozen.
const FREEZE: Duration = Duration::from_secs(5);
const ADA: usize = 0;

/// How the demo is told; from the environment of `make demo`.
struct Options {
    runs: u32,
    timing: String,
    monitoring: String,
    keep: bool,
}

struct Story<'a> {
    site: Site,
    client: Client,
    sampler: Sampler,
    outages: Outages,
    work: &'a Path,
    options: Options,
}

/// Tells the story on the stage.
pub fn run(work: &Path) -> Outcome<()> {
    let options = Options::from_environment()?;
    say("three hosts, two networks, one shared disk");
    let mut site = Site::lay(work)?;
    site.create_cluster(&cluster_file(work, &options.timing, &options.monitoring)?)?;
    for number in 0..NAMES.len() {
        site.boot(number)?;
    }
    let sampler = Sampler::start("/srv/shop", "10.11.0.100");
    let client = client()?;
    let mut story = Story { site, client, sampler, outages: Outages::default(), work, options };
    story.tell()
}

impl Options {
    fn from_environment() -> Outcome<Options> {
        let read = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
        let timing = read("TIMING", "auto");
        if !["fast", "auto", "relaxed"].contains(&timing.as_str()) {
            return Err(Trouble(format!("TIMING is fast, auto or relaxed, not {timing:?}")));
        }
        let monitoring = read("MONITORING", "mesh");
        if !["mesh", "ring"].contains(&monitoring.as_str()) {
            return Err(Trouble(format!("MONITORING is mesh or ring, not {monitoring:?}")));
        }
        let runs = read("RUNS", "1").parse().during("RUNS is a number of crashes")?;
        Ok(Options { runs, timing, monitoring, keep: read("KEEP", "0") == "1" })
    }
}

/// Somebody who asks the service, on and on.
pub(crate) fn client() -> Outcome<Client> {
    let address: SocketAddr = SERVICE.parse().during("reading the service address")?;
    Ok(Client::start(address))
}

/// The example, with the timing and the monitoring asked for and this build's shop.
pub(crate) fn cluster_file(work: &Path, timing: &str, monitoring: &str) -> Outcome<std::path::PathBuf> {
    let text = include_str!("../../../examples/demo.toml");
    let this = this_program()?;
    let shop = this.with_file_name("phalanx-shop");
    let asked = format!("timing = \"{timing}\", monitoring = \"{monitoring}\"");
    let text = text.replace("timing = \"auto\"", &asked);
    let text = text.replace("/usr/lib/phalanx/demo/shop", &shop.to_string_lossy());
    let path = work.join("demo.toml");
    fs::write(&path, text).during("writing the cluster file")?;
    Ok(path)
}

fn say(words: &str) {
    println!("\n── {words}");
}

fn tell_paused(paused: &Paused) {
    let Paused { late, overwritten } = paused;
    tell(&format!(
        "of the frozen owner after its thaw: {late} late writes, {overwritten} orders written over"
    ));
    if late + overwritten > 0 {
        tell(
            "a lease cannot stop what a frozen host has under way: only fencing can, which class `process` has not",
        );
    }
}

fn tell(words: &str) {
    println!("   {words}");
}

impl Story<'_> {
    fn tell(&mut self) -> Outcome<()> {
        self.cold_start()?;
        if self.options.keep {
            return self.keep();
        }
        self.planned_move()?;
        self.application_killed()?;
        self.daemon_killed()?;
        self.daemon_stopped()?;
        self.deadman_killed()?;
        for run in 1..=self.options.runs {
            self.crash(run)?;
        }
        self.back_network_cut()?;
        self.adapter_lost()?;
        self.isolation()?;
        let freeze = self.freeze()?;
        self.end(&freeze)
    }

    fn cold_start(&mut self) -> Outcome<()> {
        say("start from cold");
        let began = Instant::now();
        for number in 0..NAMES.len() {
            self.site.start_daemon(number)?;
        }
        self.watch();
        let first = self.answered_after(began)?;
        self.outages.add(Kind::ColdStart, first.0);
        tell(&format!("first answer from {} after {} ms", first.1, first.0.as_millis()));
        self.all_there()
    }

    fn planned_move(&mut self) -> Outcome<()> {
        say("planned move to bob, and back with --restore");
        for (words, owner) in [
            (&["group", "move", GROUP, "--to", "bob"][..], "bob"),
            (&["group", "move", GROUP, "--restore"], "ada"),
        ] {
            let began = Instant::now();
            self.site.phalanx(words)?;
            self.owned_by(owner)?;
            let gap = self.client.longest_gap(began);
            self.outages.add(Kind::Move, gap);
            tell(&format!("phalanx {}: {} ms without an answer", words.join(" "), gap.as_millis()));
        }
        Ok(())
    }

    fn application_killed(&mut self) -> Outcome<()> {
        say("the application is killed");
        let began = Instant::now();
        self.site.kill_application(ADA)?;
        self.measured(Kind::AppRestart, began, "restarted in place")
    }

    fn daemon_killed(&mut self) -> Outcome<()> {
        say("phalanxd is killed on the owner, and started again within its lease");
        let began = Instant::now();
        self.site.signal_daemon(ADA, Signal::KILL)?;
        self.site.start_daemon(ADA)?;
        self.all_there()?;
        tell(&format!(
            "adopted what runs: {} ms without an answer",
            self.client.longest_gap(began).as_millis()
        ));
        say("phalanxd is killed and stays dead: the deadman lets go, another host takes over");
        let began = Instant::now();
        self.site.signal_daemon(ADA, Signal::KILL)?;
        self.measured(Kind::DaemonKill, began, "taken over")?;
        if self.is_up()? {
            self.site.start_daemon(ADA)?;
        }
        self.fall_back()
    }

    fn daemon_stopped(&mut self) -> Outcome<()> {
        say("phalanxd is stopped (SIGSTOP) on the owner");
        let began = Instant::now();
        self.site.signal_daemon(ADA, Signal::STOP)?;
        self.measured(Kind::DaemonKill, began, "taken over")?;
        if self.is_up()? {
            self.site.signal_daemon(ADA, Signal::CONT)?;
        }
        self.fall_back()?;
        self.site.phalanx(&["cluster", "timings", "--configured"])?;
        tell(
            "a stall has all nodes wait longer, so that the next one costs nothing; what it was is known here, so:",
        );
        tell("phalanx cluster timings --configured");
        Ok(())
    }

    fn deadman_killed(&mut self) -> Outcome<()> {
        say("the deadman of the owner is killed: no armed deadman, no lease");
        let began = Instant::now();
        self.site.signal_deadman(ADA, Signal::KILL)?;
        let moved = self.answered_elsewhere(began)?;
        tell(&format!(
            "released in order, taken over by {}: {} ms without an answer",
            moved.1,
            moved.0.as_millis()
        ));
        self.site.restart_deadman(ADA)?;
        self.fall_back()
    }

    fn crash(&mut self, run: u32) -> Outcome<()> {
        say(&format!("the owner's host crashes: disk severed, cables gone, not a word (run {run})"));
        let (began, wall) = (Instant::now(), SystemTime::now());
        self.site.crash(ADA)?;
        self.watch();
        self.measured(Kind::Crash, began, "taken over")?;
        self.tell_parts(wall);
        self.site.boot(ADA)?;
        self.site.start_daemon(ADA)?;
        self.watch();
        self.fall_back()
    }

    fn back_network_cut(&mut self) -> Outcome<()> {
        say("the network without the service address is cut: nothing moves");
        let began = Instant::now();
        self.site.machine(ADA)?.host.set_cable(Net::Back, false)?;
        std::thread::sleep(Duration::from_secs(2));
        let gap = self.client.longest_gap(began);
        self.owned_by("ada")?;
        tell(&format!("still on ada; longest wait {} ms", gap.as_millis()));
        self.site.machine(ADA)?.host.set_cable(Net::Back, true)
    }

    fn adapter_lost(&mut self) -> Outcome<()> {
        say("the adapter of the service address loses its cable: the node has no other, so the group moves");
        let began = Instant::now();
        self.site.machine(ADA)?.host.set_cable(Net::Client, false)?;
        self.measured(Kind::Adapter, began, "moved in order")?;
        self.site.machine(ADA)?.host.set_cable(Net::Client, true)?;
        tell("the cable is back: ada is relied on again once it has been for a while");
        self.fall_back()
    }

    fn isolation(&mut self) -> Outcome<()> {
        say("both networks of the owner are cut: it lets go before another takes over");
        let (began, wall) = (Instant::now(), SystemTime::now());
        for net in Net::ALL {
            self.site.machine(ADA)?.host.set_cable(net, false)?;
        }
        self.measured(Kind::Isolation, began, "taken over")?;
        self.tell_parts(wall);
        if self.is_up()? {
            Net::ALL.into_iter().try_for_each(|net| self.site.machine(ADA)?.host.set_cable(net, true))?;
        }
        self.fall_back()
    }

    /// The whole owner, deadman included, stands still: beyond what class `process` covers. What comes of it is told, not
    /// judged.
    fn freeze(&mut self) -> Outcome<Freeze> {
        say("the whole owner, deadman included, is frozen for 5 s and thawed");
        tell("class `process` does not cover a frozen host: what it writes after the thaw is counted");
        let (began, last) = (Instant::now(), self.client.answers().last().map(|answer| answer.epoch));
        self.sampler.watch(self.site.targets().into_iter().filter(|target| target.name != "ada").collect());
        self.site.machine(ADA)?.host.set_frozen(true)?;
        let moved = self.answered_elsewhere(began)?;
        tell(&format!("taken over by {} after {} ms", moved.1, moved.0.as_millis()));
        std::thread::sleep(FREEZE.saturating_sub(began.elapsed()));
        self.site.machine(ADA)?.host.set_frozen(false)?;
        std::thread::sleep(Duration::from_secs(1));
        self.watch();
        self.revive()?;
        let to = Instant::now();
        self.all_there()?;
        Ok(Freeze { from: began, to, epoch: last.unwrap_or_default() })
    }

    fn end(&mut self, freeze: &Freeze) -> Outcome<()> {
        say("everything stops; the disk is compared with what the client was told");
        self.client.stop();
        self.site.shut_down();
        let written = report::read_ledger(self.work, &self.site.image)?;
        let answers = self.client.answers();
        let comparison = report::compare(&answers, &written, freeze);
        let seen = self.sampler.seen();
        println!("{}", report::table(&self.outages));
        let Options { timing, monitoring, .. } = &self.options;
        tell(&format!("timings {timing}, monitoring {monitoring}, class of proof: process"));
        let (lost, acknowledged) = (&comparison.lost, comparison.acknowledged);
        tell(&format!("lost acknowledged writes: {} of {acknowledged}", lost.len()));
        lost.iter().take(5).for_each(|answer| tell(&format!("  {answer}")));
        tell(&format!("moments with two owners: {} of {} looks", seen.dual.len(), seen.looks));
        seen.dual.iter().take(5).for_each(|words| tell(words));
        tell_paused(&comparison.paused);
        println!("{}", report::line(&self.outages, &comparison, seen.dual.len()));
        Ok(())
    }

    fn keep(&mut self) -> Outcome<()> {
        say("KEEP=1: the cluster stays up until Ctrl-C");
        println!("{}", keep::invitation()?);
        keep::serve(self.work, &mut self.site)
    }
}

// What acts have in common.
impl Story<'_> {
    fn watch(&self) {
        let targets: Vec<Target> = self.site.targets();
        self.sampler.watch(targets);
    }

    /// From `began` to the first good answer asked for after it, and who gave it.
    fn answered_after(&self, began: Instant) -> Outcome<(Duration, String)> {
        let first = self.client.first_after(began, ACT_LIMIT);
        let first = first.ok_or_else(|| Trouble(format!("no answer within {} s", ACT_LIMIT.as_secs())))?;
        Ok((first.came - began, first.node))
    }

    /// From `began` to the first good answer of another node than the one that answered before.
    fn answered_elsewhere(&self, began: Instant) -> Outcome<(Duration, String)> {
        let before = self.client.last_before(began).map(|answer| answer.node);
        let mut found = None;
        wait_until(ACT_LIMIT, || {
            let answers = self.client.answers();
            let later = answers.iter().filter(|answer| answer.asked >= began);
            found = later.into_iter().find(|answer| Some(&answer.node) != before.as_ref()).cloned();
            found.is_some()
        });
        let found = found.ok_or_else(|| Trouble("nobody took over".into()))?;
        let last = self.client.answers().into_iter().rev().find(|answer| answer.came < found.asked);
        let since = last.map_or(began, |answer| answer.came.max(began));
        Ok((found.came - since.min(found.came), found.node))
    }

    /// Waits until a gap since `began` is over, and writes it down.
    fn measured(&mut self, kind: Kind, began: Instant, how: &str) -> Outcome<()> {
        let (lasted, node) = match kind {
            Kind::AppRestart => {
                std::thread::sleep(Duration::from_millis(50));
                self.answered_after(Instant::now())?;
                (self.client.longest_gap(began), "ada".to_owned())
            }
            Kind::ColdStart
            | Kind::Move
            | Kind::DaemonKill
            | Kind::Crash
            | Kind::Fallback
            | Kind::Isolation
            | Kind::Adapter => self.answered_elsewhere(began)?,
        };
        self.outages.add(kind, lasted);
        tell(&format!("{how} by {node}: {} ms without an answer", lasted.as_millis()));
        Ok(())
    }

    /// What the outage that began at `wall` consisted of, by the log of the node that answers now.
    fn tell_parts(&self, wall: SystemTime) {
        let taker = self.client.answers().last().map(|answer| answer.node.clone()).unwrap_or_default();
        if let Some(parts) = Parts::read(&self.work.join(taker).join("phalanxd.log"), wall) {
            tell(&parts.to_string());
        }
    }

    fn owned_by(&self, node: &str) -> Outcome<()> {
        match wait_until(ACT_LIMIT, || self.owner().as_deref() == Some(node)) {
            true => Ok(()),
            false => Err(Trouble(format!("{GROUP} should be on {node}, and is on {:?}", self.owner()))),
        }
    }

    /// Who answered last.
    fn owner(&self) -> Option<String> {
        self.client.answers().last().map(|answer| answer.node.clone())
    }

    /// Ada is there again, and the group returns to it.
    fn fall_back(&mut self) -> Outcome<()> {
        let began = Instant::now();
        // Its deadman may reset ada at any moment until it has let go.
        let settled = || self.owner().as_deref() == Some("ada") || !self.is_up().unwrap_or(true);
        wait_until(ACT_LIMIT, settled);
        self.revive()?;
        self.owned_by("ada")?;
        let gap = self.client.longest_gap(began);
        self.outages.add(Kind::Fallback, gap);
        tell(&format!("ada is back and the group with it: {} ms without an answer", gap.as_millis()));
        self.all_there()
    }

    /// Whether ada is up: a deadman that cannot let go in time resets its host.
    fn is_up(&self) -> Outcome<bool> {
        Ok(self.site.machine(ADA)?.host.is_up())
    }

    /// A host that its deadman reset is booted again.
    fn revive(&mut self) -> Outcome<()> {
        if self.is_up()? {
            return Ok(());
        }
        tell("ada was reset by its deadman; it boots again");
        self.site.bury(ADA);
        self.site.boot(ADA)?;
        self.site.start_daemon(ADA)?;
        self.watch();
        Ok(())
    }

    /// Waits until all three nodes are members of one view.
    fn all_there(&self) -> Outcome<()> {
        match wait_until(ACT_LIMIT, || self.site.members() == NAMES.len()) {
            true => Ok(()),
            false => Err(Trouble("the three nodes are not in one view".into())),
        }
    }
}
