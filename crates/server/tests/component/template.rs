//! Crates of connectors are built as their README says, and pass the check of the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::guest_crate::module_of;

fn sluice(words: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(words)
        .output()
        .expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// Returns a folder of this process that is empty.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sluice-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

#[test]
fn what_is_written_to_begin_with_can_be_built_and_its_examples_hold() {
    let folder = folder("template");
    let shown = folder.to_str().expect("it is text");
    let (is_written, said) = sluice(&["connector", "new", shown]);
    assert!(is_written, "{said}");
    let (again, said) = sluice(&["connector", "new", shown]);
    assert!(
        !again && said.contains("Cargo.toml"),
        "nothing is overwritten: {said}"
    );
    let connector = folder.join("connector.json");
    let file = connector.to_str().expect("it is text");
    let (fits, said) = sluice(&["connector", "check", file]);
    assert!(!fits && said.contains("connector.wasm"), "{said}");
    let module = module_of(&folder);
    fs::write(folder.join("connector.wasm"), module).expect("it is ours");
    let (fits, said) = sluice(&["connector", "check", file]);
    assert!(fits && said.contains("1 examples hold"), "{said}");
    // An example that does not hold is told by its name.
    let text = fs::read_to_string(&connector).expect("it is there");
    fs::write(&connector, text.replace("items?page=2", "items?page=3")).expect("it is ours");
    let (fits, said) = sluice(&["connector", "check", file]);
    assert!(
        !fits && said.contains("tests “Two pages”: Request 2"),
        "{said}"
    );
    fs::remove_dir_all(&folder).expect("it is ours");
}

/// Among its examples is the one that the documentation of Signature Version 4 has for `GET Object`.
#[test]
fn the_connector_for_object_storage_can_be_built_and_its_examples_hold() {
    let crate_folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/connectors/object-storage");
    let folder = folder("object-storage");
    fs::create_dir_all(&folder).expect("it is ours");
    fs::write(folder.join("connector.wasm"), module_of(&crate_folder)).expect("it is ours");
    let connector = folder.join("connector.json");
    fs::copy(crate_folder.join("connector.json"), &connector).expect("it is there");
    let (fits, said) = sluice(&[
        "connector",
        "check",
        connector.to_str().expect("it is text"),
    ]);
    assert!(fits && said.contains("4 examples hold"), "{said}");
    fs::remove_dir_all(&folder).expect("it is ours");
}
