//! Damages one sector in each of many images of a repository and prints what became of them, one figure a line.

use serde_json::json;
use std::process::ExitCode;

const HELP: &str = "usage: phalanx-damage [IMAGES [SEED]]

Makes 100000 images of a repository in use, or so many as are asked for, each with one
damaged sector, and repairs each from its second copy and from a peer where there is one.
Exit code 1 if one that could be repaired was not, or anything was read that nobody wrote.";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default| words.get(at).map_or(Ok(default), |word| word.parse::<u64>());
    let (Ok(images), Ok(seed)) = (number(0, 100_000), number(1, 1)) else {
        println!("{HELP}");
        return ExitCode::from(2);
    };
    let tally = phalanx_damage::run(images, seed);
    let share = 100.0 * tally.repaired as f64 / tally.had.max(1) as f64;
    let figures = [
        ("repository_repaired", json!(share), "%", json!(100.0), tally.repaired == tally.had),
        ("repository_damage_missed", json!(tally.missed), "images", json!(0), tally.missed == 0),
        ("repository_wrong_reads", json!(tally.wrong), "images", json!(0), tally.wrong == 0),
    ];
    for (figure, value, unit, goal, met) in &figures {
        let line = json!({ "figure": figure, "value": value, "unit": unit, "goal": goal, "met": met,
            "images": tally.images, "slots": phalanx_damage::slots(), "had_elsewhere": tally.had,
            "refused": tally.refused, "hidden": tally.hidden, "ways": tally.ways });
        println!("{line}");
    }
    let met = figures.iter().all(|(.., met)| *met);
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
