use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use russh::keys::{Certificate, HashAlg};
use russh::server::{
    Auth, ChannelOpenHandle, Handler as Protocol, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::algorithms::{is_fit, may_sign};
use crate::limits::{KEY_QUESTIONS, REQUESTS, SESSIONS, SESSIONS_IN_ALL};
use crate::metrics::MeansLabel;
use crate::phase::{Phase, Place};
use crate::server::Inner;
use crate::session::{Caller, serve};
use crate::{Shell, Unavailable};

/// What is answered to the client of one connection.
pub(crate) struct Handler<S: Shell> {
    pub(crate) server: Arc<Inner<S>>,
    pub(crate) address: IpAddr,
    pub(crate) phase: watch::Sender<Phase>,
    /// Ends everything of this connection.
    pub(crate) cut: CancellationToken,
    /// No more sessions are begun.
    pub(crate) closing: CancellationToken,
    questions: u32,
    /// The key that was asked about last and is known, with its login name.
    offered: Option<(String, String, S::Caller)>,
    caller: Option<Caller<S::Caller>>,
    opened: usize,
    sessions: HashMap<ChannelId, Begun>,
}

/// A session that the client has begun.
struct Begun {
    cut: CancellationToken,
    requests: usize,
    has_command: bool,
}

/// Why a connection ends at once.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ending {
    #[error(transparent)]
    Protocol(#[from] russh::Error),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error("more than {KEY_QUESTIONS} questions about keys")]
    Questions,
    #[error("more than {REQUESTS} requests before a command")]
    Requests,
}

impl Ending {
    /// Which limit was passed, as metrics name it.
    pub(crate) fn limit(&self) -> Option<&'static str> {
        match self {
            Self::Questions => Some("key_questions"),
            Self::Requests => Some("requests"),
            Self::Protocol(_) | Self::Unavailable(_) => None,
        }
    }
}

impl<S: Shell> Handler<S> {
    pub(crate) fn new(
        server: Arc<Inner<S>>,
        address: IpAddr,
        phase: watch::Sender<Phase>,
        cut: CancellationToken,
        closing: CancellationToken,
    ) -> Self {
        Self {
            server,
            address,
            phase,
            cut,
            closing,
            questions: 0,
            offered: None,
            caller: None,
            opened: 0,
            sessions: HashMap::new(),
        }
    }

    fn count_question(&mut self) -> Result<(), Ending> {
        self.questions += 1;
        match self.questions > KEY_QUESTIONS {
            true => Err(Ending::Questions),
            false => Ok(()),
        }
    }

    fn reject(&self) -> Auth {
        self.phase.send_modify(|phase| phase.refused_keys += 1);
        Auth::reject()
    }

    fn accept(&mut self, caller: S::Caller, forced: Option<String>, means: &'static str) -> Auth {
        let label = MeansLabel { means };
        self.server
            .metrics
            .authenticated
            .get_or_create(&label)
            .inc();
        self.caller = Some(Caller { caller, forced });
        self.phase
            .send_modify(|phase| phase.is_authenticated = true);
        Auth::Accept
    }

    /// One more request of a session that has no command yet. `None` refuses it.
    fn request(&mut self, channel: ChannelId) -> Result<Option<&mut Begun>, Ending> {
        let Some(begun) = self.sessions.get_mut(&channel) else {
            return Ok(None);
        };
        begun.requests += 1;
        if begun.requests > REQUESTS {
            return Err(Ending::Requests);
        }
        Ok((!begun.has_command).then_some(begun))
    }

