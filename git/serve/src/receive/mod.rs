//! Serving pushes: commands, then a pack into quarantine, then checks, then one
//! commit, then the report.

mod check;
mod judge;
mod pipe;
mod stream;
mod voice;

use std::sync::Arc;

use bytes::BytesMut;
use git_pack::{Objects, ReceivedPack};
use git_wire::receive::{PushRequest, RefStatus, Report, RequestParser};
use git_wire::sideband::{Band, KEEPALIVE_PROGRESS};
use git_wire::{ProtocolError, ProtocolVersion, Service, pkt};
use tokio::io::AsyncRead;

use crate::error::Refusal;
use crate::packets::Packets;
use crate::pulse::Pulse;
use crate::receive::check::Check;
use crate::receive::judge::{Judged, judge, reject_all_if_atomic};
use crate::receive::stream::{PackError, PackStream};
use crate::receive::voice::Voice;
use crate::{
    Mode, Output, Policy, Push, PushSession, RefRejection, RefSnapshot, Repository, ServeError,
    Transport, advertise,
};

/// After an error, so much of what a stateless client still sends is read away
/// so that it gets to reading the answer.
const MAX_DRAINED_BYTES: u64 = 256 << 20;

/// Serves one push, with its advertisement before it in [`Mode::Stateful`].
///
/// The client is told of every error while it can still be. Dropping the future
/// before the commit has begun leaves no trace; later it is unknown whether the
/// push was stored, so a server runs it to its end even if the client leaves.
pub async fn receive_pack<R: AsyncRead + Unpin + Send>(
    repository: &dyn Repository,
    policy: &Policy,
    version: ProtocolVersion,
    mode: Mode,
    input: R,
    output: Output,
) -> Result<(), ServeError> {
    if mode == Mode::Stateful {
        let service = Service::ReceivePack;
        advertise(
            repository,
            policy,
            service,
            version,
            Transport::Stream,
            &output,
        )
        .await?;
    }
    let mut packets = Packets::new(input);
    let Some(request) = read_request(repository, policy, &mut packets, mode, &output).await? else {
        return Ok(());
    };
    if request.commands.is_empty() {
        return Ok(());
    }
    tracing::debug!(
        agent = request.agent.as_deref(),
        commands = request.commands.len(),
        "push"
    );
    let voice = Voice::new(output.clone(), request.sideband, request.quiet);
    let serving = Serving {
        repository,
        policy,
        request: &request,
        voice,
    };
    let (report, failure) = serving.push(&mut packets).await;
    if report.unpack_error.is_some() && mode == Mode::Stateless {
        packets.drain(MAX_DRAINED_BYTES).await;
    }
    let mut out = BytesMut::new();
    match (request.report, request.sideband) {
        (Some(_), sideband) => report.put(&mut out, sideband),
        (None, Some(_)) => pkt::put_flush(&mut out),
        (None, None) => {}
    }
    output.send(out.freeze()).await?;
    failure.map_or(Ok(()), Err)
}

async fn read_request<R: AsyncRead + Unpin>(
    repository: &dyn Repository,
    policy: &Policy,
    packets: &mut Packets<R>,
    mode: Mode,
    output: &Output,
) -> Result<Option<PushRequest>, ServeError> {
    let mut parser = RequestParser::new(repository.hash(), policy.receive.max_commands);
    let error = loop {
        match packets.next().await {
            Ok(Some(packet)) => match parser.packet(&packet) {
                Ok(None) => {}
                Ok(Some(request)) => return Ok(Some(request)),
                Err(error) => break Refusal::from(error).into(),
            },
            Ok(None) if parser.is_empty() => return Ok(None),
            Ok(None) => break Refusal::from(ProtocolError::HungUp).into(),
            Err(error) => break error,
        }
    };
    if let ServeError::Refused(refusal) = &error {
        if mode == Mode::Stateless {
            packets.drain(MAX_DRAINED_BYTES).await;
        }
        let mut out = BytesMut::new();
        match parser.sideband() {
            Some(sideband) => {
                sideband.put(&mut out, Band::Error, format!("{refusal}\n").as_bytes());
            }
            None => pkt::put_line(&mut out, format_args!("ERR {refusal}")),
        }
        output.send(out.freeze()).await?;
    }
    Err(error)
}

/// One push.
struct Serving<'a> {
    repository: &'a dyn Repository,
    policy: &'a Policy,
    request: &'a PushRequest,
    voice: Voice,
}

