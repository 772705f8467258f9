//! Requests from peers.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use rpc::{Answering, Conversations};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, StdError, http};
use tonic::server::NamedService;
use tonic::{Extensions, Status};

use super::{METHOD, SERVICE};
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
    conversations: Conversations,
}

impl PeerService {
    /// Answers with `raft` whoever passes `authorise`. A server that is to end closes the
    /// conversations first.
    pub fn new(
        raft: &Arc<Raft>,
        authorise: Arc<dyn Authorise>,
        conversations: Conversations,
    ) -> Self {
        Self {
            raft: Arc::downgrade(raft),
            authorise,
            conversations,
        }
    }
}

impl Answering for PeerService {
    async fn answer(self, connection: Arc<Extensions>, call: Bytes) -> Result<Bytes, Status> {
        let request = PeerRequest::decode(&call)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let from = request.from();
        if !self.authorise.may_speak_for(&connection, from) {
            return Err(Status::permission_denied(format!(
                "this connection may not speak for {from}"
            )));
        }
        let raft = self.raft.upgrade().filter(|raft| !raft.is_shut_down());
        let raft = raft.ok_or_else(|| Status::unavailable("this node is shutting down"))?;
        let response = raft.receive(from, request).await;
        Ok(Bytes::from(response.encode()))
    }
}

impl NamedService for PeerService {
    const NAME: &'static str = SERVICE;
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
            let conversations = service.conversations.clone();
            Ok(rpc::serve(service, &METHOD, &conversations, request).await)
        })
    }
}
