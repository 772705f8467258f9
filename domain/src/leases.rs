use std::time::Duration;

use storage_node_api::metadata::{ExecuteError, Statement};
use storage_node_api::{RequestId, Timestamp};

use crate::facts::{Facts, FactsError, time};

/// Work that one process at a time should do. A lease spares doing it twice, and no more: it may
/// end while its holder still works, so what the work leads to must be guarded where it lands.
#[derive(Clone, Debug)]
pub struct Leases {
    facts: Facts,
    /// By what this process is known.
    holder: String,
}

impl Leases {
    pub(crate) fn new(facts: Facts) -> Self {
        let holder = RequestId::random(&*facts.runtime.random).to_string();
        Self { facts, holder }
    }

    /// Takes the lease of that name for so long, unless another process has it. Whoever has it
    /// already has it for longer.
    pub async fn take(&self, name: &str, lasts: Duration) -> Result<bool, FactsError> {
        let now = self.facts.now();
        let lasts = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        let until = Timestamp(now.millis().saturating_add(lasts));
        let over = Statement::new(
            "DELETE FROM leases WHERE until <= $1 OR (name = $2 AND holder = $3)",
            [time(now), name.into(), self.holder.clone().into()],
        );
        let insert = Statement::new(
            "INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3)",
            [name.into(), self.holder.clone().into(), time(until)],
        );
        match self.facts.execute(vec![over, insert]).await {
            Ok(_) => Ok(true),
            Err(ExecuteError::Constraint { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a lease back before its time.
    pub async fn give_back(&self, name: &str) -> Result<(), FactsError> {
        let delete = Statement::new(
            "DELETE FROM leases WHERE name = $1 AND holder = $2",
            [name.into(), self.holder.clone().into()],
        );
        self.facts.execute(vec![delete]).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use runtime::Runtime;
    use storage_node_memory::MemoryStorage;

    use crate::{Forge, PasswordCost};

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn one_process_at_a_time_has_a_lease_until_it_ends_or_is_given_back() {
        let (runtime, clock) = Runtime::simulated(1);
        let storage = Arc::new(MemoryStorage::new(runtime.clone()));
        let process = || Forge::new(storage.clone(), runtime.clone(), PasswordCost::Testing);
        let (one, other) = (process(), process());
        one.migrate().await.unwrap();
        assert!(one.leases.take("a", MINUTE).await.unwrap());
        assert!(!other.leases.take("a", MINUTE).await.unwrap());
        assert!(other.leases.take("b", MINUTE).await.unwrap());
        assert!(one.leases.take("a", MINUTE).await.unwrap(), "for longer");
        other.leases.give_back("a").await.unwrap();
        assert!(
            !other.leases.take("a", MINUTE).await.unwrap(),
            "not its own"
        );
        one.leases.give_back("a").await.unwrap();
        assert!(other.leases.take("a", MINUTE).await.unwrap());
        clock.advance(MINUTE);
        assert!(one.leases.take("a", MINUTE).await.unwrap());
    }
}