impl Serving<'_> {
    /// Runs the push; returns the report and what should be logged.
    async fn push<R: AsyncRead + Unpin + Send>(
        &self,
        packets: &mut Packets<R>,
    ) -> (Report, Option<ServeError>) {
        match self.receive(packets).await {
            Ok((judged, failure)) => (self.report(None, &judged), failure),
            Err(error) => {
                let text = error.text_for_client();
                (self.report(Some(text), &[]), Some(error.into()))
            }
        }
    }

    async fn receive<R: AsyncRead + Unpin + Send>(
        &self,
        packets: &mut Packets<R>,
    ) -> Result<(Vec<Judged>, Option<ServeError>), PackError> {
        let snapshot = self.repository.refs().await?;
        let objects = self.repository.objects().await?;
        let mut session = self.repository.begin_push().await?;
        let mut judged = judge(&self.request.commands, &snapshot, &self.policy.receive);
        let pulse = Pulse::default();
        if self.request.sideband.is_some() {
            pulse.allow_keepalive();
        }
        let pack = match self.request.has_pack() {
            true => {
                self.stream(packets, &mut *session, &objects, &pulse)
                    .await?
            }
            false => None,
        };
        reject_all_if_atomic(&mut judged, self.request.atomic);
        let (judged, pack) = self.check(judged, pack, objects, snapshot, &pulse).await?;
        self.voice.explain(&judged).await;
        let (judged, failure) = self.commit(judged, pack, session, &pulse).await;
        Ok((judged, failure))
    }

    async fn stream<R: AsyncRead + Unpin + Send>(
        &self,
        packets: &mut Packets<R>,
        session: &mut dyn PushSession,
        bases: &Objects,
        pulse: &Pulse,
    ) -> Result<Option<ReceivedPack>, PackError> {
        let stream = PackStream {
            bases: bases.clone(),
            policy: &self.policy.receive,
            progress: self.voice.progress(pulse),
            pulse,
            output: self.voice.output(),
        };
        let pack = stream.receive(packets, session).await?;
        Ok((pack.objects > 0).then_some(pack))
    }

    async fn check(
        &self,
        judged: Vec<Judged>,
        pack: Option<ReceivedPack>,
        objects: Objects,
        snapshot: Arc<RefSnapshot>,
        pulse: &Pulse,
    ) -> Result<(Vec<Judged>, Option<ReceivedPack>), PackError> {
        let mut check = Check {
            objects,
            snapshot,
            policy: self.policy.receive.clone(),
            from_shallow: !self.request.shallow.is_empty(),
            judged,
            pulse: pulse.clone(),
        };
        let atomic = self.request.atomic;
        let work = move || {
            check.run(pack.as_ref())?;
            reject_all_if_atomic(&mut check.judged, atomic);
            Ok((check.judged, pack))
        };
        // Not `Pulse::run`: a client that closed its side after the pack still
        // wants its push.
        let cancel = pulse.cancel_on_drop();
        let work = tokio::task::spawn_blocking(work);
        let done = tokio::select! {
            done = work => done,
            never = pulse.beat(self.voice.output(), KEEPALIVE_PROGRESS) => match never {},
        };
        cancel.done();
        done.map_err(PackError::Worker)?
    }

    async fn commit(
        &self,
        mut judged: Vec<Judged>,
        pack: Option<ReceivedPack>,
        session: Box<dyn PushSession>,
        pulse: &Pulse,
    ) -> (Vec<Judged>, Option<ServeError>) {
        let accepted = || {
            judged
                .iter()
                .filter_map(|command| command.verdict.as_ref().ok())
        };
        let commands: Vec<_> = accepted().cloned().collect();
        if commands.is_empty() {
            return (judged, None);
        }
        let options = self.request.options.clone();
        let push = Push {
            commands,
            pack,
            atomic: self.request.atomic,
            options,
        };
        let committed = tokio::select! {
            committed = session.commit(push) => committed,
            never = pulse.beat(self.voice.output(), KEEPALIVE_PROGRESS) => match never {},
        };
        let (mut outcomes, failure) = match committed {
            Ok(outcomes) => (outcomes, None),
            Err(error) => {
                self.voice.say(&format!("error: {error}\n")).await;
                (Vec::new(), Some(ServeError::from(error)))
            }
        };
        outcomes.reverse();
        for command in judged.iter_mut().filter(|command| command.verdict.is_ok()) {
            if let Err(rejection) = outcomes.pop().unwrap_or(Err(RefRejection::Commit)) {
                command.verdict = Err(match self.request.atomic {
                    true => rejection.in_atomic(),
                    false => rejection,
                });
            }
        }
        (judged, failure)
    }

    /// The report; without judgements every command failed with the pack.
    fn report(&self, unpack_error: Option<String>, judged: &[Judged]) -> Report {
        let rejection = |at: usize| match judged.get(at) {
            Some(command) => command.verdict.as_ref().err().map(ToString::to_string),
            None => Some(RefRejection::Unpack.to_string()),
        };
        let commands = self.request.commands.iter().enumerate();
        let refs = commands.map(|(at, command)| RefStatus {
            name: command.name.clone(),
            rejection: rejection(at),
        });
        Report {
            unpack_error,
            refs: refs.collect(),
        }
    }
}
