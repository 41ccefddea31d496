//! The reference for people, printed from the very tables that the parser reads.

use crate::fault::FaultId;
use crate::keys::{Key, Kind, LATER, Need, Section};
use crate::words::Choice;
use std::fmt::Write;

/// Every key of the cluster file, in Markdown.
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    for section in Section::ALL.iter().filter(|section| section.own_keys().next().is_some()) {
        let (title, about) = heading(*section);
        writeln!(page, "\n## {title}\n\n{about}\n").expect("text takes every write");
        page += "| key | takes | default | meaning |\n|---|---|---|---|\n";
        section.own_keys().for_each(|key| page += &row(key));
        section.own_keys().for_each(|key| page += &words(key));
        writeln!(page, "\n```toml").expect("text takes every write");
        section.own_keys().for_each(|key| page += &format!("{} = {}\n", key.name, key.example));
        page += "```\n";
    }
    page += &later();
    page
}

/// Every message about a cluster file, in Markdown.
pub fn messages() -> String {
    let mut page = String::from(MESSAGES_INTRODUCTION);
    for id in FaultId::ALL {
        let (code, cause, remedy) = (id.code(), id.cause(), id.remedy());
        write!(page, "\n## {code}\n\n{cause}\n\n**Remedy:** {remedy}\n").expect("text takes every write");
    }
    page
}

const INTRODUCTION: &str = "\
# The cluster file

<!-- Generated from core/model/src/keys.rs; BLESS=1 cargo test -p phalanx-model writes it anew. -->

One TOML file declares a cluster: its nodes, its networks and what it protects. `phalanx apply FILE` checks all of it
before anything changes, and shows every fault at once with its line, its column and what to do
([messages](messages-cluster-file.md)). `examples/demo.toml` is a whole cluster to start from.

- **Names** (of nodes, networks, groups, resources, monitors) are 1 to 64 characters of `a-z`, `0-9`, `-`, `_`, and begin
  with a letter.
- **Durations** are a whole number and its unit, in quotes: `\"300ms\"`, `\"10s\"`, `\"2m\"`, `\"1h\"`; at most `\"24h\"`.
- **Commands** are lists of texts, the program first. No shell reads them.
- **Order** matters in lists, and nodes are numbered in the order in which they stand.
- **Secrets** never stand in this file.
";

const MESSAGES_INTRODUCTION: &str = "\
# Messages about the cluster file

<!-- Generated from core/model/src/fault.rs; BLESS=1 cargo test -p phalanx-model writes it anew. -->

A message reads `FILE:LINE:COLUMN: [ID] what is wrong; what to do`. With a fault (`PHX-F…`) nothing was changed and the
exit code is 2. A warning (`PHX-W…`) lets the file pass.
";

/// A section's title and what it is about.
fn heading(section: Section) -> (&'static str, &'static str) {
    match section {
        Section::File => ("The file", "What stands at the top."),
        Section::Cluster => ("`[cluster]`", "What holds for the whole cluster."),
        Section::Node => (
            "`[node.NODE]`",
            "A host of the cluster. At least three, or two with a tie-breaker: two alone have no majority once one is lost.",
        ),
        Section::Network => (
            "`[network.NETWORK]`",
            "A network that joins nodes. Two or more, over adapters and switches of their own, keep a failed cable from looking like a failed node.",
        ),
        Section::TieBreaker => (
            "`[tie-breaker.TIE-BREAKER]`",
            "What decides when two equal halves of the nodes do not reach each other: two nodes live by it.",
        ),
        Section::Group => {
            ("`[group.GROUP]`", "A resource group: resources that run on one node and move as one.")
        }
        Section::Resource => ("`[group.GROUP.resource.RESOURCE]`", "A resource of any type."),
        Section::ServiceAddress => {
            ("Resources of type `service-address`", "An address that clients use; it moves with the group.")
        }
        Section::FileSystem => {
            ("Resources of type `file-system`", "A file system on a disk that the group's nodes share.")
        }
        Section::Application => (
            "Resources of type `application`",
            "A program that the cluster starts, watches and stops. The start command finds the node and the ownership epoch in its environment.",
        ),
        Section::Limits => {
            ("`limits` of a resource", "How long its operations may take. Nothing waits for ever.")
        }
        Section::Restart => ("`restart` of an application", "What is done when a monitor fails."),
        Section::Monitor => (
            "`monitor.MONITOR` of an application",
            "How its health is known. At most one monitor is of type `process`.",
        ),
        Section::ProcessMonitor => ("Monitors of type `process`", "They have no further keys."),
        Section::CustomMonitor => ("Monitors of type `custom`", "A command that is run at intervals."),
    }
}

fn row(key: &Key) -> String {
    let default = match key.need {
        Need::Required => "**required**".to_owned(),
        Need::Default(text) => format!("`{text}`"),
        Need::Optional => "none".to_owned(),
    };
    format!("| `{}` | {} | {default} | {} |\n", key.name, key.kind.caption(), key.meaning)
}

fn words(key: &Key) -> String {
    let Kind::Word { choices, .. } = key.kind else { return String::new() };
    let line = |choice: &Choice| format!("- `\"{}\"`: {}\n", choice.word, choice.meaning);
    format!("\n`{}` is one of\n\n{}", key.name, choices().iter().map(line).collect::<String>())
}

/// What has its place in the file, but nothing behind it yet.
fn later() -> String {
    let mut text = String::from(LATER_INTRODUCTION);
    for section in Section::ALL {
        let keys = LATER.iter().filter(|(place, _)| place == section).map(|(_, name)| format!("`{name}`"));
        let (title, _) = heading(*section);
        text += &item(title, "keys", keys.collect());
        for key in section.own_keys() {
            let words = key.kind.later().iter().map(|word| format!("`\"{word}\"`"));
            text += &item(title, &format!("words for `{}`", key.name), words.collect());
        }
    }
    text
}

fn item(title: &str, what: &str, things: Vec<String>) -> String {
    if things.is_empty() { String::new() } else { format!("- {title}, {what}: {}\n", things.join(", ")) }
}

const LATER_INTRODUCTION: &str = "
## Not in this version yet

These have their place in the file, and are refused until there is something behind them. A word that ends with a colon
stands for all that begin with it.

";
