use std::sync::Arc;

use objects::Objects;
use runtime::{Files, Runtime, run_blocking};

use super::super::error::OpenError;
use super::super::volume::Identity;
use super::config::Checked;
use super::files::ColdFiles;
use super::metrics::Metrics;
use super::open::without_a_store;
use super::shelf::Cold;

/// Where volumes go that nobody reads.
#[derive(Clone, Debug)]
pub struct ColdStore {
    /// The objects; each node has its own names.
    pub objects: Arc<dyn Objects>,
    /// What goes there, and when.
    pub config: Checked,
    /// What is counted.
    pub metrics: Metrics,
}

impl ColdStore {
    /// Puts the volumes of a cold store among the files.
    pub(in crate::volumes) async fn join(
        cold: Option<Self>,
        files: Arc<dyn Files>,
        owner: Identity,
        runtime: &Runtime,
    ) -> Result<(Arc<dyn Files>, Option<Arc<Cold>>), OpenError> {
        let clock = Arc::clone(&runtime.clock);
        let open = move || match cold {
            None => without_a_store(&*files).map(|()| (files, None)),
            Some(cold) => {
                let Self {
                    objects,
                    config,
                    metrics,
                } = cold;
                let cold = Arc::new(Cold::open(files, objects, owner, config, clock, metrics)?);
                let files: Arc<dyn Files> = Arc::new(ColdFiles::new(Arc::clone(&cold)));
                Ok((files, Some(cold)))
            }
        };
        let opened = run_blocking(&*runtime.tasks, "open the cold store", open).await;
        let opened = opened.map_err(|_| OpenError::ShuttingDown)?;
        opened.map_err(OpenError::Cold)
    }
}
