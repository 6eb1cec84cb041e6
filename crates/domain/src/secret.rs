//! Which values are secrets, by what they are called: never shown in records, never copied.

/// The fields of an HTTP request whose entries have names of their own.
pub const NAMED: [&str; 3] = ["headers", "query", "form"];

/// Returns whether a header or parameter with that name usually carries a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    let parts = [
        "authorization",
        "authenticate",
        "cookie",
        "token",
        "secret",
        "password",
        "passwd",
        "credential",
        "signature",
        "apikey",
        "api-key",
        "api_key",
        "x-auth",
        "session",
    ];
    parts.iter().any(|part| name.contains(part))
        || matches!(name.as_str(), "key" | "sig" | "auth")
        || (name.ends_with("-key") && name != "idempotency-key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name() {
        for name in [
            "Authorization",
            " x-api-key ",
            "access_token",
            "Set-Cookie",
            "sig",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "accept",
            "content-type",
            "idempotency-key",
            "keyword",
            "page",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
