//! Resource groups: their nodes, policies, and the order of their resources.

use crate::cluster::{Group, Resource};
use crate::directory::{Directory, lies_within};
use crate::fault::{FaultId, Refused, quoted};
use crate::keys::Section;
use crate::order::{self, Arrangement, Item};
use crate::read::refuse_repeated;
use crate::resource::{self, Draft, Home};
use crate::table::{Entry, Table, Value};
use phalanx_types::limits::{GROUPS_MAX, RESOURCES_MAX};
use phalanx_types::{GroupName, NodeId};
use std::collections::BTreeMap;

/// All groups of the file.
pub(crate) fn groups(file: &Table, directory: &mut Directory) -> Result<BTreeMap<GroupName, Group>, Refused> {
    let entries = file.entries("group", GROUPS_MAX)?;
    let groups: Vec<_> = entries.iter().map(|entry| group(entry, directory)).collect();
    groups.into_iter().map(|group| group.map(|group| (group.name.clone(), group))).collect()
}

fn group(entry: &Entry, directory: &mut Directory) -> Result<Group, Refused> {
    let name = entry.name();
    let table = entry.table("group", Section::Group)?;
    table.check_keys();
    let nodes = nodes(&table, directory);
    let (startup, fallover, fallback) =
        (table.or_default("startup"), table.or_default("fallover"), table.or_default("fallback"));
    let takeover_needs = table.or_default("takeover-needs");
    let home = Home { group: entry.name, nodes: nodes.as_deref().unwrap_or_default() };
    let resources = resources(&table, &home, directory);
    Ok(Group {
        name: name?,
        startup: startup?,
        fallover: fallover?,
        fallback: fallback?,
        takeover_needs: takeover_needs?,
        resources: resources?,
        nodes: nodes?,
    })
}

fn nodes(table: &Table, directory: &Directory) -> Result<Vec<NodeId>, Refused> {
    let value = table.required_value("nodes")?;
    let items = value.items("a list of node names")?;
    if items.is_empty() {
        return Err(value.refuse(
            FaultId::TooFew,
            "nodes is empty",
            "name the nodes that it may run on, best first",
        ));
    }
    let node = |item: &Value| directory.node(item.text("a list of node names")?, item.at.clone(), table);
    let nodes: Vec<_> = items.iter().map(node).collect();
    refuse_repeated(&items, &nodes);
    nodes.into_iter().collect()
}

fn resources(table: &Table, home: &Home, directory: &mut Directory) -> Result<Vec<Resource>, Refused> {
    let entries = table.entries("resource", RESOURCES_MAX)?;
    let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
    let drafts: Vec<_> =
        entries.iter().map(|entry| resource::draft(entry, &names, home, directory)).collect();
    let arrangement = arrange(table, &names, &drafts);
    let resources: Vec<_> = drafts.into_iter().map(|draft| draft.resource).collect();
    let resources = resources.into_iter().collect::<Result<Vec<Resource>, Refused>>()?;
    Ok(arranged(resources, &arrangement?))
}

/// The order of the resources; refuses circles, and inner mount points that do not come after outer ones.
fn arrange(table: &Table, names: &[&str], drafts: &[Draft]) -> Result<Arrangement, Refused> {
    let items: Vec<Item> = drafts.iter().map(|draft| item(draft, drafts)).collect();
    let arrangement = order::arrange(&items).map_err(|cycles| {
        let refuse = |cycle: &Vec<usize>| refuse_cycle(table, names, drafts, cycle);
        let refusals: Vec<Refused> = cycles.iter().map(refuse).collect();
        *refusals.first().expect("an arrangement fails only with cycles")
    })?;
    for (index, item) in items.iter().enumerate() {
        for outer in item.inside.iter().filter(|outer| !arrangement.before[index].contains(outer)) {
            refuse_nesting(table, names, &drafts[index], *outer);
        }
    }
    Ok(arrangement)
}

fn item(draft: &Draft, drafts: &[Draft]) -> Item {
    let holds = |outer: &Draft| match (&draft.mount, &outer.mount) {
        (Some(inner), Some(outer)) => lies_within(inner, outer),
        _ => false,
    };
    let inside = drafts.iter().enumerate().filter(|(_, outer)| holds(outer)).map(|(index, _)| index);
    Item { rank: draft.rank, after: draft.after.clone(), inside: inside.collect() }
}

fn refuse_cycle(table: &Table, names: &[&str], drafts: &[Draft], cycle: &[usize]) -> Refused {
    let quote = |index: &usize| quoted(names[*index]);
    let circle: Vec<String> = cycle.iter().chain(cycle.first()).map(quote).collect();
    let what = table.say(&format!("{} wait for each other for ever", circle.join(" after ")));
    let first = cycle.iter().min().expect("a cycle has a member");
    table.notebook.refuse(
        FaultId::Cycle,
        drafts[*first].after_at.clone(),
        what,
        "remove one of these from `after`",
    )
}

fn refuse_nesting(table: &Table, names: &[&str], inner: &Draft, outer: usize) {
    let outer = quoted(names[outer]);
    let what = table.say(&format!(
        "mount {} lies within that of {outer}, but is not mounted after it",
        quoted(inner.mount.as_deref().unwrap_or_default())
    ));
    table.notebook.refuse(
        FaultId::NestedMount,
        inner.after_at.clone(),
        what,
        format!("add {outer} to `after`"),
    );
}

/// `resources` in their order, each with what it directly comes after.
fn arranged(resources: Vec<Resource>, arrangement: &Arrangement) -> Vec<Resource> {
    let names: Vec<_> = resources.iter().map(|resource| resource.name.clone()).collect();
    let place = |index: &usize| {
        let after = arrangement.after[*index].iter().map(|earlier| names[*earlier].clone()).collect();
        Resource { after, ..resources[*index].clone() }
    };
    arrangement.order.iter().map(place).collect()
}
