//! Whether the router knows what the page calls.

use std::path::Path;

use server::api;

#[test]
fn every_server_function_of_the_page_is_known_to_the_router() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../app/src");
    let mut written = Vec::new();
    endpoints(&folder, &mut written);
    let mut known: Vec<_> = api::functions()
        .iter()
        .map(|function| function.path.to_owned())
        .collect();
    written.sort();
    known.sort();
    assert_eq!(
        written, known,
        "left: what is written, right: what the router knows"
    );
}

fn endpoints(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("the sources are here") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            endpoints(&path, found);
        } else if let Ok(source) = std::fs::read_to_string(&path) {
            for part in source.split("endpoint = \"").skip(1) {
                let name = part.split('"').next().unwrap_or_default();
                found.push(format!("/api/{name}"));
            }
        }
    }
}
