//! The addresses of a frontend, taken before anything else is begun.

use std::io::ErrorKind;
use std::net::SocketAddr;

use anyhow::Context;
use frontend::{Frontend, Listeners};
use tokio::net::TcpListener;

use crate::config::{Config, SshConfig};

/// Sockets that nobody is answered on yet.
pub(super) struct Sockets {
    http: TcpListener,
    ssh: Option<TcpListener>,
}

impl Sockets {
    /// Takes the configured addresses. SSH does without if only its usual
    /// address, which nobody asked for, is taken already.
    pub(super) async fn bind(config: &Config) -> anyhow::Result<Self> {
        let http = bind(config.http.address).await?;
        let ssh = match (config.ssh.enabled, config.ssh.address) {
            (false, _) => None,
            (true, Some(address)) => Some(bind(address).await?),
            (true, None) => match TcpListener::bind(SshConfig::USUAL).await {
                Ok(listener) => Some(listener),
                Err(error) if error.kind() == ErrorKind::AddrInUse => {
                    tracing::warn!(
                        "SSH is not served: {} is in use; name another address with --ssh",
                        SshConfig::USUAL
                    );
                    None
                }
                Err(error) => return Err(error).context(format!("listen on {}", SshConfig::USUAL)),
            },
        };
        Ok(Self { http, ssh })
    }

    /// Makes ready to answer, and says where.
    pub(super) async fn open(self, frontend: &Frontend) -> anyhow::Result<Listeners> {
        let mut lines = vec![format!("listening on http://{}", self.http.local_addr()?)];
        let mut door = None;
        if let Some(listener) = self.ssh {
            lines.push(format!("listening on ssh://{}", listener.local_addr()?));
            let opened = frontend.open_ssh(listener).await?;
            tracing::info!(host_keys = ?opened.fingerprints(), "SSH is served");
            door = Some(opened);
        }
        announce!("{}", lines.join("\n"));
        Ok(Listeners {
            http: self.http,
            ssh: door,
        })
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address}"))
}
