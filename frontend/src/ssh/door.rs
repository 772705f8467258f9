use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::{FactsError, Viewer};
use frontend_ssh::{HOST_KEY_KINDS, HostKey, HostKeyError, Server, ServerError};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::Tenant;
use crate::auth::Throttle;
use crate::limits::SHUTDOWN_PATIENCE;
use crate::request::Peer;
use crate::site::Site;
use crate::ssh::places::{Place, Places};
use crate::ssh::shell::ForgeShell;

/// How long accepting pauses when the system refuses.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where SSH comes in.
#[derive(Debug)]
pub struct SshDoor {
    listener: TcpListener,
    server: Server<ForgeShell>,
    fingerprints: Vec<String>,
}

/// Why SSH cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum OpenSshError {
    /// The host keys could not be read or kept.
    #[error("read the host keys")]
    Facts(#[from] FactsError),
    /// A kept host key is damaged, or none could be made.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    /// There is none.
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl SshDoor {
    /// Reads the host keys, which the first frontend of all makes.
    pub(crate) async fn open(
        site: &Arc<Site>,
        listener: TcpListener,
    ) -> Result<Self, OpenSshError> {
        let mut keys = Vec::new();
        for kind in HOST_KEY_KINDS {
            keys.push(host_key(site, kind).await?);
        }
        let fingerprints = keys.iter().map(HostKey::fingerprint).collect();
        let shell = Arc::new(ForgeShell {
            site: Arc::clone(site),
        });
        let server = Server::new(
            shell,
            keys,
            site.config.authorities.clone(),
            site.runtime.clone(),
            site.metrics.ssh.clone(),
        )?;
        Ok(Self {
            listener,
            server,
            fingerprints,
        })
    }

    /// By what clients know this forge: `SHA256:…` of each host key.
    pub fn fingerprints(&self) -> &[String] {
        &self.fingerprints
    }

    /// Accepts connections until `closing` is cancelled, then lets commands end.
    pub(crate) async fn serve(self, site: &Arc<Site>, closing: &CancellationToken) {
        let cut = CancellationToken::new();
        let room = Room {
            server: self.server,
            site: Arc::clone(site),
            places: Places::new(&site.config.config.ssh),
            failures: Arc::default(),
            closing: closing.clone(),
            cut: cut.clone(),
            open: TaskTracker::new(),
        };
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = closing.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => room.enter(stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    site.runtime.clock.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        room.open.close();
        tokio::select! {
            () = room.open.wait() => {}
            () = site.runtime.clock.sleep(SHUTDOWN_PATIENCE) => {
                tracing::warn!("connections of SSH were cut at shutdown");
                cut.cancel();
            }
        }
    }
}

async fn host_key(site: &Site, kind: &str) -> Result<HostKey, OpenSshError> {
    let generate = || {
        let made = HostKey::generate(kind, &*site.runtime.random);
        let made = made.ok_or(OpenSshError::Server(ServerError::NoHostKey))??;
        Ok::<_, OpenSshError>(made.to_text()?)
    };
    let text = site.forge.keys.host_key(kind, generate).await?;
    Ok(HostKey::parse(&text)?)
}

/// Where connections are, once they are through the door.
struct Room {
    server: Server<ForgeShell>,
    site: Arc<Site>,
    places: Places,
    /// Connections that tried keys in vain, per address.
    failures: Arc<Throttle>,
    closing: CancellationToken,
    cut: CancellationToken,
    open: TaskTracker,
}

impl Room {
    fn enter(&self, stream: TcpStream, peer: SocketAddr) {
        let peer = Peer(peer.ip().to_canonical());
        let refused = |reason| {
            self.site.metrics.ssh.refused(reason);
            tracing::debug!(peer = %peer.0, reason, "a connection is turned away");
        };
        let now = self.site.runtime.clock.monotonic();
        if !self.failures.allows_address(peer, now) {
            return refused("throttled");
        }
        match self.places.take(Tenant::of(&Viewer::Anonymous, peer)) {
            Ok(place) => self.spawn(stream, peer, place),
            Err(reason) => refused(reason),
        }
    }

    fn spawn(&self, stream: TcpStream, peer: Peer, mut place: Place) {
        // Packets are written whole; waiting to fill more only delays them.
        let _refused = stream.set_nodelay(true);
        let (server, runtime) = (self.server.clone(), self.site.runtime.clone());
        let (failures, closing) = (Arc::clone(&self.failures), self.closing.clone());
        let (cut, open) = (self.cut.clone(), self.open.token());
        let task = async move {
            let _open = open;
            let known = || place.is_known();
            let connection = server.connection(stream, peer.0, &closing, known);
            let ended = tokio::select! {
                ended = connection => ended,
                () = cut.cancelled() => return,
            };
            if !ended.is_authenticated && ended.refused_keys > 0 {
                failures.failed_address(peer, runtime.clock.monotonic());
            }
        };
        let tasks = &self.site.runtime.tasks;
        tasks.spawn("ssh connection", Box::pin(task));
    }
}
