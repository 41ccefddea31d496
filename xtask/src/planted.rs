//! `cargo xtask planted`: plants each known bug in the core, and prints which bugs were named by the property that must name
//! them; with `--units`, which of them some test of the core catches. The table is `testing/sim/src/planted.rs`; nothing is
//! decided here.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// A target folder of its own: no product is ever built beside a planted bug.
const TARGET: &str = "target/planted";
/// Seeds within which a bug has to be found, and what kinds of faults they have.
const COURSE: &[&str] = &["--planted", "--seeds", "2000", "--mode", "mixed"];
/// The tests are built otherwise.
const UNITS_TARGET: &str = "target/planted-units";
/// Whose tests could catch a bug, unit tests, property tests and stories: the crates that have bugs in them, and what of the
/// core is built on those.
const CORE: &[&str] = &[
    "phalanx-topology",
    "phalanx-membership",
    "phalanx-groups",
    "phalanx-session",
    "phalanx-agent",
    "phalanx-conduct",
    "phalanx-node",
];
/// Names the bug that those tests have in them.
const PLANT: &str = "PHALANX_PLANT";

/// Runs it from `root`; `more` goes to the simulator.
pub fn run(root: &Path, more: &[String]) -> ExitCode {
    match more.split_first() {
        Some((units, more)) if units == "--units" => self::units(root, more),
        Some(_) | None => simulate(root, more),
    }
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    command.current_dir(root);
    command
}

fn simulator(root: &Path) -> Command {
    let build = ["run", "--quiet", "--release", "-p", "phalanx-sim", "--features", "planted", "--target-dir"];
    let mut command = cargo(root);
    command.args(build).args([TARGET, "--"]);
    command
}

fn simulate(root: &Path, more: &[String]) -> ExitCode {
    if !more.iter().any(|word| word == "--json") {
        println!("{:<26} {:<5} {:<11} {:<24} found", "bug", "unit", "layer", "property");
    }
    match simulator(root).args(COURSE).args(more).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("planted: cargo cannot be run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the core's tests with each bug in them, or with those named, and compares with what the table says.
fn units(root: &Path, only: &[String]) -> ExitCode {
    let rows = match rows(root) {
        Ok(rows) => rows,
        Err(why) => {
            eprintln!("planted: {why}");
            return ExitCode::FAILURE;
        }
    };
    let asked = |bug: &str| only.is_empty() || only.iter().any(|name| name == bug);
    let mut wrong = 0;
    for (bug, expected) in rows.iter().filter(|(bug, _)| asked(bug)) {
        let (line, right) = match failing(root, bug) {
            Ok(failing) => (caught(&failing), failing.is_empty() != *expected),
            Err(why) => (why, false),
        };
        wrong += u32::from(!right);
        println!("{bug:<26} {line}{}", if right { "" } else { ": NOT AS THE TABLE SAYS" });
    }
    ExitCode::from(u8::from(wrong > 0))
}

/// Every bug of the table, and whether it says that a test catches it.
fn rows(root: &Path) -> Result<Vec<(String, bool)>, String> {
    let output = simulator(root).arg("--bugs").stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cargo cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()? == "yes"))
    };
    let rows: Vec<_> = text.lines().filter_map(row).collect();
    if rows.is_empty() { Err("the simulator names no bugs".to_owned()) } else { Ok(rows) }
}

/// The tests of the core that fail with this bug in them.
fn failing(root: &Path, bug: &str) -> Result<BTreeSet<String>, String> {
    let mut command = cargo(root);
    command.env(PLANT, bug).args(["nextest", "run", "--profile", "planted", "--cargo-quiet"]);
    command.args(["--features", "phalanx-types/planted", "--target-dir", UNITS_TARGET]);
    command.args(CORE.iter().flat_map(|name| ["-p", name]));
    let output = command.output().map_err(|error| format!("cargo cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    // Otherwise the tests were not even built.
    if !text.contains("tests run:") {
        return Err(text);
    }
    Ok(text.lines().filter_map(failed).collect())
}

/// The test that a line of the runner says did not pass: `FAIL [ 0.1s] crate name`, or `TIMEOUT`, or a signal.
fn failed(line: &str) -> Option<String> {
    let (verdict, rest) = line.split_once('[')?;
    let (_, test) = rest.split_once(']')?;
    let bad = ["FAIL", "TIMEOUT", "ABORT", "SIG"].iter().any(|word| verdict.trim().starts_with(word));
    // Some runners count before they name.
    let name: Vec<&str> =
        test.split_whitespace().filter(|word| !word.contains('/') && *word != "(").collect();
    bad.then(|| name.join(" "))
}

fn caught(failing: &BTreeSet<String>) -> String {
    match failing.first() {
        None => "no test".to_owned(),
        Some(one) if failing.len() == 1 => format!("caught by {one}"),
        Some(one) => format!("caught by {} tests, such as {one}", failing.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_runner_names_the_test_that_failed() {
        let check = |line: &str, expected: Option<&str>| assert_eq!(failed(line).as_deref(), expected);
        check(
            "        FAIL [   0.034s] phalanx-membership lease::tests::a_grant",
            Some("phalanx-membership lease::tests::a_grant"),
        );
        check("     TIMEOUT [ 120.001s] ( 12/271) phalanx-node node::one", Some("phalanx-node node::one"));
        check("        PASS [   0.034s] phalanx-membership lease::tests::a_grant", None);
        check("     Summary [  20.862s] 271 tests run: 271 passed, 0 skipped", None);
    }
}
