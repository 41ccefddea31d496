//! `phalanx provider`: Group Services as this node sees it.

use crate::ask;
use crate::cli::{Cli, ProviderArgs, ProviderVerb};
use crate::fault::{Exit, Fault};
use crate::paint::Paint;
use crate::table::{Table, plain};
use phalanx_types::Span;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Characters of a state value that are shown; `--json` has all of it.
const STATE_CHARS_MAX: usize = 32;

/// Group Services as the daemon tells of it.
#[derive(Clone, Debug, Deserialize)]
pub struct DomainView {
    /// The cluster, which is the domain.
    pub cluster: String,
    /// The daemon.
    pub pid: i32,
    /// How long that has been running.
    pub running_for: Span,
    /// The nodes' names.
    pub nodes: BTreeMap<u16, String>,
    /// The node that answers.
    pub node: u16,
    /// Whether its copy of the domain is everybody's.
    pub in_step: bool,
    /// Where all others have the domain from.
    pub established_by: Option<u16>,
    /// Clients of the node that answers.
    pub clients: usize,
    /// Every group.
    pub groups: BTreeMap<String, GroupView>,
}

/// One group.
#[derive(Clone, Debug, Deserialize)]
pub struct GroupView {
    /// Who joined first comes first.
    pub providers: Vec<ProviderView>,
    /// Those on the node that answers.
    pub local_providers: usize,
    /// Clients of that node that are subscribed.
    pub local_subscribers: usize,
    /// The state value in hexadecimal digits.
    pub state: String,
    /// Its attributes.
    pub attributes: Value,
    /// The protocol under way.
    pub protocol: Option<ProtocolView>,
    /// Membership changes that wait.
    pub waiting: usize,
}

/// One provider.
#[derive(Clone, Debug, Deserialize)]
pub struct ProviderView {
    /// Its instance number.
    pub instance: i16,
    /// Its node.
    pub node: u16,
    /// What it calls itself.
    pub name: String,
}

/// A protocol that is voted on.
#[derive(Clone, Debug, Deserialize)]
pub struct ProtocolView {
    /// Its number.
    pub number: u64,
    /// What it changes.
    pub kind: String,
    /// Which phase.
    pub phase: u32,
    /// How long a phase may last.
    pub limit: Span,
    /// Whose votes are here.
    pub voted: Vec<VoterView>,
    /// Whose are not.
    pub missing: Vec<VoterView>,
}

/// A voter.
#[derive(Clone, Debug, Deserialize)]
pub struct VoterView {
    /// Its node, in its present life.
    pub life: LifeView,
    /// Its instance number.
    pub instance: i16,
}

/// A node in one of its lives.
#[derive(Clone, Debug, Deserialize)]
pub struct LifeView {
    /// The node.
    pub node: u16,
}

/// `phalanx provider`.
pub fn run(cli: &Cli, args: &ProviderArgs) -> Result<(), Fault> {
    let mut told = ask::domain(cli)?;
    let verb = args.verb.as_ref().unwrap_or(&ProviderVerb::Group { name: None });
    if let ProviderVerb::Group { name: Some(name) } | ProviderVerb::Vote { name: Some(name) } = verb {
        keep_only(&mut told, name)?;
    }
    let shown = match cli.json {
        true => format!("{told}\n"),
        false => shown(&read(told)?, verb, Paint::of_stdout()),
    };
    ask::print(&shown);
    Ok(())
}

/// The domain, if this program understands what the daemon says.
pub fn read(told: Value) -> Result<DomainView, Fault> {
    serde_json::from_value(told).map_err(|error| {
        let what = format!("the daemon speaks of Group Services in another way: {error}");
        Fault::new(Exit::Failed, "PHX-C006", what, "use the `phalanx` that came with this phalanxd")
    })
}

fn keep_only(told: &mut Value, name: &str) -> Result<(), Fault> {
    let groups = told.get_mut("groups").and_then(Value::as_object_mut);
    let Some(groups) = groups.filter(|groups| groups.contains_key(name)) else {
        return Err(no_group(name));
    };
    groups.retain(|known, _| known == name);
    Ok(())
}

/// No group of Group Services is called so.
pub fn no_group(name: &str) -> Fault {
    let what = format!("there is no group {name} in Group Services");
    let remedy = "`phalanx provider` lists those there are, `phalanx group` lists the resource groups";
    Fault::new(Exit::BadInput, "PHX-C070", what, remedy)
}

