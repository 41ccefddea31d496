//! What messages and votes of Group Services cost, through the clients' sockets, on three hosts; and, with PEERS=1, what Corosync's
//! closed process groups cost on the same hosts in the same run.
//!
//! Beside each figure stands what a message costs on all cores together, daemons and talkers: it says more about the programs,
//! and less about what else runs on this machine.

use super::cost::Cost;
use super::peer::Corosync;
use super::talk::How;
use super::{cluster, setting, tell};
use crate::site::{NAMES, Site};
use crate::tool::{Outcome, Trouble, While, this_program};
use serde_json::{Value, json};
use std::path::Path;
use std::thread;

/// How long each measurement counts, unless `SECONDS` says so.
const SECONDS_DEFAULT: u64 = 3;
/// How often each is repeated, unless `REPEATS` says so; the median counts.
const REPEATS_DEFAULT: usize = 3;
/// The talkers' real-time priority: that of our daemons' helpers, below that of their main threads and of Corosync.
const REAL_TIME: &str = "1";
/// Own messages under way at each sender.
const WINDOW: usize = 200;
/// The same of long messages.
const WINDOW_LONG: usize = 8;

/// One measurement.
#[derive(Clone, Copy)]
struct Measure {
    figure: &'static str,
    size: usize,
    window: usize,
    /// Whether all three send, or one.
    all: bool,
    how: How,
    what: What,
    /// The least ratio to the peer, or the most where less is better. None where nothing is asked for.
    goal: Option<f64>,
}

/// What of a measurement is the figure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Rate,
    Median,
    P99,
}

const MEASURES: [Measure; 12] = [
    Measure::rate("messages_64b_all", 64, WINDOW, true, Some(2.0)),
    Measure::rate("messages_1k_all", 1_024, WINDOW, true, Some(2.0)),
    Measure::rate("messages_64k_all", 65_536, WINDOW_LONG, true, Some(2.0)),
    Measure::rate("messages_64b_one", 64, WINDOW, false, None),
    Measure::rate("messages_1k_one", 1_024, WINDOW, false, None),
    Measure::rate("messages_64k_one", 65_536, WINDOW_LONG, false, None),
    Measure::latency("agreed_us_median", What::Median, How::Agreed, Some(0.7)),
    Measure::latency("agreed_us_p99", What::P99, How::Agreed, Some(0.7)),
    Measure::latency("safe_us_median", What::Median, How::Safe, Some(1.2)),
    Measure::latency("safe_us_p99", What::P99, How::Safe, Some(1.2)),
    Measure::latency("voted_us_median", What::Median, How::Voted, None),
    Measure::latency("voted_us_p99", What::P99, How::Voted, None),
];

impl Measure {
    const fn rate(figure: &'static str, size: usize, window: usize, all: bool, goal: Option<f64>) -> Measure {
        Measure { figure, size, window, all, how: How::Agreed, what: What::Rate, goal }
    }

    const fn latency(figure: &'static str, what: What, how: How, goal: Option<f64>) -> Measure {
        Measure { figure, size: 64, window: 1, all: false, how, what, goal }
    }

    /// The window of one host.
    fn window_of(&self, number: usize) -> usize {
        if self.all || number == SPEAKER { self.window } else { 0 }
    }

    /// What one host measured.
    fn read(&self, told: &[Value; 3]) -> Outcome<f64> {
        let (of, key) = match self.what {
            What::Rate => (0, "per_s"),
            What::Median => (SPEAKER, "median_us"),
            What::P99 => (SPEAKER, "p99_us"),
        };
        told[of][key]
            .as_f64()
            .ok_or_else(|| Trouble(format!("{}: nothing was measured: {told:?}", self.figure)))
    }

    fn line(&self, value: f64, peer: Option<f64>, cpu: [Option<f64>; 2]) -> Value {
        let unit = if self.what == What::Rate { "messages/s delivered at each host" } else { "us" };
        let ratio = peer.map(|peer| (value / peer * 100.0).round() / 100.0);
        let met = ratio.zip(self.goal).map(|(ratio, goal)| match self.what {
            What::Rate => ratio >= goal,
            What::Median | What::P99 => ratio <= goal,
        });
        json!({"figure": self.figure, "value": value, "unit": unit, "peer": peer, "ratio": ratio,
            "goal_ratio": self.goal, "met": met, "cpu_us": cpu[0], "peer_cpu_us": cpu[1]})
    }
}

/// The host that sends where one sends: not the lowest, which gives messages their places.
const SPEAKER: usize = 1;

