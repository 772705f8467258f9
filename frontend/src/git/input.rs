use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use git_serve::{Gunzip, Service};
use http::{HeaderMap, StatusCode, header};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::StreamReader;

use crate::git::GitError;
use crate::request::{BodyError, BodyStream, Fault};
use crate::site::Site;

/// A request's body as git-serve reads it.
pub(super) type Input = Box<dyn AsyncRead + Send + Unpin>;

/// Unpacks a body if it is compressed, and bounds it: the body of a fetch, and
/// any compressed one. The pack of a push has its own limit, of which git-serve
/// tells the client in a better way.
pub(super) fn input(
    site: &Site,
    service: Service,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Input, Fault), GitError> {
    let stream = BodyStream::new(body, site.runtime.clone());
    let fault = stream.fault();
    let reader = StreamReader::new(stream);
    let limit = site.config.config.max_negotiation_bytes;
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map(|value| value.as_bytes());
    let input: Input = match encoding {
        None | Some(b"identity") if service == Service::ReceivePack => Box::new(reader),
        None | Some(b"identity") => Box::new(Capped::new(reader, limit, fault.clone())),
        Some(b"gzip" | b"x-gzip") => {
            // The cap notices first, and says so.
            let unpacked = Gunzip::new(reader, limit.saturating_mul(2));
            Box::new(Capped::new(unpacked, limit, fault.clone()))
        }
        Some(_) => {
            let message = "the request's Content-Encoding is not supported: use gzip or none";
            return Err(GitError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
    };
    Ok((input, fault))
}

/// Fails once more than a limit was read.
struct Capped<R> {
    inner: R,
    left: u64,
    limit: u64,
    fault: Fault,
}

impl<R> Capped<R> {
    fn new(inner: R, limit: u64, fault: Fault) -> Self {
        Self {
            inner,
            left: limit,
            limit,
            fault,
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Capped<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let before = target.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(context, target))
            .map_err(|_| this.fault.note(BodyError::Broken))?;
        let read = (target.filled().len() - before) as u64;
        match this.left.checked_sub(read) {
            Some(left) => {
                this.left = left;
                Poll::Ready(Ok(()))
            }
            None => Poll::Ready(Err(this
                .fault
                .note(BodyError::TooLarge { limit: this.limit }))),
        }
    }
}
