//! The names and layouts that administrators of RSCT know, for who calls this program by one of those names. What has no
//! counterpart here reads `n/a`.

use crate::ask;
use crate::cli::Cli;
use crate::fault::{Exit, Fault};
use crate::provider::{DomainView, GroupView, ProtocolView, no_group, read};
use crate::topology::{self, NetworkView, TopologyView};
use clap::Parser;
use phalanx_types::Span;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What is shown under an old name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Old {
    /// Something of Group Services.
    Domain(OfDomain),
    /// `lssrc -ls cthats`: the networks.
    Topology(String),
}

/// What is shown of Group Services.
#[derive(Clone, Debug, PartialEq, Eq)]
enum OfDomain {
    /// `hagsgr`: the groups and their providers.
    Groups(Option<String>),
    /// `hagsvote`: what is voted on.
    Votes(Option<String>),
    /// `hagsns`: the domain.
    NameServer,
    /// `lssrc -ls cthags`: the subsystem.
    Subsystem(String),
}

/// Names of Group Services, of all generations.
const SUBSYSTEMS: [&str; 3] = ["cthags", "hags", "grpsvcs"];
/// The same of Topology Services.
const TOPOLOGY: [&str; 3] = ["cthats", "hats", "topsvcs"];

/// Runs as the program that the first argument names, if it is one of these.
pub fn run(arguments: &[OsString]) -> Option<Result<(), Fault>> {
    let name = Path::new(arguments.first()?).file_name().and_then(OsStr::to_str)?;
    let rest: Vec<&str> = arguments[1..].iter().filter_map(|word| word.to_str()).collect();
    let old = parse(name, &rest)?;
    Some(old.and_then(|old| show(&old)))
}

fn parse(name: &str, rest: &[&str]) -> Option<Result<Old, Fault>> {
    let group = || {
        let at = rest.iter().position(|word| *word == "-a");
        at.and_then(|at| rest.get(at + 1)).map(|name| (*name).to_owned())
    };
    let of_domain = match name {
        "hagsgr" => OfDomain::Groups(group()),
        "hagsvote" => OfDomain::Votes(group()),
        "hagsns" => OfDomain::NameServer,
        "lssrc" => return Some(subsystem(rest)),
        _ => return None,
    };
    Some(Ok(Old::Domain(of_domain)))
}

fn subsystem(rest: &[&str]) -> Result<Old, Fault> {
    let long = rest.iter().any(|word| *word == "-ls" || *word == "-l");
    match rest.last().filter(|_| long) {
        Some(name) if SUBSYSTEMS.contains(name) => Ok(Old::Domain(OfDomain::Subsystem((*name).to_owned()))),
        Some(name) if TOPOLOGY.contains(name) => Ok(Old::Topology((*name).to_owned())),
        Some(_) | None => {
            let what = "here lssrc knows `lssrc -ls cthags` and `lssrc -ls cthats` only";
            let remedy = "for the daemons use `systemctl status phalanxd`, for the cluster `phalanx status`";
            Err(Fault::new(Exit::BadInput, "PHX-C071", what, remedy))
        }
    }
}

fn show(old: &Old) -> Result<(), Fault> {
    let run_dir = std::env::var_os("PHALANX_RUN_DIR").map_or_else(|| "/run/phalanx".into(), PathBuf::from);
    let cli = Cli::parse_from([
        OsStr::new("phalanx"),
        OsStr::new("--run-dir"),
        run_dir.as_os_str(),
        OsStr::new("provider"),
    ]);
    let words = match old {
        Old::Topology(name) => topology_words(name, &topology::read(ask::topology(&cli)?)?),
        Old::Domain(old) => layout(old, &read(ask::domain(&cli)?)?)?,
    };
    ask::print(&words);
    Ok(())
}

