//! The canonical text of a cluster: everything said, defaults too, in one order and one layout. Only a default that came
//! later than others is not said, so that what was digested before it keeps its digest.
//!
//! Two clusters are equal exactly if their canonical texts are, and reading the text gives the cluster back. So it is
//! what is digested, stored and compared.

use crate::cluster::{
    Application, Cluster, Command, FileSystem, Group, Network, Node, Resource, ResourceKind, ServiceAddress,
    TieBreaker, TieBreakerKind,
};
use crate::duration;
use crate::words::{MonitorType, ResourceType, TieBreakerType, Word};
use phalanx_types::{Digest, Monitoring, ResourceName, TieBreakerName};
use std::fmt::Write;

impl Cluster {
    /// The canonical text: a cluster file that declares exactly this cluster.
    pub fn to_toml(&self) -> String {
        let (name, timing, quorum) = (quote(self.name.as_str()), word(self.timing), word(self.quorum));
        let monitoring = match self.monitoring {
            Monitoring::Mesh => String::new(),
            Monitoring::Ring => format!(", monitoring = {}", word(self.monitoring)),
        };
        let grace = self.grace.map(|grace| format!(", grace = {}", quote(&duration::print(grace))));
        let grace = grace.unwrap_or_default();
        let tie = self.tie_breaker.as_ref().map(|name| format!(", tie-breaker = {}", quote(name.as_str())));
        let tie = tie.unwrap_or_default();
        let mut text = format!(
            "schema  = 1\ncluster = {{ name = {name}, timing = {timing}{monitoring}{grace}, quorum = {quorum}{tie} }}\n"
        );
        text += "\n[node]\n";
        self.nodes.values().for_each(|node| text += &self.node(node));
        text += "\n[network]\n";
        self.networks.values().for_each(|network| text += &network_line(network));
        if !self.tie_breakers.is_empty() {
            text += "\n[tie-breaker]\n";
            self.tie_breakers.iter().for_each(|(name, breaker)| text += &tie_breaker_line(name, breaker));
        }
        self.groups.values().for_each(|group| text += &self.group(group));
        text
    }

    /// The digest of the canonical text: the same exactly if the clusters are.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_toml().as_bytes())
    }

    fn node(&self, node: &Node) -> String {
        let address = |(id, addresses): (_, &Vec<_>)| {
            let name = &self.networks[id].name;
            match addresses.as_slice() {
                [one] => format!("{name} = \"{one}\""),
                several => format!("{name} = {}", list(several)),
            }
        };
        let addresses: Vec<_> = node.addresses.iter().map(address).collect();
        format!("{} = {{ address = {{ {} }} }}\n", node.name, addresses.join(", "))
    }

    fn group(&self, group: &Group) -> String {
        let nodes: Vec<_> = group.nodes.iter().map(|node| &self.nodes[node].name).collect();
        let mut text = format!("\n[group.{}]\n", group.name);
        line(&mut text, "nodes", list(&nodes));
        line(&mut text, "startup", word(group.startup));
        line(&mut text, "fallover", word(group.fallover));
        line(&mut text, "fallback", word(group.fallback));
        line(&mut text, "takeover-needs", word(group.takeover_needs));
        group.resources.iter().for_each(|resource| text += &self.resource(group, resource));
        text
    }

    fn resource(&self, group: &Group, resource: &Resource) -> String {
        let table = format!("group.{}.resource.{}", group.name, resource.name);
        let mut text = format!("\n[{table}]\n");
        match &resource.kind {
            ResourceKind::ServiceAddress(address) => self.service_address(&mut text, address),
            ResourceKind::FileSystem(file_system) => file_system_lines(&mut text, file_system),
            ResourceKind::Application(application) => application_lines(&mut text, application),
        }
        let limits = &resource.limits;
        let [start, stop, probe] = [limits.start, limits.stop, limits.probe].map(duration::print);
        line(&mut text, "after", list(&resource.after));
        line(
            &mut text,
            "limits",
            format!("{{ start = \"{start}\", stop = \"{stop}\", probe = \"{probe}\" }}"),
        );
        if let ResourceKind::Application(application) = &resource.kind {
            text += &monitor_lines(&table, application);
        }
        text
    }

    fn service_address(&self, text: &mut String, address: &ServiceAddress) {
        line(text, "type", word(ResourceType::ServiceAddress));
        line(text, "network", quote(self.networks[&address.network].name.as_str()));
        line(text, "address", quote(&address.address.to_string()));
    }
}

fn network_line(network: &Network) -> String {
    let Network { name, subnets, service, targets } = network;
    let subnet = match subnets.as_slice() {
        [one] => quote(&one.to_string()),
        several => list(several),
    };
    let targets = list(targets);
    format!("{name} = {{ subnet = {subnet}, service = {service}, targets = {targets} }}\n")
}

fn tie_breaker_line(name: &TieBreakerName, breaker: &TieBreaker) -> String {
    let limit = duration::print(breaker.limit);
    let TieBreakerKind::Nfs { directory } = &breaker.kind;
    let (kind, directory) = (word(TieBreakerType::Nfs), quote(directory));
    format!("{name} = {{ type = {kind}, directory = {directory}, limit = \"{limit}\" }}\n")
}

fn file_system_lines(text: &mut String, file_system: &FileSystem) {
    line(text, "type", word(ResourceType::FileSystem));
    line(text, "device", quote(&file_system.device));
    line(text, "mount", quote(&file_system.mount));
    line(text, "format", word(file_system.format));
    line(text, "options", list(&file_system.options));
}

fn application_lines(text: &mut String, application: &Application) {
    line(text, "type", word(ResourceType::Application));
    line(text, "start", command(&application.start));
    if let Some(stop) = &application.stop {
        line(text, "stop", command(stop));
    }
    let restart = &application.restart;
    let (count, within, then) = (restart.count, duration::print(restart.within), word(restart.then));
    line(text, "restart", format!("{{ count = {count}, within = \"{within}\", then = {then} }}"));
}

fn monitor_lines(table: &str, application: &Application) -> String {
    let monitors = &application.monitors;
    if !monitors.process && monitors.custom.is_empty() {
        return String::new();
    }
    let mut text = format!("\n[{table}.monitor]\n");
    if monitors.process {
        line(&mut text, &process_name(application), format!("{{ type = {} }}", word(MonitorType::Process)));
    }
    for (name, custom) in &monitors.custom {
        let (kind, command) = (word(MonitorType::Custom), command(&custom.command));
        let [every, limit] = [custom.every, custom.limit].map(duration::print);
        let timing = format!("every = \"{every}\", limit = \"{limit}\", failures = {}", custom.failures);
        line(&mut text, name.as_str(), format!("{{ type = {kind}, command = {command}, {timing} }}"));
    }
    text
}

/// A name for the process monitor, whose own the model does not keep, that no custom monitor has.
fn process_name(application: &Application) -> String {
    let is_free = |name: &String| {
        name.parse::<ResourceName>().is_ok_and(|name| !application.monitors.custom.contains_key(&name))
    };
    let numbered = (2..).map(|number| format!("process-{number}"));
    std::iter::once("process".to_owned())
        .chain(numbered)
        .find(is_free)
        .expect("the custom monitors are limited")
}

fn line(text: &mut String, key: &str, value: String) {
    writeln!(text, "{key} = {value}").expect("text takes every write");
}

fn command(command: &Command) -> String {
    list(&command.0)
}

fn list<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(|item| quote(&item.to_string())).collect();
    format!("[{}]", items.join(", "))
}

fn word<W: Word>(word: W) -> String {
    quote(word.word())
}

/// `text` as a TOML string. Control characters never get into the model.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
