//! The built page's files: found by name, sent compressed, cached for ever when their name
//! holds their content's hash.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;

/// What the built files are called, as the build wrote it down.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Names {
    /// The script that loads the module.
    pub script: String,
    /// The WebAssembly module.
    pub module: String,
    /// The style sheet.
    pub style: String,
}

/// The folder with the built page and the public files.
#[derive(Debug)]
pub struct Site {
    root: PathBuf,
    names: Mutex<Option<(SystemTime, Arc<Names>)>>,
}

impl Site {
    /// Names the folder; it may be built later.
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            names: Mutex::default(),
        }
    }

    /// Returns what the files are called now; `None` while the page is not built. A new build is
    /// seen without a restart.
    pub fn names(&self) -> Option<Arc<Names>> {
        let path = self.root.join("pkg/manifest.json");
        let modified = std::fs::metadata(&path).ok()?.modified().ok()?;
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, names)) = &*names
            && *at == modified
        {
            return Some(names.clone());
        }
        let read: Names = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
        let read = Arc::new(read);
        *names = Some((modified, read.clone()));
        Some(read)
    }

    /// Answers with the file at a path from the root, such as `/favicon.svg`; `None` when there
    /// is none.
    pub async fn file(&self, path: &str, request: &HeaderMap) -> Option<Response> {
        let (kind, compresses) = kind(path)?;
        let file = self.root.join(relative(path)?);
        let metadata = tokio::fs::metadata(&file)
            .await
            .ok()
            .filter(|it| it.is_file())?;
        let forever = path.starts_with("/pkg/") && !path.ends_with("/manifest.json");
        let tag = tag(&metadata);
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static(if forever {
                "public, max-age=31536000, immutable"
            } else {
                "public, max-age=600"
            }),
        );
        headers.insert(header::ETAG, HeaderValue::from_str(&tag).ok()?);
        if compresses {
            headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        if request
            .get(header::IF_NONE_MATCH)
            .is_some_and(|known| known == tag.as_str())
        {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Some(response);
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let (bytes, encoding) = read(&file, compresses, request).await?;
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        *response.body_mut() = Body::from(bytes);
        Some(response)
    }
}

async fn read(
    file: &Path,
    compresses: bool,
    request: &HeaderMap,
) -> Option<(Vec<u8>, Option<&'static str>)> {
    let accepted = request
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    for (end, encoding) in [("br", "br"), ("gz", "gzip")] {
        if compresses && accepted.is_some_and(|accepted| accepts(accepted, encoding)) {
            let mut compressed = file.as_os_str().to_owned();
            compressed.push(".");
            compressed.push(end);
            if let Ok(bytes) = tokio::fs::read(&compressed).await {
                return Some((bytes, Some(encoding)));
            }
        }
    }
    Some((tokio::fs::read(file).await.ok()?, None))
}

/// Returns whether an Accept-Encoding names the encoding and does not rule it out by `q=0`.
fn accepts(accepted: &str, encoding: &str) -> bool {
    accepted.split(',').any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused = parts.any(|part| {
            part.strip_prefix("q=")
                .and_then(|q| q.parse().ok())
                .is_some_and(|q: f32| q <= 0.0)
        });
        named && !refused
    })
}

/// Returns a path below the root, or `None` for anything but plain names: no hidden files and no
/// way up.
fn relative(path: &str) -> Option<&Path> {
    let path = path.strip_prefix('/')?;
    let plain = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    path.split('/').all(plain).then(|| Path::new(path))
}

/// Returns the content type of a file that may be served, and whether a compressed copy of it
/// may lie beside it.
fn kind(path: &str) -> Option<(&'static str, bool)> {
    let (_, end) = path.rsplit_once('.')?;
    Some(match end {
        "js" => ("text/javascript; charset=utf-8", true),
        "wasm" => ("application/wasm", true),
        "css" => ("text/css; charset=utf-8", true),
        "json" => ("application/json", true),
        "webmanifest" => ("application/manifest+json", true),
        "svg" => ("image/svg+xml", true),
        "ico" => ("image/x-icon", true),
        "txt" => ("text/plain; charset=utf-8", true),
        "png" => ("image/png", false),
        "jpg" | "jpeg" => ("image/jpeg", false),
        "webp" => ("image/webp", false),
        "woff2" => ("font/woff2", false),
        _ => return None,
    })
}

fn tag(metadata: &std::fs::Metadata) -> String {
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let modified = modified
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!("W/\"{:x}-{:x}\"", metadata.len(), modified.as_millis())
}

#[cfg(test)]
mod tests {
    use super::{accepts, kind, relative};

    #[test]
    fn only_plain_names_below_the_root_are_served() {
        assert!(relative("/pkg/sluice-1a_bg.wasm").is_some());
        for path in [
            "/../secret.txt",
            "/pkg/..",
            "/.env",
            "//etc/passwd",
            "/a/./b.js",
            "/a%2fb.js",
            "pkg.js",
        ] {
            assert!(relative(path).is_none(), "{path}");
        }
        assert!(kind("/pkg/module.wasm.map").is_none());
    }

    #[test]
    fn an_encoding_can_be_ruled_out() {
        assert!(accepts("gzip, deflate, br", "br"));
        assert!(!accepts("gzip, br;q=0", "br"));
        assert!(!accepts("brotli", "br"));
    }
}
