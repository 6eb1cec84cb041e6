//! Random texts that open something, and what is kept of them.

use std::fmt;

use domain::canonical;
use serde::{Deserialize, Serialize};

/// What a signed-in browser shows: 256 random bits as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionToken(pub String);

impl fmt::Debug for SessionToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SessionToken(…)")
    }
}

impl SessionToken {
    pub(crate) fn random() -> Self {
        Self(random::<32>())
    }
}

/// Returns so many random bytes as lower-case hexadecimal digits.
pub(crate) fn random<const BYTES: usize>() -> String {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    hex::encode(bytes)
}

/// Returns what is stored of a secret token, so that the stored cannot be used as one.
pub(crate) fn hash(token: &str) -> String {
    canonical::sha256(token.as_bytes())
}

/// Returns whether a text from outside can be the token of an address: it then holds nothing
/// that the database would stumble over.
pub(crate) fn is_address(token: &str) -> bool {
    token.len() == 48
        && token
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Returns a new token for an address that others call: 192 random bits.
pub(crate) fn address() -> String {
    random::<24>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_token_does_not_show_in_a_log() {
        let token = SessionToken::random();
        assert_eq!(token.0.len(), 64);
        assert!(!format!("{token:?}").contains(&token.0));
    }

    #[test]
    fn only_what_was_made_here_is_taken_as_an_address() {
        assert!(is_address(&address()));
        for text in [
            "",
            "abc",
            &"g".repeat(48),
            &"A".repeat(48),
            &"\0".repeat(48),
        ] {
            assert!(!is_address(text));
        }
    }
}
