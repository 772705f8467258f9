//! Whether receipts show that every chunk is durable.

use std::collections::BTreeSet;

use storage_node_api::DedupDomain;
use storage_node_api::content::{Receipt, Run};
use storage_node_api::map::{ClusterMap, FailureUnit, MEMBERS_VERSION};
use storage_node_api::order::Refusal;

use crate::head::Head;

/// What the group accepts receipts by.
pub(super) struct Rules<'a> {
    pub(super) map: &'a ClusterMap,
    pub(super) head: &'a Head,
    pub(super) domain: DedupDomain,
}

impl<'a> Rules<'a> {
    /// Whether each of `chunks` chunks, in runs, is held by a quorum of distinct
    /// failure domains.
    ///
    /// Quorum and failure domains are those of the policy of the blob's domain. A
    /// receipt counts if its node is in the map, in a region where the policy keeps
    /// copies, and its domain is the blob's, its generation and map epoch are not before those that the group
    /// accepts, and its incarnation is not before the node's. From
    /// [`MEMBERS_VERSION`] on the receipts of a node that is being drained do not count: what is
    /// committed under the new map is durable by the new placement alone, so that a look at all
    /// chunks after the map was adopted shows what is still on that node only. If a chunk is
    /// short only because of receipts that do not count, a new session helps.
    pub(super) fn check(
        &self,
        receipts: &[Receipt],
        runs: &[Run],
        chunks: usize,
    ) -> Result<(), Refusal> {
        let needed = self.map.quorum(self.domain);
        let mut first = 0_usize;
        for run in runs {
            if first >= chunks {
                break;
            }
            if run.chunks > 0 {
                self.check_run(receipts, run, (first, needed))?;
            }
            first = first.saturating_add(usize::try_from(run.chunks).unwrap_or(usize::MAX));
        }
        match first < chunks {
            true => Err(not_durable(first, 0, needed)),
            false => Ok(()),
        }
    }

    fn check_run(
        &self,
        receipts: &'a [Receipt],
        run: &Run,
        (first, needed): (usize, usize),
    ) -> Result<(), Refusal> {
        let mut counted = BTreeSet::new();
        let mut claimed = BTreeSet::new();
        for holder in &run.holders {
            let Some(receipt) = receipts.get(usize::from(*holder)) else {
                continue;
            };
            let Holder::Known { unit, counts } = self.judge(receipt) else {
                claimed.insert(Err(receipt.node));
                continue;
            };
            let Some(unit) = unit else { continue };
            claimed.insert(Ok(unit));
            if counts {
                counted.insert(unit);
            }
        }
        if counted.len() >= needed {
            Ok(())
        } else if claimed.len() >= needed {
            Err(Refusal::SessionExpired)
        } else {
            Err(not_durable(first, counted.len(), needed))
        }
    }

    fn judge(&self, receipt: &Receipt) -> Holder<'a> {
        match self.map.node(receipt.node) {
            Some(node) => Holder::Known {
                unit: self.map.unit_of(self.domain, node),
                counts: (!node.draining || self.map.machine_version < MEMBERS_VERSION)
                    && receipt.domain == self.domain
                    && receipt.generation >= self.head.generation
                    && receipt.epoch >= self.head.min_epoch
                    && receipt.incarnation >= node.incarnation,
            },
            None => Holder::Unknown,
        }
    }
}

/// Who signed a receipt.
enum Holder<'a> {
    /// A node of the map.
    Known {
        /// What it fails with; nothing if the policy keeps no copies there.
        unit: Option<FailureUnit<'a>>,
        /// Whether the receipt is of the blob's domain and recent enough.
        counts: bool,
    },
    /// A node that the group's map does not have.
    Unknown,
}

fn not_durable(chunk: usize, domains: usize, needed: usize) -> Refusal {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Refusal::NotDurable {
        chunk: number(chunk),
        domains: number(domains),
        needed: number(needed),
    }
}
