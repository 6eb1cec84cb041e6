//! AWS Signature Version 4 for S3: a request that says who sends it, and that nobody changed it.

use sha2::{Digest, Sha256};

use crate::Bucket;
use crate::sluice::connector::host::{Request, now, sign};

/// How requests are signed.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Returns a request with its signature. `path` is encoded already, the query is not.
pub(crate) fn signed(
    bucket: &Bucket,
    method: &str,
    path: &str,
    mut query: Vec<(String, String)>,
    mut headers: Vec<(String, String)>,
    body: Option<String>,
) -> Request {
    let time = Time::of(now());
    let (day, second) = (time.day(), time.second());
    let digest = hex(&Sha256::digest(body.as_deref().unwrap_or_default()));
    headers.push(("x-amz-content-sha256".to_owned(), digest.clone()));
    headers.push(("x-amz-date".to_owned(), second.clone()));
    query.sort();
    let query: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name, false), encoded(value, false)))
        .collect();
    let query = query.join("&");

    // The host is signed, but Sluice sends it.
    let mut all = headers.clone();
    all.push(("host".to_owned(), bucket.host.clone()));
    all.sort();
    let canonical: String = all
        .iter()
        .map(|(name, value)| {
            format!(
                "{name}:{}\n",
                value.split_whitespace().collect::<Vec<_>>().join(" ")
            )
        })
        .collect();
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let request = format!("{method}\n{path}\n{query}\n{canonical}\n{names}\n{digest}");
    let scope = format!("{day}/{}/s3/aws4_request", bucket.region);
    let request = hex(&Sha256::digest(request));
    let text = format!("{ALGORITHM}\n{second}\n{scope}\n{request}");
    let chain = [day.as_str(), &bucket.region, "s3", "aws4_request", &text];
    let chain: Vec<Vec<u8>> = chain.iter().map(|part| part.as_bytes().to_vec()).collect();
    let signature = sign("AWS4", &chain);
    headers.push((
        "authorization".to_owned(),
        format!(
            "{ALGORITHM} Credential={}/{scope},SignedHeaders={names},Signature={}",
            signature.by,
            hex(&signature.mac)
        ),
    ));
    let mut url = format!("{}://{}{path}", bucket.scheme, bucket.host);
    if !query.is_empty() {
        url = format!("{url}?{query}");
    }
    Request {
        method: method.to_owned(),
        url,
        headers,
        body,
        repeats: false,
    }
}

/// Encodes all but what RFC 3986 calls unreserved; in a key, slashes stay.
pub(crate) fn encoded(text: &str, is_key: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || is_key && byte == b'/' {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time as year, month, day, and seconds of the day.
struct Time {
    date: (i64, u64, u64),
    seconds: u64,
}

impl Time {
    /// Returns the time of a number of milliseconds since 1970: the days are counted as in the
    /// proleptic Gregorian calendar, whose eras have 146,097 days and begin in March.
    fn of(ms: u64) -> Self {
        let (days, seconds) = (ms / 86_400_000, ms / 1_000 % 86_400);
        let days = days + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        let year = (year + era * 400) as i64 + i64::from(month <= 2);
        Self {
            date: (year, month, day),
            seconds,
        }
    }

    fn day(&self) -> String {
        let (year, month, day) = self.date;
        format!("{year:04}{month:02}{day:02}")
    }

    fn second(&self) -> String {
        let (hour, minute, second) = (
            self.seconds / 3_600,
            self.seconds / 60 % 60,
            self.seconds % 60,
        );
        format!("{}T{hour:02}{minute:02}{second:02}Z", self.day())
    }
}
