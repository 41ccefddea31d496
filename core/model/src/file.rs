//! From the text of a cluster file to the checked model: the syntax, then the cluster, its networks, nodes and groups.
//!
//! The walk reads everything before it gives up on anything, so that one run shows every fault. Syntax comes first:
//! what is not TOML is not walked. Never opens the file.

use crate::advice;
use crate::cluster::{Cluster, Quorum};
use crate::directory::Directory;
use crate::duration;
use crate::fault::{Fault, FaultId, Notebook, Refused, quoted};
use crate::group::groups;
use crate::keys::Section;
use crate::table::{Read, Table};
use crate::tie::{self, tie_breakers};
use crate::topology::{networks, nodes};
use phalanx_types::limits::{CLUSTER_FILE_BYTES_MAX, GRACE_MAX};
use phalanx_types::{Monitoring, NodeName, Span, TieBreakerName, TimingProfile};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A cluster file that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// What it declares.
    pub cluster: Cluster,
    /// What is unwise in it, by position.
    pub warnings: Vec<Fault>,
}

/// Reads the text of a cluster file: the cluster that it declares, or every fault in it, by position.
///
/// `file_name` is what faults call the file.
pub fn parse(file_name: &str, text: &str) -> Result<Parsed, Vec<Fault>> {
    let notebook = Notebook::default();
    let outcome = read(text, &notebook);
    let (faults, warnings) = notebook.close(file_name, text);
    match outcome {
        Ok(cluster) if faults.is_empty() => Ok(Parsed { cluster, warnings }),
        Ok(_) | Err(Refused { .. }) => Err(faults),
    }
}

fn read(text: &str, notebook: &Notebook) -> Result<Cluster, Refused> {
    let document = document(text, notebook)?;
    let file = Table::file(document.get_ref(), notebook);
    let cluster = cluster(&file)?;
    advice::advise(&cluster, &file);
    Ok(cluster)
}

/// The text as TOML.
fn document<'a>(text: &'a str, notebook: &Notebook) -> Result<Spanned<DeTable<'a>>, Refused> {
    if text.trim().is_empty() {
        let remedy = "begin with `schema = 1`, or copy examples/demo.toml";
        return Err(notebook.refuse(FaultId::Empty, 0..0, "the file is empty", remedy));
    }
    if text.len() > CLUSTER_FILE_BYTES_MAX {
        let what = format!("the file has {} bytes, more than {CLUSTER_FILE_BYTES_MAX}", text.len());
        return Err(notebook.refuse(FaultId::TooLarge, 0..0, what, "look whether the right file was given"));
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    let refusals: Vec<Refused> = errors.iter().map(|error| refuse_syntax(error, text, notebook)).collect();
    refusals.first().map_or(Ok(document), |refused| Err(*refused))
}

fn refuse_syntax(error: &toml::de::Error, text: &str, notebook: &Notebook) -> Refused {
    let span = error.span().unwrap_or(0..0);
    let shown = text.get(span.clone()).filter(|shown| !shown.is_empty());
    match (error.message(), shown) {
        ("duplicate key", Some(key)) => {
            let what = format!("{} is given twice", quoted(key));
            notebook.refuse(FaultId::DuplicateKey, span, what, "keep one of the two")
        }
        (message, _) => notebook.refuse(FaultId::NotToml, span, message, "correct the text here"),
    }
}

/// The whole file.
fn cluster(file: &Table) -> Result<Cluster, Refused> {
    file.check_keys();
    let schema = schema(file);
    let mut directory = Directory::default();
    let tie_breakers = tie_breakers(file, &mut directory);
    let basics = basics(file, &directory);
    let networks = networks(file, &mut directory);
    let nodes = nodes(file, &mut directory);
    let groups = groups(file, &mut directory);
    let Basics { name, timing, monitoring, grace, quorum, tie_breaker } = basics?;
    schema?;
    let (tie_breakers, nodes, networks, groups) = (tie_breakers?, nodes?, networks?, groups?);
    Ok(Cluster {
        name,
        timing,
        monitoring,
        grace,
        quorum,
        tie_breaker,
        tie_breakers,
        nodes,
        networks,
        groups,
    })
}

/// What stands in `[cluster]`.
struct Basics {
    name: NodeName,
    timing: TimingProfile,
    monitoring: Monitoring,
    grace: Option<Span>,
    quorum: Quorum,
    tie_breaker: Option<TieBreakerName>,
}

fn schema(file: &Table) -> Result<(), Refused> {
    let value = file.required_value("schema")?;
    let DeValue::Integer(number) = value.data else { return Err(value.wrong_type("the number 1")) };
    if number.as_str() == "1" {
        return Ok(());
    }
    let what = format!("schema {} is not known to this version", number.as_str());
    Err(value.refuse(FaultId::UnknownSchema, &what, "write schema = 1"))
}

fn basics(file: &Table, directory: &Directory) -> Result<Basics, Refused> {
    file.required_value("cluster")?;
    let table = file.child("cluster", Section::Cluster)?;
    table.check_keys();
    let (name, timing) = (table.required("name"), table.or_default("timing"));
    let (monitoring, quorum) = (table.or_default("monitoring"), table.or_default("quorum"));
    let (grace, tie_breaker) = (grace(&table), tie::chosen(&table, directory));
    Ok(Basics {
        name: name?,
        timing: timing?,
        monitoring: monitoring?,
        grace: grace?,
        quorum: quorum?,
        tie_breaker: tie_breaker?,
    })
}

fn grace(table: &Table) -> Result<Option<Span>, Refused> {
    let Some(value) = table.value("grace") else { return Ok(None) };
    let grace = Span::read(&value)?;
    if grace <= GRACE_MAX {
        return Ok(Some(grace));
    }
    let longest = duration::print(GRACE_MAX);
    let what = format!("grace {:?} is longer than {longest:?}", duration::print(grace));
    Err(value.refuse(FaultId::GraceTooLong, &what, format!("use at most {longest:?}, or leave it out")))
}
