//! Crates of connectors are built as their README says, and pass the check of the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The toolchain that can build for it, which `cargo xtask` names where it put one together.
const TARGET: &str = "wasm32-unknown-unknown";

/// Builds the crate in a folder; what crates share is built once.
fn build(folder: &Path) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest");
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    cargo
        .args(["build", "--release", "--target", TARGET])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS");
    let built = cargo.output().expect("cargo is there");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    let module = target.join(TARGET).join("release/connector.wasm");
    fs::copy(module, folder.join("connector.wasm")).expect("it was built");
}

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
    build(&folder);
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
