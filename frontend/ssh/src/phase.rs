use tokio::sync::watch;

/// How far a connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Phase {
    /// Who it is has been proved.
    pub(crate) is_authenticated: bool,
    /// Keys that were refused.
    pub(crate) refused_keys: u32,
    /// Sessions under way.
    pub(crate) sessions: usize,
}

/// One of the sessions under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    phase: watch::Sender<Phase>,
    gauge: prometheus_client::metrics::gauge::Gauge,
}

impl Place {
    /// Takes a place if there are fewer than so many.
    pub(crate) fn take(
        phase: &watch::Sender<Phase>,
        gauge: &prometheus_client::metrics::gauge::Gauge,
        most: usize,
    ) -> Option<Self> {
        let taken = phase.send_if_modified(|phase| {
            let is_free = phase.sessions < most;
            phase.sessions += usize::from(is_free);
            is_free
        });
        taken.then(|| {
            gauge.inc();
            Self {
                phase: phase.clone(),
                gauge: gauge.clone(),
            }
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gauge.dec();
        self.phase.send_modify(|phase| phase.sessions -= 1);
    }
}
