use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::limits::{HEADER_PATIENCE, HTTP_BUFFER_BYTES, HTTP_HEADERS, SHUTDOWN_PATIENCE};
use crate::request::Peer;
use crate::server::stall::StallGuard;
use crate::site::Site;

/// How long accepting pauses when the system refuses, for example because no
/// more files can be opened.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until `shutdown` completes, then lets requests end.
pub(crate) async fn serve(
    site: &Arc<Site>,
    router: Router,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(site.config.config.max_connections));
    tokio::pin!(shutdown);
    loop {
        // Over the limit, connections wait in the system's own queue.
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = &mut shutdown => break,
        };
        let Ok(place) = place else { break };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    site.runtime.clock.sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        let connection = connection(site, router.clone(), stream, peer);
        let connection = graceful.watch(connection);
        let metrics = site.metrics.clone();
        let task = async move {
            let _place = place;
            metrics.connections.inc();
            if let Err(error) = connection.await {
                let reason = if error.is_timeout() {
                    "timeout"
                } else {
                    "broken"
                };
                metrics.cut(reason);
                tracing::debug!(peer = %peer.ip(), %error, "a connection broke");
            }
            metrics.connections.dec();
        };
        site.runtime.tasks.spawn("connection", Box::pin(task));
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = site.runtime.clock.sleep(SHUTDOWN_PATIENCE) => {
            tracing::warn!("requests were cut at shutdown");
        }
    }
}

type Io = TokioIo<StallGuard<TcpStream>>;

fn connection(
    site: &Arc<Site>,
    router: Router,
    stream: TcpStream,
    peer: SocketAddr,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send + 'static {
    // Answers are written in large pieces; waiting to fill packets only delays
    // the last. A socket that refuses this still serves.
    let _refused = stream.set_nodelay(true);
    let io: Io = TokioIo::new(StallGuard::new(stream, site.runtime.clone()));
    let peer = Peer(peer.ip());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request.map(Body::new))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .max_buf_size(HTTP_BUFFER_BYTES)
        .max_headers(HTTP_HEADERS)
        .serve_connection(io, service)
}
