//! `phalanx-sim`: runs seeds and says what they add up to. Exit code 1 if a property was broken, 2 for bad arguments.

use phalanx_model::Quorum;
use phalanx_oracle::Violation;
use phalanx_sim::core::Cores;
use phalanx_sim::planted::{PLANTED, Planted, Unit};
use phalanx_sim::run::{Course, Judge, first_violation, record_seed, run_many, run_seed};
use phalanx_sim::story::{Blessing, Found, LUCK, bless, check, files, watch};
use phalanx_sim::trace::Trace;
use phalanx_sim::{Factory, Lite, Mode, Report, setting};
use phalanx_types::{Monitoring, Plot, TimingProfile};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "\
usage: phalanx-sim [--seeds N] [--from S] [--timing fast|auto|relaxed] [--monitoring mesh|ring]
                   [--quorum majority|dynamic] [--nodes 2-7] [--networks 1-3]
                   [--mode MODE] [--safety] [--jobs J] [--json] [--trace FILE] [--planted] [--points]
                   [--flight FILE] [--plant BUG]
       phalanx-sim --stories PLACE… [--luck N | --bless]
       phalanx-sim --story FILE [--luck N]

  --seeds N    how many seeds (100)             --from S    the first of them (0)
  --mode       swarm: all that proofs of class `process` cover (the default)
               stress: the same, and operators on two nodes apply changes with each fault
               dwindle: quorum is dynamic, and hosts are lost one after the other
               mixed: every other seed as in swarm, the rest in turn as in stress, groups and dwindle; clusters of any
                      size and age, with beats to all or along rings, and more kinds of faults
               freeze: whole hosts stand still too; two owners are counted, not judged
               form: most hosts are lost for long, and an honest operator forms the cluster without them
               groups: every node has clients of Group Services, too
  --safety     do not ask that all is well in the end
  --jobs J     threads (all cores); the result does not depend on it
  --json       one line for programs
  --trace FILE write everything that happens in seed S there, in words
  --planted    plant each known bug in the core, and look whether the property that must name it does;
               with --plant only that bug
  --points     fail if some rare branch was never taken
  --flight FILE  where the flight record of the first failing seed goes (flight-SEED.jsonl), and with --seeds 1 that
               of a seed that does not fail; `phalanx replay FILE` reads it
  --plant BUG  plant this bug
  --bugs       instead: name each known bug, and say whether a test of the core catches it
  --stories PLACE…  instead: play the stories in these files and folders, with the real core before every safety property,
               and say which go otherwise than they are written; with --bless rewrite what is expected in them, unless
               they are new
  --story FILE instead: tell what happens in one story, to the millisecond
  --luck N     stories happen with other luck (1) than they were written down with
  --scale      instead: what a node costs and how soon a crash makes a new view at 3, 16 and 64 nodes, with beats to all
               and along rings, as figures
";

struct Arguments {
    seeds: u64,
    from: u64,
    course: Course,
    jobs: usize,
    json: bool,
    trace: Option<String>,
    planted: bool,
    points: bool,
    flight: Option<String>,
    plant: Option<String>,
    bugs: bool,
    scale: bool,
    stories: Vec<PathBuf>,
    bless: bool,
    story: Option<PathBuf>,
    luck: u64,
}

fn number<T: std::str::FromStr>(name: &str, value: Option<String>) -> Result<T, String> {
    let value = value.ok_or_else(|| format!("{name} needs a value"))?;
    value.parse().map_err(|_| format!("{name} needs a number, not {value:?}"))
}

fn within(name: &str, value: usize, range: std::ops::RangeInclusive<usize>) -> Result<usize, String> {
    if range.contains(&value) { Ok(value) } else { Err(format!("{name} must be within {range:?}")) }
}

