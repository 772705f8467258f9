//! Requests from peers.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, StdError, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Extensions, Request, Response, Status};

use super::codec::Raw;
use super::{PATH, SERVICE};
use crate::limits::MAX_WIRE_BYTES;
use crate::{NodeId, PeerRequest, Raft};

/// Judges who may speak for a node.
pub trait Authorise: Send + Sync + fmt::Debug {
    /// Whether the connection that a request came over, known by what the server has attached to
    /// it (such as the peer's certificates), may speak for `node`.
    fn may_speak_for(&self, connection: &Extensions, node: NodeId) -> bool;
}

/// The gRPC service by which peers reach a node's [`Raft`]. It does not keep it alive.
#[derive(Clone, Debug)]
pub struct PeerService {
    raft: Weak<Raft>,
    authorise: Arc<dyn Authorise>,
}

impl PeerService {
    /// Answers with `raft` whoever passes `authorise`.
    pub fn new(raft: &Arc<Raft>, authorise: Arc<dyn Authorise>) -> Self {
        Self {
            raft: Arc::downgrade(raft),
            authorise,
        }
    }

    async fn exchange(self, request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
        let decoded = PeerRequest::decode(request.get_ref())
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let from = decoded.from();
        if !self.authorise.may_speak_for(request.extensions(), from) {
            return Err(Status::permission_denied(format!(
                "this connection may not speak for {from}"
            )));
        }
        let raft = self.raft.upgrade().filter(|raft| !raft.is_shut_down());
        let raft = raft.ok_or_else(|| Status::unavailable("this node is shutting down"))?;
        let response = raft.receive(from, decoded).await;
        Ok(Response::new(Bytes::from(response.encode())))
    }
}

impl NamedService for PeerService {
    const NAME: &'static str = SERVICE;
}

/// The one method.
struct Exchange(PeerService);

impl UnaryService<Bytes> for Exchange {
    type Response = Bytes;
    type Future = BoxFuture<Response<Bytes>, Status>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        Box::pin(self.0.clone().exchange(request))
    }
}

impl<B> Service<http::Request<B>> for PeerService
where
    B: tonic::codegen::Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if request.uri().path() != PATH {
                return Ok(Status::unimplemented("no such method").into_http());
            }
            let mut grpc = Grpc::new(Raw)
                .max_decoding_message_size(MAX_WIRE_BYTES)
                .max_encoding_message_size(MAX_WIRE_BYTES);
            Ok(grpc.unary(Exchange(service), request).await)
        })
    }
}
