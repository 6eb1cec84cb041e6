//! Lets tests and benches ask the shipped module what they ask the server's build, so that a
//! difference between the two shows. Loaded when it is first called: pages never call it.

use leptos::lazy;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// Milliseconds since the page was opened.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn now() -> f64;
}

/// Answers a request, as [`domain::probe::answer`] describes it; both are JSON.
#[wasm_bindgen]
pub async fn probe(request: String) -> String {
    answer(request).await
}

#[lazy]
fn answer(request: String) -> String {
    domain::probe::answer(&request, &|| now() * 1000.0)
}
