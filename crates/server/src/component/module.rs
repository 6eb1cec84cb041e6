//! Makes a component of what an author has: a component, or the module that a plain `cargo build`
//! gives, which says in itself what it imports and exports.

use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

/// Most modules, and most instances of modules, in a component.
const MODULES: u32 = 16;
const INSTANCES: u32 = 64;
/// Most variables of one function, and its largest size in bytes. What compiles takes more time and
/// memory than they grow.
const LOCALS: u32 = 5_000;
const FUNCTION_BYTES: usize = 512 * 1024;

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
    let component = if module[6..8] == [1, 0] {
        module.to_vec()
    } else {
        modest(module)?;
        let encoded = ComponentEncoder::default()
            .validate(true)
            .module(module)
            .and_then(|mut encoder| encoder.encode());
        encoded.map_err(|error| {
            let why = told(&error.root_cause().to_string());
            format!("It is a module that cannot be made a component: {why}.")
        })?
    };
    modest(&component)?;
    Ok(component)
}

/// Refuses what would cost whoever compiles it more than its size says. A component within another
/// may be instantiated a thousand times, and so may those within it: a few kilobytes would become
/// more instances than fit into any memory.
fn modest(binary: &[u8]) -> Result<(), String> {
    let unread = |error: wasmparser::BinaryReaderError| {
        format!(
            "It is no component that can be read: {}.",
            told(error.message())
        )
    };
    let (mut modules, mut instances) = (0_u32, 0_u32);
    for payload in Parser::new(0).parse_all(binary) {
        match payload.map_err(unread)? {
            Payload::ComponentSection { .. } => {
                return Err(
                    "It holds a component within a component. Build it as one component."
                        .to_owned(),
                );
            }
            Payload::ModuleSection { .. } => modules += 1,
            Payload::InstanceSection(section) => {
                instances = instances.saturating_add(section.count());
            }
            Payload::ComponentInstanceSection(section) => {
                instances = instances.saturating_add(section.count());
            }
            Payload::CodeSectionEntry(body) => {
                let mut locals = 0_u32;
                for group in body.get_locals_reader().map_err(unread)? {
                    locals = locals.saturating_add(group.map_err(unread)?.0);
                }
                if locals > LOCALS || body.range().len() > FUNCTION_BYTES {
                    return Err(format!(
                        "A function of it has more than {LOCALS} variables or {} KiB. Build it optimized, or do less in one function.",
                        FUNCTION_BYTES / 1024
                    ));
                }
            }
            _ => {}
        }
    }
    if modules > MODULES || instances > INSTANCES {
        return Err(format!(
            "It is made of more than {MODULES} modules or {INSTANCES} instances of them."
        ));
    }
    Ok(())
}

/// Returns the beginning of what a tool says, in one line.
pub(super) fn told(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let told: String = text.chars().take(TOLD).collect();
    told.trim_end_matches('.').to_owned()
}
