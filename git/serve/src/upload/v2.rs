//! Protocol v2.

use std::collections::HashSet;

use bytes::BytesMut;
use git_id::{ObjectId, RefName};
use git_wire::ProtocolError;
use git_wire::pkt::{Packet, put_flush, put_line};
use git_wire::sideband::{KEEPALIVE_DATA, Sideband};
use git_wire::v2::{
    Command, Fetch, LsRefs, Negotiated, RefLine, Request, RequestParser, Sections,
    put_acknowledgments, put_packfile_header, put_ref, put_shallow_info, put_unborn_head,
    put_wanted_refs,
};
use tokio::io::AsyncRead;

use super::filter::filter;
use super::object_info::object_info;
use super::pack::{PackJob, Recipient};
use super::shallow::shallow_change;
use super::view::{self, View};
use super::wants::check_wants;
use super::{Call, Failure};
use crate::error::Refusal;
use crate::packets::{Packets, READ_BYTES};
use crate::{Mode, Output, ServeError};

pub(super) async fn serve<R: AsyncRead + Unpin>(
    call: &Call<'_>,
    packets: &mut Packets<R>,
) -> Result<(), Failure> {
    let mut parser = RequestParser::new(call.repository.hash(), call.policy.upload.v2_offer());
    while let Some(request) = next_request(&mut parser, packets).await? {
        tracing::debug!(agent = request.agent.as_deref(), "protocol v2 request");
        match request.command {
            Command::LsRefs(arguments) => ls_refs(call, &arguments).await?,
            Command::Fetch(arguments) => fetch(call, arguments).await?,
            Command::ObjectInfo(arguments) => {
                let view = View::open(call.repository, &call.policy.upload).await?;
                let (pulse, output) = (view.pulse.clone(), call.output.clone());
                let work = move || object_info(&view, &arguments, &output);
                pulse.run(call.output, KEEPALIVE_DATA, work).await??;
            }
            Command::BundleUri => bundle_uri(call).await?,
            Command::End => break,
        }
        if call.mode == Mode::Stateless {
            break;
        }
    }
    Ok(())
}

async fn next_request<R: AsyncRead + Unpin>(
    parser: &mut RequestParser,
    packets: &mut Packets<R>,
) -> Result<Option<Request>, ServeError> {
    while let Some(packet) = packets.next().await? {
        let packet: Packet = packet;
        if let Some(request) = parser.packet(&packet).map_err(Refusal::from)? {
            return Ok(Some(request));
        }
    }
    match parser.is_between_requests() {
        true => Ok(None),
        false => Err(Refusal::from(ProtocolError::HungUp).into()),
    }
}

async fn ls_refs(call: &Call<'_>, arguments: &LsRefs) -> Result<(), ServeError> {
    let snapshot = call.repository.refs().await?;
    let hidden = &call.policy.upload.hidden;
    let mut out = BytesMut::new();
    if arguments.matches("HEAD") {
        let target = snapshot.head_target().map(|target| target.as_str());
        match (snapshot.head_id(), target) {
            (Some(id), symref_target) => {
                let line = RefLine {
                    name: "HEAD",
                    id: &id,
                    symref_target,
                    peeled: None,
                };
                put_ref(&mut out, arguments, line);
            }
            (None, Some(target)) if call.policy.upload.unborn => {
                put_unborn_head(&mut out, arguments, target);
            }
            (None, _) => {}
        }
    }
    for reference in snapshot.refs() {
        let name = reference.name.as_str();
        if !arguments.matches(name) || hidden.hides(&reference.name) {
            continue;
        }
        let symref_target = reference
            .symref_target
            .as_ref()
            .map(|target| target.as_str());
        let peeled = reference.peeled.as_ref();
        put_ref(
            &mut out,
            arguments,
            RefLine {
                name,
                id: &reference.id,
                symref_target,
                peeled,
            },
        );
        if out.len() >= READ_BYTES {
            call.output.send(out.split().freeze()).await?;
        }
    }
    put_flush(&mut out);
    call.output.send(out.freeze()).await
}

async fn bundle_uri(call: &Call<'_>) -> Result<(), ServeError> {
    let mut out = BytesMut::new();
    for line in call.policy.upload.bundles.iter().flatten() {
        put_line(&mut out, format_args!("{line}"));
    }
    put_flush(&mut out);
    call.output.send(out.freeze()).await
}

async fn fetch(call: &Call<'_>, arguments: Fetch) -> Result<(), Failure> {
    if arguments.wants_nothing() && !arguments.wait_for_done {
        return Ok(());
    }
    let view = View::open(call.repository, &call.policy.upload).await?;
    let (pulse, output) = (view.pulse.clone(), call.output.clone());
    pulse
        .run(call.output, KEEPALIVE_DATA, move || {
            answer(&view, arguments, &output)
        })
        .await?
}

/// Sends the sections of a response; blocks.
fn answer(view: &View, mut fetch: Fetch, output: &Output) -> Result<(), Failure> {
    let filter = filter(&view.policy.filters, fetch.filter.as_ref()).map_err(ServeError::from)?;
    check_wants(view, &fetch.wants)?;
    let wanted_refs = wanted_refs(view, &mut fetch).map_err(ServeError::from)?;
    let mut out = Sections::new(fetch.sideband_all);
    let negotiated = put_acknowledgments(&mut out, &fetch, &mut view.knowledge(&fetch.wants));
    let Negotiated::SendPack(common) = negotiated.map_err(ServeError::from)? else {
        return Ok(output.blocking_send(out.into_bytes())?);
    };
    let change = match &fetch.deepen {
        Some(deepen) => Some(shallow_change(view, &fetch.wants, &fetch.shallow, deepen)?),
        None => None,
    };
    match &change {
        Some(change) => put_shallow_info(&mut out, &change.shallow, &change.unshallow),
        None if fetch.shallow.is_empty() => {}
        None => put_shallow_info(&mut out, &[], &[]),
    }
    put_wanted_refs(&mut out, &wanted_refs);
    put_packfile_header(&mut out);
    output.blocking_send(out.into_bytes())?;
    let request = view::Request {
        wants: fetch.wants,
        common,
        shallow: fetch.shallow,
        include_tag: fetch.features.include_tag,
        filter,
    };
    let to = Recipient {
        features: fetch.features,
        sideband: Some(Sideband::Large),
        output: output.clone(),
        pulse: view.pulse.clone(),
    };
    PackJob::new(view, view.selection(request, change), to).send()
}

/// What the refs are that the client wants by name; their objects become wants.
fn wanted_refs(view: &View, fetch: &mut Fetch) -> Result<Vec<(String, ObjectId)>, Refusal> {
    let mut wanted = Vec::with_capacity(fetch.want_refs.len());
    for name in fetch.want_refs.drain(..) {
        let id = match name.as_str() {
            "HEAD" => view.snapshot.head_id(),
            _ => RefName::new(&name)
                .ok()
                .filter(|name| !view.policy.hidden.hides(name))
                .and_then(|name| Some(view.snapshot.get(&name)?.id)),
        };
        let Some(id) = id else {
            return Err(Refusal::UnknownRef { name });
        };
        wanted.push((name, id));
    }
    let mut known: HashSet<ObjectId> = fetch.wants.iter().copied().collect();
    let new = wanted
        .iter()
        .map(|(_, id)| *id)
        .filter(|id| known.insert(*id));
    fetch.wants.extend(new);
    Ok(wanted)
}
