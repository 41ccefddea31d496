//! What every source file must and must not have, and which files and functions are the longest.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold sources.
const FOLDERS: &[&str] = &["core", "shell", "clients", "apps", "testing", "xtask"];
/// Marks of something unfinished.
const UNFINISHED: &[&str] = &["TO\u{44}O", "FIX\u{4d}E", "XX\u{58}", "todo\u{21}(", "unimplemented\u{21}("];
/// How many of the longest are shown.
const SHOWN: usize = 5;

/// A source file.
pub struct Source {
    path: PathBuf,
    lines: Vec<String>,
}

/// All sources below `root`.
pub fn read(root: &Path) -> Vec<Source> {
    let mut paths = Vec::new();
    FOLDERS.iter().for_each(|folder| find(&root.join(folder), &mut paths));
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let path = path.strip_prefix(root).map(Path::to_owned).unwrap_or(path);
        Source { path, lines: text.lines().map(str::to_owned).collect() }
    };
    paths.into_iter().map(read).collect()
}

fn find(folder: &Path, paths: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            find(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Every fault in one file.
pub fn check(source: &Source) -> Vec<String> {
    let place = source.path.display();
    let mut faults = Vec::new();
    if !source.lines.first().is_some_and(|line| line.starts_with("//!")) {
        faults.push(format!("{place}: does not begin with //! saying what it decides"));
    }
    let is_core = source.path.starts_with("core");
    if is_core && source.path.ends_with("src/lib.rs") && !source.has("#![forbid(unsafe_code)]") {
        faults.push(format!("{place}: a core crate forbids unsafe code"));
    }
    for (number, line) in source.lines.iter().enumerate() {
        if let Some(mark) = UNFINISHED.iter().find(|mark| line.contains(**mark)) {
            faults.push(format!("{place}:{}: {mark} on main: mend it or file it", number + 1));
        }
        if is_core && line.split(|c: char| !c.is_alphanumeric()).any(|word| word == "f32" || word == "f64") {
            faults.push(format!("{place}:{}: no floats in decisions", number + 1));
        }
    }
    faults
}

impl Source {
    fn has(&self, line: &str) -> bool {
        self.lines.iter().any(|own| own == line)
    }

    /// The functions, with their lengths in lines.
    fn functions(&self) -> Vec<(String, usize)> {
        let mut functions = Vec::new();
        let mut open: Option<(usize, usize, String)> = None;
        for (number, line) in self.lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            if open.is_none() && is_function(line.trim_start()) {
                open = Some((number, indent, line.trim().to_owned()));
            }
            let ends = line.trim_start().starts_with('}');
            if let Some((start, _, name)) = open.take_if(|(_, at, _)| ends && *at == indent) {
                functions.push((format!("{}: {name}", self.path.display()), number - start + 1));
            }
        }
        functions
    }
}

fn is_function(line: &str) -> bool {
    let line =
        line.trim_start_matches("pub ").trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
    line.trim_start_matches("const ").starts_with("fn ")
}

/// Prints the longest files and functions, so that growth is seen.
pub fn print_longest(sources: &[Source]) {
    let files =
        sources.iter().map(|source| (source.path.display().to_string(), source.lines.len())).collect();
    print_top("files", files);
    print_top("functions", sources.iter().flat_map(Source::functions).collect());
}

fn print_top(what: &str, mut items: Vec<(String, usize)>) {
    items.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut lengths: Vec<usize> = items.iter().map(|(_, length)| *length).collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    println!("{} {what}, median {median} lines; the longest:", items.len());
    items.iter().take(SHOWN).for_each(|(name, length)| println!("  {length:5}  {name}"));
}
