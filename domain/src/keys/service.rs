use std::sync::Arc;

use crate::KeyId;
use crate::facts::{Facts, FactsError};
use crate::last_used::LastUsed;

/// The keys. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Keys {
    pub(crate) facts: Facts,
    pub(super) last_used: Arc<LastUsed<KeyId>>,
}

impl Keys {
    pub(crate) fn new(facts: Facts) -> Self {
        Self {
            facts,
            last_used: Arc::new(LastUsed::new("keys")),
        }
    }

    /// Writes the last-used times that have gathered. Call it every minute or
    /// so and at the end; a crash in between forgets them.
    pub async fn flush_last_used(&self) -> Result<(), FactsError> {
        self.last_used.flush(&self.facts).await
    }
}
