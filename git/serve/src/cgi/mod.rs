//! What a web server starts as `git-http-backend` (git-http-backend(1)): smart
//! and dumb HTTP for the repositories below a directory, as a CGI program.

mod dumb;
mod environment;
mod response;
mod route;

use std::io;
use std::path::Path;

use bytes::Bytes;
use git_wire::{ProtocolVersion, Service};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

pub use environment::CgiEnvironment;

use self::response::{Answer, Status};
use self::route::{Route, route};
use crate::bare::{BareRepository, find};
use crate::stdio::{CommandError, Phase, ServiceCall};
use crate::{Gunzip, Mode, Output, RepositoryError, ServeError, Transport, pour};

/// The most bytes of a compressed request that is not a pack, unpacked.
const MAX_UNPACKED_BYTES: u64 = 64 << 20;

/// Answers one request: reads its body from `input`, writes the CGI answer with
/// its headers to `output`.
pub async fn http_backend<R, W>(
    environment: &CgiEnvironment,
    input: R,
    output: W,
) -> Result<(), CommandError>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin,
{
    let request = match Request::new(environment) {
        Ok(request) => request,
        Err(answer) => return Ok(answer.write(output).await?),
    };
    match request.route {
        Route::InfoRefs => match environment.query("service") {
            Some(name) => request.advertise(&name, output).await,
            None => request.dumb(output).await,
        },
        Route::Service(service) => request.serve(service, input, output).await,
        _ => request.dumb(output).await,
    }
}

/// A request whose repository was found.
struct Request<'a> {
    environment: &'a CgiEnvironment,
    route: Route,
    repository: BareRepository,
}

impl<'a> Request<'a> {
    fn new(environment: &'a CgiEnvironment) -> Result<Self, Answer> {
        let path = environment.path()?;
        let (directory, route) = route(&path).ok_or_else(|| Answer::new(Status::NotFound))?;
        let method = environment.method();
        if method != route.method() {
            return Err(Answer::wrong_method(
                route.method(),
                &environment.server_protocol,
            ));
        }
        let found = find(Path::new(directory), false);
        let directory = found.map_err(|error| Answer::new(Status::NotFound).because(&error))?;
        if !environment.export_all && !directory.join("git-daemon-export-ok").exists() {
            return Err(Answer::new(Status::NotFound));
        }
        let repository = BareRepository::open(&directory, &environment.caller);
        let repository =
            repository.map_err(|error| Answer::new(Status::ServerError).because(&error))?;
        Ok(Self {
            environment,
            route,
            repository,
        })
    }

    /// Whether the configuration and the user allow the service.
    fn allows(&self, service: Service) -> bool {
        let http = &self.repository.settings().http;
        match service {
            Service::UploadPack => http.upload_pack,
            Service::ReceivePack => http
                .receive_pack
                .unwrap_or(!self.environment.remote_user.is_empty()),
        }
    }

    fn version(&self) -> ProtocolVersion {
        ProtocolVersion::from_header(&self.environment.git_protocol)
    }

    async fn advertise<W: AsyncWrite + Unpin>(
        &self,
        name: &str,
        output: W,
    ) -> Result<(), CommandError> {
        let service = Service::from_name(name).filter(|service| self.allows(*service));
        let Some(service) = service else {
            return Ok(Answer::new(Status::Forbidden).write(output).await?);
        };
        let call = ServiceCall {
            service,
            version: self.version(),
            phase: Phase::Advertise(Transport::Http),
        };
        let answer = Answer::smart(service.advertisement_content_type());
        self.run(call, tokio::io::empty(), answer, output).await
    }

    async fn serve<R, W>(&self, service: Service, input: R, output: W) -> Result<(), CommandError>
    where
        R: AsyncRead + Unpin + Send,
        W: AsyncWrite + Unpin,
    {
        if !self.allows(service) {
            return Ok(Answer::new(Status::Forbidden).write(output).await?);
        }
        if self.environment.content_type != service.request_content_type() {
            return Ok(Answer::new(Status::UnsupportedMediaType)
                .write(output)
                .await?);
        }
        let call = ServiceCall {
            service,
            version: self.version(),
            phase: Phase::Serve(Mode::Stateless),
        };
        let answer = Answer::smart(service.result_content_type());
        // A web server need not close the pipe after the body.
        let input = input.take(self.environment.content_length.unwrap_or(u64::MAX));
        match self.environment.content_encoding.as_str() {
            "gzip" | "x-gzip" => {
                let limit = MAX_UNPACKED_BYTES + self.largest_pack(service);
                self.run(call, Gunzip::new(input, limit), answer, output)
                    .await
            }
            _ => self.run(call, input, answer, output).await,
        }
    }

    fn largest_pack(&self, service: Service) -> u64 {
        match service {
            Service::UploadPack => 0,
            Service::ReceivePack => {
                self.repository
                    .policy(self.version())
                    .receive
                    .max_pack_bytes
            }
        }
    }

    /// Runs the service; the headers go out with its first byte, so that an
    /// error before that is a status.
    async fn run<R, W>(
        &self,
        call: ServiceCall,
        input: R,
        answer: Answer,
        mut output: W,
    ) -> Result<(), CommandError>
    where
        R: AsyncRead + Unpin + Send,
        W: AsyncWrite + Unpin,
    {
        let (sender, receiver) = Output::channel();
        let headers = answer.headers();
        let (served, written) = tokio::join!(
            call.run(&self.repository, input, sender),
            write_with_headers(headers, receiver, &mut output),
        );
        match (served, written?) {
            (served, true) => Ok(served?),
            (Ok(()), false) => Ok(answer.write(output).await?),
            (Err(error), false) => {
                Answer::new(status_of(&error)).write(output).await?;
                Err(error.into())
            }
        }
    }

    async fn dumb<W: AsyncWrite + Unpin>(&self, output: W) -> Result<(), CommandError> {
        if !self.repository.settings().http.get_any_file {
            return Ok(Answer::new(Status::Forbidden).write(output).await?);
        }
        let answer = dumb::answer(&self.repository, &self.route).await?;
        Ok(answer.write(output).await?)
    }
}

/// Writes headers and body once the body begins; says whether it did.
async fn write_with_headers<W: AsyncWrite + Unpin>(
    headers: String,
    mut receiver: mpsc::Receiver<Bytes>,
    output: &mut W,
) -> io::Result<bool> {
    let Some(first) = receiver.recv().await else {
        return Ok(false);
    };
    output.write_all(headers.as_bytes()).await?;
    output.write_all(&first).await?;
    pour(receiver, output).await?;
    Ok(true)
}

fn status_of(error: &ServeError) -> Status {
    match error {
        ServeError::Refused(_) | ServeError::Input(_) => Status::BadRequest,
        ServeError::Repository(RepositoryError::Unavailable { .. }) => Status::Unavailable,
        _ => Status::ServerError,
    }
}
