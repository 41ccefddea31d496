//! Searches the models and prints what was found, one JSON object a line.

use phalanx_models::{Finding, courses, refutations};
use serde_json::json;
use std::process::ExitCode;

const HELP: &str = "usage: phalanx-models [WORDS]

Searches every model whose name has WORDS in it, within its large bounds too. Then
leaves out one rule after the other, each of which must make a property fail.
Exit code 1 if a model does not hold, or holds without one of its rules.";

fn main() -> ExitCode {
    let words = std::env::args().nth(1).unwrap_or_default();
    if words.starts_with('-') {
        println!("{HELP}");
        return ExitCode::from(2);
    }
    let held = courses().iter().filter(|course| course.name.contains(&words)).fold(true, |held, course| {
        let finding = course.run();
        print(course.name, "violations", finding.violations.len(), &finding);
        explain(&finding);
        held && finding.violations.is_empty() && finding.unmet.is_empty()
    });
    let refuted = refutations().iter().filter(|one| one.name.contains(&words)).fold(true, |refuted, one| {
        let finding = one.run();
        let fails = finding.violations.iter().any(|(property, _)| *property == one.property);
        print(one.name, "refuted", usize::from(fails), &finding);
        refuted && fails
    });
    if held && refuted { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(model: &str, what: &str, count: usize, finding: &Finding) {
    let seconds = (finding.seconds * 10.0).round() / 10.0;
    println!("{}", json!({"model": model, "states": finding.states, "seconds": seconds, what: count}));
}

fn explain(finding: &Finding) {
    finding.violations.iter().for_each(|(property, way)| eprintln!("{property} fails after: {way}"));
    finding.unmet.iter().for_each(|case| eprintln!("never met: {case}"));
}
