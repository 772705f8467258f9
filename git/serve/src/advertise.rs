use bytes::BytesMut;
use git_wire::advertisement::{
    Offer, ReceiveOffer, RefAdvertisement, UploadOffer, put_http_service, put_v2_capabilities,
};
use git_wire::{ProtocolVersion, Service};

use crate::packets::READ_BYTES;
use crate::policy::AGENT;
use crate::{HiddenRefs, Output, Policy, RefSnapshot, Repository, ServeError, WantPolicy};

/// Where an advertisement is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The answer to `GET info/refs` over smart HTTP, with its service line.
    Http,
    /// The answer to `GET info/refs` where the HTTP side adds the service line.
    HttpBackend,
    /// The beginning of a conversation.
    Stream,
}

/// Says what the server has and can do.
pub async fn advertise(
    repository: &dyn Repository,
    policy: &Policy,
    service: Service,
    version: ProtocolVersion,
    transport: Transport,
    output: &Output,
) -> Result<(), ServeError> {
    let mut out = BytesMut::new();
    let version = version_of(service, version);
    let offer = Offer {
        hash: repository.hash(),
        agent: AGENT,
        session_id: policy.session_id.as_deref(),
    };
    if version == ProtocolVersion::V2 {
        put_v2_capabilities(&mut out, &offer, policy.upload.v2_offer());
        return output.send(out.freeze()).await;
    }
    if transport == Transport::Http {
        put_http_service(&mut out, service);
    }
    let snapshot = repository.refs().await?;
    match service {
        Service::UploadPack => {
            let head_target = snapshot
                .head_target()
                .filter(|_| snapshot.head_id().is_some());
            let wants = policy.upload.wants;
            let upload = UploadOffer {
                stateless: transport != Transport::Stream,
                head_target,
                allow_tip_in_want: matches!(wants, WantPolicy::Tips | WantPolicy::Any),
                allow_reachable_in_want: matches!(wants, WantPolicy::Reachable | WantPolicy::Any),
                filter: policy.upload.filters.offered,
            };
            let mut refs = RefAdvertisement::upload_pack(&mut out, version, &offer, upload);
            if let Some(id) = snapshot.head_id() {
                refs.put_ref(&mut out, "HEAD", &id, None);
            }
            put_refs(refs, out, &snapshot, &policy.upload.hidden, true, output).await
        }
        Service::ReceivePack => {
            let receive = ReceiveOffer {
                atomic: policy.receive.atomic,
                push_options: policy.receive.push_options,
            };
            let refs = RefAdvertisement::receive_pack(&mut out, version, &offer, receive);
            put_refs(refs, out, &snapshot, &policy.receive.hidden, false, output).await
        }
    }
}

/// The version that the service speaks when asked for `version`: there are no
/// pushes in protocol v2, and git answers such a request in v0.
pub(crate) fn version_of(service: Service, version: ProtocolVersion) -> ProtocolVersion {
    match (service, version) {
        (Service::ReceivePack, ProtocolVersion::V2) => ProtocolVersion::V0,
        (_, version) => version,
    }
}

async fn put_refs(
    mut refs: RefAdvertisement,
    mut out: BytesMut,
    snapshot: &RefSnapshot,
    hidden: &HiddenRefs,
    peel: bool,
    output: &Output,
) -> Result<(), ServeError> {
    for reference in snapshot
        .refs()
        .iter()
        .filter(|reference| !hidden.hides(&reference.name))
    {
        let peeled = reference.peeled.as_ref().filter(|_| peel);
        refs.put_ref(&mut out, reference.name.as_str(), &reference.id, peeled);
        if out.len() >= READ_BYTES {
            output.send(out.split().freeze()).await?;
        }
    }
    refs.finish(&mut out);
    output.send(out.freeze()).await
}