fn shown(domain: &DomainView, verb: &ProviderVerb, paint: Paint) -> String {
    match verb {
        ProviderVerb::Group { name: None } => groups(domain).render(paint),
        ProviderVerb::Group { name: Some(_) } => {
            domain.groups.iter().map(|(name, group)| one_group(domain, name, group)).collect()
        }
        ProviderVerb::Vote { .. } => votes(domain),
        ProviderVerb::Domain => domain_words(domain),
    }
}

fn groups(domain: &DomainView) -> Table {
    let mut table =
        Table::new(&["GROUP", "PROVIDERS", "HERE", "SUBSCRIBED HERE", "STATE VALUE", "UNDER WAY"]);
    for (name, group) in &domain.groups {
        let under_way = match (&group.protocol, group.waiting) {
            (Some(protocol), _) => format!("{}, phase {}", protocol.kind, protocol.phase),
            (None, 0) => "-".into(),
            (None, waiting) => format!("{waiting} waiting"),
        };
        table.row(vec![
            plain(name),
            plain(group.providers.len().to_string()),
            plain(group.local_providers.to_string()),
            plain(group.local_subscribers.to_string()),
            plain(state_words(&group.state)),
            plain(under_way),
        ]);
    }
    table
}

fn one_group(domain: &DomainView, name: &str, group: &GroupView) -> String {
    let mut words = format!("{name}: state value {}\n", state_words(&group.state));
    for provider in &group.providers {
        let node = node_name(domain, provider.node);
        let _ = writeln!(words, "  provider {}/{node} {}", provider.instance, provider.name);
    }
    for (key, value) in group.attributes.as_object().into_iter().flatten() {
        let _ = writeln!(words, "  {} = {}", key.replace('_', "-"), value.to_string().trim_matches('"'));
    }
    words
}

fn votes(domain: &DomainView) -> String {
    let voting = domain.groups.iter().filter_map(|(name, group)| Some((name, group.protocol.as_ref()?)));
    let mut words = String::new();
    for (name, protocol) in voting {
        let ProtocolView { number, kind, phase, limit, .. } = protocol;
        let _ = writeln!(words, "{name}: protocol {number}, {kind}, phase {phase}, {limit} to vote in");
        let _ = writeln!(words, "  voted:   {}", voters(domain, &protocol.voted));
        let _ = writeln!(words, "  missing: {}", voters(domain, &protocol.missing));
    }
    match words.is_empty() {
        true => "nothing is voted on\n".into(),
        false => words,
    }
}

fn domain_words(domain: &DomainView) -> String {
    let established = domain.established_by.map_or("nobody yet", |node| node_name(domain, node));
    let copy = if domain.in_step { "everybody's" } else { "waits for that of another node" };
    let cluster = &domain.cluster;
    let (node, clients, groups) = (node_name(domain, domain.node), domain.clients, domain.groups.len());
    format!(
        "domain {cluster}, as {node} sees it\n  established by  {established}\n  copy here       {copy}\n  \
         clients here    {clients}\n  groups          {groups}\n"
    )
}

fn voters(domain: &DomainView, voters: &[VoterView]) -> String {
    let name = |voter: &VoterView| format!("{}/{}", voter.instance, node_name(domain, voter.life.node));
    match voters.is_empty() {
        true => "-".into(),
        false => voters.iter().map(name).collect::<Vec<_>>().join(", "),
    }
}

fn node_name(domain: &DomainView, node: u16) -> &str {
    domain.nodes.get(&node).map_or("?", String::as_str)
}

/// As text if it is some, else as hexadecimal digits.
fn state_words(digits: &str) -> String {
    let pairs = digits.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    let bytes: Option<Vec<u8>> = pairs.map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let visible =
        text.filter(|text| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() || c == ' '));
    let words = visible.map_or_else(|| format!("0x{digits}"), |text| format!("{text:?}"));
    match words.char_indices().nth(STATE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &words[..at]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_value_is_shown_as_text_or_as_digits() {
        assert_eq!(state_words("776562"), "\"web\"");
        assert_eq!(state_words("00"), "0x00");
        assert_eq!(state_words("ff61"), "0xff61");
    }
}
