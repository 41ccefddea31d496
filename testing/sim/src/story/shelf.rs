//! The files that stories are in: played, compared with what is written, and rewritten if that is wanted.

use super::play::{Manner, play};
use super::script::{Fault, Script};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// The luck with which a story is written down.
pub const LUCK: u64 = 1;

/// How a story went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// As it is written.
    Same,
    /// Otherwise: the lines that differ.
    Differs(String),
    /// It cannot be read or played.
    Unreadable(String),
}

/// What became of the wish to rewrite a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blessing {
    /// It went as it is written.
    Unchanged,
    /// It was rewritten.
    Rewritten,
    /// It is left as it is, and why.
    Refused(String),
}

/// The stories in these folders and files, in order.
pub fn files(places: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for place in places {
        if place.is_file() {
            files.push(place.clone());
            continue;
        }
        let entries = fs::read_dir(place)?.collect::<io::Result<Vec<_>>>()?;
        let mut inside: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
        inside.retain(|path| path.extension().is_some_and(|end| end == "txt"));
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

/// Plays a story with this luck, and looks whether it goes as it is written.
pub fn check(file: &Path, luck: u64) -> Found {
    match read(file).and_then(|(text, script)| Ok((text, again(file, &script, luck)?))) {
        Ok((text, played)) if text == played => Found::Same,
        Ok((text, played)) => Found::Differs(difference(&text, &played)),
        Err(words) => Found::Unreadable(words),
    }
}

/// What happens in a story, to the millisecond.
pub fn watch(file: &Path, luck: u64) -> Result<String, String> {
    let (_, script) = read(file)?;
    let outcomes = play(&script, luck, Manner::Exact).map_err(|fault| at(file, &fault))?;
    Ok(script.with(&outcomes))
}

/// Rewrites what is expected in a story as it goes now. Not in a new one: what should happen is thought out by hand first.
pub fn bless(file: &Path) -> Blessing {
    let blessed = read(file).and_then(|(text, script)| {
        may_bless(file, &script)?;
        let played = again(file, &script, LUCK)?;
        if text == played {
            return Ok(Blessing::Unchanged);
        }
        fs::write(file, played).map_err(|fault| format!("{}: {fault}", file.display()))?;
        Ok(Blessing::Rewritten)
    });
    blessed.unwrap_or_else(Blessing::Refused)
}

fn may_bless(file: &Path, script: &Script) -> Result<(), String> {
    if let Some(beat) = script.unexpected() {
        return Err(format!(
            "{}:{}: nothing is expected of this command: write by hand what should happen, or `  nothing`",
            file.display(),
            beat.line + 1
        ));
    }
    match is_committed(file) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!(
            "{}: a new story is not blessed: what should happen is written by hand, and committed once it does",
            file.display()
        )),
        Err(fault) => Err(format!("{}: git cannot be asked whether it knows it: {fault}", file.display())),
    }
}

/// Whether the last commit has this file.
fn is_committed(file: &Path) -> io::Result<bool> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().unwrap_or_default();
    let listed = Command::new("git")
        .current_dir(folder)
        .args(["ls-tree", "--name-only", "HEAD", "--"])
        .arg(name)
        .output()?;
    Ok(listed.status.success() && !listed.stdout.is_empty())
}

fn read(file: &Path) -> Result<(String, Script), String> {
    let text = fs::read_to_string(file).map_err(|fault| format!("{}: {fault}", file.display()))?;
    let script = Script::read(&text).map_err(|fault| at(file, &fault))?;
    Ok((text, script))
}

/// The story as it goes now.
fn again(file: &Path, script: &Script, luck: u64) -> Result<String, String> {
    let outcomes = play(script, luck, Manner::Written).map_err(|fault| at(file, &fault))?;
    Ok(script.with(&outcomes))
}

fn at(file: &Path, fault: &Fault) -> String {
    format!("{}:{}: {}", file.display(), fault.line, fault.words)
}

/// The lines that differ, between those around them that do not.
fn difference(written: &str, played: &str) -> String {
    let (written, played): (Vec<_>, Vec<_>) = (written.lines().collect(), played.lines().collect());
    let (mut text, mut left, mut right) = (String::new(), 0, 0);
    let mut line = |mark: char, number: usize, words: &str| {
        writeln!(text, "{:>5} {mark} {words}", number + 1).expect("a string takes all that is written to it");
    };
    let command = |words: &str| words.starts_with("> ");
    while left < written.len() || right < played.len() {
        // Commands stand in both, in the same order: what is between two is compared as a whole.
        let (to, upto) = (block(&written, left), block(&played, right));
        let (expected, came) = (&written[left..to], &played[right..upto]);
        if expected != came {
            for (offset, words) in expected.iter().enumerate().filter(|(_, words)| command(words)) {
                line(' ', left + offset, words);
            }
            let missing = expected.iter().enumerate().filter(|(_, words)| !came.contains(words));
            missing.for_each(|(offset, words)| line('-', left + offset, words));
            let extra = came.iter().enumerate().filter(|(_, words)| !expected.contains(words));
            extra.for_each(|(offset, words)| line('+', right + offset, words));
            if expected.iter().all(|words| came.contains(words))
                && came.iter().all(|words| expected.contains(words))
            {
                line('!', left, "the same lines in another order");
            }
        }
        (left, right) = (to, upto);
    }
    text
}

/// Where the part of a text that begins here ends: before the next command.
fn block(lines: &[&str], from: usize) -> usize {
    let next = (from + 1..lines.len()).find(|line| lines[*line].starts_with("> "));
    next.unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_command_and_the_lines() {
        let (written, played) = ("Title\n> a\n  1\n  2\n> b\n  3\n", "Title\n> a\n  1\n  4\n> b\n  3\n");
        assert_eq!(difference(written, played), "    2   > a\n    4 -   2\n    4 +   4\n");
        assert!(difference("> a\n  1\n  2\n", "> a\n  2\n  1\n").contains("another order"));
    }
}