/// Measures, and prints a line for each figure.
pub fn run(work: &Path) -> Outcome<()> {
    let (seconds, repeats) = (setting("SECONDS", SECONDS_DEFAULT)?, setting("REPEATS", REPEATS_DEFAULT)?);
    let mut site = cluster(work, &setting("TIMING", "auto".to_owned())?)?;
    let peer = match setting("PEERS", 0)? {
        0 => None,
        _ => Some(Corosync::start(&site, work)?),
    };
    let (only, mut round) = (setting("ONLY", String::new())?, 0);
    for measure in MEASURES.into_iter().filter(|measure| measure.figure.contains(&only)) {
        let (mut ours, mut theirs, mut cpu) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
        for _ in 0..repeats {
            round += 1;
            let (told, cost) = costing(|| our_cpu_ms(&site), || talk(&site, &measure, round, seconds))?;
            ours.push(measure.read(&told)?);
            cpu[0].push(cost);
            if let Some(peer) = &peer {
                let talk = || peer_talk(&site, peer, &measure, round, seconds);
                let (told, cost) = costing(|| peer.cpu_ms(), talk)?;
                theirs.push(measure.read(&told)?);
                cpu[1].push(cost);
            }
        }
        tell(&format!("{}: {ours:?}, the peer {theirs:?}", measure.figure));
        println!("{}", measure.line(median(ours).unwrap_or_default(), median(theirs), cpu.map(median)));
    }
    if let Some(peer) = peer {
        peer.end();
    }
    site.shut_down();
    Ok(())
}

/// What a measurement told, and how long each message of it kept a core busy, in microseconds, whichever core and program.
fn costing(
    daemons_ms: impl Fn() -> Outcome<u64>,
    talk: impl FnOnce() -> Outcome<[Value; 3]>,
) -> Outcome<([Value; 3], f64)> {
    let before = daemons_ms()?;
    let told = talk()?;
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let cpu_ms = daemons_ms()? - before + told.iter().map(|told| number(&told["cpu_ms"])).sum::<u64>();
    let heard = number(&told[0]["heard"]).max(1);
    Ok((told, (cpu_ms as f64 * 10_000.0 / heard as f64).round() / 10.0))
}

fn our_cpu_ms(site: &Site) -> Outcome<u64> {
    (0..NAMES.len()).map(|number| Ok(Cost::of(site.daemon_pid(number)?)?.cpu_ms)).sum()
}

fn talk(site: &Site, measure: &Measure, round: usize, seconds: u64) -> Outcome<[Value; 3]> {
    let program = this_program()?.to_string_lossy().into_owned();
    let (group, size, seconds) = (format!("bench-{round}"), measure.size.to_string(), seconds.to_string());
    on_all(site, |number| {
        let window = measure.window_of(number).to_string();
        (
            program.clone(),
            ["talk", &group, &size, &seconds, &window, measure.how.word()].map(str::to_owned).to_vec(),
        )
    })
}

fn peer_talk(
    site: &Site,
    peer: &Corosync,
    measure: &Measure,
    round: usize,
    seconds: u64,
) -> Outcome<[Value; 3]> {
    let (group, size, seconds) = (format!("bench-{round}"), measure.size.to_string(), seconds.to_string());
    on_all(site, |number| {
        let window = measure.window_of(number).to_string();
        (peer.talker(), [&group, &size, &seconds, &window].map(String::clone).to_vec())
    })
}

/// Runs a program on each host at once, and reads what they print.
fn on_all(site: &Site, command: impl Fn(usize) -> (String, Vec<String>)) -> Outcome<[Value; 3]> {
    let told: Vec<Outcome<Value>> = thread::scope(|scope| {
        let begin = |number: usize| {
            let (program, arguments) = command(number);
            scope.spawn(move || {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                // As the daemons of both are, above what else runs on this machine. Three hosts have fewer cores here than
                // real-time threads: who is not one of them gets no time to listen.
                let real_time = ["--rr", REAL_TIME, &program];
                let arguments = [&real_time[..], &arguments].concat();
                let text = site.machine(number)?.host.run("chrt", &arguments)?;
                serde_json::from_str(&text).during("reading what was measured")
            })
        };
        let talkers: Vec<_> = (0..NAMES.len()).map(begin).collect();
        talkers.into_iter().map(|talker| talker.join().expect("it does not panic")).collect()
    });
    let told = told.into_iter().collect::<Outcome<Vec<Value>>>()?;
    told.try_into().map_err(|_| Trouble("there are three hosts".into()))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
