//! What the actions of the connector do.

use serde_json::{Value, json};

wit_bindgen::generate!({ path: "wit", world: "connector" });

use sluice::connector::host::{Request, send};

struct Connector;

export!(Connector);

impl Guest for Connector {
    fn run(action: String, input: String) -> Result<String, String> {
        let input: Value = serde_json::from_str(&input).map_err(|error| error.to_string())?;
        match action.as_str() {
            "list_all" => list_all(&input).map(|output| output.to_string()),
            other => Err(format!("There is no action `{other}`.")),
        }
    }
}

/// Lists all items, page after page.
fn list_all(input: &Value) -> Result<Value, String> {
    let base = input["url"].as_str().unwrap_or_default().trim_end_matches('/');
    let mut items = Vec::new();
    let mut page = 1;
    loop {
        let answer = send(&Request {
            method: "GET".to_owned(),
            url: format!("{base}/items?page={page}"),
            headers: vec![("accept".to_owned(), "application/json".to_owned())],
            body: None,
            repeats: false,
        });
        if answer.status != 200 {
            return Err(format!("The service answered {}: {}", answer.status, answer.body));
        }
        let body: Value = serde_json::from_str(&answer.body)
            .map_err(|error| format!("The answer is not JSON: {error}"))?;
        items.extend(body["items"].as_array().cloned().unwrap_or_default());
        if body["more"] != json!(true) {
            return Ok(json!({ "count": items.len(), "items": items }));
        }
        page += 1;
    }
}
