use std::net::IpAddr;
use std::time::Duration;

use russh::Disconnect;
use russh::server::{RunningSession, run_stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::guard::Guard;
use crate::handler::{Ending, Handler};
use crate::limits::{FAREWELL, IDLE_PATIENCE, KEY_TRIES, LOGIN_GRACE, STALL};
use crate::phase::Phase;
use crate::{Server, Shell};

/// What a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Someone was let in.
    pub is_authenticated: bool,
    /// Keys that were refused.
    pub refused_keys: u32,
}

/// Why a connection is ended by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    Login,
    Idle,
    Closing,
}

impl<S: Shell> Server<S> {
    /// Serves a connection to its end. Once `closing` is cancelled no session
    /// is begun, and the connection ends with the last of those under way; if
    /// the future is dropped, everything of the connection ends at once.
    ///
    /// `authenticated` is called when it is known who it is.
    pub async fn connection<T>(
        &self,
        stream: T,
        address: IpAddr,
        closing: &CancellationToken,
        authenticated: impl FnOnce() + Send,
    ) -> Ended
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let metrics = &self.0.metrics;
        metrics.connections.inc();
        let (phase, changes) = watch::channel(Phase::default());
        let cut = CancellationToken::new();
        let _ends = cut.clone().drop_guard();
        let handler = Handler::new(self.0.clone(), address, phase, cut.clone(), closing.clone());
        let stream = Guard::new(stream, &self.0.runtime, &cut).writing(STALL);
        let ended = self.drive(
            stream,
            handler,
            changes.clone(),
            &cut,
            closing,
            authenticated,
        );
        let ended = ended.await;
        metrics.connections.dec();
        let phase = *changes.borrow();
        if !phase.is_authenticated && phase.refused_keys as usize >= KEY_TRIES {
            metrics.refused("key_tries");
        }
        if let Err(error) = ended {
            if let Some(limit) = error.limit() {
                metrics.refused(limit);
            }
            tracing::debug!(peer = %address, %error, "a connection broke");
        }
        Ended {
            is_authenticated: phase.is_authenticated,
            refused_keys: phase.refused_keys,
        }
    }

    async fn drive<T>(
        &self,
        stream: Guard<T>,
        handler: Handler<S>,
        changes: watch::Receiver<Phase>,
        cut: &CancellationToken,
        closing: &CancellationToken,
        authenticated: impl FnOnce() + Send,
    ) -> Result<(), Ending>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let clock = &self.0.runtime.clock;
        let deadline = clock.monotonic() + LOGIN_GRACE;
        let mut running = tokio::select! {
            running = run_stream(self.0.config.clone(), stream, handler) => running?,
            () = clock.sleep(LOGIN_GRACE) => {
                self.0.metrics.refused("login_grace");
                return Ok(());
            }
            () = closing.cancelled() => return Ok(()),
        };
        let farewell = tokio::select! {
            ended = &mut running => return ended,
            farewell = self.watch(deadline, changes, closing, authenticated) => farewell,
        };
        self.dismiss(running, farewell, cut).await
    }

    /// Waits until the connection has outlived its use.
    async fn watch(
        &self,
        login_deadline: Duration,
        mut changes: watch::Receiver<Phase>,
        closing: &CancellationToken,
        authenticated: impl FnOnce() + Send,
    ) -> Farewell {
        let clock = &self.0.runtime.clock;
        let mut authenticated = Some(authenticated);
        loop {
            let phase = *changes.borrow_and_update();
            if phase.is_authenticated
                && let Some(authenticated) = authenticated.take()
            {
                authenticated();
            }
            let (patience, farewell) = match (phase.is_authenticated, phase.sessions) {
                (false, _) => (
                    Some(login_deadline.saturating_sub(clock.monotonic())),
                    Farewell::Login,
                ),
                (true, 0) => (Some(IDLE_PATIENCE), Farewell::Idle),
                (true, _) => (None, Farewell::Idle),
            };
            let is_over = async {
                match patience {
                    Some(patience) => clock.sleep(patience).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = changes.changed() => if changed.is_err() {
                    // The connection is ending by itself.
                    std::future::pending::<()>().await;
                },
                () = is_over => return farewell,
                () = closing.cancelled(), if phase.sessions == 0 => {
                    // A client that has just been served leaves by itself; told
                    // to go, it would take that for a failure.
                    clock.sleep(FAREWELL).await;
                    return Farewell::Closing;
                }
            }
        }
    }

    /// Tells the client to go, and cuts it off if it does not.
    async fn dismiss(
        &self,
        mut running: RunningSession<Handler<S>>,
        farewell: Farewell,
        cut: &CancellationToken,
    ) -> Result<(), Ending> {
        let (reason, message) = match farewell {
            Farewell::Login => {
                self.0.metrics.refused("login_grace");
                (
                    Disconnect::NoMoreAuthMethodsAvailable,
                    "signing in took too long",
                )
            }
            Farewell::Idle => {
                self.0.metrics.refused("idle");
                (Disconnect::ByApplication, "nothing was done for too long")
            }
            Farewell::Closing => (
                Disconnect::ServiceNotAvailable,
                "the server is shutting down; try again",
            ),
        };
        let handle = running.handle();
        let told = handle.disconnect(reason, message.to_owned(), String::new());
        let ended = async {
            // A session that takes no more messages is about to end.
            let _told = told.await;
            (&mut running).await
        };
        tokio::select! {
            ended = ended => return ended,
            () = self.0.runtime.clock.sleep(FAREWELL) => cut.cancel(),
        }
        running.await
    }
}
