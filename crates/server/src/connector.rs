//! `sluice connector check`: says of files whether they can be imported, without a server.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use domain::connector::openapi::DESCRIPTION_BYTES;
use domain::connector::{Connector, Refusal};

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
    let one = |error: io::Error| vec![error.to_string()];
    let size = fs::metadata(file).map_err(one)?.len();
    if size > DESCRIPTION_BYTES as u64 {
        return Err(vec![format!("It has {size} bytes, more than are read.")]);
    }
    let text = fs::read_to_string(file).map_err(one)?;
    store::read_connector(&text, None).map_err(|refusal| match refusal {
        Refusal::Faults(faults) => faults.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    })
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
