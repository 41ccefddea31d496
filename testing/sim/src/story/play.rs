//! Plays a story: what each command led to, once for each way of monitoring.

use super::Manners;
use super::act::Act;
use super::script::{Beat, Fault, Script};
use super::tell::{Said, Teller, exactly, told};
use crate::core::Cores;
use crate::setting::Setting;
use crate::trace::Trace;
use crate::world::World;
use phalanx_oracle::{Oracle, Violation};
use phalanx_types::{Monitoring, Plot, Span};

/// How long a command is watched if it does not say.
const WATCHED: Span = Span::from_secs(3);
/// From power to the start of a daemon.
const BOOT: Span = Span::from_millis(100);

/// How a story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it is written down: who says the same is named together, within a second there is no order.
    Written,
    /// Line by line, to the millisecond.
    Exact,
}

/// What each command of the story led to, with this luck.
pub fn play(script: &Script, luck: u64, manner: Manner) -> Result<Vec<Vec<String>>, Fault> {
    let runs = script.monitorings.iter().map(|monitoring| {
        let run = Run::new(script, *monitoring, luck).play(script, manner)?;
        Ok((*monitoring, run))
    });
    let runs: Vec<(Monitoring, Vec<Vec<String>>)> = runs.collect::<Result<_, _>>()?;
    Ok((0..script.beats.len()).map(|beat| joined(&runs, beat)).collect())
}

/// What a command led to; apart where it depends on the way of monitoring.
fn joined(runs: &[(Monitoring, Vec<Vec<String>>)], beat: usize) -> Vec<String> {
    let first = &runs[0].1[beat];
    if runs.iter().all(|(_, run)| run[beat] == *first) {
        return first.clone();
    }
    let apart = |(monitoring, run): &(Monitoring, Vec<Vec<String>>)| {
        let mut lines = vec![format!("with {monitoring}:")];
        lines.extend(run[beat].iter().cloned());
        lines
    };
    runs.iter().flat_map(apart).collect()
}

/// One way through a story.
struct Run {
    world: World<Cores>,
    teller: Teller,
    broken: Option<Violation>,
}

impl Run {
    fn new(script: &Script, monitoring: Monitoring, luck: u64) -> Run {
        let setting = Setting { monitoring, ..script.setting.clone() };
        let terms = setting.terms();
        // A host that stands still as a whole is more than proofs of class `process` cover.
        let freezes = script.beats.iter().any(|beat| beat.command.contains("freeze "));
        let oracle = if freezes { Oracle::beyond_class(&terms) } else { Oracle::safety(&terms) };
        let teller = Teller::new(&setting);
        let mut world = World::still(Cores(Plot::NONE), luck, setting, oracle, Trace::keeping());
        (world.boot, world.manners) = ((BOOT, BOOT), Some(Manners::default()));
        world.tie_breaker.heal();
        for (node, gains) in &script.clocks {
            world.hosts[usize::from(node.0) - 1].ppm = *gains;
        }
        Run { world, teller, broken: None }
    }

    fn play(mut self, script: &Script, manner: Manner) -> Result<Vec<Vec<String>>, Fault> {
        let mut outcomes = Vec::new();
        for beat in &script.beats {
            let fault = |words| Fault { line: beat.line + 1, words };
            outcomes.push(self.beat(script, beat, manner).map_err(fault)?);
        }
        if self.broken.is_none() {
            self.broken = self.world.finish().err();
            let last = outcomes.last_mut().expect("a story has commands");
            last.extend(self.broken.iter().map(objection));
        }
        Ok(outcomes)
    }

    /// A command, and what it leads to.
    fn beat(&mut self, script: &Script, beat: &Beat, manner: Manner) -> Result<Vec<String>, String> {
        if self.broken.is_some() {
            return Ok(vec!["  not told: a property was broken before".into()]);
        }
        let began = self.world.elapsed();
        let mut watched = WATCHED;
        for step in beat.command.split("; ") {
            let act = Act::read(script, step)?;
            self.run(act.after);
            watched = act.watched.unwrap_or(WATCHED);
            act.happen(&mut self.world)?;
        }
        self.run(watched);
        let mut lines = self.lines(began, manner);
        lines.extend(self.broken.iter().map(objection));
        if lines.is_empty() {
            lines.push("  nothing".into());
        }
        Ok(lines)
    }

    fn run(&mut self, span: Span) {
        if self.broken.is_none() {
            let until = self.world.elapsed() + span;
            self.broken = self.world.run_until(until).err();
        }
    }

    fn lines(&mut self, began: Span, manner: Manner) -> Vec<String> {
        let events = self.world.trace.kept();
        let said: Vec<Said> = self.teller.tell(&events, began);
        match manner {
            Manner::Written => told(said),
            Manner::Exact => exactly(said),
        }
    }
}

fn objection(violation: &Violation) -> String {
    format!("  BROKEN {}: {}", violation.property, violation.words)
}
