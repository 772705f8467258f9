use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream that fails with [`io::ErrorKind::TimedOut`] when its sender is
/// silent for too long while it is being read.
#[derive(Debug)]
pub struct IdleTimeout<R> {
    input: R,
    limit: Duration,
    silence: Option<Pin<Box<Sleep>>>,
}

impl<R> IdleTimeout<R> {
    /// Reads `input`; at most `limit` passes between two pieces of it.
    pub fn new(input: R, limit: Duration) -> Self {
        Self {
            input,
            limit,
            silence: None,
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for IdleTimeout<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Poll::Ready(read) = Pin::new(&mut this.input).poll_read(context, target) {
            this.silence = None;
            return Poll::Ready(read);
        }
        let limit = this.limit;
        let silence = this.silence.get_or_insert_with(|| Box::pin(sleep(limit)));
        silence
            .as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::IdleTimeout;

    #[tokio::test]
    async fn silence_is_an_error_and_data_is_not() {
        let (mut sender, receiver) = duplex(16);
        let mut reader = IdleTimeout::new(receiver, Duration::from_millis(20));
        sender.write_all(b"hello").await.unwrap();
        let mut bytes = [0; 5];
        assert_eq!(reader.read_exact(&mut bytes).await.unwrap(), 5);
        let silent = reader.read(&mut bytes).await;
        assert_eq!(silent.unwrap_err().kind(), ErrorKind::TimedOut);
        drop(sender);
        let mut reader = IdleTimeout::new(&b"x"[..], Duration::ZERO);
        assert_eq!(reader.read(&mut bytes).await.unwrap(), 1);
    }
}
