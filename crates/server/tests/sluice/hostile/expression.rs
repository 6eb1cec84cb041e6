//! Expressions that reach for more than the data of their run.

use std::time::Duration;

use serde_json::json;

use super::Tally;
use crate::app::TestApp;
use crate::document::webhook;

/// What gave something of the host, or never ended, in some language of templates.
const PAYLOADS: [&str; 70] = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ().__class__.__bases__[0] }}",
    "{{ [].__class__.__base__.__subclasses__() }}",
    "{{ {}.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ ''|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ trigger.__class__ }}",
    "{{ trigger.__proto__ }}",
    "{{ trigger['__proto__'] }}",
    "{{ trigger.constructor }}",
    "{{ trigger.constructor.constructor('return process')() }}",
    "{{ steps.constructor('return this')() }}",
    "{{ ''.constructor }}",
    "{{ self }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace() }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ lipsum() }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ config }}",
    "{{ config.items() }}",
    "{{ request }}",
    "{{ request.application.__globals__ }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ url_for.__globals__ }}",
    "{{ debug() }}",
    "{{ caller() }}",
    "{{ super() }}",
    "{{ loop }}",
    "{{ varargs }}",
    "{{ env }}",
    "{{ env('PATH') }}",
    "{{ process.env }}",
    "{{ process.mainModule.require('child_process').execSync('id') }}",
    "{{ require('fs') }}",
    "{{ global }}",
    "{{ globalThis }}",
    "{{ this }}",
    "{{ $json }}",
    "{{ $env.PATH }}",
    "{{ $fromAI }}",
    "{{ (function(){ return this })() }}",
    "{{ (() => { return process })() }}",
    "{{ [...arguments] }}",
    "{{ import('fs') }}",
    "{{ include('/etc/passwd') }}",
    "{{ read_file('/etc/passwd') }}",
    "{{ '/etc/passwd' | file_read }}",
    "{{ 'id' | system }}",
    "{{ 'x' | safe }}",
    "{{ 'x' | pprint }}",
    "{{ 'x' | eval }}",
    "{% include '/etc/passwd' %}{{ 1 }}",
    "{% import 'os' as os %}{{ os }}",
    "{% set x = 1 %}{{ x }}",
    "{% for x in range(10) %}{{ x }}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "${7*7}{{ nope }}",
    "#{7*7}{{ nope }}",
    "<%= 7*7 %>{{ nope }}",
    "{{ 7*7 }}{{ nope.nope.nope }}",
    "{{ range(100000000) | list }}",
    "{{ 'x' * 1000000000 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ range(99999) | map('string') | join | length * 'x' }}",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_expression_gives_anything_of_the_host() {
    let mut tally = Tally::new("expression-escape");
    let app = TestApp::start().await;
    let path = std::env::var("PATH").expect("a test has one");
    for payload in PAYLOADS {
        let values = json!({ "values": { "got": payload } });
        let document = webhook(&[("set", "Values", values)]);
        let new = json!({ "name": format!("{payload:?}"), "document": document });
        let draft = app.admin.call("create_integration", new).await;
        if draft.status != 200 {
            tally.input(true, String::new);
            continue;
        }
        let test = json!({ "id": draft.json(), "revision": 1, "payload": { "body": {} },
            "scope": "whole" });
        let started = app.admin.call("start_test", test).await;
        if started.status != 200 {
            tally.input(true, String::new);
            continue;
        }
        let run = app.ended(&started.json(), Duration::from_secs(30)).await;
        let told = run["records"].to_string();
        let gives = &run["records"][0]["output"];
        let is_stopped = run["summary"]["state"] == "failed"
            // What is no expression stays the text that it is.
            || *gives == json!({ "got": payload.replace("{{ 1 }}", "1") })
            // Data has no such part: it is nothing.
            || [json!(null), json!({}), json!({ "got": null })].contains(gives);
        let leaks = [path.as_str(), "root:", "uid=", "<class", "[native code]"];
        let leaks = leaks.iter().any(|leak| told.contains(leak));
        tally.input(is_stopped && !leaks, || format!("{payload}: {told}"));
    }
    // The next one sees a clean world.
    let values = json!({ "values": { "got": "{{ 1 + 1 }}" } });
    let document = webhook(&[("set", "Values", values)]);
    let new = json!({ "name": "Well", "document": document });
    let draft = app.admin.must("create_integration", new).await;
    let test = json!({ "id": draft, "revision": 1, "payload": { "body": {} }, "scope": "whole" });
    let run = app.admin.must("start_test", test).await;
    let run = app.ended(&run, Duration::from_secs(30)).await;
    assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    app.end().await;
    tally.end(70);
}