fn parse(words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let course = Course { lite: Lite::DEFAULT, mode: Mode::Swarm, judge: Judge::All };
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut arguments = Arguments {
        seeds: 100,
        from: 0,
        course,
        jobs,
        json: false,
        trace: None,
        planted: false,
        points: false,
        flight: None,
        plant: None,
        bugs: false,
        scale: false,
        stories: Vec::new(),
        bless: false,
        story: None,
        luck: LUCK,
    };
    let mut words = words.peekable();
    while let Some(name) = words.next() {
        let lite = &mut arguments.course.lite;
        match name.as_str() {
            "--seeds" => arguments.seeds = number(&name, words.next())?,
            "--from" => arguments.from = number(&name, words.next())?,
            "--jobs" => arguments.jobs = number(&name, words.next())?,
            "--nodes" => lite.nodes = Some(within(&name, number(&name, words.next())?, setting::NODES)?),
            "--networks" => {
                lite.networks = Some(within(&name, number(&name, words.next())?, setting::NETWORKS)?);
            }
            "--timing" => lite.timing = timing(words.next().as_deref())?,
            "--monitoring" => lite.monitoring = monitoring(words.next().as_deref())?,
            "--quorum" => lite.quorum = quorum(words.next().as_deref())?,
            "--mode" => arguments.course.mode = mode(words.next().as_deref())?,
            "--json" => arguments.json = true,
            "--safety" => arguments.course.judge = Judge::Safety,
            "--planted" => arguments.planted = true,
            "--bugs" => arguments.bugs = true,
            "--scale" => arguments.scale = true,
            "--stories" => {
                let is_place = |word: &String| !word.starts_with("--");
                arguments.stories.extend(std::iter::from_fn(|| words.next_if(is_place)).map(PathBuf::from));
            }
            "--bless" => arguments.bless = true,
            "--story" => arguments.story = Some(words.next().ok_or("--story needs a file")?.into()),
            "--luck" => arguments.luck = number(&name, words.next())?,
            "--points" => arguments.points = true,
            "--flight" => arguments.flight = Some(words.next().ok_or("--flight needs a file")?),
            "--plant" => arguments.plant = Some(words.next().ok_or("--plant needs the name of a bug")?),
            "--trace" => arguments.trace = Some(words.next().ok_or("--trace needs a file")?),
            other => return Err(format!("{other:?} is not known")),
        }
    }
    Ok(arguments)
}

fn timing(word: Option<&str>) -> Result<TimingProfile, String> {
    match word {
        Some("fast") => Ok(TimingProfile::Fast),
        Some("auto") => Ok(TimingProfile::Auto),
        Some("relaxed") => Ok(TimingProfile::Relaxed),
        other => Err(format!("--timing is fast, auto or relaxed, not {other:?}")),
    }
}

fn monitoring(word: Option<&str>) -> Result<Monitoring, String> {
    match word {
        Some("mesh") => Ok(Monitoring::Mesh),
        Some("ring") => Ok(Monitoring::Ring),
        other => Err(format!("--monitoring is mesh or ring, not {other:?}")),
    }
}

fn quorum(word: Option<&str>) -> Result<Quorum, String> {
    match word {
        Some("majority") => Ok(Quorum::Majority),
        Some("dynamic") => Ok(Quorum::Dynamic),
        other => Err(format!("--quorum is majority or dynamic, not {other:?}")),
    }
}

fn mode(word: Option<&str>) -> Result<Mode, String> {
    match word {
        Some("swarm") => Ok(Mode::Swarm),
        Some("stress") => Ok(Mode::Stress),
        Some("freeze") => Ok(Mode::Freeze),
        Some("form") => Ok(Mode::Form),
        Some("groups") => Ok(Mode::Groups),
        Some("dwindle") => Ok(Mode::Dwindle),
        Some("mixed") => Ok(Mode::Mixed),
        other => {
            Err(format!("--mode is swarm, stress, freeze, form, groups, dwindle or mixed, not {other:?}"))
        }
    }
}

/// The core that is put to the test.
fn factory(plant: Option<&str>) -> Result<Cores, String> {
    let Some(plant) = plant else { return Ok(Cores(Plot::NONE)) };
    let found = Cores(Plot::NONE).planted().into_iter().find(|(name, _)| *name == plant);
    let missing =
        || format!("this build knows no bug {plant:?}: see --planted, and build with --features planted");
    found.map(|(_, bugged)| bugged).ok_or_else(missing)
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(fault) => {
            eprintln!("{fault}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let factory = match factory(arguments.plant.as_deref()) {
        Ok(factory) => factory,
        Err(fault) => {
            eprintln!("{fault}");
            return ExitCode::from(2);
        }
    };
    if arguments.bugs {
        PLANTED.iter().for_each(|row| println!("{} {}", row.bug, row.unit.word()));
        return ExitCode::SUCCESS;
    }
    if arguments.scale {
        return scale();
    }
    if let Some(file) = &arguments.story {
        return story(file, arguments.luck);
    }
    if !arguments.stories.is_empty() {
        return stories(&arguments);
    }
    match &arguments.trace {
        Some(_) if arguments.planted => unreachable_together(),
        Some(path) => trace(&factory, &arguments, path),
        None if arguments.planted => planted(&factory, &arguments),
        None => campaign(&factory, &arguments),
    }
}

/// Tells one story.
fn story(file: &Path, luck: u64) -> ExitCode {
    match watch(file, luck) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::from(2)
        }
    }
}

