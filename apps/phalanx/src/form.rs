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
         Your word takes the place of a quorum. You vouch that these are OFF, or cut from the shared data: {away}.\n\
         If one of them runs, groups run twice at once, and their data is destroyed.\n\
         \n\
         - The groups start here at once. {here} is needed until a majority of the nodes is back.\n\
         - Switch the others on only while {here} runs and its networks are plugged in: they learn from it that it went\n\
         \u{20} on. A majority of them that never hears of it would start the groups a second time.\n\
         - What they changed in the configuration without {here} is lost, and said to be.\n\
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
