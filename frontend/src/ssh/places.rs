use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::admission::Tenant;
use crate::ssh::SshConfig;

/// Counts open connections against their limits. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Places {
    counts: Arc<Mutex<Counts>>,
    most: usize,
    most_of_address: usize,
    most_strangers: usize,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    strangers: usize,
    of_address: BTreeMap<Tenant, usize>,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    address: Tenant,
    is_stranger: bool,
}

impl Places {
    pub(super) fn new(config: &SshConfig) -> Self {
        Self {
            counts: Arc::default(),
            most: config.max_connections,
            most_of_address: config.max_connections_of_address,
            most_strangers: config.max_strangers,
        }
    }

    /// A place for a connection from there, or which limit stands against it.
    pub(super) fn take(&self, address: Tenant) -> Result<Place, &'static str> {
        let mut counts = self.lock();
        if counts.all >= self.most {
            return Err("connections");
        }
        if counts.strangers >= self.most_strangers {
            return Err("strangers");
        }
        let of_address = counts.of_address.entry(address).or_default();
        if *of_address >= self.most_of_address {
            return Err("connections_of_address");
        }
        *of_address += 1;
        counts.all += 1;
        counts.strangers += 1;
        Ok(Place {
            places: self.clone(),
            address,
            is_stranger: true,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// It is known who it is.
    pub(super) fn is_known(&mut self) {
        if std::mem::take(&mut self.is_stranger) {
            self.places.lock().strangers -= 1;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.is_known();
        let mut counts = self.places.lock();
        counts.all -= 1;
        if let Some(of_address) = counts.of_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                counts.of_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::Places;
    use crate::admission::Tenant;
    use crate::ssh::SshConfig;

    #[test]
    fn each_limit_turns_away_what_is_over_it() {
        let places = Places::new(&SshConfig {
            max_connections: 4,
            max_connections_of_address: 2,
            max_strangers: 3,
            ..SshConfig::default()
        });
        let take = |number| places.take(Tenant::Address(Ipv4Addr::new(192, 0, 2, number)));
        let mut first = take(1).unwrap();
        let second = take(1).unwrap();
        assert_eq!(take(1).unwrap_err(), "connections_of_address");
        let mut third = take(2).unwrap();
        assert_eq!(take(2).unwrap_err(), "strangers");
        first.is_known();
        third.is_known();
        third.is_known();
        let _fourth = take(2).unwrap();
        assert_eq!(take(3).unwrap_err(), "connections");
        drop(second);
        drop(first);
        let (_fifth, _sixth) = (take(1).unwrap(), take(3).unwrap());
        assert_eq!(take(1).unwrap_err(), "connections");
        drop(third);
        assert_eq!(places.lock().of_address.len(), 3);
        assert_eq!(places.lock().strangers, 3);
    }
}