fn layout(old: &OfDomain, domain: &DomainView) -> Result<String, Fault> {
    Ok(match old {
        OfDomain::Groups(name) => {
            chosen(domain, name)?.into_iter().map(|(name, group)| group_words(name, group)).collect()
        }
        OfDomain::Votes(name) => {
            chosen(domain, name)?.into_iter().map(|(name, group)| vote_words(name, group)).collect()
        }
        OfDomain::NameServer => name_server(domain),
        OfDomain::Subsystem(name) => subsystem_words(name, domain),
    })
}

fn chosen<'a>(domain: &'a DomainView, name: &Option<String>) -> Result<Vec<(&'a str, &'a GroupView)>, Fault> {
    let wanted = |known: &&String| name.as_ref().is_none_or(|name| name == *known);
    let groups: Vec<_> = domain
        .groups
        .iter()
        .filter(|(known, _)| wanted(known))
        .map(|(known, group)| (known.as_str(), group))
        .collect();
    match (groups.is_empty(), name) {
        (true, Some(name)) => Err(no_group(name)),
        _ => Ok(groups),
    }
}

fn group_words(name: &str, group: &GroupView) -> String {
    let mut words = format!(
        "Group name [{name}] group state [{}] number of providers [{}]\n",
        group.state,
        group.providers.len()
    );
    for provider in &group.providers {
        let _ = writeln!(
            words,
            "  Provider [{}/{}] local name [{}]",
            provider.instance, provider.node, provider.name
        );
    }
    words
}

fn vote_words(name: &str, group: &GroupView) -> String {
    let Some(ProtocolView { kind, phase, voted, missing, .. }) = &group.protocol else {
        return format!(
            "Group name [{name}] GL node [n/a] voting data: no protocol is currently executing.\n"
        );
    };
    let kind = old_kind(kind);
    format!(
        "Group name [{name}] GL node [n/a] voting data: GL in phase [{phase}] of n-phase protocol of type [{kind}].\n\
         Local voting data: Number of providers: {}; votes here: {}; not voted: {}\n",
        group.providers.len(),
        voted.len(),
        missing.len()
    )
}

fn old_kind(kind: &str) -> &'static str {
    match kind {
        "join" => "Join",
        "failure-leave" => "Failure Leave",
        "leave" => "Leave",
        "expel" => "Expel",
        "cast-out" => "Cast Out",
        "state" => "State Value Change",
        "attributes" => "Group Attribute Change",
        "message" => "Provider Message",
        _ => "Source State Reflection",
    }
}

fn name_server(domain: &DomainView) -> String {
    let established = domain.established_by.map_or("n/a".to_owned(), |node| node.to_string());
    let (word, state) = match domain.in_step && domain.established_by.is_some() {
        true => ("NS established", "kCertain"),
        false => ("NS not established", "n/a"),
    };
    format!(
        "HA GS NameServer Status\n\
         NodeID=n/a.{}, pid={}, domainID=n/a.{established}, {word},CodeLevel=n/a\n\
         NS state={state}, protocolInProgress=n/a,outstandingBroadcast=n/a\n\
         Process started on n/a, ({}) ago, HB connection took n/a.\n\
         Number of UP nodes: n/a\n",
        domain.node,
        domain.pid,
        uptime(domain.running_for)
    )
}

fn subsystem_words(name: &str, domain: &DomainView) -> String {
    let established = domain.established_by.map_or("n/a".to_owned(), |node| node.to_string());
    let mut words = format!("{:<18}{:<17}{:<8}{}\n", "Subsystem", "Group", "PID", "Status");
    let _ = writeln!(words, " {name:<17}{name:<17}{:<8}active", domain.pid);
    let _ = writeln!(words, " {} locally-connected clients.  Their PIDs:\n n/a", domain.clients);
    let _ =
        writeln!(words, " HA Group Services domain information:\n Domain established by node {established}.");
    let _ = writeln!(words, " Number of groups known locally: {}", domain.groups.len());
    let _ = writeln!(words, "{:<20}Number of   Number of local", "");
    let _ = writeln!(words, " {:<19}providers   providers/subscribers", "Group name");
    for (name, group) in &domain.groups {
        let (all, here, subscribers) =
            (group.providers.len(), group.local_providers, group.local_subscribers);
        let _ = writeln!(words, " {name:<19}{all:>7}{here:>12}{subscribers:>12}");
    }
    words
}

