//! How often one address may try something: a small bucket per address, in memory.
//!
//! It slows guessing down; it is per process and forgets everything at a restart. What must
//! hold across processes, such as attempts per account, is counted in the database.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most addresses that are remembered at once.
const ADDRESSES: usize = 20_000;

/// A limit on one kind of attempt.
#[derive(Debug)]
pub struct Rate {
    burst: u32,
    refill: Duration,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// How many attempts are spent and not yet given back.
    spent: f64,
    at: Instant,
}

impl Rate {
    /// Returns a limit of `burst` attempts at once, and one more after each `refill`.
    pub fn new(burst: u32, refill: Duration) -> Self {
        Self {
            burst,
            refill,
            buckets: Mutex::default(),
        }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// After how many seconds to try again, when there were too many.
    pub fn attempt(&self, address: IpAddr, now: Instant) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES {
            buckets.retain(|_, bucket| self.left(bucket, now) > 0.0);
            if buckets.len() >= ADDRESSES {
                // More addresses at once than people have: forgetting is the lesser evil.
                buckets.clear();
            }
        }
        let bucket = buckets.entry(network(address)).or_insert(Bucket {
            spent: 0.0,
            at: now,
        });
        let spent = self.left(bucket, now);
        if spent + 1.0 > f64::from(self.burst) {
            let wait = (spent + 1.0 - f64::from(self.burst)) * self.refill.as_secs_f64();
            return Err(wait.ceil().max(1.0) as u64);
        }
        *bucket = Bucket {
            spent: spent + 1.0,
            at: now,
        };
        Ok(())
    }

    fn left(&self, bucket: &Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.spent - since / self.refill.as_secs_f64()).max(0.0)
    }
}

/// One IPv6 customer has 2^64 addresses, so those count as one.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::{Duration, Instant};

    use super::Rate;

    #[test]
    fn attempts_come_back_one_by_one() {
        let rate = Rate::new(3, Duration::from_secs(10));
        let (address, start) = (IpAddr::from([127, 0, 0, 1]), Instant::now());
        for _ in 0..3 {
            assert_eq!(rate.attempt(address, start), Ok(()));
        }
        assert_eq!(rate.attempt(address, start), Err(10));
        assert_eq!(rate.attempt(IpAddr::from([127, 0, 0, 2]), start), Ok(()));
        let later = start + Duration::from_secs(10);
        assert_eq!(rate.attempt(address, later), Ok(()));
        assert!(rate.attempt(address, later).is_err());
    }

    #[test]
    fn neighbours_in_one_ipv6_network_count_as_one() {
        let rate = Rate::new(1, Duration::from_secs(10));
        let now = Instant::now();
        let address = |text: &str| text.parse().expect("it is an address");
        assert_eq!(rate.attempt(address("2001:db8::1"), now), Ok(()));
        assert!(rate.attempt(address("2001:db8::2"), now).is_err());
        assert_eq!(rate.attempt(address("2001:db8:0:1::2"), now), Ok(()));
    }
}
