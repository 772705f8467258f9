use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use rpc::Line;
use runtime::Runtime;
use storage_node_api::NodeId;
use storage_node_api::node::NodeError;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::channel::ConnectError;
use super::wire::{self, Call, Outcome};
use super::{MAX_CALL_BYTES, METHOD};

/// How long a node may take to answer; the callers' own limits are shorter.
const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// Calls one node.
#[derive(Debug)]
pub struct Caller {
    node: NodeId,
    line: Line,
    runtime: Runtime,
}

impl Caller {
    /// Calls the node over a [`channel`](super::channel) to it.
    pub fn new(node: NodeId, channel: Channel, runtime: Runtime) -> Self {
        Self {
            node,
            line: Line::new(&METHOD, channel, Arc::clone(&runtime.tasks)),
            runtime,
        }
    }

    pub(crate) async fn call(&self, call: &Call) -> Result<Outcome, NodeError> {
        let node = self.node;
        let bytes = wire::encode(call).map_err(|_| NodeError::Malformed { node })?;
        if bytes.len() > MAX_CALL_BYTES {
            return Err(NodeError::Malformed { node });
        }
        // Reads may have long answers, which the small writes are not to wait behind.
        let exchange = if call.is_write() {
            self.line.call(bytes).boxed()
        } else {
            self.line.call_alone(bytes).boxed()
        };
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
