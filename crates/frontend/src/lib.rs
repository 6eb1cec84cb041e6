//! The WebAssembly entry: reports panics to the console and mounts the app.
pub mod probe;

use wasm_bindgen::prelude::wasm_bindgen;

/// Mounts the app into the page; the shell's script calls it once the module is loaded.
#[wasm_bindgen]
pub fn mount() {
    console_error_panic_hook::set_once();
    leptos::mount::mount_to_body(app::App);
}
