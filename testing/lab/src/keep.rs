//! The cluster that is left up: its stage listens for what somebody at another terminal wants to happen to it.
//!
//! One word and one host a line, one answer a line: `crash bob`, `boot bob`, `cut bob`, `plug bob`, `init bob`; or `end`.

use crate::host::Net;
use crate::site::{NAMES, Site};
use crate::tool::{Outcome, Trouble, While, this_program};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Where a stage listens, in its work directory.
pub fn socket(work: &Path) -> PathBuf {
    work.join("stage.sock")
}

/// How to look at the cluster and what to try, for pasting into another terminal.
pub fn invitation() -> Outcome<String> {
    let lab = this_program()?;
    let lab = lab.display();
    Ok(format!(
        "   Paste at another terminal, as root:\n\n\
         lab={lab}\n\
         $lab on ada phalanx status          # or: events --follow, explain, group move shop --to bob …\n\
         $lab shell ada                      # a shell on ada, with phalanx on its path\n\
         $lab crash bob                      # a host dies; nothing moves\n\
         $lab crash cyd                      # a second one: ada lets go before its lease is over\n\
         $lab on ada phalanx status          # no quorum: 1 of 3; what was stopped, why, and the override\n\
         $lab on ada phalanx cluster form --alone\n\
         $lab boot bob; $lab boot cyd        # they come back, and a majority decides again\n\
         $lab crash ada                      # the owner's host dies: bob takes over\n\
         $lab cut ada; $lab plug ada         # both networks of a host\n\
         $lab end                            # or Ctrl-C here: nothing stays behind\n"
    ))
}

/// Does what is asked, until the stage ends.
pub fn serve(work: &Path, site: &mut Site) -> Outcome<()> {
    let listener = UnixListener::bind(socket(work)).during("listening for orders")?;
    for stream in listener.incoming() {
        match stream.during("an order").and_then(|stream| answer(stream, site)) {
            Ok(Next::Order) => {}
            Ok(Next::End) => return Ok(()),
            Err(trouble) => println!("   {trouble}"),
        }
    }
    Ok(())
}

/// What follows an order.
enum Next {
    Order,
    End,
}

fn answer(mut stream: UnixStream, site: &mut Site) -> Outcome<Next> {
    let mut order = String::new();
    BufReader::new(&stream).read_line(&mut order).during("reading an order")?;
    let (said, next) = match obey(order.trim(), site) {
        _ if order.trim() == "end" => ("ok the cluster ends\n".into(), Next::End),
        Ok(said) => (format!("ok {said}\n"), Next::Order),
        Err(trouble) => (format!("no {trouble}\n"), Next::Order),
    };
    stream.write_all(said.as_bytes()).during("answering an order")?;
    Ok(next)
}

fn obey(order: &str, site: &mut Site) -> Outcome<String> {
    let (verb, name) =
        order.split_once(' ').ok_or_else(|| Trouble("an order is a verb and a host".into()))?;
    let number = NAMES.iter().position(|known| *known == name);
    let number = number.ok_or_else(|| Trouble(format!("there is no host {name}: {}", NAMES.join(", "))))?;
    if verb != "init" {
        println!("   {order}");
    }
    match verb {
        "init" => site.machine(number).map(|machine| machine.host.init().to_string()),
        "crash" => site.crash(number).map(|()| format!("{name} is down")),
        "boot" if site.is_up(number) => Err(Trouble(format!("{name} is up"))),
        "boot" => {
            site.bury(number);
            site.boot(number)?;
            site.start_daemon(number).map(|()| format!("{name} is up"))
        }
        "cut" | "plug" => {
            let host = &site.machine(number)?.host;
            Net::ALL.into_iter().try_for_each(|net| host.set_cable(net, verb == "plug"))?;
            Ok(format!("{name}: both networks {}", if verb == "plug" { "plugged in" } else { "cut" }))
        }
        other => Err(Trouble(format!("{other:?} is no order"))),
    }
}
