//! Connectors for the permission matrix.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::TestApp;

/// A connector as a file.
pub(super) fn file() -> Value {
    let file = json!({
        "form": 1, "key": "shop", "title": "Shop", "base": "http://127.0.0.1:1",
        "actions": [{ "key": "do", "title": "Do", "method": "GET", "path": "/" }],
    });
    json!({ "text": { "text": file.to_string(), "name": "shop.json" } })
}

/// What an import of it names, so that it is what was shown.
pub(super) fn digest() -> String {
    let file = file();
    let text = file["text"]["text"].as_str().expect("it is a text");
    let connector = domain::connector::Connector::read(text);
    connector.expect("it is a connector").digest()
}

/// Imports a connector under a key of its own.
pub(super) async fn imported(app: &TestApp) -> Value {
    let key = format!("shop-{}", Uuid::now_v7().simple());
    let mut source = file();
    let text = source["text"]["text"].as_str().expect("it is a text");
    source["text"]["text"] = text
        .replace("\"key\":\"shop\"", &format!("\"key\":\"{key}\""))
        .into();
    let fields = json!({ "source": source, "base": null });
    let preview = app.admin.must("preview_connector", fields).await;
    let fields = json!({ "source": source, "base": null, "digest": preview["digest"] });
    app.admin.must("import_connector", fields).await
}
