//! Signatures of webhook calls: which kinds there are, and the secrets behind them as members see
//! them. The secret itself never crosses the wire again after it was made.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::{Document, SigningSecretId, Timestamp};

/// Most secrets that an integration has at once: the one in use, the next one, and one to spare.
pub const SECRETS: usize = 3;

/// Fewest characters of a secret that was made elsewhere.
const SHORTEST: usize = 16;
/// Most characters of a secret that was made elsewhere.
const LONGEST: usize = 256;

/// How the calls of a webhook are signed by their sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// Not at all, or nobody looks.
    #[default]
    None,
    /// `webhook-id`, `webhook-timestamp` and `webhook-signature`, as the Standard Webhooks
    /// specification 1.0 says.
    Standard,
    /// `X-Hub-Signature-256`, as GitHub signs.
    Github,
    /// `Stripe-Signature`, as Stripe signs.
    Stripe,
}

impl Signature {
    /// All kinds.
    pub const ALL: [Signature; 4] = [
        Signature::None,
        Signature::Standard,
        Signature::Github,
        Signature::Stripe,
    ];

    /// Returns the name in documents and in the database.
    pub const fn key(self) -> &'static str {
        match self {
            Signature::None => "none",
            Signature::Standard => "standard",
            Signature::Github => "github",
            Signature::Stripe => "stripe",
        }
    }

    /// Returns the name on screen, as the catalog has it.
    pub const fn title(self) -> &'static str {
        match self {
            Signature::None => "Not checked",
            Signature::Standard => "Standard Webhooks",
            Signature::Github => "GitHub",
            Signature::Stripe => "Stripe",
        }
    }

    /// Returns the kind with that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }

    /// Returns what the trigger of a document asks for. Without a word about it, nothing is
    /// checked; a word that is none of the keys (validation refuses it) lets nothing through that
    /// is not signed by the standard.
    pub fn of(document: &Document) -> Self {
        if document.trigger.kind != "webhook" {
            return Signature::None;
        }
        match document.trigger.config.get("signature").map(Value::as_str) {
            None => Signature::None,
            Some(key) => key.and_then(Self::from_key).unwrap_or(Signature::Standard),
        }
    }
}

/// A secret of an integration's webhook, without the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningSecret {
    /// Identity.
    pub id: SigningSecretId,
    /// Who keeps it here.
    pub created_by: String,
    /// Since when.
    pub created_at: Timestamp,
}

/// Why a secret is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Guessed too easily, or not a secret at all.
    #[error(
        "A signing secret has {SHORTEST} to {LONGEST} visible characters. Copy it again from where it was made."
    )]
    Malformed,
    /// [`SECRETS`] are kept already.
    #[error("{SECRETS} signing secrets are kept already. Remove one that is not used any more.")]
    TooMany,
    /// This process was started without a master key.
    #[error(
        "Secrets cannot be kept here: Sluice was started without a master key. Set SLUICE_MASTER_KEY_FILE and start it again."
    )]
    NoMasterKey,
}

/// Checks a secret that was made elsewhere; returns it without the white space around it.
///
/// # Errors
/// When it is too short, too long, or holds anything but visible ASCII characters.
pub fn check_secret(text: &str) -> Result<&str, Refusal> {
    let text = text.trim();
    let fits = (SHORTEST..=LONGEST).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        Ok(text)
    } else {
        Err(Refusal::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog;
    use crate::schema::FieldKind;

    #[test]
    fn the_catalog_offers_each_kind_by_its_key_and_title() {
        let trigger = catalog::trigger("webhook").expect("it is in the catalog");
        let field = trigger.input.field("signature").expect("it has the field");
        let FieldKind::Choice(options) = &field.kind else {
            panic!("it is no choice");
        };
        let kinds = Signature::ALL.map(|kind| (kind.key().to_owned(), kind.title().to_owned()));
        assert_eq!(options[..], kinds);
    }

    #[test]
    fn what_a_document_asks_for_is_never_read_as_less() {
        let mut document = Document::new("webhook");
        document.trigger.config.remove("signature");
        assert_eq!(Signature::of(&document), Signature::None);
        for (word, kind) in [
            (json!("none"), Signature::None),
            (json!("github"), Signature::Github),
            (json!("Stripe"), Signature::Standard),
            (json!(7), Signature::Standard),
        ] {
            let config = &mut document.trigger.config;
            config.insert("signature".to_owned(), word);
            assert_eq!(Signature::of(&document), kind);
        }
        document.trigger.kind = "manual".to_owned();
        assert_eq!(Signature::of(&document), Signature::None);
    }

    #[test]
    fn a_secret_from_elsewhere_is_long_and_visible() {
        assert_eq!(
            check_secret(" whsec_0123456789abcdef\n"),
            Ok("whsec_0123456789abcdef")
        );
        for text in [
            "",
            "short",
            "with a space in it",
            "whsec_0123456789\u{e4}bcdef",
        ] {
            assert_eq!(check_secret(text), Err(Refusal::Malformed), "{text}");
        }
        assert!(check_secret(&"a".repeat(257)).is_err());
    }
}