fn topology_words(name: &str, topology: &TopologyView) -> String {
    let mut words = format!("{:<18}{:<17}{:<8}{}\n", "Subsystem", "Group", "PID", "Status");
    let _ = writeln!(words, " {name:<17}{name:<17}{:<8}active", topology.pid);
    let _ = writeln!(words, "Network Name   Indx Defd  Mbrs  St   {:<16}Group ID", "Adapter ID");
    for (number, network) in topology.networks.iter().enumerate() {
        words += &network_words(number, network, topology);
    }
    let up = nodes_up(topology);
    let _ = writeln!(words, "  n/a locally connected Clients with PIDs: n/a");
    let _ = writeln!(words, "  Configuration Instance = n/a");
    let _ = writeln!(words, "  Number of nodes up: {}. Number of nodes down: {}.", up.0, up.1);
    words
}

/// A network in its two lines, and how it is watched.
fn network_words(number: usize, network: &NetworkView, topology: &TopologyView) -> String {
    let members: Vec<_> = network.members.iter().filter(|member| member.state == "up").collect();
    let address = |node: &str| {
        let known = network.members.iter().find(|member| member.node == node);
        known.and_then(|member| member.address.clone()).unwrap_or_else(|| "n/a".into())
    };
    let stable = network.members.iter().all(|member| member.state != "unstable");
    let (state, own) = (if stable { "S" } else { "U" }, address(&topology.node));
    let group = network.leader.as_deref().map_or("n/a".to_owned(), address);
    let (name, defined, present) = (&network.network, network.members.len(), members.len());
    format!(
        "{name:<15}[{number:>2}] {defined:<6}{present:<6}{state:<5}{own:<16}{group}\n\
         {name:<15}[{number:>2}] {:<17}{:<16}{}\n\
         HB Interval = {}. Sensitivity = {} missed beats\n\
         Packets sent    : n/a ICMP 0 Errors: n/a No mbuf: n/a\n\
         Packets received: n/a ICMP 0 Dropped: n/a\n\
         NIM's PID: n/a\n",
        "n/a",
        "n/a",
        network.instance.map_or("n/a".to_owned(), |instance| instance.to_string()),
        topology.beat,
        topology.detect.0 / (2 * topology.beat.0.max(1)),
    )
}

/// A node is up if it is on some network: how many are, and how many are not.
fn nodes_up(topology: &TopologyView) -> (usize, usize) {
    let members = || topology.networks.iter().flat_map(|network| &network.members);
    let all: BTreeSet<&str> = members().map(|member| member.node.as_str()).collect();
    let up: BTreeSet<&str> =
        members().filter(|member| member.state == "up").map(|member| member.node.as_str()).collect();
    (up.len(), all.len() - up.len())
}

