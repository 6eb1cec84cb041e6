//! Whatever a document says, what comes of it can be taken, and nothing panics.

use proptest::prelude::*;

use super::*;

/// Words that mean something to the importer, so that chance meets them.
const WORDS: [&str; 44] = [
    "openapi",
    "swagger",
    "3.1.0",
    "2.0",
    "paths",
    "/a/{id}",
    "/b{c",
    "//x?y={z}#f",
    "get",
    "post",
    "parameters",
    "name",
    "in",
    "path",
    "query",
    "header",
    "cookie",
    "schema",
    "type",
    "object",
    "array",
    "properties",
    "items",
    "required",
    "$ref",
    "#/paths",
    "#/components/schemas/x",
    "allOf",
    "oneOf",
    "anyOf",
    "enum",
    "requestBody",
    "content",
    "application/json",
    "multipart/form-data",
    "responses",
    "200",
    "servers",
    "url",
    "https://{x}.e/{y}",
    "security",
    "components",
    "securitySchemes",
    "oauth2",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..WORDS.len()).prop_map(|at| WORDS[at].into()),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 120, 8, |inner| {
        let key = prop_oneof![
            (0..WORDS.len()).prop_map(|at| WORDS[at].to_owned()),
            "\\PC{0,8}"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..8)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Puts a value at a place of a document, if there is such a place.
fn put(document: &mut Value, at: usize, value: Value) {
    fn places(value: &mut Value, left: &mut usize, new: &mut Option<Value>) {
        if *left == 0 {
            if let Some(new) = new.take() {
                *value = new;
            }
            return;
        }
        *left -= 1;
        match value {
            Value::Object(map) => map.values_mut().for_each(|inner| {
                if new.is_some() {
                    places(inner, left, new)
                }
            }),
            Value::Array(list) => list.iter_mut().for_each(|inner| {
                if new.is_some() {
                    places(inner, left, new)
                }
            }),
            _ => {}
        }
    }
    places(document, &mut { at }, &mut Some(value));
}

fn whole() -> Value {
    document(|document| {
        document["security"] = json!([{ "one": ["a"] }]);
        document["components"] = json!({
            "securitySchemes": { "one": { "type": "oauth2", "flows": { "authorizationCode": { "authorizationUrl": "https://a.e/x", "tokenUrl": "https://a.e/t" } } } },
            "schemas": { "x": { "type": "object", "required": ["a"], "properties": { "a": { "$ref": "#/components/schemas/x" }, "b": { "enum": ["c"] } } } },
        });
        document["paths"]["/a/{id}"]["post"]["requestBody"] = json!({ "content": { "application/json": { "schema": { "$ref": "#/components/schemas/x" } } } });
        document["paths"]["/a/{id}"]["post"]["responses"]["200"] = json!({ "content": { "application/json": { "schema": { "anyOf": [{ "$ref": "#/components/schemas/x" }, { "type": "null" }] } } } });
    })
}

fn is_sound(document: &Value) -> Result<(), TestCaseError> {
    if let Ok((connector, report)) = import(document, None) {
        prop_assert_eq!(connector.check(), Ok(()), "{}", document);
        prop_assert_eq!(connector.actions.len(), report.imported);
        prop_assert_eq!(report.imported + report.left_out.len(), report.operations);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_json_is_imported_or_refused(document in any_json()) {
        is_sound(&document)?;
    }

    #[test]
    fn a_description_with_anything_anywhere_is_imported_or_refused(at in 0..70_usize, value in any_json()) {
        let mut document = whole();
        put(&mut document, at, value);
        is_sound(&document)?;
    }

    #[test]
    fn any_path_is_imported_or_left_out(path in "/(\\PC|[a{}?#/%=.]){0,20}") {
        let document = document(|document| {
            document["paths"] = json!({ path: { "get": { "parameters": [{ "name": "a", "in": "path", "schema": {} }] } } });
        });
        is_sound(&document)?;
    }
}
