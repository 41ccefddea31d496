//! Which crates may depend on which: apps on shell, shell on core, testing on all; and what else the core may take.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of crates, and the folders that each may depend on besides itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("shell", &["core"]),
    ("clients", &["core"]),
    ("apps", &["core", "shell", "clients"]),
    ("testing", &["core", "shell", "clients", "apps"]),
];

/// What clients know of the core: what they say to their node, and what that needs. They can be built without the rest.
const CLIENTS_KNOW: &[&str] = &["session", "groups", "types"];
/// Crates whose folder says what they are for, not what they are called.
const NAMED_OTHERWISE: &[(&str, &str)] = &[("clients/rust", "phalanx-client")];

/// The third-party crates of the core; none does IO.
const CORE_CRATES: &[&str] = &["blake3", "minicbor", "serde", "serde_json", "toml", "zerocopy"];

struct Crate {
    layer: &'static str,
    folder: String,
    manifest: toml::Table,
}

impl Crate {
    fn name(&self) -> String {
        let place = format!("{}/{}", self.layer, self.folder);
        let known = NAMED_OTHERWISE.iter().find(|(known, _)| *known == place);
        known.map_or_else(|| format!("phalanx-{}", self.folder), |(_, name)| (*name).to_owned())
    }
}

/// Every fault in the manifests below `root`.
pub fn check(root: &Path) -> Vec<String> {
    let crates: Vec<Crate> = LAYERS.iter().flat_map(|(layer, _)| read_layer(root, layer)).collect();
    crates.iter().flat_map(|one| check_crate(one, &crates)).collect()
}

fn read_layer(root: &Path, layer: &'static str) -> Vec<Crate> {
    let folders = fs::read_dir(root.join(layer)).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = folders.filter(|path| path.join("Cargo.toml").is_file()).collect();
    folders.sort();
    folders.into_iter().map(|path| read_crate(layer, &path)).collect()
}

fn read_crate(layer: &'static str, path: &Path) -> Crate {
    let text = fs::read_to_string(path.join("Cargo.toml")).expect("the manifest was just seen");
    let manifest = text.parse().expect("cargo has read the manifest already");
    let folder = path.file_name().expect("it has a name").to_string_lossy().into_owned();
    Crate { layer, folder, manifest }
}

fn check_crate(one: &Crate, all: &[Crate]) -> Vec<String> {
    let place = format!("{}/{}", one.layer, one.folder);
    let mut faults = Vec::new();
    let package = one.manifest.get("package").and_then(toml::Value::as_table);
    let field =
        |key: &str| package.and_then(|package| package.get(key)).and_then(toml::Value::as_str).unwrap_or("");
    if field("name") != one.name() && field("name") != one.folder {
        faults.push(format!("{place}: the crate is called '{}', not {}", field("name"), one.name()));
    }
    if field("description").is_empty() {
        faults.push(format!("{place}: Cargo.toml has no description; a crate is captioned in one line"));
    }
    faults.extend(dependencies(&one.manifest).into_iter().filter_map(|name| check_edge(one, &name, all)));
    faults
}

fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    table.into_iter().flat_map(|table| table.keys().cloned()).collect()
}

fn check_edge(one: &Crate, name: &str, all: &[Crate]) -> Option<String> {
    let place = format!("{}/{}", one.layer, one.folder);
    let Some(target) = all.iter().find(|other| name == other.name()) else {
        let refused = one.layer == "core" && !CORE_CRATES.contains(&name);
        return refused
            .then(|| format!("{place}: depends on {name}; the core takes only {}", CORE_CRATES.join(", ")));
    };
    let (_, allowed) =
        LAYERS.iter().find(|(layer, _)| *layer == one.layer).expect("crates are read by layer");
    let known =
        one.layer != "clients" || target.layer != "core" || CLIENTS_KNOW.contains(&target.folder.as_str());
    let fits = known && (target.layer == one.layer || allowed.contains(&target.layer));
    (!fits)
        .then(|| format!("{place}: depends on {}/{}, which is against the way", target.layer, target.folder))
}
