//! Whether receipts show that every chunk is durable.

use std::collections::BTreeSet;

use storage_node_api::content::{Receipt, Run};
use storage_node_api::map::ClusterMap;
use storage_node_api::order::Refusal;
use storage_node_api::{DedupDomain, NodeId};

use crate::head::Head;

/// What the group accepts receipts by.
pub(super) struct Rules<'a> {
    pub(super) map: &'a ClusterMap,
    pub(super) head: &'a Head,
    pub(super) domain: DedupDomain,
}

/// A failure domain, as [`ClusterMap::domain_of`] tells them apart.
type FailureDomain<'a> = (&'a str, &'a str, NodeId);

impl<'a> Rules<'a> {
    /// Whether each of `chunks` chunks, in runs, is held by a quorum of distinct
    /// failure domains.
    ///
    /// A receipt counts if its node is in the map and its domain is the blob's,
    /// its generation and map epoch are not before those that the group
    /// accepts, and its incarnation is not before the node's. If a chunk is
    /// short only because of receipts that do not count, a new session helps.
    pub(super) fn check(
        &self,
        receipts: &[Receipt],
        runs: &[Run],
        chunks: usize,
    ) -> Result<(), Refusal> {
        let needed = self.map.quorum();
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
            let (domain, counts) = self.judge(receipt);
            claimed.insert(domain);
            if counts {
                counted.insert(domain);
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

    fn judge(&self, receipt: &Receipt) -> (FailureDomain<'a>, bool) {
        match self.map.node(receipt.node) {
            Some(node) => (
                self.map.domain_of(node),
                receipt.domain == self.domain
                    && receipt.generation >= self.head.generation
                    && receipt.epoch >= self.head.min_epoch
                    && receipt.incarnation >= node.incarnation,
            ),
            None => (("", "", receipt.node), false),
        }
    }
}

fn not_durable(chunk: usize, domains: usize, needed: usize) -> Refusal {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Refusal::NotDurable {
        chunk: number(chunk),
        domains: number(domains),
        needed: number(needed),
    }
}
