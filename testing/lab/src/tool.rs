//! Running other programs, with errors that say which and why.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What went wrong, in words.
#[derive(Debug)]
pub struct Trouble(pub String);

/// Most of what a laboratory does may fail for reasons that only words can tell.
pub type Outcome<T> = Result<T, Trouble>;

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Trouble {
        Trouble(error.to_string())
    }
}

/// Adds what was being done to an error.
pub trait While<T> {
    /// `doing` in words: "mounting the image".
    fn during(self, doing: &str) -> Outcome<T>;
}

impl<T, E: fmt::Display> While<T> for Result<T, E> {
    fn during(self, doing: &str) -> Outcome<T> {
        self.map_err(|error| Trouble(format!("{doing}: {error}")))
    }
}

/// Runs a program to its end; its standard output if it exits 0.
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Outcome<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().during(program)?;
    let words =
        || arguments.iter().map(|word| word.as_ref().to_string_lossy().into_owned()).collect::<Vec<_>>();
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(Trouble(format!("{program} {}: {said} ({})", words().join(" "), output.status)))
        }
    }
}

/// Runs a line of words that have no blanks in them: `line("ip link set lo up")`.
pub fn line(words: &str) -> Outcome<String> {
    let mut words = words.split_whitespace();
    let program = words.next().ok_or_else(|| Trouble("an empty command".into()))?;
    run(program, &words.collect::<Vec<_>>())
}

/// The laboratory's program, which hosts run as their init. A test finds it one folder above its own.
pub fn this_program() -> Outcome<PathBuf> {
    let this = std::env::current_exe().during("finding this program")?;
    let beside_tests = this.parent().filter(|folder| folder.ends_with("deps")).and_then(Path::parent);
    Ok(beside_tests.map_or(this.clone(), |folder| folder.join("phalanx-lab")))
}

/// Waits until `done`, looking every few milliseconds; `false` after `limit`.
pub fn wait_until(limit: std::time::Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = std::time::Instant::now() + limit;
    while std::time::Instant::now() < end {
        if done() {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    done()
}
