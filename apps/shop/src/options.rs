//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

/// What `--help` prints.
pub const HELP: &str = "\
phalanx-shop: the small web application of the demo

USAGE
    phalanx-shop --data DIR --listen ADDRESS:PORT

Each order is one line in DIR/ledger.log: its id, the ownership epoch and node
under which it was taken, and the time. An order is answered only when its line
is on disk (fsync). Epoch and node come from PHALANX_EPOCH and PHALANX_NODE.

    GET /?n=ID      take the order ID, answer 'ok ID EPOCH NODE'
    POST /          the same; ID is the body, or n=ID in the query
    GET /           what this is, and how many orders this start has taken
    GET /health     'well EPOCH NODE'

OPTIONS
    --data DIR      where the ledger is kept
    --listen A:P    where to listen
    --help          this text
    --version       the version
";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Options {
    /// Print the help.
    Help,
    /// Print the version.
    Version,
    /// Serve.
    Serve {
        /// Where the ledger is kept.
        data: PathBuf,
        /// Where to listen.
        listen: SocketAddr,
    },
}

/// Reads the arguments, without the program's name.
pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut data, mut listen) = (None, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(Options::Help),
            "--version" | "-V" => return Ok(Options::Version),
            "--data" => data = Some(PathBuf::from(value(&argument, &mut arguments)?)),
            "--listen" => {
                let text = value(&argument, &mut arguments)?;
                let parsed = text.parse().map_err(|_| format!("{text:?} is not ADDRESS:PORT"))?;
                listen = Some(parsed);
            }
            _ => return Err(format!("what is {argument:?}? try --help")),
        }
    }
    let data = data.ok_or("--data DIR is missing; try --help")?;
    let listen = listen.ok_or("--listen ADDRESS:PORT is missing; try --help")?;
    Ok(Options::Serve { data, listen })
}

fn value(name: &str, arguments: &mut impl Iterator<Item = String>) -> Result<String, String> {
    arguments.next().ok_or_else(|| format!("{name} needs a value; try --help"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<Options, &str>) {
        let parsed = parse(line.split_whitespace().map(String::from));
        assert_eq!(parsed, expected.map_err(String::from), "{line}");
    }

    #[test]
    fn the_command_line_is_read() {
        let listen = "10.11.0.100:80".parse().unwrap();
        check("--data /srv --listen 10.11.0.100:80", Ok(Options::Serve { data: "/srv".into(), listen }));
        check("--help", Ok(Options::Help));
        check("--listen 10.11.0.100:80", Err("--data DIR is missing; try --help"));
        check("--data /srv --listen here", Err("\"here\" is not ADDRESS:PORT"));
        check("--data", Err("--data needs a value; try --help"));
        check("--what", Err("what is \"--what\"? try --help"));
    }
}
