//! What a node costs while nothing happens: the demo's cluster, its service online, nobody asking.

use super::cost::Cost;
use super::{cluster, setting, tell};
use crate::site::{NAMES, Site};
use crate::tool::Outcome;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long is measured unless `SECONDS` says so.
const SECONDS_DEFAULT: u64 = 60;
/// Between the start and the first look: quarantines end, plans finish.
const SETTLE: Duration = Duration::from_secs(5);
/// Percent of one core, daemon and deadman of one node together.
const CPU_GOAL: f64 = 0.7;
/// MiB resident, daemon and deadman of one node together.
const MEMORY_GOAL: f64 = 30.0;

/// Measures, and prints what each node costs.
pub fn run(work: &Path) -> Outcome<()> {
    let (seconds, timing) = (setting("SECONDS", SECONDS_DEFAULT)?, setting("TIMING", "auto".to_owned())?);
    let mut site = cluster(work, &timing)?;
    sleep(SETTLE);
    tell(&format!("three nodes at {timing}, one group online, nobody asks: measuring for {seconds} s"));
    let (began, before) = (Instant::now(), costs(&site)?);
    sleep(Duration::from_secs(seconds));
    let (lasted, after) = (began.elapsed(), costs(&site)?);
    let nodes: Vec<Node> =
        before.iter().zip(&after).map(|(before, after)| Node::new(before, after, lasted)).collect();
    println!("{}", line(&timing, seconds, &nodes));
    site.shut_down();
    Ok(())
}

/// Daemon and deadman of each node.
fn costs(site: &Site) -> Outcome<Vec<[Cost; 2]>> {
    let of = |number| Ok([Cost::of(site.daemon_pid(number)?)?, Cost::of(site.deadman_pid(number)?)?]);
    (0..NAMES.len()).map(of).collect()
}

/// What one node costs; daemon and deadman.
struct Node {
    cpu_percent: [f64; 2],
    wakeups_per_s: [f64; 2],
    resident_mib: [f64; 2],
}

impl Node {
    fn new(before: &[Cost; 2], after: &[Cost; 2], lasted: Duration) -> Node {
        let rate = |of: fn(&Cost) -> u64| {
            [0, 1].map(|at| of(&after[at]).saturating_sub(of(&before[at])) as f64 / lasted.as_secs_f64())
        };
        Node {
            cpu_percent: rate(|cost| cost.cpu_ms).map(|ms_per_s| ms_per_s / 10.0),
            wakeups_per_s: rate(|cost| cost.wakeups),
            resident_mib: [0, 1].map(|at| after[at].resident_kib as f64 / 1_024.0),
        }
    }

    fn cpu(&self) -> f64 {
        self.cpu_percent.iter().sum()
    }

    fn resident(&self) -> f64 {
        self.resident_mib.iter().sum()
    }

    fn told(&self) -> Value {
        let both =
            |[daemon, deadman]: [f64; 2]| json!({"daemon": rounded(daemon), "deadman": rounded(deadman)});
        json!({
            "cpu_percent": rounded(self.cpu()),
            "cpu_percent_each": both(self.cpu_percent),
            "resident_mib": rounded(self.resident()),
            "resident_mib_each": both(self.resident_mib),
            "wakeups_per_s": both(self.wakeups_per_s),
        })
    }
}

fn line(timing: &str, seconds: u64, nodes: &[Node]) -> Value {
    let worst = |of: fn(&Node) -> f64| nodes.iter().map(of).fold(0.0, f64::max);
    let (cpu, memory) = (worst(Node::cpu), worst(Node::resident));
    let each: Map<String, Value> =
        NAMES.iter().zip(nodes).map(|(name, node)| ((*name).to_owned(), node.told())).collect();
    json!({
        "figure": "idle_cpu_percent", "value": rounded(cpu), "unit": "% of a core, worst node", "goal": CPU_GOAL,
        "resident_mib": rounded(memory), "resident_goal_mib": MEMORY_GOAL,
        "met": cpu <= CPU_GOAL && memory <= MEMORY_GOAL,
        "timing": timing, "seconds": seconds, "nodes": each,
    })
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
