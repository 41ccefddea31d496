//! `phalanx cluster`: making a cluster, joining one. These work on files alone; no daemon runs yet.

use crate::ask;
use crate::change;
use crate::cli::{Cli, ClusterVerb, KeyVerb};
use crate::fault::{Exit, Fault};
use crate::form;
use phalanx_api::{Ask, SCHEMA};
use phalanx_journal::{ClusterSecret, Identity, Invitation, StateDir, stamp::life_floor};
use phalanx_ledger::Ledger;
use phalanx_model::{Cluster, Parsed};
use phalanx_types::{ClusterId, NodeName};
use rustix::rand::{GetRandomFlags, getrandom};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// Does what the verb says.
pub fn run(cli: &Cli, verb: &ClusterVerb) -> Result<(), Fault> {
    match verb {
        ClusterVerb::Create { file, node, invitation, state_dir } => {
            create(cli, file, node, invitation.as_deref(), state_dir)
        }
        ClusterVerb::Join { invitation, node, state_dir } => join(cli, invitation, node, state_dir),
        ClusterVerb::Invite { file, state_dir } => invite(cli, file, state_dir),
        ClusterVerb::Form { alone: _, confirm, reason, waiting } => {
            form::run(cli, confirm.as_deref(), reason, waiting)
        }
        ClusterVerb::Timings { configured: _, waiting } => change::run(cli, &Ask::ShrinkTimings, waiting),
        ClusterVerb::Show => show(cli),
        ClusterVerb::Key(KeyVerb::Show { state_dir }) => key(cli, state_dir),
    }
}

fn create(
    cli: &Cli,
    file: &Path,
    node: &NodeName,
    invitation: Option<&Path>,
    state_dir: &Path,
) -> Result<(), Fault> {
    let (text, cluster) = read_file(file, cli.json)?;
    let invited = Invitation {
        cluster: ClusterId(random()?),
        secret: ClusterSecret { key_epoch: 1, key: random()? },
        ledger: Ledger::begin(text).to_image(),
    };
    let default = PathBuf::from(format!("{}.invitation", cluster.name));
    let to = invitation.unwrap_or(&default);
    settle(&invited, &cluster, node, state_dir, 0)?;
    invited.write(to)?;
    let others: Vec<_> =
        cluster.nodes.values().map(|other| &other.name).filter(|name| *name != node).collect();
    let mut said = format!("cluster {} made, this host is {node} ({})\n", cluster.name, state_dir.display());
    for other in &others {
        said += &format!("on {other}: phalanx cluster join {} --node {other}\n", to.display());
    }
    said += &format!("{} holds the key: copy it safely, then remove it\n", to.display());
    tell(cli, &said, json!({ "cluster": cluster.name, "node": node, "invitation": to }));
    Ok(())
}

fn join(cli: &Cli, invitation: &Path, node: &NodeName, state_dir: &Path) -> Result<(), Fault> {
    let invited = Invitation::read(invitation)?;
    let cluster = cluster_of(&invited, invitation)?;
    settle(&invited, &cluster, node, state_dir, life_floor())?;
    let said = format!(
        "this host is {node} of cluster {} ({}); remove {} when all have joined\n",
        cluster.name,
        state_dir.display(),
        invitation.display()
    );
    tell(cli, &said, json!({ "cluster": cluster.name, "node": node }));
    Ok(())
}

/// Makes the state directory of a node.
fn settle(
    invited: &Invitation,
    cluster: &Cluster,
    node: &NodeName,
    state_dir: &Path,
    starts: u64,
) -> Result<(), Fault> {
    let id = cluster.node_named(node.as_str()).ok_or_else(|| {
        let names: Vec<_> = cluster.nodes.values().map(|node| node.name.as_str()).collect();
        let what = format!("cluster {} has no node {node}", cluster.name);
        Fault::new(Exit::BadInput, "PHX-C030", what, format!("use one of {}", names.join(", ")))
    })?;
    let identity = Identity { cluster: invited.cluster, node: id, name: node.clone() };
    StateDir::create(state_dir, &identity, &invited.secret, &invited.ledger, starts)?;
    Ok(())
}

fn invite(cli: &Cli, file: &Path, state_dir: &Path) -> Result<(), Fault> {
    let dir = StateDir::look(state_dir)?;
    let (identity, secret, ledger) = (dir.identity()?, dir.secret(None)?, dir.ledger()?);
    let invited = Invitation { cluster: identity.cluster, secret, ledger };
    cluster_of(&invited, state_dir)?;
    invited.write(file)?;
    let said = format!("{} holds the key: copy it safely, then remove it\n", file.display());
    tell(cli, &said, json!({ "invitation": file }));
    Ok(())
}

fn show(cli: &Cli) -> Result<(), Fault> {
    let text = ask::config(cli)?;
    tell(cli, &text, json!({ "file": text }));
    Ok(())
}

fn key(cli: &Cli, state_dir: &Path) -> Result<(), Fault> {
    let secret = StateDir::look(state_dir)?.secret(None)?;
    let said = format!("key {} {}\n", secret.key_epoch, secret.fingerprint());
    tell(cli, &said, json!({ "key_epoch": secret.key_epoch, "fingerprint": secret.fingerprint() }));
    Ok(())
}

/// The cluster file at `path`, checked; what is unwise in it goes to standard error.
pub fn read_file(path: &Path, json: bool) -> Result<(String, Cluster), Fault> {
    let text = fs::read_to_string(path).map_err(|error| Fault::file(path, &error))?;
    let name = path.display().to_string();
    match phalanx_model::parse(&name, &text) {
        Ok(Parsed { cluster, warnings }) => {
            if !json {
                warnings.iter().for_each(|warning| eprintln!("{warning}"));
            }
            Ok((text, cluster))
        }
        Err(faults) => {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            let remedy = "correct it; nothing was changed";
            let what = match json {
                true => format!("{name} cannot be used"),
                false => format!("{name} cannot be used\n{}", lines.join("\n")),
            };
            let data = faults.iter().filter_map(|fault| serde_json::to_value(fault).ok()).collect();
            Err(Fault { faults: data, ..Fault::new(Exit::BadInput, "PHX-C031", what, remedy) })
        }
    }
}

fn cluster_of(invited: &Invitation, path: &Path) -> Result<Cluster, Fault> {
    let unreadable = |why: String| {
        let what = format!("{}: the configuration in it cannot be read: {why}", path.display());
        Fault::new(Exit::BadInput, "PHX-C032", what, "use the same version of Phalanx on all nodes")
    };
    let ledger = Ledger::from_image(&invited.ledger).map_err(|damage| unreadable(damage.to_string()))?;
    let parsed = phalanx_model::parse("ledger", ledger.active().text());
    parsed.map(|parsed| parsed.cluster).map_err(|faults| unreadable(format!("{} faults", faults.len())))
}

/// Bytes that nobody can guess.
pub fn random<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(length) if length == N => Ok(bytes),
        Ok(_) | Err(_) => {
            let what = "the kernel gives no random bytes";
            Err(Fault::new(Exit::Failed, "PHX-C033", what, "look at the kernel's log"))
        }
    }
}

/// Says what was done, or the same as JSON.
pub fn tell(cli: &Cli, said: &str, mut json: serde_json::Value) {
    if cli.json {
        json["schema"] = SCHEMA.into();
        ask::print(&format!("{json}\n"));
    } else {
        ask::print(said);
    }
}
