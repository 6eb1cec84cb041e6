//! The shell page: the app's frame in plain HTML and CSS, on screen before the module arrives,
//! with the first data in it. It is the same for every path; the app draws the rest.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

use crate::site::Names;

/// The frame's own looks. They stand in the page, so that the frame waits for no other file.
const FRAME: &str = include_str!("page/frame.css");
/// Loads the module and hands the page over to the app.
const START: &str = include_str!("page/start.js");
/// Sets the theme that was chosen, before anything is drawn.
const THEME: &str = "try{const t=localStorage.getItem(\"sluice.theme\");\
    if(t===\"light\"||t===\"dark\")document.documentElement.dataset.theme=t}catch{}";

/// Draws the page that becomes the app. `boot` is JSON.
pub(crate) fn app(names: &Names, boot: &str) -> Response {
    let nonce = nonce();
    let Names {
        script,
        module,
        style,
    } = names;
    let start = START
        .replace("SCRIPT", &format!("{script:?}"))
        .replace("MODULE", &format!("{module:?}"));
    let head = format!(
        "<link rel=\"modulepreload\" href=\"{script}\" nonce=\"{nonce}\">\
         <link rel=\"preload\" href=\"{module}\" as=\"fetch\" type=\"application/wasm\" crossorigin=\"anonymous\">\
         <link rel=\"stylesheet\" href=\"{style}\">\
         <script type=\"application/json\" id=\"{id}\" nonce=\"{nonce}\">{boot}</script>\
         <script type=\"module\" nonce=\"{nonce}\">{start}</script>",
        id = app::boot::ELEMENT_ID,
        boot = in_script(boot),
    );
    html(StatusCode::OK, &nonce, &head, "", "Loading…")
}

/// Draws the frame with a sentence instead of the app, such as when the database is away.
pub(crate) fn notice(status: StatusCode, message: &str) -> Response {
    let head = if status == StatusCode::SERVICE_UNAVAILABLE {
        "<meta http-equiv=\"refresh\" content=\"5\">"
    } else {
        ""
    };
    html(status, &nonce(), head, " class=\"ended\"", message)
}

fn html(status: StatusCode, nonce: &str, head: &str, class: &str, message: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>Sluice</title>\
         <link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">\
         <script nonce=\"{nonce}\">{THEME}</script><style nonce=\"{nonce}\">{FRAME}</style>{head}</head>\
         <body><div id=\"frame\"{class}><header>Sluice</header><main>\
         <div class=\"bone\"></div><div class=\"bone\"></div><div class=\"bone\"></div><div class=\"bone\"></div>\
         <p role=\"status\">{message}</p>\
         <noscript>Sluice needs JavaScript and WebAssembly. Allow them for this site and reload.</noscript>\
         </main></div></body></html>"
    );
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; \
         style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
         manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Returns JSON in a form that cannot end the script element that it stands in.
fn in_script(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            other => safe.push(other),
        }
    }
    safe
}

fn nonce() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::in_script;

    #[test]
    fn boot_data_cannot_end_its_element() {
        let json =
            serde_json::json!({ "name": "</script><script>alert(1)//&\u{2028}" }).to_string();
        let safe = in_script(&json);
        assert!(!safe.contains('<') && !safe.contains('&') && !safe.contains('\u{2028}'));
        let back: serde_json::Value = serde_json::from_str(&safe).expect("it is still JSON");
        assert_eq!(back.to_string(), json);
    }
}
