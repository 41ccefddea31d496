//! Draws the output of the demo as it looks in a terminal, for the README: `make demo | cargo xtask picture > docs/demo.svg`.
//!
//! Takes lines, gives an SVG; what is drawn is what the demo printed, less what leads up to it and the JSON for programs.

use std::fmt::Write;
use std::io::{Read, stdin};
use std::process::ExitCode;

const WIDTH: usize = 960;
const LINE: usize = 19;
const MARGIN: usize = 24;
const BAR: usize = 34;
/// Longer lines are cut, as a terminal would.
const COLUMNS_MAX: usize = 110;
const STYLE: &str = "\
  text { font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #c9d1d9; white-space: pre }
  .act { fill: #79c0ff; font-weight: bold }
  .good { fill: #7ee787 }
  .dim { fill: #8b949e }
";

/// Reads standard input, writes standard output.
pub fn draw() -> ExitCode {
    let mut text = String::new();
    if let Err(error) = stdin().read_to_string(&mut text) {
        eprintln!("picture: {error}");
        return ExitCode::FAILURE;
    }
    print!("{}", svg(&lines(&text)));
    ExitCode::SUCCESS
}

/// From the first act on, one blank line at a time, and no JSON.
fn lines(text: &str) -> Vec<&str> {
    let told = text.lines().map(str::trim_end).skip_while(|line| !is_act(line));
    let told = told.filter(|line| !line.starts_with('{'));
    let mut lines: Vec<&str> = told.collect();
    lines.dedup_by(|later, earlier| later.is_empty() && earlier.is_empty());
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

fn is_act(line: &str) -> bool {
    line.starts_with("── ")
}

fn svg(lines: &[&str]) -> String {
    let height = BAR + 2 * MARGIN + lines.len() * LINE;
    let mut out = String::new();
    let mut put = |part: String| writeln!(out, "{part}").expect("a string takes all that is written to it");
    put(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"make demo\">"
    ));
    put(format!("<style>\n{STYLE}</style>"));
    put(format!("<rect width=\"{WIDTH}\" height=\"{height}\" rx=\"10\" fill=\"#0d1117\"/>"));
    for (place, colour) in ["#ff5f57", "#febc2e", "#28c840"].into_iter().enumerate() {
        put(format!("<circle cx=\"{}\" cy=\"20\" r=\"6\" fill=\"{colour}\"/>", 24 + place * 20));
    }
    put(format!("<text class=\"dim\" x=\"{}\" y=\"25\">sudo make demo</text>", WIDTH / 2 - 58));
    for (number, line) in lines.iter().enumerate() {
        let y = BAR + MARGIN + number * LINE;
        put(format!(
            "<text class=\"{}\" x=\"{MARGIN}\" y=\"{y}\" xml:space=\"preserve\">{}</text>",
            class(line),
            escaped(line)
        ));
    }
    out + "</svg>\n"
}

fn class(line: &str) -> &'static str {
    match () {
        () if is_act(line) => "act",
        () if line.contains("lost acknowledged writes: 0") || line.contains("with two owners: 0") => "good",
        () if line.contains("detection") => "dim",
        () => "",
    }
}

fn escaped(line: &str) -> String {
    let cut: String = line.chars().take(COLUMNS_MAX).collect();
    cut.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
