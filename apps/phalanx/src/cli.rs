//! The grammar: `phalanx NOUN VERB [NAME…]`. Its help is a golden file.

use clap::{Args, Parser, Subcommand};
use phalanx_types::{GroupName, NodeName, RepositoryId, Span};
use std::path::PathBuf;

const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 failed, 2 bad input, 3 refused by the state of things, 4 outcome unknown";
/// The same, and what only the manual says.
const MANUAL: &str = "\
Exit codes: 0 done, 1 failed, 2 bad input, 3 refused by the state of things, 4 outcome unknown

Names of old: called as hagsgr, hagsvote, hagsns or lssrc (-ls cthags, -ls cthats) it prints the layouts of RSCT, n/a where there is \
no counterpart. Links of these names are in lib/phalanx/compat below the prefix of the installation. They are not on the PATH, for a \
host may have the real ones: who wants them adds that folder to it.";

/// Controls a Phalanx cluster from one of its nodes.
#[derive(Debug, Parser)]
#[command(name = "phalanx", version, after_help = EXIT_CODES, after_long_help = MANUAL, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    /// What it is about.
    #[command(subcommand)]
    pub noun: Noun,
    /// Print JSON, with its `schema`
    #[arg(long, global = true)]
    pub json: bool,
    /// Where the daemon's socket is
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "PHALANX_RUN_DIR",
        hide_env_values = true,
        default_value = "/run/phalanx"
    )]
    pub run_dir: PathBuf,
}

/// What a command is about.
#[derive(Debug, Subcommand)]
pub enum Noun {
    /// Show the cluster, its nodes and its groups
    Status(StatusArgs),
    /// Make a cluster file the active configuration, on all nodes or on none
    Apply(ApplyArgs),
    /// Make a cluster, join one, show it
    #[command(subcommand)]
    Cluster(ClusterVerb),
    /// List the groups, or change what one shall do
    Group(GroupArgs),
    /// List the nodes, or stop this one
    Node(NodeArgs),
    /// Show the networks: which nodes are reached on each, and who watches whom
    Topology,
    /// Show Group Services: groups and their providers, what is voted on, the domain
    Provider(ProviderArgs),
    /// Make, show and check a repository disk
    #[command(subcommand)]
    Repository(RepositoryVerb),
    /// Show what happened
    Events(EventsArgs),
    /// Say why things are as they are, or what became of one event
    Explain(ExplainArgs),
    /// Tell what a flight record of the simulator has: what happened, where, and why
    Replay(ReplayArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages
    Man {
        /// Where to
        #[arg(default_value = ".")]
        directory: PathBuf,
    },
}

/// How a change is waited for.
#[derive(Args, Clone, Debug)]
pub struct Waiting {
    /// Wait no longer than this for the end; what was begun goes on
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = span)]
    pub timeout: std::time::Duration,
    /// Do not wait for the end
    #[arg(long)]
    pub no_wait: bool,
}

/// Arguments of `status`.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Show it again every second, until interrupted
    #[arg(long)]
    pub watch: bool,
}

/// Arguments of `apply`.
#[derive(Args, Debug)]
pub struct ApplyArgs {
    /// The cluster file
    pub file: PathBuf,
    /// How it is waited for.
    #[command(flatten)]
    pub waiting: Waiting,
}

