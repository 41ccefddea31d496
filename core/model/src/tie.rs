//! Tie-breakers: what they are, and which of them the cluster goes by.

use crate::cluster::{TieBreaker, TieBreakerKind};
use crate::directory::Directory;
use crate::duration;
use crate::fault::{FaultId, Refused, quoted};
use crate::keys::Section;
use crate::read::Path;
use crate::table::{Entry, Table, Value};
use crate::words::TieBreakerType;
use phalanx_types::limits::{CLAIM_LIMIT_MAX, TIE_BREAKERS_MAX};
use phalanx_types::{Span, TieBreakerName};
use std::collections::BTreeMap;

/// All tie-breakers of the file.
pub(crate) fn tie_breakers(
    file: &Table,
    directory: &mut Directory,
) -> Result<BTreeMap<TieBreakerName, TieBreaker>, Refused> {
    let entries = file.entries("tie-breaker", TIE_BREAKERS_MAX)?;
    let breakers: Vec<_> = entries.iter().map(|entry| tie_breaker(entry, directory)).collect();
    breakers.into_iter().collect()
}

fn tie_breaker(entry: &Entry, directory: &mut Directory) -> Result<(TieBreakerName, TieBreaker), Refused> {
    directory.declare_tie_breaker(entry.name);
    let name = entry.name();
    let table = entry.table("tie-breaker", Section::TieBreaker)?;
    table.check_keys();
    let (kind, limit) = (kind(&table), limit(&table));
    Ok((name?, TieBreaker { kind: kind?, limit: limit? }))
}

fn kind(table: &Table) -> Result<TieBreakerKind, Refused> {
    let (kind, directory) = (table.required("type"), table.required::<Path>("directory"));
    match kind? {
        TieBreakerType::Nfs => Ok(TieBreakerKind::Nfs { directory: directory?.0 }),
    }
}

fn limit(table: &Table) -> Result<Span, Refused> {
    let limit: Span = table.or_default("limit")?;
    match table.value("limit") {
        Some(value) if limit > CLAIM_LIMIT_MAX => Err(refuse_limit(&value, limit)),
        Some(_) | None => Ok(limit),
    }
}

fn refuse_limit(value: &Value, limit: Span) -> Refused {
    let (limit, longest) = (duration::print(limit), duration::print(CLAIM_LIMIT_MAX));
    let what = format!("limit {limit:?} is longer than {longest:?}");
    value.refuse(FaultId::ClaimTooLong, &what, format!("use at most {longest:?}"))
}

/// The one that `[cluster]` names, if it names one.
pub(crate) fn chosen(cluster: &Table, directory: &Directory) -> Result<Option<TieBreakerName>, Refused> {
    let Some(value) = cluster.value("tie-breaker") else { return Ok(None) };
    let name = value.text("a name in quotes")?;
    directory.check_tie_breaker(name, value.at.clone(), cluster)?;
    let unfit = |_| value.refuse(FaultId::BadName, &format!("{} is not a name", quoted(name)), "correct it");
    name.parse().map(Some).map_err(unfit)
}
