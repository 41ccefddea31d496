//! The header says what the library has: every size, every place, every number, every limit, every call.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use ha_gs::numbers::ALL;
use ha_gs::raw::{LAYOUTS, ProposalInfo, Provider};
use phalanx_types::limits;
use std::fmt::Write;
use std::fs;
use std::process::Command;

const INCLUDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/include");
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/entry.rs");

const LIMITS: [(&str, usize); 5] = [
    ("GROUP_NAME", limits::GS_NAME_BYTES_MAX),
    ("LOCAL_NAME", limits::GS_LOCAL_NAME_BYTES_MAX),
    ("STATE_VALUE", limits::GS_STATE_BYTES_MAX),
    ("PROVIDER_MESSAGE", limits::GS_MESSAGE_BYTES_MAX),
    ("DEACTIVATE_FLAG", limits::GS_FLAG_BYTES_MAX),
];

/// Compiles a text with the header, without writing anything; what the compiler says if it does not.
fn compile(name: &str, text: &str) -> Result<(), String> {
    let file = std::env::temp_dir().join(format!("ha_gs-{}-{name}.c", std::process::id()));
    fs::write(&file, text).unwrap();
    let arguments = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-I", INCLUDE];
    let output = Command::new("cc").args(arguments).arg(&file).output().unwrap();
    fs::remove_file(&file).unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn sizes_places_and_numbers_are_those_of_the_library() {
    let mut text = "#include <ha_gs.h>\n#include <stddef.h>\n".to_owned();
    let mut assert = |condition: String| writeln!(text, "_Static_assert({condition}, \"\");").unwrap();
    for (name, size, fields) in LAYOUTS {
        assert(format!("sizeof({name}) == {size}"));
        fields.iter().for_each(|(field, place)| assert(format!("offsetof({name}, {field}) == {place}")));
    }
    assert(format!("sizeof(ha_gs_provider_t) == {}", size_of::<Provider>()));
    assert("offsetof(ha_gs_provider_t, gs_provider_info.gs_node_number) == 2".into());
    assert(format!("sizeof(ha_gs_proposal_info_t) == {}", size_of::<ProposalInfo>()));
    ALL.iter().for_each(|(name, value)| assert(format!("{name} == {value}")));
    LIMITS.iter().for_each(|(name, value)| assert(format!("HA_GS_MAX_{name}_LENGTH == {value}")));
    compile("layout", &text).unwrap();
    let wrong = format!("{text}_Static_assert(HA_GS_COLLIDE == 4711, \"\");\n");
    assert!(compile("wrong", &wrong).is_err(), "the compiler looks");
}

#[test]
fn every_call_of_the_header_is_in_the_library_and_no_other() {
    let header = fs::read_to_string(format!("{INCLUDE}/ha_gs.h")).unwrap();
    let name = |text: &str| text.split('(').next().map(str::to_owned);
    let mut declared: Vec<String> =
        header.lines().filter_map(|line| name(line.strip_prefix("ha_gs_rc_t ")?)).collect();
    let source = fs::read_to_string(SOURCE).unwrap();
    let mut made: Vec<String> = source
        .lines()
        .filter_map(|line| name(line.split_once("extern \"C\" fn ")?.1))
        .filter(|name| name.starts_with("ha_gs_"))
        .collect();
    declared.sort();
    made.sort();
    assert_eq!((declared.len(), declared), (16, made));
}