/// Verbs of `cluster`.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub enum ClusterVerb {
    /// Make a new cluster, and this host its first node
    Create {
        /// The cluster file
        file: PathBuf,
        /// Which node of the file this host is
        #[arg(long, value_name = "NAME")]
        node: NodeName,
        /// Where to write the invitation for the other nodes [default: NAME.invitation]
        #[arg(long, value_name = "FILE", alias = "bundle")]
        invitation: Option<PathBuf>,
        /// Where this node is to live
        #[arg(long, value_name = "DIR", default_value = "/var/lib/phalanx")]
        state_dir: PathBuf,
    },
    /// Make this host a node of the cluster that wrote an invitation
    Join {
        /// The invitation
        invitation: PathBuf,
        /// Which node of the cluster this host is
        #[arg(long, value_name = "NAME")]
        node: NodeName,
        /// Where this node is to live
        #[arg(long, value_name = "DIR", default_value = "/var/lib/phalanx")]
        state_dir: PathBuf,
    },
    /// Write an invitation: whoever has it can join
    Invite {
        /// Where to
        file: PathBuf,
        /// Where this node lives
        #[arg(long, value_name = "DIR", default_value = "/var/lib/phalanx")]
        state_dir: PathBuf,
    },
    /// Form the cluster without the nodes that are away: the override for a lost quorum
    Form {
        /// Of the nodes that are left, on your word that all others are off
        #[arg(long, required = true)]
        alone: bool,
        /// The cluster's name, instead of being asked to type it
        #[arg(long, value_name = "CLUSTER")]
        confirm: Option<String>,
        /// Why, for the record
        #[arg(long, value_name = "TEXT", default_value = "no reason given")]
        reason: String,
        /// How it is waited for.
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Go by the configured timings again, however far stalls have stretched them
    Timings {
        /// Those of the cluster file
        #[arg(long, required = true)]
        configured: bool,
        /// How it is waited for.
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Print the active cluster file
    Show,
    /// The cluster's key
    #[command(subcommand)]
    Key(KeyVerb),
}

/// Verbs of `cluster key`.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub enum KeyVerb {
    /// Print the key's fingerprint, the same on all nodes; never the key
    Show {
        /// Where this node lives
        #[arg(long, value_name = "DIR", default_value = "/var/lib/phalanx")]
        state_dir: PathBuf,
    },
}

/// Arguments of `group`.
#[derive(Args, Debug)]
pub struct GroupArgs {
    /// What to do; without it the groups are listed.
    #[command(subcommand)]
    pub verb: Option<GroupVerb>,
}

/// Verbs of `group`.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub enum GroupVerb {
    /// Bring a group online where its policies want it
    Online {
        /// The group
        group: GroupName,
        /// How it is waited for.
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Bring a group offline, until it is asked online again
    Offline {
        /// The group
        group: GroupName,
        /// How it is waited for.
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Move a group to a node, where it stays until it is restored
    #[command(group(clap::ArgGroup::new("where").args(["to", "restore"]).required(true)))]
    Move {
        /// The group
        group: GroupName,
        /// The node
        #[arg(long, value_name = "NODE")]
        to: Option<NodeName>,
        /// Let its policies decide again where it runs
        #[arg(long)]
        restore: bool,
        /// How it is waited for.
        #[command(flatten)]
        waiting: Waiting,
    },
}

/// Arguments of `node`.
#[derive(Args, Debug)]
pub struct NodeArgs {
    /// What to do; without it the nodes are listed.
    #[command(subcommand)]
    pub verb: Option<NodeVerb>,
}

/// Verbs of `node`.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub enum NodeVerb {
    /// Move the groups of this node away, then end its daemon
    Stop {
        /// How it is waited for.
        #[command(flatten)]
        waiting: Waiting,
    },
}

/// Arguments of `provider`.
#[derive(Args, Debug)]
pub struct ProviderArgs {
    /// What to show; without it the groups.
    #[command(subcommand)]
    pub verb: Option<ProviderVerb>,
}

/// Verbs of `provider`.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub enum ProviderVerb {
    /// List the groups of Group Services, or show one with its providers and attributes
    Group {
        /// The group
        name: Option<String>,
    },
    /// Show what is voted on, and whose votes are missing
    Vote {
        /// Of this group only
        name: Option<String>,
    },
    /// Show the domain as this node sees it
    Domain,
}

/// Verbs of `repository`.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub enum RepositoryVerb {
    /// Make a repository of this node's cluster on a disk, or in a file; what is on it is gone
    Create {
        /// The disk, or the file; a file that is not there is made
        disk: PathBuf,
        /// How many nodes have their place on it; ids are never used again, so leave room
        #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=64))]
        slots: u16,
        /// The disk's name once more, instead of being asked to type it, where something is on it
        #[arg(long, value_name = "DISK")]
        confirm: Option<PathBuf>,
        /// Where this node lives: whose cluster it is, and its configuration
        #[arg(long, value_name = "DIR", default_value = "/var/lib/phalanx")]
        state_dir: PathBuf,
    },
    /// Show what a repository has: the cluster, the configuration, what each node wrote last
    Show {
        /// The disk, or the file
        disk: PathBuf,
        /// Which repository, where two headers disagree
        #[arg(long, value_name = "ID", value_parser = repository)]
        repository: Option<RepositoryId>,
    },
    /// Read every sector that means something, say what is wrong and what to do
    Check {
        /// The disk, or the file
        disk: PathBuf,
        /// Write again what the second copy on the disk has; only while no daemon uses it
        #[arg(long)]
        repair: bool,
        /// A copy of this repository, for its header and pieces of its configuration; can be given several times
        #[arg(long = "copy", value_name = "FILE")]
        copies: Vec<PathBuf>,
        /// Which repository, where two headers disagree
        #[arg(long, value_name = "ID", value_parser = repository)]
        repository: Option<RepositoryId>,
    },
}