    /// Answers what begins a command: one for each session.
    fn command(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Ending> {
        match self.request(channel)? {
            Some(begun) => {
                begun.has_command = true;
                Ok(session.channel_success(channel)?)
            }
            None => Ok(session.channel_failure(channel)?),
        }
    }

    fn refuse(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Ending> {
        self.request(channel)?;
        Ok(session.channel_failure(channel)?)
    }
}

impl<S: Shell> Protocol for Handler<S> {
    type Error = Ending;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Ending> {
        self.count_question()?;
        if !may_sign(offer.algorithm) || !is_fit(offer.public_key.key_data()) {
            return Ok(self.reject());
        }
        if !self.server.authorities.is_empty() {
            // It may belong to a certificate, which is seen only with the
            // signature; unknown keys are refused then.
            return Ok(Auth::Accept);
        }
        let fingerprint = offer.public_key.fingerprint(HashAlg::Sha256).to_string();
        match self.server.shell.holder(user, &fingerprint).await? {
            Some(caller) => {
                self.offered = Some((user.to_owned(), fingerprint, caller));
                Ok(Auth::Accept)
            }
            None => Ok(self.reject()),
        }
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Ending> {
        self.count_question()?;
        let fingerprint = key.public_key.fingerprint(HashAlg::Sha256).to_string();
        let offered = self.offered.take();
        let known = offered.filter(|(login, known, _)| login == user && *known == fingerprint);
        let caller = match known {
            Some((_, _, caller)) => Some(caller),
            None => self.server.shell.holder(user, &fingerprint).await?,
        };
        match caller {
            Some(caller) => {
                tracing::debug!(peer = %self.address, fingerprint, ?caller, "signed in by key");
                Ok(self.accept(caller, None, "key"))
            }
            None => Ok(self.reject()),
        }
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, Ending> {
        self.count_question()?;
        let now = self.server.runtime.clock.now();
        let checked = self
            .server
            .authorities
            .check(certificate, now, self.address);
        let claim = match checked {
            Ok(claim) => claim,
            Err(error) => {
                let (peer, id) = (self.address, certificate.key_id());
                tracing::info!(%peer, id, %error, "a certificate is not believed");
                return Ok(self.reject());
            }
        };
        match self.server.shell.certified(user, &claim).await? {
            Some(caller) => {
                tracing::debug!(peer = %self.address, ?claim, ?caller, "signed in by certificate");
                Ok(self.accept(caller, claim.forced, "certificate"))
            }
            None => Ok(self.reject()),
        }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Ending> {
        self.sessions.retain(|_, begun| !begun.cut.is_cancelled());
        let Some(caller) = self.caller.clone().filter(|_| !self.closing.is_cancelled()) else {
            reply
                .reject(ChannelOpenFailure::AdministrativelyProhibited)
                .await;
            return Ok(());
        };
        let gauge = &self.server.metrics.sessions;
        let place =
            Place::take(&self.phase, gauge, SESSIONS).filter(|_| self.opened < SESSIONS_IN_ALL);
        let Some(place) = place else {
            self.server.metrics.refused("sessions");
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        self.opened += 1;
        let cut = self.cut.child_token();
        let begun = Begun {
            cut: cut.clone(),
            requests: 0,
            has_command: false,
        };
        self.sessions.insert(channel.id(), begun);
        let (server, handle) = (Arc::clone(&self.server), session.handle());
        let address = self.address;
        let task = async move {
            serve(&server, &handle, channel, caller, address, &cut).await;
            cut.cancel();
            drop(place);
        };
        reply.accept().await;
        let tasks = &self.server.runtime.tasks;
        tasks.spawn("ssh session", Box::pin(task));
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Ending> {
        if let Some(begun) = self.sessions.remove(&channel) {
            begun.cut.cancel();
        }
        Ok(())
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Ending> {
        match self.request(channel)? {
            Some(_) if name == "GIT_PROTOCOL" => Ok(session.channel_success(channel)?),
            _ => Ok(session.channel_failure(channel)?),
        }
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), Ending> {
        self.command(channel, session)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Ending> {
        self.command(channel, session)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Ending> {
        self.refuse(channel, session)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Ending> {
        self.refuse(channel, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), Ending> {
        self.refuse(channel, session)
    }

    async fn agent_request(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<bool, Ending> {
        self.request(channel)?;
        Ok(false)
    }
}
