use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use rpc::{Answering, Conversations};
use storage_node_api::node::Node;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, StdError, http};
use tonic::server::NamedService;
use tonic::{Extensions, Status};

use super::wire::{self, Call, Outcome, WireError};
use super::{MAX_OUTCOME_BYTES, METHOD, SERVICE};
use crate::identity::Peer;

/// The gRPC service that passes calls on to a node.
///
/// It answers only requests that carry a [`Peer`] in their extensions, as those
/// over [`Incoming`](super::Incoming) do.
#[derive(Clone, Debug)]
pub struct NodeService {
    node: Arc<dyn Node>,
    conversations: Conversations,
}

/// Serves a node: add it to a tonic server, which closes the conversations before it ends.
pub fn service(node: Arc<dyn Node>, conversations: Conversations) -> NodeService {
    NodeService {
        node,
        conversations,
    }
}

impl NodeService {
    async fn call(&self, call: Call) -> Outcome {
        let node = &self.node;
        match call {
            Call::Propose { group, request } => {
                let committed = node.propose(group, *request).await;
                Outcome::Propose(committed.map_err(Into::into))
            }
            Call::Read {
                group,
                point,
                query,
            } => {
                let answer = node.read(group, point, query).await;
                Outcome::Read(answer.map_err(Into::into))
            }
            Call::Query { point, statement } => {
                let rows = node.query(point, statement).await;
                Outcome::Query(rows.map_err(Into::into))
            }
            Call::Execute(batch) => {
                let executed = node.execute(batch).await;
                Outcome::Execute(executed.map_err(Into::into))
            }
            Call::Map => Outcome::Map(node.map().await),
            Call::Status => Outcome::Status(node.status().await),
            Call::Scrub(order) => Outcome::Scrub(node.scrub(order).await),
            Call::Collect(order) => Outcome::Collect(node.collect(order).await),
            Call::Dump(order) => {
                let part = node.dump(order).await;
                Outcome::Dump(part.map_err(Into::into))
            }
            Call::MachineVersion => Outcome::MachineVersion(node.machine_version().await),
            Call::Health => Outcome::Health(node.health().await),
            Call::Rebuild(order) => {
                let report = node.rebuild(order).await;
                Outcome::Rebuild(report.map_err(Into::into))
            }
            Call::Replica(order) => {
                let part = node.replica(order).await;
                Outcome::Replica(part.map_err(Into::into))
            }
            Call::Members => Outcome::Members(node.members().await),
            Call::Transfer { group, to } => {
                let handed = node.transfer(group, to).await;
                Outcome::Transfer(handed.map_err(Into::into))
            }
        }
    }
}

impl NamedService for NodeService {
    const NAME: &'static str = SERVICE;
}

impl Answering for NodeService {
    async fn answer(self, connection: Arc<Extensions>, call: Bytes) -> Result<Bytes, Status> {
        if connection.get::<Peer>().is_none() {
            return Err(Status::permission_denied("no certificate was shown"));
        }
        let call = wire::decode(&call).map_err(|error| match error {
            WireError::Version(_) => Status::unimplemented(error.to_string()),
            WireError::Malformed => Status::invalid_argument(error.to_string()),
        })?;
        let outcome = self.call(call).await;
        let bytes = wire::encode(&outcome).map_err(|error| Status::internal(error.to_string()))?;
        if bytes.len() > MAX_OUTCOME_BYTES {
            return Err(Status::out_of_range("the answer is too long"));
        }
        Ok(bytes)
    }
}

impl<B> Service<http::Request<B>> for NodeService
where
    B: tonic::codegen::Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
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
