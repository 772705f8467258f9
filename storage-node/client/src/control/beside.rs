use std::convert::Infallible;
use std::task::{Context, Poll, ready};

use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;

/// Two gRPC services on one server, told apart by their names: control and Raft
/// share their connections.
#[derive(Clone, Copy, Debug)]
pub struct Beside<A, B> {
    first: A,
    second: B,
}

impl<A, B> Beside<A, B> {
    /// Serves both.
    pub fn new(first: A, second: B) -> Self {
        Self { first, second }
    }
}

impl<A, B> Service<http::Request<Body>> for Beside<A, B>
where
    A: NamedService
        + Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    B: NamedService
        + Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    A::Future: Send + 'static,
    B::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        ready!(self.first.poll_ready(context))?;
        self.second.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().strip_prefix('/');
        let service = path.and_then(|path| path.split_once('/'));
        match service.map(|(service, _)| service) {
            Some(name) if name == A::NAME => Box::pin(self.first.call(request)),
            Some(name) if name == B::NAME => Box::pin(self.second.call(request)),
            _ => Box::pin(async { Ok(Status::unimplemented("no such service").into_http()) }),
        }
    }
}
