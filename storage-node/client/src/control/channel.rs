use std::io;
use std::time::Duration;

use futures_util::future::{Either, select};
use http::Uri;
use hyper_util::rt::TokioIo;
use runtime::Runtime;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::identity::{Connector, TlsStream};

/// How long a connection may take to come about.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// How often a connection is probed, and how long the answer may take.
const KEEP_ALIVE: Duration = Duration::from_secs(3);

/// An address that is not a host and a port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address:?} is not a host and a port")]
pub struct AddressError {
    /// As given.
    pub address: String,
}

/// A connection that did not come about, so that nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("connect to {address}")]
pub struct ConnectError {
    /// Where to.
    pub address: String,
    /// Why it failed.
    #[source]
    pub source: io::Error,
}

/// A gRPC connection to a node of the cluster, which comes about with its first
/// request and again after it was lost. A request that fails for want of a
/// connection has a [`ConnectError`] among its causes.
pub fn channel(
    connector: Connector,
    address: &str,
    runtime: &Runtime,
) -> Result<Channel, AddressError> {
    let bad = || AddressError {
        address: address.to_owned(),
    };
    let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(bad());
    }
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|_| bad())?;
    let (runtime, address) = (runtime.clone(), address.to_owned());
    let dial = service_fn(move |_: Uri| dial(connector.clone(), address.clone(), runtime.clone()));
    Ok(endpoint
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .connect_with_connector_lazy(dial))
}

async fn dial(
    connector: Connector,
    address: String,
    runtime: Runtime,
) -> Result<TokioIo<TlsStream>, ConnectError> {
    let connected = {
        let connect = std::pin::pin!(connector.connect(&address));
        match select(connect, runtime.clock.sleep(CONNECT_DEADLINE)).await {
            Either::Left((connected, _)) => connected,
            Either::Right(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    };
    match connected {
        Ok((stream, _)) => Ok(TokioIo::new(stream)),
        Err(source) => Err(ConnectError { address, source }),
    }
}
