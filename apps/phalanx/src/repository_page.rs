//! What is said of a repository, for people and for programs.

use crate::paint::{Ink, Paint};
use crate::table::{Table, cell, plain};
use phalanx_api::SCHEMA;
use phalanx_ledger::Ledger;
use phalanx_repodisk::Access;
use phalanx_repository::{Block, Finding, Identity, Layout, Record, Survey, Traces, Whose};
use phalanx_types::NodeId;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const MEBIBYTE: u64 = 1 << 20;

/// The disk that it is on.
pub struct Disk {
    /// Its name.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// What it writes at once.
    pub block_bytes: u32,
    /// Whether it is read through this host's memory.
    pub is_cached: bool,
}

/// What a repository has.
pub fn show(disk: &Disk, found: &Survey, paint: Paint) -> String {
    let Some(identity) = &found.identity else { return String::new() };
    let Identity { whose, header } = identity;
    let mut page = format!(
        "repository {}, number {} of cluster {} ({})\n{}\nplace for {} nodes in the first {}\n{}\n\n",
        whose.repository,
        header.number,
        header.name,
        whose.cluster,
        medium(disk),
        header.layout.slots(),
        mebibytes(header.layout.bytes()),
        chain(found),
    );
    page += &nodes(found, paint);
    if !found.findings.is_empty() {
        let disk = disk.path.display();
        let count = counted(found.findings.len(), "finding");
        let told = format!("\n{count}: phalanx repository check {disk}\n");
        page += &paint.ink(Ink::Warn, &told);
    }
    page
}

fn medium(disk: &Disk) -> String {
    let cached = if disk.is_cached { "; read through this host's memory: for one host only" } else { "" };
    format!(
        "{}: {}, blocks of {} bytes{cached}",
        disk.path.display(),
        mebibytes(disk.bytes),
        disk.block_bytes
    )
}

fn chain(found: &Survey) -> String {
    let Some(chain) = &found.ledger else { return "configuration: lost".into() };
    let stamp = chain.commit.stamp;
    let times = match chain.number {
        1 => "once".to_owned(),
        number => format!("{number} times"),
    };
    format!("configuration: version {} of generation {}, written {times}", stamp.index, stamp.generation)
}

/// A row for each node of the configuration, and for each other one that has left something.
fn nodes(found: &Survey, paint: Paint) -> String {
    let names = names(found);
    let mut table = Table::new(&["node", "last primary view", "last beat", "claim"]);
    for (node, traces) in &found.nodes {
        let (name, left) = (names.get(node), has_left_something(traces));
        if name.is_none() && !left {
            continue;
        }
        let name = name.cloned().unwrap_or_else(|| node.to_string());
        table.row(vec![
            plain(name),
            told(traces.record.as_ref(), view),
            told(traces.beat.as_ref(), |beat| match beat.writer.start {
                0 => "never".into(),
                life => format!("number {} of life {life}", beat.sequence),
            }),
            told(traces.claim.as_ref(), claim),
        ]);
    }
    table.render(paint)
}

fn told<T>(what: Option<&T>, words: impl Fn(&T) -> String) -> crate::table::Cell {
    what.map_or_else(|| cell(Ink::Bad, "lost"), |what| plain(words(what)))
}

fn view(record: &Record) -> String {
    match record.view.counter {
        0 => "none".into(),
        _ => format!("{}, {}", record.view, counted(record.members.iter().count(), "node")),
    }
}

fn claim(block: &Block) -> String {
    match block.accepted {
        _ if block.round == 0 => "none".into(),
        None => format!("round {}: none", block.round),
        Some((_, claim)) => {
            let holders: Vec<String> = claim.holders.iter().map(|node| node.0.to_string()).collect();
            format!(
                "round {}: accepts nodes {} after view {}",
                block.round,
                holders.join(", "),
                claim.predecessor
            )
        }
    }
}

fn has_left_something(traces: &Traces) -> bool {
    let record = traces.record.is_none_or(|record| record.view.counter != 0);
    let beat = traces.beat.is_none_or(|beat| beat.writer.start != 0);
    let claim = traces.claim.is_none_or(|block| block.round != 0);
    record || beat || claim
}

/// What the nodes are called, as the configuration on the disk says.
fn names(found: &Survey) -> BTreeMap<NodeId, String> {
    let ledger = found.ledger.as_ref().and_then(|chain| Ledger::from_image(&chain.image).ok());
    let parsed = ledger.and_then(|ledger| phalanx_model::parse("ledger", ledger.active().text()).ok());
    let nodes = parsed.map(|parsed| parsed.cluster.nodes).unwrap_or_default();
    nodes.into_iter().map(|(id, node)| (id, node.name.to_string())).collect()
}

