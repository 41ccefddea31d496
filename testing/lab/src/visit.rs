//! From another terminal: orders to a cluster that was left up, and commands and shells on its hosts.

use crate::keep;
use crate::tool::{Outcome, Trouble, While, this_program};
use rustix::net::sockopt::socket_peercred;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the work directory where several clusters are up.
const WORK: &str = "PHALANX_LAB";

/// A stage that is up, and the process that it lives in.
struct Stage {
    stream: UnixStream,
    process: String,
}

/// Has something happen.
pub fn order(order: &str) -> Outcome<()> {
    println!("{}", Stage::find()?.ask(order)?);
    Ok(())
}

/// Becomes a command on a host; only an error comes back.
pub fn on(name: &str, command: &[&str]) -> Trouble {
    match entrance(name) {
        Ok(mut enter) => Trouble(format!("nsenter: {}", enter.args(command).exec())),
        Err(trouble) => trouble,
    }
}

/// Becomes a shell on a host.
pub fn shell(name: &str) -> Trouble {
    on(name, &["env", &format!("PS1={name}# "), "bash", "--norc", "-i"])
}

/// The way into a host: into the stage that it stands on, then into it. Programs of this build are on the path there.
fn entrance(name: &str) -> Outcome<Command> {
    let stage = Stage::find()?;
    let process = stage.process.clone();
    let init = stage.ask(&format!("init {name}"))?;
    let programs = this_program()?.parent().map(PathBuf::from).unwrap_or_default();
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/sbin:/usr/bin:/sbin:/bin".into());
    let mut command = Command::new("nsenter");
    command.args(["--target", &process, "--mount", "--uts", "--net", "--pid", "--"]);
    command.args(["nsenter", "--target", &init, "--mount", "--uts", "--net", "--pid", "--"]);
    command.env("PATH", format!("{}:{path}", programs.display()));
    Ok(command)
}

impl Stage {
    /// The one that is up, or the one that is named.
    fn find() -> Outcome<Stage> {
        let mut works = match std::env::var_os(WORK) {
            Some(work) => vec![PathBuf::from(work)],
            None => works(),
        };
        works.retain(|work| UnixStream::connect(keep::socket(work)).is_ok());
        match works.as_slice() {
            [] => Err(Trouble("no cluster was left up: KEEP=1 make demo".into())),
            [work] => Stage::at(work),
            [..] => Err(Trouble(format!("several clusters are up; name one with {WORK}=: {works:?}"))),
        }
    }

    fn at(work: &Path) -> Outcome<Stage> {
        let stream = UnixStream::connect(keep::socket(work)).during("reaching the stage")?;
        let process = socket_peercred(&stream).during("finding the stage")?.pid;
        Ok(Stage { stream, process: process.as_raw_nonzero().to_string() })
    }

    fn ask(mut self, order: &str) -> Outcome<String> {
        self.stream.write_all(format!("{order}\n").as_bytes()).during("giving an order")?;
        let mut said = String::new();
        BufReader::new(self.stream).read_line(&mut said).during("hearing the answer")?;
        match said.trim().split_once(' ') {
            Some(("ok", said)) => Ok(said.to_owned()),
            Some((_, said)) => Err(Trouble(said.to_owned())),
            None => Err(Trouble("the stage said nothing".into())),
        }
    }
}

/// Work directories of stages, with those that ended without clearing up among them.
fn works() -> Vec<PathBuf> {
    let listed = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    let paths = listed.map(|entry| entry.path());
    let ours = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("phalanx-lab-"))
    };
    paths.filter(ours).collect()
}
