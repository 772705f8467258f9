use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::limits::{FAILED_SIGN_INS, FAILED_SIGN_INS_OF_ADDRESS, THROTTLE_WINDOW, THROTTLED};
use crate::request::Peer;

/// Counts wrong passwords per address, and per address and account.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    counts: Mutex<HashMap<Key, Count>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    peer: Peer,
    /// The account's name in lower case; `None` counts for the address alone.
    account: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    failures: u32,
    since: Duration,
}

impl Throttle {
    /// Whether another try may be made at `now`, a monotonic time.
    pub(crate) fn allows(&self, peer: Peer, account: &str, now: Duration) -> bool {
        self.allow(&keys(peer, account), now)
    }

    /// Whether another try may be made from there, whatever the account.
    pub(crate) fn allows_address(&self, peer: Peer, now: Duration) -> bool {
        self.allow(&[address_key(peer)], now)
    }

    /// Counts a failed try.
    pub(crate) fn failed(&self, peer: Peer, account: &str, now: Duration) {
        self.count(keys(peer, account), now);
    }

    /// Counts a failed try from there that is about no account.
    pub(crate) fn failed_address(&self, peer: Peer, now: Duration) {
        self.count([address_key(peer)], now);
    }

    fn allow(&self, keys: &[(Key, u32)], now: Duration) -> bool {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().all(|(key, limit)| {
            counts
                .get(key)
                .is_none_or(|count| count.failures < *limit || is_over(count, now))
        })
    }

    fn count(&self, keys: impl IntoIterator<Item = (Key, u32)>, now: Duration) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, _) in keys {
            if counts.len() >= THROTTLED && !counts.contains_key(&key) {
                counts.retain(|_, count| !is_over(count, now));
                if counts.len() >= THROTTLED {
                    return;
                }
            }
            let count = counts.entry(key).or_insert(Count {
                failures: 0,
                since: now,
            });
            if is_over(count, now) {
                *count = Count {
                    failures: 0,
                    since: now,
                };
            }
            count.failures += 1;
        }
    }
}

fn keys(peer: Peer, account: &str) -> [(Key, u32); 2] {
    // No account has a longer name; cut ones may share a count.
    let account: String = account.chars().take(domain::limits::EMAIL).collect();
    let account = Some(account.to_lowercase());
    [address_key(peer), (Key { peer, account }, FAILED_SIGN_INS)]
}

fn address_key(peer: Peer) -> (Key, u32) {
    let key = Key {
        peer,
        account: None,
    };
    (key, FAILED_SIGN_INS_OF_ADDRESS)
}

fn is_over(count: &Count, now: Duration) -> bool {
    now.saturating_sub(count.since) >= THROTTLE_WINDOW
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::Throttle;
    use crate::limits::{FAILED_SIGN_INS, FAILED_SIGN_INS_OF_ADDRESS, THROTTLE_WINDOW};
    use crate::request::Peer;

    #[test]
    fn an_account_is_throttled_per_address_and_for_a_while() {
        let throttle = Throttle::default();
        let peer = Peer(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let other = Peer(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let now = Duration::from_secs(10);
        for _ in 0..FAILED_SIGN_INS {
            assert!(throttle.allows(peer, "alice", now));
            throttle.failed(peer, "alice", now);
        }
        assert!(!throttle.allows(peer, "ALICE", now));
        assert!(throttle.allows(peer, "bob", now));
        assert!(throttle.allows(other, "alice", now));
        assert!(throttle.allows(peer, "alice", now + THROTTLE_WINDOW));
    }

    #[test]
    fn an_address_is_throttled_whatever_account_it_tries() {
        let throttle = Throttle::default();
        let peer = Peer(IpAddr::V4(Ipv4Addr::LOCALHOST));
        for number in 0..FAILED_SIGN_INS_OF_ADDRESS {
            throttle.failed(peer, &number.to_string(), Duration::ZERO);
        }
        assert!(!throttle.allows(peer, "fresh", Duration::ZERO));
        assert!(!throttle.allows_address(peer, Duration::ZERO));
        let other = Peer(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        for _ in 1..FAILED_SIGN_INS_OF_ADDRESS {
            throttle.failed_address(other, Duration::ZERO);
        }
        assert!(throttle.allows_address(other, Duration::ZERO));
        throttle.failed_address(other, Duration::ZERO);
        assert!(!throttle.allows_address(other, Duration::ZERO));
    }
}
