//! `sluice connector`: says of files whether they can be imported, without a server, and writes the
//! crate that a connector with logic begins with.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use domain::canonical::sha256;
use domain::connector::component::MODULE_BYTES;
use domain::connector::openapi::DESCRIPTION_BYTES;
use domain::connector::{Connector, Refusal};
use engine::port::Inspector;

use crate::component::Machines;

/// The files of a crate to begin with: the name of each, and what is in it.
const TEMPLATE: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("../template/Cargo.toml")),
    ("README.md", include_str!("../template/README.md")),
    (".gitignore", include_str!("../template/gitignore")),
    ("connector.json", include_str!("../template/connector.json")),
    ("src/lib.rs", include_str!("../template/src/lib.rs")),
    ("wit/connector.wit", include_str!("../wit/connector.wit")),
];

/// Writes the crate of a connector with logic into a folder, which it makes; a file that is there
/// stays, and ends it.
///
/// # Errors
/// When a file is there, or cannot be written.
pub fn new(folder: &Path, out: &mut impl Write) -> io::Result<()> {
    for (name, text) in TEMPLATE {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = fs::File::create_new(&path);
        let file = file.and_then(|mut file| file.write_all(text.as_bytes()));
        file.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    }
    let shown = folder.display();
    writeln!(
        out,
        "{shown}: a connector with logic; README.md says how to build it"
    )
}

/// Checks connectors, and descriptions in OpenAPI, and runs their recorded examples. Returns
/// whether all of them can be imported.
///
/// # Errors
/// When what is found cannot be written.
pub fn check(files: &[PathBuf], out: &mut impl Write) -> io::Result<bool> {
    let mut all_fit = true;
    for file in files {
        let shown = file.display();
        match read(file) {
            Ok((connector, notes)) => {
                let (actions, examples) = (connector.actions.len(), connector.tests.len());
                let title = &connector.title;
                writeln!(
                    out,
                    "{shown}: {title}, {actions} actions, {examples} examples hold"
                )?;
                for note in notes {
                    writeln!(out, "  {note}")?;
                }
            }
            Err(wrong) => {
                all_fit = false;
                writeln!(out, "{shown}: cannot be imported")?;
                for line in wrong {
                    writeln!(out, "  {line}")?;
                }
            }
        }
    }
    Ok(all_fit)
}

fn read(file: &Path) -> Result<(Connector, Vec<String>), Vec<String>> {
    let text = String::from_utf8(bytes_of(file, DESCRIPTION_BYTES)?)
        .map_err(|_| vec!["It is not in UTF-8.".to_owned()])?;
    let told = |refusal| match refusal {
        Refusal::Faults(faults) => faults.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    };
    let (connector, notes) = store::read_connector(&text, None).map_err(told)?;
    if connector.has_logic() {
        let connector = with_module(connector, &file.with_extension("wasm"))?;
        return Ok((connector, notes));
    }
    Ok((connector, notes))
}

/// Checks the module that lies beside a connector, and runs the examples with it.
fn with_module(connector: Connector, file: &Path) -> Result<Connector, Vec<String>> {
    let module = bytes_of(file, MODULE_BYTES).map_err(|wrong| {
        let wrong = wrong.into_iter();
        let told = wrong.map(|line| format!("Its module {}: {line}", file.display()));
        told.collect::<Vec<_>>()
    })?;
    let hash = sha256(&module);
    let named = connector
        .component
        .as_ref()
        .map(|component| &component.sha256);
    if named.is_some_and(|named| !named.is_empty() && *named != hash) {
        return Err(vec![format!(
            "It names another module than {}, whose SHA-256 is {hash}.",
            file.display()
        )]);
    }
    let connector = connector.with_module(hash);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| vec![error.to_string()])?;
    let machines = Machines::of_this_binary();
    let looked = runtime.block_on(machines.inspect(connector.clone(), Bytes::from(module)));
    looked.map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    Ok(connector)
}

fn bytes_of(file: &Path, most: usize) -> Result<Vec<u8>, Vec<String>> {
    let one = |error: io::Error| vec![error.to_string()];
    let size = fs::metadata(file).map_err(one)?.len();
    if size > most as u64 {
        return Err(vec![format!("It has {size} bytes, more than are read.")]);
    }
    fs::read(file).map_err(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what is said of a file, and whether it can be imported.
    fn checked(name: &str, text: &str) -> (bool, String) {
        let file = std::env::temp_dir().join(format!("sluice-{}-{name}", std::process::id()));
        fs::write(&file, text).expect("it can be written");
        let mut out = Vec::new();
        let fits = check(std::slice::from_ref(&file), &mut out).expect("memory can be written");
        fs::remove_file(&file).expect("it was there");
        (fits, String::from_utf8(out).expect("it is text"))
    }

    const GOOD: &str = include_str!("../../../docs/connectors/example.json");

    #[test]
    fn the_documented_example_can_be_imported() {
        let (fits, said) = checked("good.json", GOOD);
        assert!(
            fits && said.contains("2 actions, 2 examples hold"),
            "{said}"
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let (fits, said) = checked("bad.json", &GOOD.replace("/orders/{id}", "/orders/{other}"));
        assert!(!fits && said.contains("actions “get_order”"), "{said}");
        let wrong = GOOD.replace("\"status\": \"open\"", "\"status\": \"closed\"");
        let (fits, said) = checked("other.json", &wrong);
        assert!(!fits && said.contains("tests “"), "{said}");
        let (fits, said) = checked("none.json", "hello");
        assert!(!fits && said.contains("cannot be imported"), "{said}");
    }

    #[test]
    fn a_file_that_is_not_there_is_said_and_the_others_are_looked_at() {
        let mut out = Vec::new();
        let missing = PathBuf::from("/nowhere/a.json");
        let fits = check(&[missing.clone(), missing], &mut out).expect("memory can be written");
        let said = String::from_utf8(out).expect("it is text");
        assert!(!fits);
        assert_eq!(said.matches("cannot be imported").count(), 2, "{said}");
    }
}
