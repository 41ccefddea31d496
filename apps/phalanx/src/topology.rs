//! `phalanx topology`: the networks as this node sees them, and who watches whom on each.

use crate::ask;
use crate::cli::Cli;
use crate::fault::{Exit, Fault};
use crate::paint::{Ink, Paint};
use crate::table::{Table, cell, plain};
use phalanx_types::Span;
use serde::Deserialize;
use serde_json::Value;

/// The topology as the daemon tells of it.
#[derive(Clone, Debug, Deserialize)]
pub struct TopologyView {
    /// The daemon.
    pub pid: i32,
    /// The node that answers.
    pub node: String,
    /// How nodes watch each other: `mesh` or `ring`.
    pub monitoring: String,
    /// Between two beats.
    pub beat: Span,
    /// Silence after which a node is declared down.
    pub detect: Span,
    /// How much longer silence may last while the node's kernel answers an echo.
    pub grace: Option<Span>,
    /// Each network, or each place among the nodes' addresses there.
    pub networks: Vec<NetworkView>,
}

/// One network.
#[derive(Clone, Debug, Deserialize)]
pub struct NetworkView {
    /// Its name.
    pub network: String,
    /// Which of the nodes' addresses on it, from 0.
    pub index: u8,
    /// Who leads the ring there.
    pub leader: Option<String>,
    /// Who takes over from that.
    pub crown_prince: Option<String>,
    /// Who speaks for the leader in other subnets, if there are any.
    #[serde(default)]
    pub mayors: Vec<String>,
    /// Which of the groups that this leader has led.
    pub instance: Option<u64>,
    /// Who has an address there, in the order of these.
    pub members: Vec<MemberView>,
}

/// A node on one network.
#[derive(Clone, Debug, Deserialize)]
pub struct MemberView {
    /// Its name.
    pub node: String,
    /// Its address.
    pub address: Option<String>,
    /// `up`, `unstable` or `down`.
    pub state: String,
    /// How long ago anything came from it.
    pub heard: Option<Span>,
    /// Whom it watches.
    pub watches: Vec<String>,
}

/// `phalanx topology`.
pub fn run(cli: &Cli) -> Result<(), Fault> {
    let told = ask::topology(cli)?;
    let shown = match cli.json {
        true => format!("{told}\n"),
        false => render(&read(told)?, Paint::of_stdout()),
    };
    ask::print(&shown);
    Ok(())
}

/// The topology, if this program understands what the daemon says.
pub fn read(told: Value) -> Result<TopologyView, Fault> {
    serde_json::from_value(told).map_err(|error| {
        let what = format!("the daemon speaks of the topology in another way: {error}");
        Fault::new(Exit::Failed, "PHX-C006", what, "use the `phalanx` that came with this phalanxd")
    })
}

/// The networks for people.
pub fn render(topology: &TopologyView, paint: Paint) -> String {
    let TopologyView { node, monitoring, beat, detect, grace, .. } = topology;
    let grace = grace.map(|grace| format!(", and {grace} later while its host answers an echo"));
    let grace = grace.unwrap_or_default();
    let mut words = format!(
        "{monitoring}, as {node} sees it: a beat every {beat}, a node is down after {detect}{grace}\n"
    );
    for network in &topology.networks {
        words += &format!("\n{}\n{}", heading(network), members(topology, network).render(paint));
    }
    words
}

fn heading(network: &NetworkView) -> String {
    let place = match network.index {
        0 => network.network.clone(),
        index => format!("{} (address {})", network.network, index + 1),
    };
    let mayors = match network.mayors.as_slice() {
        [] => String::new(),
        [one] => format!(", mayor {one}"),
        several => format!(", mayors {}", several.join(", ")),
    };
    match (&network.leader, &network.crown_prince) {
        (Some(leader), Some(prince)) => format!("{place}: led by {leader}, crown prince {prince}{mayors}"),
        (Some(leader), None) => format!("{place}: led by {leader}"),
        (None, _) => place,
    }
}

fn members(topology: &TopologyView, network: &NetworkView) -> Table {
    let mut table = Table::new(&["NODE", "ADDRESS", "STATE", "HEARD", "WATCHES"]);
    for member in &network.members {
        let ink = match member.state.as_str() {
            "up" => Ink::Good,
            "unstable" => Ink::Warn,
            _ => Ink::Bad,
        };
        let heard = match member.heard {
            _ if member.node == topology.node => "(this node)".into(),
            Some(heard) => format!("{heard} ago"),
            None => "-".to_owned(),
        };
        table.row(vec![
            plain(&member.node),
            plain(member.address.as_deref().unwrap_or("-")),
            cell(ink, &member.state),
            plain(heard),
            plain(if member.watches.is_empty() { "-".into() } else { member.watches.join(", ") }),
        ]);
    }
    table
}