/// Plays stories and says which go otherwise than they are written. Exit code 1 if one does.
fn stories(arguments: &Arguments) -> ExitCode {
    let files = match files(&arguments.stories) {
        Ok(files) => files,
        Err(fault) => {
            eprintln!("{fault}");
            return ExitCode::from(2);
        }
    };
    let told = |file: &PathBuf| match arguments.bless {
        true => told_of_blessing(file),
        false => told_of_check(file, arguments.luck),
    };
    let failed = files.iter().filter(|file| !told(file)).count();
    println!("{} stories, {failed} of them not as they should be", files.len());
    ExitCode::from(u8::from(failed > 0))
}

fn told_of_check(file: &Path, luck: u64) -> bool {
    let found = check(file, luck);
    match &found {
        Found::Same => {}
        Found::Differs(lines) => println!("{} goes otherwise (- expected, + came):\n{lines}", file.display()),
        Found::Unreadable(words) => println!("{words}"),
    }
    found == Found::Same
}

fn told_of_blessing(file: &Path) -> bool {
    match bless(file) {
        Blessing::Unchanged => true,
        Blessing::Rewritten => {
            println!("{} is rewritten", file.display());
            true
        }
        Blessing::Refused(words) => {
            println!("{words}");
            false
        }
    }
}

/// Prints the figures of clusters of several sizes.
fn scale() -> ExitCode {
    match phalanx_sim::scale::figures(|line| println!("{line}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(violation) => {
            eprintln!("{violation}");
            ExitCode::from(1)
        }
    }
}

fn unreachable_together() -> ExitCode {
    eprintln!("--trace and --planted do not go together");
    ExitCode::from(2)
}

/// Runs the seeds and reports.
fn campaign<F: Factory>(factory: &F, arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let seeds = arguments.from..arguments.from.saturating_add(arguments.seeds);
    let (json, count) = (arguments.json, arguments.seeds);
    let progress = move |done: u64| {
        if !json && done.is_multiple_of(count.div_ceil(10)) {
            eprintln!("{done} of {count} seeds");
        }
    };
    let report = run_many(factory, seeds, arguments.course, arguments.jobs, &progress);
    let wall = began.elapsed();
    eprint!("{}", report.failures_in_words());
    leave_record(factory, &report, arguments);
    match arguments.json {
        true => println!("{}", report.json(wall, arguments.jobs)),
        false => println!("{}", report.words(wall, arguments.jobs)),
    }
    let lacking = arguments.points && !report.points.missed().is_empty();
    ExitCode::from(u8::from(report.violation_count() > 0 || lacking))
}

fn options(arguments: &Arguments) -> String {
    let Lite { nodes, networks, timing, monitoring, quorum } = arguments.course.lite;
    let option = |name: &str, value: Option<usize>| {
        value.map(|value| format!(" --{name} {value}")).unwrap_or_default()
    };
    let mode = match arguments.course.mode {
        Mode::Swarm => "",
        Mode::Stress => " --mode stress",
        Mode::Freeze => " --mode freeze",
        Mode::Form => " --mode form",
        Mode::Groups => " --mode groups",
        Mode::Dwindle => " --mode dwindle",
        Mode::Mixed => " --mode mixed",
    };
    let judge = match arguments.course.judge {
        Judge::Safety => " --safety",
        Judge::All | Judge::Only(_) => "",
    };
    let monitoring = match monitoring {
        Monitoring::Mesh => "",
        Monitoring::Ring => " --monitoring ring",
    };
    let quorum = match quorum {
        Quorum::Majority => "",
        Quorum::Dynamic => " --quorum dynamic",
    };
    format!(
        "--timing {timing}{monitoring}{quorum}{}{}{mode}{judge}",
        option("nodes", nodes),
        option("networks", networks)
    )
}

