//! Where a connection may be sent to: scheme, host and port.

use std::net::Ipv6Addr;

use super::Refusal;

/// Most bytes of a host name.
const HOST: usize = 253;

/// Reads an origin and writes it in the one form in which addresses are compared with it: lower
/// case, without the port that its scheme has anyway. What a URL parser would write otherwise than
/// this matches no address: nothing is sent there.
///
/// # Errors
/// When it is not `http` or `https` with a host in ASCII and nothing but a port behind it.
pub fn origin(text: &str) -> Result<String, Refusal> {
    read(text.trim()).ok_or_else(|| Refusal::Origin(crate::template::short(text).to_string()))
}

fn read(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[') {
        Some(v6) => {
            let (v6, port) = v6.split_once(']')?;
            (format!("[{}]", v6.parse::<Ipv6Addr>().ok()?), port)
        }
        None => {
            let (name, port) = rest.split_at(rest.find(':').unwrap_or(rest.len()));
            (host_name(name)?, port)
        }
    };
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            Some(digits.parse::<u16>().ok()?).filter(|port| *port != usual)
        }
        Some(_) => return None,
        None if port.is_empty() => None,
        None => return None,
    };
    Some(match port {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

/// Reads a host name, and writes it in lower case.
pub(super) fn host_name(name: &str) -> Option<String> {
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let fits = name.len() <= HOST && name.split('.').all(is_part);
    fits.then(|| name.to_ascii_lowercase())
}
