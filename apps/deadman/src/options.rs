//! The command line.

use crate::action::Action;
use std::path::PathBuf;

/// What `--help` prints.
pub const HELP: &str = "\
phalanx-deadman: lets go of what a dead or silent daemon holds, in time

USAGE
    phalanx-deadman --socket PATH --action ACTION [OPTIONS]

DESCRIPTION
    phalanxd may hold resource groups only as long as its lease runs, and only
    while this process guards them. It connects to PATH, names each group that
    it holds, and feeds the absolute end of its lease (on the boot clock) before
    it uses that lease. Nothing is guarded, and nothing can happen, before the
    first valid feed.

    If the lease runs low and phalanxd is gone, its groups are ended here: at
    lease end minus the stop budget with SIGTERM, at half of the budget with
    SIGKILL to their cgroups, their addresses removed, their file systems
    unmounted. If phalanxd is connected but does not feed, it is trusted to let
    go by itself until half of the budget; then the same is done.

    When nothing is held any more this process stands down. When something still
    is at the lease end, the host is taken down: another node is about to take
    over, and two owners would destroy shared data.

ACTIONS
    reset       restart the host at once, without syncing or unmounting; inside
                a PID namespace of its own it ends that namespace
    halt        halt the host at once, in the same manner
    panic       crash the kernel, for hosts that save a dump and then restart
    exec PROG   run PROG, which must make sure that the host is down
    lab-reset   as reset, but refuses to start outside a PID namespace of its
                own: for laboratories

OPTIONS
    --socket PATH             where phalanxd connects
    --action ACTION           how the host is taken down; has no default
    --watchdog PATH           a watchdog device that restarts the host when this
                              process dies or starves; fed only while something
                              is held and its lease runs
    --watchdog-timeout SECS   its timeout in whole seconds (default 2)
    --help                    this text
    --version                 the version

SIGNALS
    SIGTERM, SIGINT           exit as soon as nothing is held

EXIT CODES
    0  asked to exit      1  could not run      2  wrong usage, or refused
";

const WATCHDOG_SECS_DEFAULT: u32 = 2;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Options {
    /// Print the help.
    Help,
    /// Print the version.
    Version,
    /// Guard.
    Guard(Settings),
}

/// How to guard.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the daemon connects.
    pub socket: PathBuf,
    /// How the host is taken down.
    pub action: Action,
    /// The watchdog device and its timeout in seconds.
    pub watchdog: Option<(PathBuf, u32)>,
}

/// Reads the arguments, without the program's name.
pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut socket, mut action, mut watchdog, mut seconds) = (None, None, None, WATCHDOG_SECS_DEFAULT);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value; try --help"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(Options::Help),
            "--version" | "-V" => return Ok(Options::Version),
            "--socket" => socket = Some(PathBuf::from(value()?)),
            "--watchdog" => watchdog = Some(PathBuf::from(value()?)),
            "--watchdog-timeout" => seconds = parse_seconds(&value()?)?,
            "--action" => {
                let name = value()?;
                let program = if name == "exec" { value()? } else { String::new() };
                action = Some(Action::parse(&name, &program)?);
            }
            _ => return Err(format!("what is {argument:?}? try --help")),
        }
    }
    let socket = socket.ok_or("--socket PATH is missing; try --help")?;
    let action = action.ok_or("--action ACTION is missing; it has no default, for it takes the host down")?;
    Ok(Options::Guard(Settings { socket, action, watchdog: watchdog.map(|path| (path, seconds)) }))
}

fn parse_seconds(text: &str) -> Result<u32, String> {
    let seconds = text.parse().ok().filter(|seconds| (1..=3_600).contains(seconds));
    seconds.ok_or_else(|| format!("--watchdog-timeout takes whole seconds from 1 to 3600, not {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<Options, &str>) {
        let parsed = parse(line.split_whitespace().map(String::from));
        assert_eq!(parsed, expected.map_err(String::from), "{line}");
    }

    fn guard(action: Action, watchdog: Option<(&str, u32)>) -> Result<Options, &'static str> {
        let watchdog = watchdog.map(|(path, seconds)| (path.into(), seconds));
        Ok(Options::Guard(Settings { socket: "/run/s".into(), action, watchdog }))
    }

    #[test]
    fn the_command_line_is_read() {
        check("--socket /run/s --action reset", guard(Action::Reset, None));
        check("--action exec /bin/off --socket /run/s", guard(Action::Exec("/bin/off".into()), None));
        check(
            "--socket /run/s --action halt --watchdog /dev/watchdog --watchdog-timeout 5",
            guard(Action::Halt, Some(("/dev/watchdog", 5))),
        );
        check("--version", Ok(Options::Version));
    }

    #[test]
    fn the_host_is_never_taken_down_by_default() {
        let missing = "--action ACTION is missing; it has no default, for it takes the host down";
        check("--socket /run/s", Err(missing));
        check("--socket /run/s --action", Err("--action needs a value; try --help"));
        check("--socket /run/s --action exec", Err("--action needs a value; try --help"));
        check("--socket /run/s --action explode", Err("there is no action \"explode\"; try --help"));
        check(
            "--socket /run/s --action exec off",
            Err("exec takes the absolute path of a program, not \"off\""),
        );
        check(
            "--socket /run/s --action halt --watchdog-timeout 0",
            Err("--watchdog-timeout takes whole seconds from 1 to 3600, not \"0\""),
        );
    }
}
