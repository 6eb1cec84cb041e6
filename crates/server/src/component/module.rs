//! Makes a component of what an author has: a component, or the module that a plain `cargo build`
//! gives, which says in itself what it imports and exports.

use wit_component::ComponentEncoder;

/// The first bytes of all WebAssembly, and of what follows the layer: 0 for modules, 1 for
/// components.
const MAGIC: &[u8; 4] = b"\0asm";
/// Longest explanation of a tool that is told, in characters.
const TOLD: usize = 300;

/// Returns the component that a module is, or holds the description of.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(super) fn component(module: &[u8]) -> Result<Vec<u8>, String> {
    if module.get(..4) != Some(MAGIC) || module.len() < 8 {
        return Err("It is no WebAssembly.".to_owned());
    }
    if module[6..8] == [1, 0] {
        return Ok(module.to_vec());
    }
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| {
        let why = told(&error.root_cause().to_string());
        format!("It is a module that cannot be made a component: {why}.")
    })
}

/// Returns the beginning of what a tool says, in one line.
pub(super) fn told(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let told: String = text.chars().take(TOLD).collect();
    told.trim_end_matches('.').to_owned()
}
