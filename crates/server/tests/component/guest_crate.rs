//! Builds the crates of connectors, as their READMEs say.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What they are built for.
const TARGET: &str = "wasm32-unknown-unknown";

/// Builds the crate in a folder and returns its module; what crates share is built once.
pub(crate) fn module_of(folder: &Path) -> Vec<u8> {
    // Builds by several tests wait for each other, until one has its module.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest");
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    cargo
        .args(["build", "--release", "--target", TARGET])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", &target);
    let name = fs::read_to_string(folder.join("Cargo.toml")).expect("it is a crate");
    let name = name.split('"').nth(1).expect("it has a name").to_owned();
    let built = cargo.output().expect("cargo is there");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    let file = format!("release/{}.wasm", name.replace('-', "_"));
    fs::read(target.join(TARGET).join(file)).expect("it was built")
}
