//! Applications: their commands, restarts and monitors.

use crate::cluster::{Application, CustomMonitor, Monitors, RestartPolicy};
use crate::duration;
use crate::fault::{FaultId, Refused, quoted};
use crate::keys::Section;
use crate::table::{Entry, Table};
use crate::words::MonitorType;
use phalanx_types::ResourceName;
use phalanx_types::limits::MONITORS_MAX;

/// What an application has of its own.
pub(crate) fn application(table: &Table) -> Result<Application, Refused> {
    let (start, stop) = (table.required("start"), table.optional("stop"));
    let (restart, monitors) = (restart(table), monitors(table));
    Ok(Application { start: start?, stop: stop?, restart: restart?, monitors: monitors? })
}

fn restart(table: &Table) -> Result<RestartPolicy, Refused> {
    let table = table.child("restart", Section::Restart)?;
    table.check_keys();
    let (count, within, then) =
        (table.or_default("count"), table.or_default("within"), table.or_default("then"));
    Ok(RestartPolicy { count: count?, within: within?, then: then? })
}

/// One entry of `monitor`.
enum Monitor {
    Process,
    Custom(ResourceName, CustomMonitor),
}

fn monitors(table: &Table) -> Result<Monitors, Refused> {
    let entries = table.entries("monitor", MONITORS_MAX)?;
    let read: Vec<_> = entries.iter().map(|entry| (entry, monitor(entry))).collect();
    let mut monitors = Monitors::default();
    let mut refusal = None;
    for (entry, monitor) in read {
        match monitor {
            Ok(Monitor::Process) if monitors.process => refusal = Some(refuse_second(entry)),
            Ok(Monitor::Process) => monitors.process = true,
            Ok(Monitor::Custom(name, custom)) => drop(monitors.custom.insert(name, custom)),
            Err(refused) => refusal = Some(refused),
        }
    }
    refusal.map_or(Ok(monitors), Err)
}

fn refuse_second(entry: &Entry) -> Refused {
    let what = format!("monitor {} is a second one of type \"process\"", quoted(entry.name));
    entry.value.refuse(FaultId::SecondProcessMonitor, &what, "remove it: there is one process to watch")
}

fn monitor(entry: &Entry) -> Result<Monitor, Refused> {
    let name = entry.name();
    let mut table = entry.table("monitor", Section::Monitor)?;
    let monitor_type = table.required::<MonitorType>("type");
    table.section = monitor_type.map_or(Section::Monitor, |monitor_type| match monitor_type {
        MonitorType::Process => Section::ProcessMonitor,
        MonitorType::Custom => Section::CustomMonitor,
    });
    table.check_keys();
    match monitor_type? {
        MonitorType::Process => name.map(|_: ResourceName| Monitor::Process),
        MonitorType::Custom => {
            let custom = custom_monitor(&table);
            Ok(Monitor::Custom(name?, custom?))
        }
    }
}

fn custom_monitor(table: &Table) -> Result<CustomMonitor, Refused> {
    let (command, failures) = (table.required("command"), table.or_default("failures"));
    let (every, limit) = (table.or_default("every"), table.or_default("limit"));
    let monitor = CustomMonitor { command: command?, every: every?, limit: limit?, failures: failures? };
    if monitor.limit > monitor.every {
        let [limit, every] = [monitor.limit, monitor.every].map(duration::print);
        let what = format!("limit {limit:?} is longer than every {every:?}");
        let at = table.key_at("limit");
        let remedy = "make limit at most every";
        return Err(table.notebook.refuse(FaultId::MonitorOverlap, at, table.say(&what), remedy));
    }
    Ok(monitor)
}
