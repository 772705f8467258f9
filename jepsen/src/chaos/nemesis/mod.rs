//! What breaks things, one file each.
//!
//! A nemesis starts, which it describes in words for the history, and heals;
//! between the two it is the schedule's turn to wait. Healing must leave the
//! cluster as an operator would: processes run, disks have room, damage is
//! repaired. What is broken follows from the seed, and from who leads just then.

mod bridge;
mod clock;
mod collect;
mod corruption;
mod full_disk;
mod kill;
mod one_way;
mod partition;
mod pause;
mod power;
mod region;
mod replace;
mod rot;
mod slots;
mod slow_disk;
mod slow_link;
mod transfer;
mod wire;

use std::time::Duration;

use anyhow::Context;
use rand::rngs::StdRng;

use super::field::{Field, Needs};

pub(super) use wire::Order;

/// Something that breaks a cluster.
pub(super) trait Nemesis {
    /// Breaks it, and says what exactly.
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String>;
    /// Mends it.
    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()>;

    /// For how long it must hold to show anything.
    fn least_hold(&self) -> Duration {
        Duration::ZERO
    }
}

/// One kind of nemesis.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// What it is called in `--faults` and in histories.
    pub(super) name: &'static str,
    /// What it does.
    pub(super) what: &'static str,
    /// What it needs.
    pub(super) needs: Needs,
    /// How it is done.
    how: How,
}

#[derive(Clone, Copy)]
enum How {
    /// By a hand on processes, disks and networks of our own.
    Ours(fn() -> Box<dyn Nemesis>),
    /// By an order.
    Order(Order),
}

const NOTHING: Needs = Needs {
    network: false,
    shims: false,
    small_disk: false,
    regions: false,
    fast_disk: false,
    hibernate_after: None,
};
const NETWORK: Needs = Needs {
    network: true,
    ..NOTHING
};
const SHIMS: Needs = Needs {
    shims: true,
    ..NOTHING
};
const REGIONS: Needs = Needs {
    network: true,
    regions: true,
    ..NOTHING
};
const SMALL_DISK: Needs = Needs {
    network: true,
    small_disk: true,
    ..NOTHING
};

/// All of them.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "kill",
        what: "`kill -9` to a node or a frontend",
        needs: NOTHING,
        how: How::Ours(|| Box::new(kill::Kill::default())),
    },
    Kind {
        name: "pause",
        what: "SIGSTOP to a node, and SIGCONT",
        needs: NOTHING,
        how: How::Ours(|| Box::new(pause::Pause::default())),
    },
    Kind {
        name: "partition",
        what: "a node and all others lose each other's packets",
        needs: NETWORK,
        how: How::Ours(|| Box::new(partition::Partition)),
    },
    Kind {
        name: "one-way",
        what: "a node hears and is not heard, or is heard and does not hear",
        needs: NETWORK,
        how: How::Ours(|| Box::new(one_way::OneWay)),
    },
    Kind {
        name: "bridge",
        what: "two nodes lose each other and both keep the third",
        needs: NETWORK,
        how: How::Ours(|| Box::new(bridge::Bridge)),
    },
    Kind {
        name: "region",
        what: "a region of three is cut off, or killed, with its frontend",
        needs: REGIONS,
        how: How::Ours(|| Box::new(region::Region::default())),
    },
    Kind {
        name: "slow-link",
        what: "packets to and from a node come late, overtake one another, and are lost now and then",
        needs: NETWORK,
        how: How::Ours(|| Box::new(slow_link::SlowLink)),
    },
    Kind {
        name: "slow-disk",
        what: "each sync of a node takes up to 0.3 s longer",
        needs: SHIMS,
        how: How::Ours(|| Box::new(slow_disk::SlowDisk::default())),
    },
    Kind {
        name: "clock",
        what: "a node's wall clock jumps by up to a day, forward or back",
        needs: SHIMS,
        how: How::Ours(|| Box::new(clock::Clock::default())),
    },
    Kind {
        name: "power",
        what: "a node, or all at once, are killed and lose what they did not sync",
        needs: SHIMS,
        how: How::Ours(|| Box::new(power::Power::default())),
    },
    Kind {
        name: "full-disk",
        what: "a node's disk has no byte left",
        needs: SMALL_DISK,
        how: How::Ours(|| Box::new(full_disk::FullDisk)),
    },
    Kind {
        name: "corruption",
        what: "bytes of a stopped node's volumes change, and it starts again",
        needs: NOTHING,
        how: How::Ours(|| Box::new(corruption::Corruption)),
    },
    Kind {
        name: "rot",
        what: "bytes of a stopped node's logs, state or facts change; it starts if it does, and is replaced",
        needs: NOTHING,
        how: How::Ours(|| Box::new(rot::Rot::default())),
    },
    Kind {
        name: "replace",
        what: "a node is lost with all its data, and a new one takes its place",
        needs: NOTHING,
        how: How::Ours(|| Box::new(replace::Replace::default())),
    },
    Kind {
        name: "transfer",
        what: "leaders of groups are moved",
        needs: NOTHING,
        how: How::Order(transfer::transfer),
    },
    Kind {
        name: "slots",
        what: "groups are added, and slots move between groups",
        needs: NOTHING,
        how: How::Order(slots::slots),
    },
    Kind {
        name: "collect",
        what: "a cycle of the collector at full speed",
        needs: NOTHING,
        how: How::Order(collect::collect),
    },
];

/// The kinds with these names.
pub(super) fn find(names: &[String]) -> anyhow::Result<Vec<Kind>> {
    let find_one = |name: &String| {
        let kind = KINDS.iter().find(|kind| kind.name == name);
        let known = || {
            KINDS
                .iter()
                .map(|kind| kind.name)
                .collect::<Vec<_>>()
                .join(", ")
        };
        kind.copied()
            .with_context(|| format!("no fault is called {name}: choose from {}", known()))
    };
    names.iter().map(find_one).collect()
}

impl Kind {
    /// Makes one.
    pub(super) fn make(self) -> Box<dyn Nemesis> {
        match self.how {
            How::Ours(make) => make(),
            How::Order(order) => Box::new(wire::Wire(order)),
        }
    }

    /// The order that brings it about, if one does.
    pub(super) fn order(self) -> Option<Order> {
        match self.how {
            How::Ours(_) => None,
            How::Order(order) => Some(order),
        }
    }
}

impl Needs {
    /// What either needs.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            network: self.network || other.network,
            shims: self.shims || other.shims,
            small_disk: self.small_disk || other.small_disk,
            regions: self.regions || other.regions,
            fast_disk: self.fast_disk || other.fast_disk,
            hibernate_after: self.hibernate_after.or(other.hibernate_after),
        }
    }
}
