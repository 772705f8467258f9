use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runtime::Clock;
use tokio::sync::oneshot;

use super::queue::{Queue, Ticket};
use super::{Cost, KindMetrics, Limits, Refused, Tenant};
use crate::limits::TURN_PATIENCE;

/// Lets requests of one kind work when it is their turn. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    state: Arc<Mutex<State>>,
    metrics: KindMetrics,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct State {
    queue: Queue,
    /// How those who wait are told.
    calls: HashMap<Ticket, oneshot::Sender<()>>,
}

/// A turn; ends when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    admission: Admission,
    tenant: Tenant,
    cost: Cost,
}

/// A place among those who wait, given up when dropped.
struct Place<'a> {
    admission: &'a Admission,
    tenant: Tenant,
    cost: Cost,
    ticket: Ticket,
    /// Whether the ticket was used or given back.
    is_over: bool,
}

impl Admission {
    pub(crate) fn new(limits: Limits, metrics: KindMetrics, clock: Arc<dyn Clock>) -> Self {
        let state = State {
            queue: Queue::new(limits),
            calls: HashMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            metrics,
            clock,
        }
    }

    /// Waits for a turn, at most [`TURN_PATIENCE`].
    pub(crate) async fn enter(&self, tenant: Tenant, cost: Cost) -> Result<Turn, Refused> {
        let entered = self.enter_within(tenant, cost, TURN_PATIENCE).await;
        if let Err(refused) = &entered {
            self.metrics.refused(*refused);
        }
        entered
    }

    async fn enter_within(
        &self,
        tenant: Tenant,
        cost: Cost,
        patience: Duration,
    ) -> Result<Turn, Refused> {
        let (call, called) = oneshot::channel();
        let mut place = {
            let mut state = self.lock();
            let ticket = state.queue.arrive(tenant, cost)?;
            state.calls.insert(ticket, call);
            let cost = state.queue.counted(cost);
            state.admit();
            self.metrics.waiting.inc();
            Place {
                admission: self,
                tenant,
                cost,
                ticket,
                is_over: false,
            }
        };
        let in_time = tokio::select! {
            biased;
            _ = called => true,
            () = self.clock.sleep(patience) => false,
        };
        if in_time {
            Ok(place.turn())
        } else {
            place.give_up()
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn admit(&mut self) {
        for ticket in self.queue.admit() {
            if let Some(call) = self.calls.remove(&ticket) {
                // Whoever does not listen any more gives the turn back.
                let _gone = call.send(());
            }
        }
    }
}

impl Place<'_> {
    /// It is this one's turn.
    fn turn(&mut self) -> Turn {
        self.is_over = true;
        self.admission.metrics.working.inc();
        Turn {
            admission: self.admission.clone(),
            tenant: self.tenant,
            cost: self.cost,
        }
    }

    /// Waits no longer, unless the turn came just now.
    fn give_up(&mut self) -> Result<Turn, Refused> {
        let refused = {
            let mut state = self.admission.lock();
            let refused = state.queue.give_up(self.tenant, self.ticket);
            if refused.is_some() {
                state.calls.remove(&self.ticket);
                // The next one may be one that fits where this did not.
                state.admit();
            }
            refused
        };
        match refused {
            None => Ok(self.turn()),
            Some(refused) => {
                self.is_over = true;
                Err(refused)
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.admission.metrics.waiting.dec();
        if !self.is_over {
            // The client is gone. A turn that came just now ends at once.
            let _turn = self.give_up();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.admission.metrics.working.dec();
        let mut state = self.admission.lock();
        state.queue.leave(self.tenant, self.cost);
        state.admit();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use futures_util::FutureExt;

    use runtime::Runtime;

    use super::{Admission, Refused};
    use crate::admission::{AdmissionMetrics, Cost, Limits, Tenant};

    const LIMITS: Limits = Limits {
        working: 2,
        share: 1,
        waiting: 8,
        waiting_of_tenant: 8,
    };
    const SOON: Duration = Duration::from_millis(5);
    const LATE: Duration = Duration::from_secs(600);

    fn tenant(number: u8) -> Tenant {
        Tenant::Address(Ipv4Addr::new(192, 0, 2, number))
    }

    #[tokio::test]
    async fn who_waits_too_long_is_turned_away_with_the_reason() {
        let metrics = AdmissionMetrics::default().of("fetch");
        let admission = Admission::new(LIMITS, metrics.clone(), Runtime::real().clock);
        let enter = |number| admission.enter_within(tenant(number), Cost::ONE, SOON);
        let first = enter(1).await.unwrap();
        assert_eq!(enter(1).await.err(), Some(Refused::Share));
        let second = enter(2).await.unwrap();
        assert_eq!(metrics.working.get(), 2);
        assert_eq!(enter(3).await.err(), Some(Refused::Overloaded));
        drop(first);
        assert!(enter(3).await.is_ok());
        drop(second);
        assert_eq!(metrics.working.get(), 0);
    }

    #[tokio::test]
    async fn a_client_that_goes_away_while_it_waits_leaves_its_place() {
        let metrics = AdmissionMetrics::default().of("fetch");
        let admission = Admission::new(LIMITS, metrics.clone(), Runtime::real().clock);
        let first = admission.enter(tenant(1), Cost::ONE).await.unwrap();
        let mut second = Box::pin(admission.enter_within(tenant(1), Cost::ONE, LATE));
        assert!(second.as_mut().now_or_never().is_none());
        let third = admission.enter_within(tenant(1), Cost::ONE, LATE);
        let mut third = Box::pin(third);
        assert!(third.as_mut().now_or_never().is_none());
        // It goes after its turn has come, but before it has seen that.
        drop(first);
        drop(second);
        assert!(third.await.is_ok());
        assert_eq!(metrics.working.get(), 0);
        assert!(admission.lock().calls.is_empty());
    }
}
