use std::collections::{BTreeMap, VecDeque};

use domain::Failure;

use super::{Cost, Tenant};
use crate::limits::{WAITING, WAITING_OF_TENANT};

/// How much of a kind may be under way, and wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Units of work under way.
    pub(crate) working: u32,
    /// Those of one tenant, at most `working`.
    pub(crate) share: u32,
    /// Requests that wait.
    pub(crate) waiting: usize,
    /// Those of one tenant.
    pub(crate) waiting_of_tenant: usize,
}

impl Limits {
    /// So much at a time, and of one tenant so many percent of it.
    pub(crate) fn of(working: u32, share_percent: u32) -> Self {
        let share = u64::from(working) * u64::from(share_percent) / 100;
        Self {
            working,
            share: u32::try_from(share).unwrap_or(working).clamp(1, working),
            waiting: WAITING,
            waiting_of_tenant: WAITING_OF_TENANT,
        }
    }
}

/// Why a request is not served now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// The tenant has its share under way, and more of it waits.
    #[error(
        "too many requests of yours are being served; wait for some to end, or ask for fewer at a time"
    )]
    Share,
    /// The server has all it can do.
    #[error("the server is busy; try again in a few seconds")]
    Overloaded,
}

impl Refused {
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Share => Failure::Throttled,
            Self::Overloaded => Failure::Overloaded,
        }
    }
}

/// One that waits.
pub(super) type Ticket = u64;

/// Who works and who waits for one kind of request. Pure: it is told what
/// happens and answers whose turn it is.
///
/// Nobody is passed over for ever: tenants take turns, one request each, a
/// tenant's own in the order in which they came; the next one in turn is not
/// overtaken by cheaper ones, only by those of others while its tenant is at its
/// share.
#[derive(Debug)]
pub(super) struct Queue {
    limits: Limits,
    working: u32,
    waiting: usize,
    next_ticket: Ticket,
    tenants: BTreeMap<Tenant, Standing>,
    /// Tenants with someone waiting, next one first.
    round: VecDeque<Tenant>,
}

#[derive(Debug, Default)]
struct Standing {
    working: u32,
    waiting: VecDeque<(Ticket, Cost)>,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            working: 0,
            waiting: 0,
            next_ticket: 0,
            tenants: BTreeMap::new(),
            round: VecDeque::new(),
        }
    }

    /// What a request is counted as: never more than a tenant may have, so that
    /// each is served at some time.
    pub(super) fn counted(&self, cost: Cost) -> Cost {
        Cost(cost.0.min(self.limits.share))
    }

    /// Someone comes and waits; their ticket. [`Self::admit`] says whether they
    /// wait for long. Refused if too many do already.
    pub(super) fn arrive(&mut self, tenant: Tenant, cost: Cost) -> Result<Ticket, Refused> {
        let cost = self.counted(cost);
        let at_once = self.is_free_for(tenant, cost);
        let standing = self.tenants.entry(tenant).or_default();
        let of_tenant = standing.waiting.len();
        if !at_once && of_tenant >= self.limits.waiting_of_tenant {
            return Err(Refused::Share);
        }
        if !at_once && self.waiting >= self.limits.waiting {
            let refused = self.why(tenant, cost);
            self.forget_idle(tenant);
            return Err(refused);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        standing.waiting.push_back((ticket, cost));
        self.waiting += 1;
        if of_tenant == 0 {
            self.round.push_back(tenant);
        }
        Ok(ticket)
    }

    /// Lets those whose turn it is begin to work, and says who they are.
    pub(super) fn admit(&mut self) -> Vec<Ticket> {
        let mut admitted = Vec::new();
        let mut passed_over = 0;
        while passed_over < self.round.len() {
            let Some(tenant) = self.round.pop_front() else {
                break;
            };
            let Some(standing) = self.tenants.get_mut(&tenant) else {
                continue;
            };
            let Some(&(ticket, cost)) = standing.waiting.front() else {
                continue;
            };
            if standing.working + cost.0 > self.limits.share {
                passed_over += 1;
                self.round.push_back(tenant);
                continue;
            }
            if self.working + cost.0 > self.limits.working {
                self.round.push_front(tenant);
                break;
            }
            standing.waiting.pop_front();
            standing.working += cost.0;
            self.working += cost.0;
            self.waiting -= 1;
            if !standing.waiting.is_empty() {
                self.round.push_back(tenant);
            }
            passed_over = 0;
            admitted.push(ticket);
        }
        admitted
    }

    /// Someone who worked is done.
    pub(super) fn leave(&mut self, tenant: Tenant, cost: Cost) {
        self.working -= cost.0;
        if let Some(standing) = self.tenants.get_mut(&tenant) {
            standing.working -= cost.0;
        }
        self.forget_idle(tenant);
    }

    /// Someone waits no longer. Why they were not served, or nothing if it was
    /// their turn just now.
    pub(super) fn give_up(&mut self, tenant: Tenant, ticket: Ticket) -> Option<Refused> {
        let standing = self.tenants.get_mut(&tenant)?;
        let place = standing.waiting.iter().position(|(t, _)| *t == ticket)?;
        let (_, cost) = standing.waiting.remove(place)?;
        self.waiting -= 1;
        if standing.waiting.is_empty() {
            self.round.retain(|waits| *waits != tenant);
        }
        let why = self.why(tenant, cost);
        self.forget_idle(tenant);
        Some(why)
    }

    /// Whether one that comes now is served at once: there is room, and those
    /// who wait do so for their own share.
    fn is_free_for(&self, tenant: Tenant, cost: Cost) -> bool {
        let waits_for_share = |other: &Tenant| {
            let head = self.tenants.get(other).and_then(|s| s.waiting.front());
            *other != tenant
                && head.is_some_and(|(_, cost)| self.why(*other, *cost) == Refused::Share)
        };
        self.working + cost.0 <= self.limits.working
            && self.why(tenant, cost) != Refused::Share
            && self.round.iter().all(waits_for_share)
    }

    /// What a request of that cost waits for.
    fn why(&self, tenant: Tenant, cost: Cost) -> Refused {
        let own = self.tenants.get(&tenant).map_or(0, |s| s.working);
        if own + cost.0 > self.limits.share {
            Refused::Share
        } else {
            Refused::Overloaded
        }
    }

    fn forget_idle(&mut self, tenant: Tenant) {
        let idle = |s: &Standing| s.working == 0 && s.waiting.is_empty();
        if self.tenants.get(&tenant).is_some_and(idle) {
            self.tenants.remove(&tenant);
        }
    }
}

#[cfg(test)]
mod tests;
