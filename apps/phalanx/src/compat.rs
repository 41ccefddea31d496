//! The names and layouts that administrators of RSCT know, for who calls this program by one of those names. What has no
//! counterpart here reads `n/a`.

use crate::ask;
use crate::cli::Cli;
use crate::fault::{Exit, Fault};
use crate::provider::{DomainView, GroupView, ProtocolView, no_group, read};
use clap::Parser;
use phalanx_types::Span;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What is shown under an old name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Old {
    /// `hagsgr`: the groups and their providers.
    Groups(Option<String>),
    /// `hagsvote`: what is voted on.
    Votes(Option<String>),
    /// `hagsns`: the domain.
    NameServer,
    /// `lssrc -ls cthags`: the subsystem.
    Subsystem(String),
}

/// Names of the subsystem, of all generations.
const SUBSYSTEMS: [&str; 3] = ["cthags", "hags", "grpsvcs"];

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
    Some(match name {
        "hagsgr" => Ok(Old::Groups(group())),
        "hagsvote" => Ok(Old::Votes(group())),
        "hagsns" => Ok(Old::NameServer),
        "lssrc" => subsystem(rest),
        _ => return None,
    })
}

fn subsystem(rest: &[&str]) -> Result<Old, Fault> {
    let long = rest.iter().any(|word| *word == "-ls" || *word == "-l");
    match rest.last().filter(|name| long && SUBSYSTEMS.contains(name)) {
        Some(name) => Ok(Old::Subsystem((*name).to_owned())),
        None => {
            let what = "here lssrc knows `lssrc -ls cthags` only";
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
    let domain = read(ask::domain(&cli)?)?;
    ask::print(&layout(old, &domain)?);
    Ok(())
}

fn layout(old: &Old, domain: &DomainView) -> Result<String, Fault> {
    Ok(match old {
        Old::Groups(name) => {
            chosen(domain, name)?.into_iter().map(|(name, group)| group_words(name, group)).collect()
        }
        Old::Votes(name) => {
            chosen(domain, name)?.into_iter().map(|(name, group)| vote_words(name, group)).collect()
        }
        Old::NameServer => name_server(domain),
        Old::Subsystem(name) => subsystem_words(name, domain),
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
        let old = parse(name, rest).expect("a name of old").expect("it is understood");
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
    fn other_names_are_not_for_here_and_other_subsystems_are_not_known() {
        assert!(parse("phalanx", &[]).is_none());
        assert!(parse("lssrc", &["-a"]).is_some_and(|old| old.is_err()));
        let unknown = Old::Groups(Some("nothing".into()));
        assert!(layout(&unknown, &domain()).is_err());
    }
}
