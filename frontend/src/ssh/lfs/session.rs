use bytes::BytesMut;
use domain::{Repository, Viewer};
use frontend_ssh::Operation;
use git_serve::{Packets, ServeError};
use git_wire::pkt::{Packet, put_data, put_delimiter, put_flush, put_line};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::ask::Ask;
use crate::admission::Tenant;
use crate::lfs::LfsError;
use crate::site::Site;

/// One conversation about one repository.
pub(super) struct Session<'a> {
    pub(super) site: &'a Site,
    pub(super) viewer: Viewer,
    pub(super) tenant: Tenant,
    pub(super) repository: Box<Repository>,
    pub(super) operation: Operation,
    pub(super) packets: Packets<Box<dyn AsyncRead + Send + Unpin + 'a>>,
    pub(super) output: Box<dyn AsyncWrite + Send + Unpin + 'a>,
}

/// Why a request has no answer of its own: it is told of, or the conversation is over.
pub(super) enum Fault {
    Refused(LfsError),
    Over(ServeError),
}

impl<E: Into<LfsError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// An answer on its way.
#[derive(Default)]
pub(super) struct Say(BytesMut);

impl Say {
    pub(super) fn status(status: StatusCode) -> Self {
        let mut say = Self::default();
        say.line(format_args!("status {}", status.as_u16()));
        say
    }

    pub(super) fn line(&mut self, text: std::fmt::Arguments<'_>) {
        put_line(&mut self.0, text);
    }

    pub(super) fn delimiter(&mut self) {
        put_delimiter(&mut self.0);
    }

    pub(super) fn data(&mut self, bytes: &[u8]) {
        put_data(&mut self.0, bytes);
    }

    pub(super) fn flush(&mut self) {
        put_flush(&mut self.0);
    }
}

impl Session<'_> {
    /// Answers until the client quits.
    pub(super) async fn run(mut self) -> Result<(), ServeError> {
        let mut offer = Say::default();
        offer.line(format_args!("version=1"));
        offer.line(format_args!("locking"));
        offer.flush();
        self.say(&mut offer).await?;
        while let Some((ask, form)) = Ask::read(&mut self.packets).await? {
            let mut unread = ask.more;
            let answered = match form {
                Ok(()) => self.answer(&ask, &mut unread).await,
                Err(error) => Err(Fault::Refused(LfsError::new(
                    StatusCode::BAD_REQUEST,
                    error.to_string(),
                ))),
            };
            if unread {
                self.skip().await?;
            }
            match answered {
                Ok(()) => {}
                Err(Fault::Refused(error)) => self.refuse(&error).await?,
                Err(Fault::Over(error)) => return Err(error),
            }
            if ask.verb == "quit" {
                break;
            }
        }
        Ok(())
    }

    /// Answers one request. `unread` tells whether lines or bytes of it are still to be read.
    async fn answer(&mut self, ask: &Ask, unread: &mut bool) -> Result<(), Fault> {
        match ask.verb.as_str() {
            "version" if ask.operands == ["1"] => self.done().await,
            "version" => Err(refused(StatusCode::BAD_REQUEST, "the version here is 1")),
            "quit" => self.done().await,
            "batch" => self.batch(ask, unread).await,
            "get-object" => self.get_object(ask).await,
            "put-object" => self.put_object(ask, unread).await,
            "verify-object" => self.verify_object(ask).await,
            "lock" => self.lock(ask).await,
            "list-lock" => self.list_locks(ask).await,
            "unlock" => self.unlock(ask).await,
            _ => Err(refused(
                StatusCode::BAD_REQUEST,
                "there is no such command here",
            )),
        }
    }

    /// That it may be written is what the conversation was opened for.
    pub(super) fn must_write(&self) -> Result<(), Fault> {
        match self.operation {
            Operation::Upload => Ok(()),
            Operation::Download => Err(refused(
                StatusCode::FORBIDDEN,
                "this connection is for downloads: ask for upload",
            )),
        }
    }

    pub(super) async fn say(&mut self, say: &mut Say) -> Result<(), ServeError> {
        let bytes = say.0.split();
        let written = async {
            self.output.write_all(&bytes).await?;
            self.output.flush().await
        };
        written.await.map_err(|_| ServeError::ClientGone)
    }

    pub(super) async fn done(&mut self) -> Result<(), Fault> {
        let mut say = Say::status(StatusCode::OK);
        say.flush();
        self.say(&mut say).await.map_err(Fault::Over)
    }

    async fn refuse(&mut self, error: &LfsError) -> Result<(), ServeError> {
        let mut say = Say::status(error.status);
        say.delimiter();
        say.line(format_args!("{}", error.message));
        say.flush();
        self.say(&mut say).await
    }

    /// The next packet of what follows a request; nothing at its end.
    pub(super) async fn next(&mut self, unread: &mut bool) -> Result<Option<Packet>, Fault> {
        match self.packets.next().await.map_err(Fault::Over)? {
            Some(packet @ Packet::Data(_)) => Ok(Some(packet)),
            Some(Packet::Delimiter) => Err(refused(
                StatusCode::BAD_REQUEST,
                "a request has one delimiter",
            )),
            Some(Packet::Flush | Packet::ResponseEnd) => {
                *unread = false;
                Ok(None)
            }
            None => Err(Fault::Over(ServeError::ClientGone)),
        }
    }

    /// Reads the rest of a refused request away, to be where the next one begins.
    async fn skip(&mut self) -> Result<(), ServeError> {
        loop {
            match self.packets.next().await? {
                Some(Packet::Flush | Packet::ResponseEnd) => return Ok(()),
                Some(_) => {}
                None => return Err(ServeError::ClientGone),
            }
        }
    }
}

pub(super) fn refused(status: StatusCode, message: &str) -> Fault {
    Fault::Refused(LfsError::new(status, message))
}
