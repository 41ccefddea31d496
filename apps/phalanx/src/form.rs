//! `phalanx cluster form --alone`: the operator's word in place of a quorum, after the cluster's name was typed.

use crate::ask;
use crate::change;
use crate::cli::{Cli, Waiting};
use crate::fault::{Exit, Fault};
use crate::status::view;
use crate::view::StatusView;
use phalanx_api::Ask;
use std::io::{self, BufRead, IsTerminal, Write};

/// Asks for the name unless it was given, and forms the cluster.
pub fn run(cli: &Cli, confirm: Option<&str>, reason: &str, waiting: &Waiting) -> Result<(), Fault> {
    let status = view(ask::status(cli)?)?;
    if status.primary {
        let what = format!("there is a quorum, so nothing is to be forced ({})", status.quorum);
        return Err(Fault::new(Exit::Refused, "PHX-C012", what, "nothing was changed"));
    }
    let typed = match confirm {
        Some(typed) => typed.to_owned(),
        None => asked(&status)?,
    };
    if typed != status.cluster {
        let what = format!("the cluster is called {}, and {typed:?} was typed", status.cluster);
        return Err(Fault::new(Exit::BadInput, "PHX-C051", what, "nothing was changed"));
    }
    change::run(cli, &Ask::Form { cluster: typed, why: reason.to_owned() }, waiting)
}

/// Says what the word stands for, and has the name typed.
fn asked(status: &StatusView) -> Result<String, Fault> {
    if !io::stdin().is_terminal() {
        let what = "forming a cluster alone wants its name typed, and there is no terminal";
        let remedy = format!("name it: phalanx cluster form --alone --confirm {}", status.cluster);
        return Err(Fault::new(Exit::BadInput, "PHX-C050", what, remedy));
    }
    let mut page = warning(status);
    page += &format!("\nType the cluster's name ({}) to go on: ", status.cluster);
    let mut typed = String::new();
    let mut out = io::stderr();
    let read = out
        .write_all(page.as_bytes())
        .and_then(|()| out.flush())
        .and_then(|()| io::stdin().lock().read_line(&mut typed));
    read.map_err(|error| Fault::file("standard input".as_ref(), &error))?;
    Ok(typed.trim().to_owned())
}

/// What the operator vouches for, and what it leads to.
pub fn warning(status: &StatusView) -> String {
    let away: Vec<&str> =
        status.nodes.iter().filter(|(_, node)| !node.member).map(|(name, _)| name.as_str()).collect();
    let (away, here) = (away.join(", "), &status.node);
    format!(
        "{}\n\
         \n\
         Your word takes the place of a quorum: {away} is OFF, and nothing of it reaches the shared data.\n\
         If that is wrong, groups run twice at once and their data is lost.\n\
         \n\
         - {here} and who is with it start the groups at once, and are needed until a majority is back.\n\
         - Switch {away} on again only with the networks to {here} plugged in. What it holds then, it lets go.\n\
         - Changes of the configuration that {away} agreed on without {here} are lost.\n\
         - Who gave the word, when and why stands in the events of {here}.\n",
        status.quorum
    )
}

/// How to override, for who sees that there is no quorum.
pub fn hint(status: &StatusView) -> Option<String> {
    let away = status.nodes.values().any(|node| !node.member);
    let lone = !status.primary && status.view.is_some() && away && !status.leaving;
    lone.then(|| {
        "override phalanx cluster form --alone   (only if those it waits for are OFF for certain)\n".into()
    })
}
