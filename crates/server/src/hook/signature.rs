//! Checks who sent a call of a webhook: over the bytes as they came, before anything reads them.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::Timestamp;
use domain::signing::Signature;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;
use store::SigningKey;

/// How far the time in a signature may be from ours; what Standard Webhooks and Stripe recommend.
/// An older call may be one that somebody recorded and sends again.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// Most signatures in one header that are compared: a sender that exchanges its secret sends two.
const SIGNATURES: usize = 8;

/// Why a call is not taken. All are answered alike, so that nobody learns how far they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forged {
    /// A header that the signature needs is not there, there twice, or cannot be read.
    Missing,
    /// The time in the signature is too far from ours.
    Stale,
    /// No key of ours made the signature.
    Wrong,
}

/// Checks that a call was signed with one of the keys.
///
/// # Errors
/// When it was not.
pub(crate) fn check(
    signature: Signature,
    keys: &[SigningKey],
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Forged> {
    match signature {
        Signature::None => Ok(()),
        Signature::Standard => {
            let id = single(headers, "webhook-id")?;
            let at = single(headers, "webhook-timestamp")?;
            is_recent(at, now)?;
            let given = single(headers, "webhook-signature")?.split(' ');
            let given = given.filter_map(|one| one.strip_prefix("v1,"));
            let given = given.filter_map(|one| BASE64_STANDARD.decode(one).ok());
            let signed = [id.as_bytes(), b".", at.as_bytes(), b".", body];
            any(keys, standard_key, &signed, given)
        }
        Signature::Github => {
            let given = single(headers, "x-hub-signature-256")?;
            let given = given
                .strip_prefix("sha256=")
                .and_then(|hex| hex::decode(hex).ok());
            any(keys, as_it_is, &[body], given.into_iter())
        }
        Signature::Stripe => {
            let parts = single(headers, "stripe-signature")?.split(',');
            let parts: Vec<_> = parts
                .filter_map(|part| part.trim().split_once('='))
                .collect();
            let mut times = parts.iter().filter(|(name, _)| *name == "t");
            let (Some((_, at)), None) = (times.next(), times.next()) else {
                return Err(Forged::Missing);
            };
            is_recent(at, now)?;
            let given = parts.iter().filter(|(name, _)| *name == "v1");
            let given = given.filter_map(|(_, hex)| hex::decode(hex).ok());
            any(keys, as_it_is, &[at.as_bytes(), b".", body], given)
        }
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Forged> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(|value| value.to_str()), values.next()) {
        (Some(Ok(value)), None) => Ok(value),
        _ => Err(Forged::Missing),
    }
}

/// Compares the seconds since 1970 in a header with the time now.
fn is_recent(at: &str, now: Timestamp) -> Result<(), Forged> {
    // Digits only: `+5` and `05` would be other bytes under the same time.
    let is_number = !at.is_empty() && at.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: Option<i64> = at.parse().ok().filter(|_| is_number);
    let at = seconds.and_then(|seconds| seconds.checked_mul(1_000));
    let at = at.ok_or(Forged::Missing)?;
    let apart = Duration::from_millis(now.0.abs_diff(at));
    if apart <= TOLERANCE {
        Ok(())
    } else {
        Err(Forged::Stale)
    }
}

/// Standard Webhooks: the key is the base64 after `whsec_`. A secret in another form is taken as
/// it is.
fn standard_key(secret: &[u8]) -> Vec<u8> {
    let encoded = secret.strip_prefix(b"whsec_");
    let decoded = encoded.and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
    decoded.unwrap_or_else(|| secret.to_vec())
}

/// GitHub and Stripe: the key is the text of the secret itself.
fn as_it_is(secret: &[u8]) -> Vec<u8> {
    secret.to_vec()
}

/// Compares each signature with what each key makes of the parts, in constant time.
fn any(
    keys: &[SigningKey],
    key: impl Fn(&[u8]) -> Vec<u8>,
    parts: &[&[u8]],
    given: impl Iterator<Item = Vec<u8>>,
) -> Result<(), Forged> {
    let given: Vec<_> = given.take(SIGNATURES).collect();
    let is_ours = keys.iter().any(|secret| {
        let key = zeroize::Zeroizing::new(key(&secret.0));
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else {
            return false;
        };
        for part in parts {
            mac.update(part);
        }
        given
            .iter()
            .any(|one| mac.clone().verify_slice(one).is_ok())
    });
    if is_ours { Ok(()) } else { Err(Forged::Wrong) }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use zeroize::Zeroizing;

    use super::*;

    /// The example of the Standard Webhooks specification 1.0.
    const STANDARD: (&str, &[u8], [(&str, &str); 3]) = (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        b"{\"test\": 2432232314}",
        [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            (
                "webhook-signature",
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ],
    );
    /// The example in GitHub's documentation of webhook deliveries.
    const GITHUB: (&str, &[u8], [(&str, &str); 1]) = (
        "It's a Secret to Everybody",
        b"Hello, World!",
        [(
            "x-hub-signature-256",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        )],
    );
    const NOW: Timestamp = Timestamp(1_614_265_330_000);

    fn keys(secrets: &[&str]) -> Vec<SigningKey> {
        let key = |secret: &&str| SigningKey(Zeroizing::new(secret.as_bytes().to_vec()));
        secrets.iter().map(key).collect()
    }

    fn headers<const N: usize>(all: [(&str, &str); N]) -> HeaderMap {
        let header = |(name, value): (&str, &str)| {
            let name: HeaderName = name.parse().expect("it is a name");
            (name, HeaderValue::from_str(value).expect("it is a value"))
        };
        all.into_iter().map(header).collect()
    }

    fn stripe(at: &str, body: &[u8], secret: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length fits");
        mac.update(at.as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("t={at},v1={}", hex::encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn what_the_specifications_give_as_examples_is_taken() {
        let (secret, body, sent) = STANDARD;
        let taken = check(
            Signature::Standard,
            &keys(&[secret]),
            &headers(sent),
            body,
            NOW,
        );
        assert_eq!(taken, Ok(()));
        let (secret, body, sent) = GITHUB;
        let taken = check(
            Signature::Github,
            &keys(&[secret]),
            &headers(sent),
            body,
            NOW,
        );
        assert_eq!(taken, Ok(()));
        let sent = stripe("1614265330", b"{}", "whsec_stripe");
        let sent = headers([("stripe-signature", sent.as_str())]);
        let taken = check(
            Signature::Stripe,
            &keys(&["whsec_stripe"]),
            &sent,
            b"{}",
            NOW,
        );
        assert_eq!(taken, Ok(()));
    }

    #[test]
    fn while_secrets_are_exchanged_either_is_taken() {
        let (secret, body, sent) = STANDARD;
        let both = keys(&["whsec_c29tZSBvdGhlciBzZWNyZXQ=", secret]);
        let several = format!("v1,AAAA v1a,xyz {}", sent[2].1);
        let sent = headers([sent[0], sent[1], ("webhook-signature", several.as_str())]);
        assert_eq!(check(Signature::Standard, &both, &sent, body, NOW), Ok(()));
    }

    #[test]
    fn nothing_that_was_changed_replayed_or_left_out_is_taken() {
        let (secret, body, sent) = STANDARD;
        let ours = keys(&[secret]);
        let standard =
            |sent: &HeaderMap, body: &[u8], now| check(Signature::Standard, &ours, sent, body, now);
        let all = headers(sent);
        assert_eq!(standard(&all, &body[1..], NOW), Err(Forged::Wrong));
        assert_eq!(standard(&all, b"", NOW), Err(Forged::Wrong));
        for late in [-301_000, 301_000] {
            let now = Timestamp(NOW.0 + late);
            assert_eq!(standard(&all, body, now), Err(Forged::Stale));
        }
        for (left_out, _) in sent {
            let mut some = all.clone();
            some.remove(left_out);
            assert_eq!(standard(&some, body, NOW), Err(Forged::Missing));
        }
        for (name, value, why) in [
            ("webhook-id", "msg_other", Forged::Wrong),
            ("webhook-timestamp", "1614265331", Forged::Wrong),
            ("webhook-timestamp", "+1614265330", Forged::Missing),
            ("webhook-timestamp", "", Forged::Missing),
            ("webhook-timestamp", "99999999999999999999", Forged::Missing),
            ("webhook-signature", "", Forged::Wrong),
            ("webhook-signature", "v1,", Forged::Wrong),
            (
                "webhook-signature",
                "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
                Forged::Wrong,
            ),
        ] {
            let mut other = all.clone();
            let name: HeaderName = name.parse().expect("it is a name");
            other.insert(name, HeaderValue::from_static(value));
            assert_eq!(standard(&other, body, NOW), Err(why), "{value}");
        }
        let mut twice = all.clone();
        twice.append("webhook-id", HeaderValue::from_static("msg_other"));
        assert_eq!(standard(&twice, body, NOW), Err(Forged::Missing));
        let none = check(Signature::Standard, &[], &all, body, NOW);
        assert_eq!(none, Err(Forged::Wrong), "without a secret nothing is ours");
    }

    #[test]
    fn a_signature_of_another_kind_is_none() {
        let (secret, body, sent) = GITHUB;
        let sent = headers(sent);
        for kind in [Signature::Standard, Signature::Stripe] {
            assert_eq!(
                check(kind, &keys(&[secret]), &sent, body, NOW),
                Err(Forged::Missing)
            );
        }
        let two_times = format!("t=1,{}", stripe("1614265330", b"{}", "whsec_stripe"));
        let sent = headers([("stripe-signature", two_times.as_str())]);
        let taken = check(
            Signature::Stripe,
            &keys(&["whsec_stripe"]),
            &sent,
            b"{}",
            NOW,
        );
        assert_eq!(taken, Err(Forged::Missing));
        assert_eq!(
            check(Signature::None, &[], &HeaderMap::new(), b"", NOW),
            Ok(())
        );
    }
}