/// All that is wrong, a place and its remedy after the other.
pub fn findings(path: &Path, findings: &[Finding]) -> String {
    let count = counted(findings.len(), "finding");
    format!("{}: {count}{}", path.display(), lines(findings))
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("\n  {finding}\n    {}", finding.advice())).collect()
}

/// What to do about what is left.
pub fn next(path: &Path, access: Access, found: &Survey) -> String {
    let disk = path.display();
    match (access, found.mends.len()) {
        (Access::Look, 1..) => {
            let count = counted(found.mends.len(), "sector");
            format!(
                "phalanx repository check --repair {disk} writes {count} again; only while no daemon uses it"
            )
        }
        (Access::Look, 0) | (Access::Change, _) => "what is said to each is all that can be done".into(),
    }
}

/// Nothing is wrong, but for what nodes write again by themselves.
pub fn whole(disk: &Disk, found: &Survey, mended: usize) -> String {
    let mended = match mended {
        0 => String::new(),
        count => format!("{} written again; ", counted(count, "sector")),
    };
    let name = found.identity.as_ref().map(|identity| identity.header.name.as_str()).unwrap_or_default();
    let (disk, chain) = (disk.path.display(), chain(found));
    format!("{disk}: {mended}the repository of cluster {name} is whole; {chain}{}\n", lines(&found.findings))
}

/// What was made.
pub fn created(disk: &Disk, whose: &Whose, layout: Layout) -> String {
    format!("repository {} made, place for {} nodes\n{}\n", whose.repository, layout.slots(), medium(disk))
}

/// What writing over a disk means.
pub fn warning(path: &Path, found: &str) -> String {
    let disk = path.display();
    format!("{disk} is not empty. {found}\nAll of it is gone when a repository is made there.")
}

/// What is there already.
pub fn repository_there(identity: &Identity) -> String {
    let Identity { whose, header } = identity;
    format!(
        "It is repository {} of cluster {} ({}). A cluster that uses it loses it.",
        whose.repository, header.name, whose.cluster
    )
}

/// The same as data.
pub fn json(disk: &Disk, found: &Survey) -> Value {
    let identity = found.identity.as_ref().map(|Identity { whose, header }| {
        json!({ "id": whose.repository, "cluster": whose.cluster, "name": header.name, "number": header.number,
            "slots": header.layout.slots(), "bytes": header.layout.bytes() })
    });
    let ledger =
        found.ledger.as_ref().map(|chain| json!({ "written": chain.number, "version": chain.commit.stamp }));
    let nodes: BTreeMap<String, Value> =
        found.nodes.iter().map(|(node, traces)| (node.0.to_string(), traces_json(traces))).collect();
    json!({
        "schema": SCHEMA,
        "disk": { "path": disk.path, "bytes": disk.bytes, "block_bytes": disk.block_bytes, "cached": disk.is_cached },
        "repository": identity,
        "ledger": ledger,
        "nodes": nodes,
        "findings": list(&found.findings),
    })
}

fn traces_json(traces: &Traces) -> Value {
    let record = traces.record.map(
        |record| json!({ "view": record.view, "members": record.members, "generation": record.generation }),
    );
    let beat = traces.beat.map(|beat| json!({ "life": beat.writer, "number": beat.sequence }));
    let claim = traces.claim.map(|block| {
        let accepted = block.accepted.map(|(_, claim)| {
            json!({ "predecessor": claim.predecessor, "generation": claim.generation, "epoch": claim.epoch,
                "holders": claim.holders })
        });
        json!({ "round": block.round, "tried": block.tried.number, "accepted": accepted })
    });
    json!({ "record": record, "beat": beat, "claim": claim })
}

/// Findings as data.
pub fn list(findings: &[Finding]) -> Vec<Value> {
    let one = |finding: &Finding| {
        json!({ "sector": finding.spot.place, "sectors": finding.sectors, "area": finding.spot.area.to_string(),
            "node": finding.spot.owner, "copy": finding.spot.copy.to_string(), "mended": finding.is_mended(),
            "what": finding.condition.to_string(), "remedy": finding.advice() })
    };
    findings.iter().map(one).collect()
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn mebibytes(bytes: u64) -> String {
    format!("{}.{} MiB", bytes / MEBIBYTE, bytes % MEBIBYTE * 10 / MEBIBYTE)
}
