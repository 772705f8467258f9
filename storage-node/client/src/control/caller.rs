use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use runtime::Runtime;
use storage_node_api::NodeId;
use storage_node_api::node::NodeError;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::channel::ConnectError;
use super::codec::Raw;
use super::wire::{self, Call, Outcome};
use super::{MAX_CALL_BYTES, MAX_OUTCOME_BYTES, PATH};

/// How long a node may take to answer; the callers' own limits are shorter.
const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// Calls one node.
#[derive(Clone, Debug)]
pub struct Caller {
    node: NodeId,
    channel: Channel,
    runtime: Runtime,
}

impl Caller {
    /// Calls the node over a [`channel`](super::channel) to it.
    pub fn new(node: NodeId, channel: Channel, runtime: Runtime) -> Self {
        Self {
            node,
            channel,
            runtime,
        }
    }

    pub(crate) async fn call(&self, call: &Call) -> Result<Outcome, NodeError> {
        let node = self.node;
        let bytes = wire::encode(call).map_err(|_| NodeError::Malformed { node })?;
        if bytes.len() > MAX_CALL_BYTES {
            return Err(NodeError::Malformed { node });
        }
        let exchange = Box::pin(exchange(self.channel.clone(), bytes));
        let answered = match select(exchange, self.runtime.clock.sleep(CALL_DEADLINE)).await {
            Either::Left((answered, _)) => answered,
            Either::Right(_) => return Err(NodeError::Silent { node }),
        };
        let answer = answered.map_err(|status| self.failed(&status))?;
        wire::decode(&answer).map_err(|error| {
            tracing::warn!(node.id = %node, %error, "an answer cannot be read");
            NodeError::Silent { node }
        })
    }

    fn failed(&self, status: &Status) -> NodeError {
        let node = self.node;
        let mut cause = Error::source(status);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<ConnectError>() {
                tracing::debug!(node.id = %node, address = error.address, error = %error.source,
                    "a node cannot be reached");
                return NodeError::Unreachable { node };
            }
            cause = error.source();
        }
        tracing::debug!(node.id = %node, code = ?status.code(), message = status.message(),
            "a call failed");
        match status.code() {
            // Refused before it was looked at.
            Code::InvalidArgument | Code::Unimplemented | Code::PermissionDenied => {
                NodeError::Malformed { node }
            }
            _ => NodeError::Silent { node },
        }
    }
}

async fn exchange(channel: Channel, call: Bytes) -> Result<Bytes, Status> {
    let mut grpc = Grpc::new(channel)
        .max_decoding_message_size(MAX_OUTCOME_BYTES)
        .max_encoding_message_size(MAX_CALL_BYTES);
    grpc.ready()
        .await
        .map_err(|error| Status::from_error(error.into()))?;
    let path = PathAndQuery::from_static(PATH);
    Ok(grpc
        .unary(Request::new(call), path, Raw)
        .await?
        .into_inner())
}
