//! Object storage that speaks the S3 protocol: lists, reads and writes objects.

mod list;
mod sign;

use serde_json::{Map, Value, json};

wit_bindgen::generate!({ path: "../../../crates/server/wit", world: "connector" });

use sluice::connector::host::{Response, send};

/// Most pages of one list: each is a request, and a step has 32.
const PAGES: usize = 30;

struct Connector;

export!(Connector);

impl Guest for Connector {
    fn run(action: String, input: String) -> Result<String, String> {
        let input: Value = serde_json::from_str(&input).map_err(|error| error.to_string())?;
        let bucket = Bucket::of(&input)?;
        let output = match action.as_str() {
            "list" => list_objects(&bucket, &input),
            "get" => get_object(&bucket, &input),
            "put" => put_object(&bucket, &input),
            other => Err(format!("There is no action `{other}`.")),
        };
        output.map(|output| output.to_string())
    }
}

/// Where the objects of a bucket are.
struct Bucket {
    /// `https` or `http`.
    scheme: String,
    host: String,
    /// What stands before the key: `/` and the bucket, or nothing where the host names it.
    path: String,
    region: String,
}

impl Bucket {
    fn of(input: &Value) -> Result<Self, String> {
        let endpoint = text(input, "endpoint").trim_end_matches('/');
        let (scheme, host) = endpoint.split_once("://").ok_or_else(|| {
            "The endpoint must be an address such as https://s3.eu-central-1.amazonaws.com."
                .to_owned()
        })?;
        if host.is_empty() || host.contains(['/', '?', '#', '@']) {
            return Err("The endpoint must be scheme and host, without a path.".to_owned());
        }
        let bucket = text(input, "bucket");
        let is_sign = |sign: char| sign.is_ascii_alphanumeric() || "-._".contains(sign);
        if bucket.is_empty() || !bucket.chars().all(is_sign) || bucket.starts_with('.') {
            return Err(format!("`{bucket}` cannot be the name of a bucket."));
        }
        let by_host = text(input, "style") == "host";
        Ok(Self {
            scheme: scheme.to_owned(),
            host: if by_host {
                format!("{bucket}.{host}")
            } else {
                host.to_owned()
            },
            path: if by_host {
                String::new()
            } else {
                format!("/{bucket}")
            },
            region: text(input, "region").to_owned(),
        })
    }

    /// Returns the path of an object.
    fn path_of(&self, key: &str) -> Result<String, String> {
        // An address leaves such segments out, so that it would be another object's.
        let leads_elsewhere = key.split('/').any(|part| part == "." || part == "..");
        if key.is_empty() || leads_elsewhere {
            return Err(format!("`{key}` cannot be the key of an object here."));
        }
        Ok(format!("{}/{}", self.path, sign::encoded(key, true)))
    }
}

fn list_objects(bucket: &Bucket, input: &Value) -> Result<Value, String> {
    let most = input["most"].as_u64().unwrap_or(1_000).clamp(1, 30_000) as usize;
    let path = match bucket.path.as_str() {
        "" => "/",
        path => path,
    };
    let (mut objects, mut token) = (Vec::new(), None::<String>);
    for _ in 0..PAGES {
        let mut query = vec![("list-type".to_owned(), "2".to_owned())];
        let page = (most - objects.len()).min(1_000);
        query.push(("max-keys".to_owned(), page.to_string()));
        if !text(input, "prefix").is_empty() {
            query.push(("prefix".to_owned(), text(input, "prefix").to_owned()));
        }
        if let Some(token) = &token {
            query.push(("continuation-token".to_owned(), token.clone()));
        }
        let answer = send(&sign::signed(bucket, "GET", path, query, Vec::new(), None));
        expect(&answer, "GET", path)?;
        objects.extend(list::objects(&answer.body));
        token = list::next(&answer.body);
        if token.is_none() || objects.len() >= most {
            break;
        }
    }
    let count = objects.len();
    Ok(json!({ "objects": objects, "count": count, "has_more": token.is_some() }))
}

fn get_object(bucket: &Bucket, input: &Value) -> Result<Value, String> {
    let path = bucket.path_of(text(input, "key"))?;
    let mut headers = Vec::new();
    if !text(input, "range").is_empty() {
        headers.push(("range".to_owned(), text(input, "range").to_owned()));
    }
    let answer = send(&sign::signed(
        bucket,
        "GET",
        &path,
        Vec::new(),
        headers,
        None,
    ));
    if answer.status == 404 && input["missing"] == "empty" {
        return Ok(json!({ "found": false, "text": null }));
    }
    expect(&answer, "GET", &path)?;
    let header = |name: &str| header(&answer, name);
    Ok(json!({
        "found": true,
        "text": answer.body,
        "content_type": header("content-type"),
        "etag": header("etag"),
        "modified_at": header("last-modified"),
    }))
}

fn put_object(bucket: &Bucket, input: &Value) -> Result<Value, String> {
    let path = bucket.path_of(text(input, "key"))?;
    let content_type = match text(input, "content_type") {
        "" => "text/plain; charset=utf-8",
        given => given,
    };
    let mut headers = vec![("content-type".to_owned(), content_type.to_owned())];
    let metadata = input["metadata"].as_object();
    for (name, value) in metadata.unwrap_or(&Map::new()) {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        headers.push((format!("x-amz-meta-{}", name.to_ascii_lowercase()), value));
    }
    let body = text(input, "text").to_owned();
    let answer = send(&sign::signed(
        bucket,
        "PUT",
        &path,
        Vec::new(),
        headers,
        Some(body),
    ));
    expect(&answer, "PUT", &path)?;
    Ok(json!({
        "etag": header(&answer, "etag"),
        "version": header(&answer, "x-amz-version-id"),
    }))
}

/// Returns a field that is a text; nothing where it is none.
fn text<'a>(input: &'a Value, name: &str) -> &'a str {
    input[name].as_str().unwrap_or_default()
}

fn header(answer: &Response, name: &str) -> Value {
    let found = answer.headers.iter().find(|(own, _)| own == name);
    found.map_or(Value::Null, |(_, value)| Value::from(value.as_str()))
}

/// Makes what a service answered a sentence, unless it did as it was asked.
fn expect(answer: &Response, method: &str, path: &str) -> Result<(), String> {
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let code = list::inside(&answer.body, "Code").unwrap_or_default();
    let message = list::inside(&answer.body, "Message").unwrap_or_default();
    Err(format!(
        "{method} {path} was answered {}. {code} {message}",
        answer.status
    ))
}