/// Arguments of `events`.
#[derive(Args, Debug)]
pub struct EventsArgs {
    /// How many of the last events
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
    pub last: usize,
    /// Go on with what happens from now on, until interrupted
    #[arg(long, short)]
    pub follow: bool,
    /// Show decisions of every kind, too
    #[arg(long)]
    pub debug: bool,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The event, by the number that `events` shows
    pub number: Option<u64>,
}

/// Arguments of `replay`.
#[derive(Args, Debug)]
#[command(after_help = REPLAY_HELP)]
pub struct ReplayArgs {
    /// The flight record, as a failing seed leaves it
    pub file: PathBuf,
    /// Only what this node says, and what befalls it; by name or number
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,
    /// Not before this moment of the run
    #[arg(long, value_name = "T", value_parser = moment)]
    pub from: Option<Span>,
    /// Not after this moment
    #[arg(long, value_name = "T", value_parser = moment)]
    pub to: Option<Span>,
    /// The last 5 s before this property was broken; so it is without --from and --to, whichever was broken
    #[arg(long, value_name = "PROPERTY", conflicts_with_all = ["from", "to"])]
    pub around: Option<String>,
    /// Only this event and what it followed from, back to the beginning
    #[arg(long, value_name = "EVENT", conflicts_with_all = ["from", "to", "around", "node"])]
    pub why: Option<u64>,
    /// Every message, every renewal of a lease, every write to a disk, too
    #[arg(long)]
    pub all: bool,
}

const REPLAY_HELP: &str = "\
T is a moment of the run: 41, 41.25, 41.25s or 41250ms.
Each line has the event's number, when it was, its node, and what happened; after `<-` stands the
event that it followed from. An event from before the first line shown is told below the line.";

/// Reads the id of a repository: 32 hexadecimal digits.
fn repository(text: &str) -> Result<RepositoryId, String> {
    let wrong = || "an id has 32 hexadecimal digits, as `phalanx repository show` prints them".to_owned();
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u128::from_str_radix(text, 16).ok().filter(|_| digits).ok_or_else(wrong)?;
    Ok(RepositoryId(number.to_be_bytes()))
}

/// Reads a moment of a run: `41`, `41.25`, `41.25s`, `41250ms`.
fn moment(text: &str) -> Result<Span, String> {
    let wrong = || "write for example 41, 41.25s or 41250ms".to_owned();
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.parse().map(Span::from_millis).map_err(|_| wrong());
    }
    let (whole, part) =
        text.trim_end_matches('s').split_once('.').unwrap_or((text.trim_end_matches('s'), "0"));
    let digits = (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let nanos: u64 = format!("{part:0<9}").parse().ok().filter(|_| digits).ok_or_else(wrong)?;
    whole.parse().map(|seconds| Span::from_secs(seconds) + Span(nanos)).map_err(|_| wrong())
}

/// Reads `500ms`, `10s`, `2m`, `1h`.
fn span(text: &str) -> Result<std::time::Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let count: u64 = digits.parse().map_err(|_| "write for example 500ms, 10s or 2m".to_owned())?;
    let millis = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("its unit is ms, s, m or h".into()),
    };
    Ok(std::time::Duration::from_millis(count.saturating_mul(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_repository_is_read_as_it_is_printed() {
        let id = RepositoryId([0xa5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(repository(&id.to_string()), Ok(id));
        for text in ["", "a5", "+501020304050607080910111213141516", &"g".repeat(32)] {
            assert!(repository(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_is_seconds_with_a_part_or_milliseconds() {
        let check = |text, micros| assert_eq!(moment(text), Ok(Span::from_micros(micros)), "{text}");
        check("41", 41_000_000);
        check("41.25", 41_250_000);
        check("41.25s", 41_250_000);
        check("41250ms", 41_250_000);
        check("0.000001", 1);
        for text in ["", "s", ".5", "1.", "-1", "1.1234567890", "1.x", "1m", "4 s", "ms"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