/// The command that runs this seed again.
fn command(arguments: &Arguments, seed: u64) -> String {
    let plant = arguments.plant.as_ref().map(|plant| format!(" --plant {plant}")).unwrap_or_default();
    format!("phalanx-sim --seeds 1 --from {seed} {}{plant}", options(arguments))
}

/// The first failing seed leaves its flight record, and so does a single one on demand.
fn leave_record<F: Factory>(factory: &F, report: &Report, arguments: &Arguments) {
    let wanted = (arguments.seeds == 1 && arguments.flight.is_some()).then_some(arguments.from);
    let Some(seed) = report.failures.first().map(|first| first.seed).or(wanted) else { return };
    let path = arguments.flight.clone().unwrap_or_else(|| format!("flight-{seed}.jsonl"));
    let command = command(arguments, seed);
    eprintln!("again: {command} --trace trace.txt");
    let record =
        |file: File| record_seed(factory, seed, arguments.course, command, Box::new(BufWriter::new(file)));
    match File::create(&path).and_then(record) {
        Ok(_) => eprintln!("what happened: phalanx replay {path}"),
        Err(fault) => eprintln!("{path}: {fault}: there is no flight record"),
    }
}

/// Runs one seed and writes all of it down.
fn trace<F: Factory>(factory: &F, arguments: &Arguments, path: &str) -> ExitCode {
    let file = match File::create(path) {
        Ok(file) => file,
        Err(fault) => {
            eprintln!("{path}: {fault}");
            return ExitCode::from(2);
        }
    };
    let trace = Trace::to_file(Box::new(BufWriter::new(file)));
    let outcome = run_seed(factory, arguments.from, arguments.course, trace);
    println!(
        "seed {}: {} virtual, {} events, digest {:016x}",
        outcome.seed, outcome.elapsed, outcome.events, outcome.digest
    );
    match outcome.violation {
        Some((violation, _)) => {
            println!("{violation}");
            ExitCode::from(1)
        }
        None => ExitCode::SUCCESS,
    }
}

/// Plants each bug and looks whether the property that must name it does. Exit code 1 if one stays hidden.
fn planted<F: Factory>(factory: &F, arguments: &Arguments) -> ExitCode {
    let seeds = arguments.from..arguments.from.saturating_add(arguments.seeds);
    let bugged: BTreeMap<_, _> = factory.planted().into_iter().collect();
    if bugged.is_empty() {
        eprintln!("this build knows no bugs to plant: build with --features planted");
        return ExitCode::from(2);
    }
    let mut hidden = 0;
    for row in PLANTED.iter().filter(|row| arguments.plant.as_deref().is_none_or(|plant| plant == row.bug)) {
        let course = Course { judge: Judge::Only(row.property), ..arguments.course };
        let found =
            bugged.get(row.bug).and_then(|one| first_violation(one, seeds.clone(), course, arguments.jobs));
        let named = found.as_ref().is_some_and(|(_, violation)| violation.property == row.property);
        hidden += u64::from(!named);
        println!("{}", planted_line(row, found.as_ref(), arguments));
        std::io::stdout().flush().expect("standard output takes a line");
    }
    ExitCode::from(u8::from(hidden > 0))
}

fn planted_line(row: &Planted, found: Option<&(u64, Violation)>, arguments: &Arguments) -> String {
    let Planted { bug, layer, property, unit } = row;
    let unit = *unit == Unit::Caught;
    let after = found.map(|(seed, _)| seed - arguments.from + 1);
    let said = found.map(|(_, violation)| violation.property);
    let named = said == Some(property);
    if arguments.json {
        let seeds = after.map_or("null".to_owned(), |after| after.to_string());
        let by = said.map_or("null".to_owned(), |said| format!("\"{said}\""));
        return format!(
            "{{\"bug\": \"{bug}\", \"unit\": {unit}, \"layer\": \"{layer}\", \"expected\": \"{property}\", \"found\": {named}, \"seeds\": {seeds}, \"property\": {by}}}"
        );
    }
    let end = match (after, said) {
        (Some(after), _) if named => format!("found in {after} seeds"),
        (Some(after), Some(said)) => format!("NOT FOUND: {said} spoke first, after {after} seeds"),
        (Some(_) | None, _) => format!("NOT FOUND in {} seeds", arguments.seeds),
    };
    let unit = row.unit.word();
    format!("{bug:<26} {unit:<5} {layer:<11} {property:<24} {end}")
}
