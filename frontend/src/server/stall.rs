use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use runtime::{BoxFuture, Runtime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits::STALL_WINDOW;

/// A connection that fails if its peer takes nothing of an answer for a
/// [`STALL_WINDOW`]. What it sends is watched where it is waited for.
pub(crate) struct StallGuard<T> {
    inner: T,
    runtime: Runtime,
    /// Runs while there is something to write that is not taken.
    stalled: Option<BoxFuture<'static, ()>>,
}

impl<T> StallGuard<T> {
    pub(crate) fn new(inner: T, runtime: Runtime) -> Self {
        Self {
            inner,
            runtime,
            stalled: None,
        }
    }

    /// Passes on the result of a write, and starts or stops the watch.
    fn watch<R>(
        &mut self,
        written: Poll<io::Result<R>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let clock = &self.runtime.clock;
        let stalled = self
            .stalled
            .get_or_insert_with(|| clock.sleep(STALL_WINDOW));
        if stalled.as_mut().poll(context).is_ready() {
            self.stalled = None;
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for StallGuard<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(context, target)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for StallGuard<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(context, bytes);
        this.watch(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write_vectored(context, pieces);
        this.watch(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.inner).poll_flush(context);
        this.watch(flushed, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let closed = Pin::new(&mut this.inner).poll_shutdown(context);
        this.watch(closed, context)
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use runtime::Runtime;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::StallGuard;
    use crate::limits::STALL_WINDOW;

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (runtime, clock) = Runtime::simulated(1);
        let (near, mut far) = tokio::io::duplex(4);
        let mut guard = StallGuard::new(near, runtime);
        let writing = tokio::spawn(async move { guard.write_all(&[0; 12]).await });
        tokio::task::yield_now().await;
        clock.advance(STALL_WINDOW / 2);
        let mut taken = [0; 4];
        far.read_exact(&mut taken).await.unwrap();
        tokio::task::yield_now().await;
        clock.advance(STALL_WINDOW / 2);
        tokio::task::yield_now().await;
        assert!(
            !writing.is_finished(),
            "what was taken starts the watch anew"
        );
        clock.advance(STALL_WINDOW);
        assert_eq!(
            writing.await.unwrap().unwrap_err().kind(),
            ErrorKind::TimedOut
        );
    }
}
