//! The key of a connection that signs: whoever has it can ask for signatures, and never sees it.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Most texts of one chain of signatures.
const CHAIN: usize = 8;

/// A secret that requests are signed with, and what it is known by. It is never logged: it has no
/// `Debug` that shows it.
#[derive(Clone)]
pub struct SigningKey {
    id: String,
    secret: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.id)
    }
}

impl SigningKey {
    /// Returns a key.
    pub fn new(id: &str, secret: &str) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
        }
    }

    /// Returns what it is known by, which is no secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the HMAC-SHA256 of the last text, whose key is that of the text before, and so on;
    /// the key of the first is the secret behind `prefix`. So keys that are derived of the secret
    /// stay here, too.
    ///
    /// # Errors
    /// A sentence, when there are no texts or too many.
    pub fn sign(&self, prefix: &str, chain: &[Vec<u8>]) -> Result<Vec<u8>, String> {
        if chain.is_empty() || chain.len() > CHAIN {
            return Err(format!("A signature is made of 1 to {CHAIN} texts."));
        }
        let mut key = format!("{prefix}{}", self.secret).into_bytes();
        for text in chain {
            let mac = Hmac::<Sha256>::new_from_slice(&key);
            let mut mac = mac.map_err(|_| "The key cannot sign.".to_owned())?;
            mac.update(text);
            key = mac.finalize().into_bytes().to_vec();
        }
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signing key of the example in the public documentation of Signature Version 4 (service
    /// `iam`, region `us-east-1`, 2015-08-30).
    #[test]
    fn a_chain_gives_what_the_steps_give_one_by_one() {
        let key = SigningKey::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let chain = ["20150830", "us-east-1", "iam", "aws4_request"].map(|text| text.into());
        let signed = key.sign("AWS4", &chain).expect("it can be signed");
        let hex: String = signed.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
        );
        assert!(key.sign("", &[]).is_err());
        assert!(key.sign("", &vec![Vec::new(); CHAIN + 1]).is_err());
        assert_eq!(format!("{key:?}"), "SigningKey(AKIDEXAMPLE)");
    }
}
