use std::time::Duration;

use anyhow::Context;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::{Field, Nemesis};
use crate::network::Link;

/// Longer than an election and a client's patience with a silent frontend, so
/// that it shows whether the others go on.
const LEAST_HOLD: Duration = Duration::from_secs(12);

/// A region is lost with its nodes and its frontend: cut off from the other regions and
/// from the clients, or all its processes killed at one moment.
#[derive(Default)]
pub(super) struct Region {
    killed: Vec<usize>,
}

impl Nemesis for Region {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        let regions = field.regions();
        let region = *regions.choose(random).context("there are no regions")?;
        let hosts = field.hosts_in(region);
        if random.random_bool(0.5) {
            // The host after the last process's is that of the clients.
            for other in (0..=field.hosts()).filter(|other| !hosts.contains(other)) {
                for &host in &hosts {
                    field.set_link(host, other, Link::cut())?;
                    field.set_link(other, host, Link::cut())?;
                }
            }
            return Ok(format!("{region} | all others"));
        }
        for &host in &hosts {
            field.signal(host, rustix::process::Signal::STOP)?;
        }
        for &host in &hosts {
            field.kill_host(host)?;
        }
        self.killed = hosts;
        Ok(format!("{region}: all processes killed"))
    }

    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()> {
        field.heal_network();
        for host in self.killed.drain(..) {
            field.start_host(host)?;
        }
        Ok(())
    }

    fn least_hold(&self) -> Duration {
        LEAST_HOLD
    }
}