/// `10d 20:19:22`.
fn uptime(span: Span) -> String {
    let seconds = span.0 / 1_000_000_000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    format!("{days}d {:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn domain() -> DomainView {
        let provider = json!({"instance": 1, "node": 2, "name": "web"});
        let life = json!({"life": {"node": 2, "start": 4}, "instance": 1});
        let protocol = json!({"number": 7, "kind": "join", "phase": 1, "limit": 1_000_000_000u64, "voted": [], "missing": [life]});
        let group = |protocol| {
            json!({"providers": [provider], "local_providers": 1, "local_subscribers": 0, "state": "00",
                "attributes": {}, "protocols": 7, "protocol": protocol, "waiting": 0})
        };
        read(json!({"schema": 1, "cluster": "demo", "pid": 11938, "running_for": 937_162_000_000_000u64,
            "nodes": {"1": "ada", "2": "bob"}, "node": 2, "in_step": true, "established_by": 1, "clients": 4,
            "groups": {"cssMembership": group(json!(null)), "web": group(protocol)}}))
        .expect("it is one")
    }

    fn check(name: &str, rest: &[&str], expected: &str) {
        let Some(Ok(Old::Domain(old))) = parse(name, rest) else { panic!("{name} is a name of old") };
        assert_eq!(layout(&old, &domain()).expect("there is something"), expected);
    }

    #[test]
    fn the_layouts_are_those_that_people_know() {
        check(
            "lssrc",
            &["-ls", "cthags"],
            "Subsystem         Group            PID     Status\n \
             cthags           cthags           11938   active\n \
             4 locally-connected clients.  Their PIDs:\n n/a\n \
             HA Group Services domain information:\n \
             Domain established by node 1.\n \
             Number of groups known locally: 2\n                    \
             Number of   Number of local\n \
             Group name         providers   providers/subscribers\n \
             cssMembership            1           1           0\n \
             web                      1           1           0\n",
        );
        check(
            "hagsns",
            &["-s"],
            "HA GS NameServer Status\n\
             NodeID=n/a.2, pid=11938, domainID=n/a.1, NS established,CodeLevel=n/a\n\
             NS state=kCertain, protocolInProgress=n/a,outstandingBroadcast=n/a\n\
             Process started on n/a, (10d 20:19:22) ago, HB connection took n/a.\n\
             Number of UP nodes: n/a\n",
        );
        check(
            "hagsvote",
            &["-l", "-a", "web"],
            "Group name [web] GL node [n/a] voting data: GL in phase [1] of n-phase protocol of type [Join].\n\
             Local voting data: Number of providers: 1; votes here: 0; not voted: 1\n",
        );
        check(
            "hagsgr",
            &["-l", "-a", "web"],
            "Group name [web] group state [00] number of providers [1]\n  Provider [1/2] local name [web]\n",
        );
    }

    #[test]
    fn the_networks_stand_as_topology_services_had_them() {
        let member = |node: &str, host: u8, state: &str| json!({"node": node, "address": format!("10.11.0.{host}"), "state": state, "heard": null, "watches": []});
        let topology = topology::read(
            json!({"pid": 11938, "node": "ada", "monitoring": "ring", "beat": 40_000_000,
            "detect": 400_000_000, "networks": [{"network": "lan", "index": 0, "leader": "bob", "crown_prince": "ada",
                "instance": 3, "members": [member("cyd", 1, "down"), member("ada", 2, "up"), member("bob", 3, "up")]}]}),
        );
        let old = parse("lssrc", &["-ls", "cthats"]).expect("a name of old").expect("it is understood");
        assert_eq!(old, Old::Topology("cthats".into()));
        assert_eq!(
            topology_words("cthats", &topology.expect("it is one")),
            "Subsystem         Group            PID     Status\n \
             cthats           cthats           11938   active\n\
             Network Name   Indx Defd  Mbrs  St   Adapter ID      Group ID\n\
             lan            [ 0] 3     2     S    10.11.0.2       10.11.0.3\n\
             lan            [ 0] n/a              n/a             3\n\
             HB Interval = 40 ms. Sensitivity = 5 missed beats\n\
             Packets sent    : n/a ICMP 0 Errors: n/a No mbuf: n/a\n\
             Packets received: n/a ICMP 0 Dropped: n/a\n\
             NIM's PID: n/a\n  \
             n/a locally connected Clients with PIDs: n/a\n  \
             Configuration Instance = n/a\n  \
             Number of nodes up: 2. Number of nodes down: 1.\n",
        );
    }

    #[test]
    fn other_names_are_not_for_here_and_other_subsystems_are_not_known() {
        assert!(parse("phalanx", &[]).is_none());
        assert!(parse("lssrc", &["-a"]).is_some_and(|old| old.is_err()));
        let unknown = OfDomain::Groups(Some("nothing".into()));
        assert!(layout(&unknown, &domain()).is_err());
    }
}
