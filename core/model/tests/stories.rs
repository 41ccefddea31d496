//! The corpus of cluster files: each `faults/*.toml` beside what people are told about it in `*.txt`.
//! `BLESS=1 cargo test -p phalanx-model` writes the answers anew; read the difference before keeping it.
// A test that cannot go on says so by a panic; its helpers too.
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)] // A test reads its corpus; the core it tests does not.

use phalanx_model::{Fault, FaultId, Parsed, parse};
use phalanx_types::{Monitoring, NetworkId, PathId};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The corpus: the file name of each story, with its text.
fn stories() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut stories: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|kind| kind == "toml")).collect();
    stories.sort();
    stories.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// What people are told about a file.
fn told(path: &Path, text: &str) -> String {
    let (verdict, told) = match parse(path.file_name().unwrap().to_str().unwrap(), text) {
        Ok(Parsed { warnings, .. }) => ("accepted", warnings),
        Err(faults) => ("refused", faults),
    };
    let lines = told.iter().map(Fault::to_string);
    std::iter::once(verdict.to_owned()).chain(lines).map(|line| line + "\n").collect()
}

/// Compares `actual` with what is committed at `path`, or commits it if asked to bless.
fn check(path: &Path, actual: &str) {
    if env::var_os("BLESS").is_some() {
        fs::write(path, actual).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    let differing = actual.lines().zip(expected.lines()).find(|(actual, expected)| actual != expected);
    let place = path.display();
    assert!(actual == expected, "{place} differs; BLESS=1 writes it anew: {differing:#?}");
}

#[test]
fn every_story_is_told_as_written_down() {
    for (path, text) in stories() {
        check(&path.with_extension("txt"), &told(&path, &text));
    }
}

#[test]
fn every_message_has_a_story() {
    let told: String = stories().iter().map(|(path, text)| told(path, text)).collect();
    let untold = |id: &&FaultId| !told.contains(id.code()) && **id != FaultId::TooLarge;
    assert_eq!(FaultId::ALL.iter().filter(untold).collect::<Vec<_>>(), Vec::<&FaultId>::new());
}

#[test]
fn a_file_beyond_all_measure_is_not_even_read() {
    let text = "# padding\n".repeat(200_000);
    let faults = parse("huge.toml", &text).unwrap_err();
    assert_eq!(faults.iter().map(|fault| fault.id).collect::<Vec<_>>(), [FaultId::TooLarge]);
}

#[test]
fn the_demo_is_accepted_with_what_it_rests_on() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/demo.toml");
    let parsed = parse("demo.toml", &fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(parsed.warnings.iter().map(|warning| warning.id).collect::<Vec<_>>(), [FaultId::WeakProof]);
    let group = parsed.cluster.groups.values().next().unwrap();
    let names: Vec<_> = group.resources.iter().map(|resource| resource.name.as_str()).collect();
    assert_eq!(names, ["shop-data", "shop-ip", "shop-web"]);
    let after: Vec<_> = group.resources[2].after.iter().map(|name| name.as_str()).collect();
    assert_eq!(after, ["shop-ip", "shop-data"]);
}

#[test]
fn the_pages_for_administrators_are_up_to_date() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/admin");
    check(&docs.join("cluster-file.md"), &phalanx_model::reference());
    check(&docs.join("messages-cluster-file.md"), &phalanx_model::messages());
}

#[test]
fn a_cluster_may_be_watched_along_rings() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/demo.toml");
    let text = fs::read_to_string(demo).unwrap();
    let ring = text.replacen("name = \"", "monitoring = \"ring\", name = \"", 1);
    assert_ne!(ring, text);
    let monitoring = |text| parse("demo.toml", text).map(|parsed| parsed.cluster.monitoring);
    assert_eq!((monitoring(&text), monitoring(&ring)), (Ok(Monitoring::Mesh), Ok(Monitoring::Ring)));
}

#[test]
fn each_place_of_a_ring_is_in_the_subnet_of_its_address() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/accepted-two-subnets.toml");
    let cluster = parse("two.toml", &fs::read_to_string(path).unwrap()).unwrap().cluster;
    let rings = cluster.rings();
    let segments = |network, index| -> Vec<(u16, u8)> {
        let seats = &rings[&PathId { network: NetworkId(network), index }];
        seats.iter().map(|seat| (seat.node.0, seat.segment.0)).collect()
    };
    assert_eq!(segments(0, 0), [(1, 0), (2, 0), (3, 1)]);
    assert_eq!(segments(0, 1), [(1, 0), (2, 0), (3, 1)]);
    assert_eq!(segments(1, 0), [(1, 0), (2, 0), (3, 0)]);
}

#[test]
fn a_list_of_one_subnet_is_that_subnet() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/demo.toml");
    let text = fs::read_to_string(demo).unwrap();
    let listed = text.replacen("\"10.11.0.0/24\"", "[\"10.11.0.0/24\"]", 1);
    assert_ne!(listed, text);
    let digest = |text: &str| parse("demo.toml", text).unwrap().cluster.digest();
    assert_eq!(digest(&listed), digest(&text));
}
