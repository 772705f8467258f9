use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use runtime::{BoxFuture, Runtime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A stream that fails when it is cut, and when its peer lets a read or a write
/// wait for too long. To be used by one task.
pub(crate) struct Guard<T> {
    inner: T,
    cut: Cut,
    reading: Wait,
    writing: Wait,
}

struct Cut {
    token: CancellationToken,
    came: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// How long one side is waited for, and since when.
struct Wait {
    runtime: Runtime,
    patience: Option<Duration>,
    over: Option<BoxFuture<'static, ()>>,
}

impl<T> Guard<T> {
    /// Guards a stream. Without patience only the cut ends a wait.
    pub(crate) fn new(inner: T, runtime: &Runtime, cut: &CancellationToken) -> Self {
        let wait = || Wait {
            runtime: runtime.clone(),
            patience: None,
            over: None,
        };
        Self {
            inner,
            cut: Cut {
                token: cut.clone(),
                came: Box::pin(cut.clone().cancelled_owned()),
            },
            reading: wait(),
            writing: wait(),
        }
    }

    /// The same, and a read waits so long at most.
    pub(crate) fn reading(mut self, patience: Duration) -> Self {
        self.reading.patience = Some(patience);
        self
    }

    /// The same, and a write waits so long at most.
    pub(crate) fn writing(mut self, patience: Duration) -> Self {
        self.writing.patience = Some(patience);
        self
    }
}

impl Cut {
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.token.is_cancelled() || self.came.as_mut().poll(context).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl Wait {
    /// Passes on what became of a read or write, unless the wait is over.
    fn watch<R>(
        &mut self,
        done: Poll<io::Result<R>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<R>> {
        if done.is_ready() {
            self.over = None;
            return done;
        }
        let Some(patience) = self.patience else {
            return Poll::Pending;
        };
        let clock = &self.runtime.clock;
        let over = self.over.get_or_insert_with(|| clock.sleep(patience));
        if over.as_mut().poll(context).is_ready() {
            self.over = None;
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guard<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.cut.check(context)?;
        let read = Pin::new(&mut this.inner).poll_read(context, target);
        this.reading.watch(read, context)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guard<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.cut.check(context)?;
        let written = Pin::new(&mut this.inner).poll_write(context, bytes);
        this.writing.watch(written, context)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.cut.check(context)?;
        let flushed = Pin::new(&mut this.inner).poll_flush(context);
        this.writing.watch(flushed, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.cut.check(context)?;
        let closed = Pin::new(&mut this.inner).poll_shutdown(context);
        this.writing.watch(closed, context)
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use runtime::Runtime;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio_util::sync::CancellationToken;

    use super::Guard;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up_whatever_it_sends() {
        let (runtime, clock) = Runtime::simulated(1);
        let (near, mut far) = duplex(4);
        let guard = Guard::new(near, &runtime, &CancellationToken::new()).writing(PATIENCE);
        let (mut reader, mut writer) = tokio::io::split(guard);
        let working = tokio::spawn(async move {
            let mut word = [0; 1];
            let reading = async { while reader.read(&mut word).await.is_ok() {} };
            tokio::select! {
                () = reading => panic!("reads are not limited"),
                written = writer.write_all(&[0; 12]) => written,
            }
        });
        tokio::task::yield_now().await;
        clock.advance(PATIENCE / 2);
        far.write_all(b"x").await.unwrap();
        tokio::task::yield_now().await;
        assert!(!working.is_finished());
        clock.advance(PATIENCE / 2);
        let given_up = working.await.unwrap().unwrap_err();
        assert_eq!(given_up.kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn silence_and_a_cut_end_a_read() {
        let (runtime, clock) = Runtime::simulated(1);
        let (near, _far) = duplex(4);
        let cut = CancellationToken::new();
        let mut guard = Guard::new(near, &runtime, &cut).reading(PATIENCE);
        let reading = tokio::spawn(async move {
            let silent = guard.read_u8().await.unwrap_err().kind();
            (silent, guard.read_u8().await.unwrap_err().kind(), guard)
        });
        tokio::task::yield_now().await;
        clock.advance(PATIENCE);
        tokio::task::yield_now().await;
        cut.cancel();
        let (silent, cut, mut guard) = reading.await.unwrap();
        assert_eq!(
            (silent, cut),
            (ErrorKind::TimedOut, ErrorKind::ConnectionAborted)
        );
        assert!(
            guard.write_all(b"x").await.is_err(),
            "what is cut takes nothing"
        );
    }
}
