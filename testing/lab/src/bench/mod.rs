//! Benches on the laboratory's hosts. Each prints one JSON object, the last line on standard output; what people read
//! meanwhile goes to standard error.

mod burners;
mod calm;
mod cost;
mod dice;
mod groups;
mod idle;
mod log;
mod peer;
pub mod talk;
mod witness;

use crate::demo::cluster_file;
use crate::site::{NAMES, Site};
use crate::tool::{Outcome, Trouble, While, wait_until};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// How long a cluster may take to be complete.
const COMPLETE_LIMIT: Duration = Duration::from_secs(30);

/// Runs one suite on the stage.
pub fn run(suite: &str, work: &Path) -> Outcome<()> {
    match suite {
        "idle" => idle::run(work),
        "calm" => calm::run(work),
        "groups" => groups::run(work),
        _ => Err(Trouble(format!("there is no suite {suite:?}: there are idle, calm and groups"))),
    }
}

/// A setting from the environment.
fn setting<T: FromStr<Err: std::fmt::Display>>(name: &str, default: T) -> Outcome<T> {
    match std::env::var(name) {
        Ok(text) => text.parse().during(&format!("reading {name}={text}")),
        Err(_) => Ok(default),
    }
}

/// The demo's cluster, complete: three nodes in one view, the group online.
fn cluster(work: &Path, timing: &str) -> Outcome<Site> {
    let mut site = Site::lay(work)?;
    let monitoring = setting("MONITORING", "mesh".to_owned())?;
    site.create_cluster(&cluster_file(work, timing, &monitoring)?)?;
    for number in 0..NAMES.len() {
        site.boot(number)?;
        site.start_daemon(number)?;
    }
    match wait_until(COMPLETE_LIMIT, || site.members() == NAMES.len() && site.is_online()) {
        true => Ok(site),
        false => {
            Err(Trouble("the cluster is not complete: three nodes in one view, and the group online".into()))
        }
    }
}

fn tell(words: &str) {
    eprintln!("   {words}");
}
