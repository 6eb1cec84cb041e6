//! Which addresses are public, and ranges of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 ranges that are not the public internet (IANA special-purpose registry), and the one
/// public address at which a cloud serves its machines' metadata.
const SPECIAL_V4: [([u8; 4], u8); 17] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([168, 63, 129, 16], 32),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 3),
];

/// Parts of the global IPv6 range that are not hosts on the public internet: protocol
/// assignments (with Teredo), documentation, 6to4, documentation again.
const SPECIAL_V6: [([u16; 2], u8); 4] = [
    ([0x2001, 0], 23),
    ([0x2001, 0x0db8], 32),
    ([0x2002, 0], 16),
    ([0x3fff, 0], 20),
];

/// Returns whether an address belongs to the public internet.
///
/// In IPv6 only the global range does, which leaves out loopback, unique local, link-local and
/// multicast addresses and every form that embeds an IPv4 address: mapped, compatible, NAT64.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !SPECIAL_V4
            .iter()
            .any(|(network, bits)| v4_in(ip, Ipv4Addr::from(*network), *bits)),
        IpAddr::V6(ip) => {
            let global = v6_in(ip, Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
            global
                && !SPECIAL_V6.iter().any(|([first, second], bits)| {
                    v6_in(ip, Ipv6Addr::new(*first, *second, 0, 0, 0, 0, 0, 0), *bits)
                })
        }
    }
}

fn v4_in(ip: Ipv4Addr, network: Ipv4Addr, bits: u8) -> bool {
    let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
    ip.to_bits() & mask == network.to_bits() & mask
}

fn v6_in(ip: Ipv6Addr, network: Ipv6Addr, bits: u8) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    ip.to_bits() & mask == network.to_bits() & mask
}

/// A range such as `10.1.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    network: IpAddr,
    bits: u8,
}

impl Range {
    /// Reads a range, or a single address with or without square brackets.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address = address
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or(address);
        let network: IpAddr = address.parse().ok()?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok()?,
            Some(_) => return None,
            None => most,
        };
        (bits <= most).then_some(Self { network, bits })
    }

    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        match (self.network, ip) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => v4_in(ip, network, self.bits),
            (IpAddr::V6(network), IpAddr::V6(ip)) => v6_in(ip, network, self.bits),
            _ => false,
        }
    }
}
