//! Components of connectors that reach for what is not theirs, on a server that others use. What
//! takes time, memory and stack is tried in `tests/component/hostile.rs`, which reports here as well.

use domain::canonical::sha256;
use serde_json::{Value, json};

use super::reach::{forms, is_refused};
use super::{Canary, Tally, error_of, for_each, tried};
use crate::app::TestApp;
use crate::component::{
    as_connector_steps, asks_for_its_input, connector, declared, import, source,
};
use crate::guest::good;

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_private_address_is_reached_by_a_component() {
    let mut tally = Tally::new("ssrf-component");
    let (app, canary) = (TestApp::start().await, Canary::start().await);
    let port = canary.port;
    // Also where the connector names the very origins.
    let hosts = [
        format!("http://127.0.0.1:{port}"),
        format!("https://127.0.0.1:{port}"),
        format!("http://[::1]:{port}"),
        format!("http://localhost:{port}"),
        format!("http://169.254.169.254:{port}"),
        format!("http://10.0.0.1:{port}"),
    ];
    for (key, hosts) in [("none", json!([])), ("named", json!(hosts))] {
        import(&app, &connector(key, &hosts), &asks_for_its_input()).await;
        let declared = declared(&app, key, "do").await;
        let step = json!({ "url": "{{ item }}" });
        let document = as_connector_steps(for_each("http.request", &step), &declared);
        let (_, path) = app.publish(&document).await;
        let forms: Vec<Value> = forms(port).into_iter().map(Value::from).collect();
        for (form, output) in forms.iter().zip(tried(&app, &path, &forms).await) {
            let said = error_of(&output).unwrap_or_default();
            let is_stopped = is_refused(said)
                || said.contains("may not reach")
                || said.contains("which is no web address");
            tally.input(is_stopped, || format!("{key} {form}: {output}"));
        }
    }
    tally.input(canary.came() == 0, || "somebody connected".to_owned());
    app.end().await;
    tally.end(600);
}

/// The other organization has the component; ours only knows its hash.
#[tokio::test(flavor = "multi_thread")]
async fn no_component_of_another_organization_is_run_or_read() {
    let mut tally = Tally::new("component-taken");
    let app = TestApp::start().await;
    let theirs = asks_for_its_input();
    let mut fields =
        json!({ "source": source(&connector("theirs", &json!([])), Some(&theirs)), "base": null });
    let preview = app.outsider.must("preview_connector", fields.clone()).await;
    fields["digest"] = preview["digest"].clone();
    app.outsider.must("import_connector", fields).await;
    import(&app, &connector("ours", &json!([])), &good()).await;
    // By the hash alone it is not imported...
    let mut named = connector("ours", &json!([]));
    named["component"]["sha256"] = json!(sha256(&theirs));
    let asked = json!({ "source": source(&named, None), "base": null });
    let refused = app.admin.call("preview_connector", asked).await;
    tally.input(refused.status == 422, || refused.text.clone());
    // ...nor published, nor run, also not while it is compiled in this very process.
    let mut forged = declared(&app, "ours", "do").await;
    forged["component"]["sha256"] = json!(sha256(&theirs));
    let document = as_connector_steps(for_each("http.request", &json!({ "url": "x" })), &forged);
    let draft = json!({ "name": "Forged", "document": document });
    let draft = app.admin.must("create_integration", draft).await;
    let read = app.admin.must("read_draft", json!({ "id": draft })).await;
    let revision = read["summary"]["revision"].clone();
    let publish = json!({ "id": draft, "revision": revision, "note": "", "reason": null });
    let refused = app.admin.call("publish", publish).await;
    tally.input(refused.status == 409, || refused.text.clone());
    let test =
        json!({ "id": draft, "revision": revision, "payload": { "body": [1] }, "scope": "whole" });
    let run = app.admin.must("start_test", test).await;
    let ended = app.ended(&run, std::time::Duration::from_secs(20)).await;
    let is_stopped = ended
        .to_string()
        .contains("The component of this step is not there");
    tally.input(is_stopped, || ended.to_string());
    app.end().await;
    tally.end(3);
}
