use std::sync::Arc;

use domain::Commits;

use super::maintainer::{Done, Maintainer};
use crate::failing::chain;
use crate::site::Site;

/// Maintains whatever is asked for, one repository at a time, until it is aborted.
pub(crate) async fn maintain(site: &Site) {
    let maintainer = Maintainer {
        cache: Arc::clone(&site.cache),
        commits: Commits::new(Arc::clone(&site.storage), site.runtime.clone()),
        leases: site.forge.leases.clone(),
        threads: site.config.config.maintenance_threads,
    };
    loop {
        let wish = site.cache.wanted.next().await;
        let outcome = match maintainer.maintain(wish).await {
            Ok(done) => {
                tracing::info!(repo.id = %wish.id, extent = ?wish.extent, ?done, "maintenance");
                name(done)
            }
            Err(error) => {
                tracing::warn!(
                    repo.id = %wish.id,
                    error = %chain(&error),
                    "a repository is not maintained; ask again, or it is when it is next opened with many packs"
                );
                "failed"
            }
        };
        site.metrics.maintained(outcome);
    }
}

fn name(done: Done) -> &'static str {
    match done {
        Done::Replaced { .. } => "replaced",
        Done::Nothing => "nothing",
        Done::Busy => "busy",
        Done::TooLarge => "too_large",
        Done::TooEarly => "too_early",
    }
}
