//! Protocols v0 and v1.

use bytes::BytesMut;
use git_pack::ShallowChange;
use git_wire::ProtocolError;
use git_wire::sideband::KEEPALIVE_DATA;
use git_wire::v0::{
    Negotiation, RequestParser, Round, RoundParser, Step, UploadRequest, put_shallow_update,
};
use tokio::io::AsyncRead;

use super::filter::filter;
use super::pack::{PackJob, Recipient};
use super::shallow::shallow_change;
use super::view::{self, View};
use super::wants::check_wants;
use super::{Call, Failure};
use crate::error::Refusal;
use crate::packets::Packets;
use crate::{Mode, ServeError};

pub(super) async fn serve<R: AsyncRead + Unpin>(
    call: &Call<'_>,
    packets: &mut Packets<R>,
) -> Result<(), Failure> {
    let Some(request) = read_request(call, packets).await? else {
        return Ok(());
    };
    if request.wants.is_empty() {
        return Ok(());
    }
    tracing::debug!(agent = request.agent.as_deref(), "protocol v0 fetch");
    let view = View::open(call.repository, &call.policy.upload).await?;
    let filter = filter(&view.policy.filters, request.filter.as_ref()).map_err(ServeError::from)?;
    let (request, change) = prepare(call, &view, request).await?;
    let Some(common) = negotiate(call, &view, &request, packets).await? else {
        return Ok(());
    };
    let (pulse, output) = (view.pulse.clone(), call.output.clone());
    let work = move || {
        let selected = view::Request {
            wants: request.wants,
            common,
            shallow: request.shallow,
            include_tag: request.features.include_tag,
            filter,
        };
        let to = Recipient {
            features: request.features,
            sideband: request.sideband,
            output,
            pulse: view.pulse.clone(),
        };
        PackJob::new(&view, view.selection(selected, change), to).send()
    };
    pulse.run(call.output, KEEPALIVE_DATA, work).await?
}

async fn read_request<R: AsyncRead + Unpin>(
    call: &Call<'_>,
    packets: &mut Packets<R>,
) -> Result<Option<UploadRequest>, ServeError> {
    let mut parser = RequestParser::new(call.repository.hash());
    while let Some(packet) = packets.next().await? {
        if let Some(request) = parser.packet(&packet).map_err(Refusal::from)? {
            return Ok(Some(request));
        }
    }
    match parser.is_empty() {
        true => Ok(None),
        false => Err(Refusal::from(ProtocolError::HungUp).into()),
    }
}

/// Checks the wants, and answers a depth if the client asked for one.
async fn prepare(
    call: &Call<'_>,
    view: &View,
    request: UploadRequest,
) -> Result<(UploadRequest, Option<ShallowChange>), ServeError> {
    let on_thread = view.clone();
    let work = move || -> Result<_, ServeError> {
        check_wants(&on_thread, &request.wants)?;
        let change = match &request.deepen {
            Some(deepen) => Some(shallow_change(
                &on_thread,
                &request.wants,
                &request.shallow,
                deepen,
            )?),
            None => None,
        };
        Ok((request, change))
    };
    let (request, change) = view.pulse.run(call.output, KEEPALIVE_DATA, work).await??;
    if let Some(change) = &change {
        let mut out = BytesMut::new();
        put_shallow_update(&mut out, &change.shallow, &change.unshallow);
        call.output.send(out.freeze()).await?;
    }
    Ok((request, change))
}

/// Negotiates; returns what both sides have if the pack is to be sent.
async fn negotiate<R: AsyncRead + Unpin>(
    call: &Call<'_>,
    view: &View,
    request: &UploadRequest,
    packets: &mut Packets<R>,
) -> Result<Option<Vec<git_id::ObjectId>>, ServeError> {
    let mut negotiation = Negotiation::new(request.acks, request.no_done);
    let mut parser = RoundParser::new(call.repository.hash());
    let mut heard = false;
    loop {
        let Some(packet) = packets.next().await? else {
            // A stateless client reads the answer to its depth before it says
            // what it has, in another request.
            return match call.mode == Mode::Stateless && !heard {
                true => Ok(None),
                false => Err(Refusal::from(ProtocolError::HungUp).into()),
            };
        };
        heard = true;
        let Some(round) = parser.packet(&packet).map_err(Refusal::from)? else {
            continue;
        };
        let (next, step) = answer(call, view, request, negotiation, round).await?;
        match step {
            Step::SendPack => return Ok(Some(next.into_common())),
            Step::Continue if call.mode == Mode::Stateless => return Ok(None),
            Step::Continue => negotiation = next,
        }
    }
}

async fn answer(
    call: &Call<'_>,
    view: &View,
    request: &UploadRequest,
    mut negotiation: Negotiation,
    round: Round,
) -> Result<(Negotiation, Step), ServeError> {
    let (on_thread, wants) = (view.clone(), request.wants.clone());
    let work = move || -> Result<_, ServeError> {
        let mut out = BytesMut::new();
        let step = negotiation.round(&mut out, &round, &mut on_thread.knowledge(&wants))?;
        Ok((negotiation, step, out))
    };
    let (negotiation, step, out) = view.pulse.run(call.output, KEEPALIVE_DATA, work).await??;
    call.output.send(out.freeze()).await?;
    Ok((negotiation, step))
}
