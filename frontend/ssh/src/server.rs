use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use runtime::Runtime;
use russh::{Limits, MethodKind, MethodSet, SshId};

use crate::algorithms::offered;
use crate::limits::{
    KEEPALIVE, KEEPALIVES, KEY_TRIES, PACKET_BYTES, REKEY_AFTER, REKEY_BYTES, UNSENT_PACKETS,
    WAITING_PACKETS, WINDOW_BYTES,
};
use crate::{Authorities, HostKey, Metrics, Shell};

/// What all connections have in common. Cheap to clone.
pub struct Server<S: Shell>(pub(crate) Arc<Inner<S>>);

pub(crate) struct Inner<S: Shell> {
    pub(crate) shell: Arc<S>,
    pub(crate) config: Arc<russh::server::Config>,
    pub(crate) authorities: Authorities,
    pub(crate) runtime: Runtime,
    pub(crate) metrics: Metrics,
}

/// Why connections cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// Without a host key nobody can know whom they speak to.
    #[error("there is no host key")]
    NoHostKey,
}

impl<S: Shell> Server<S> {
    /// A server that shows these keys and lets in whom the shell knows.
    pub fn new(
        shell: Arc<S>,
        host_keys: Vec<HostKey>,
        authorities: Authorities,
        runtime: Runtime,
        metrics: Metrics,
    ) -> Result<Self, ServerError> {
        if host_keys.is_empty() {
            return Err(ServerError::NoHostKey);
        }
        let config = russh::server::Config {
            server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-DevFlow")),
            methods: MethodSet::from(&[MethodKind::PublicKey][..]),
            // Whether a key is known is told by the answer, not by its time.
            auth_rejection_time: Duration::ZERO,
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: host_keys.into_iter().map(|key| key.0).collect(),
            limits: Limits::new(REKEY_BYTES, REKEY_BYTES, REKEY_AFTER),
            window_size: WINDOW_BYTES,
            maximum_packet_size: PACKET_BYTES,
            channel_buffer_size: WAITING_PACKETS,
            event_buffer_size: UNSENT_PACKETS,
            preferred: offered(),
            max_auth_attempts: KEY_TRIES,
            // What a connection may take is limited by what it does.
            inactivity_timeout: None,
            keepalive_interval: Some(KEEPALIVE),
            keepalive_max: KEEPALIVES,
            ..russh::server::Config::default()
        };
        Ok(Self(Arc::new(Inner {
            shell,
            config: Arc::new(config),
            authorities,
            runtime,
            metrics,
        })))
    }
}

impl<S: Shell> Clone for Server<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Shell> fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("shell", &self.0.shell)
            .finish_non_exhaustive()
    }
}
