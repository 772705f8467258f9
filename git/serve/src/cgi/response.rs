use std::error::Error;
use std::fmt::Write;
use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// The statuses that a backend answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    BadRequest,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    UnsupportedMediaType,
    ServerError,
    Unavailable,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::Forbidden => "403 Forbidden",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::UnsupportedMediaType => "415 Unsupported Media Type",
            Self::ServerError => "500 Internal Server Error",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

/// Whether an answer may be kept by caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caching {
    /// Refs and services.
    Never,
    /// Objects, whose names are hashes of their content.
    Forever,
}

/// An answer whose body is known.
pub(super) struct Answer {
    status: Status,
    caching: Caching,
    content_type: Option<&'static str>,
    allow: Option<&'static str>,
    body: Body,
}

/// An answer's body.
pub(super) enum Body {
    Text(Bytes),
    File {
        file: Box<tokio::fs::File>,
        bytes: u64,
    },
}

impl Answer {
    /// An answer that is a status alone.
    pub(super) fn new(status: Status) -> Self {
        Self {
            status,
            caching: Caching::Never,
            content_type: None,
            allow: None,
            body: Body::Text(Bytes::new()),
        }
    }

    /// The head of a service's answer.
    pub(super) fn smart(content_type: &'static str) -> Self {
        Self {
            content_type: Some(content_type),
            ..Self::new(Status::Ok)
        }
    }

    /// A file or a text.
    pub(super) fn content(content_type: &'static str, caching: Caching, body: Body) -> Self {
        Self {
            caching,
            body,
            ..Self::smart(content_type)
        }
    }

    /// A method that the path does not have.
    pub(super) fn wrong_method(right: &'static str, protocol: &str) -> Self {
        if protocol != "HTTP/1.1" {
            return Self::new(Status::BadRequest);
        }
        let allow = if right == "GET" { "GET, HEAD" } else { right };
        Self {
            allow: Some(allow),
            ..Self::new(Status::MethodNotAllowed)
        }
    }

    /// Notes in the log why.
    pub(super) fn because(self, error: &dyn Error) -> Self {
        tracing::info!(%error, status = self.status.line(), "refuse a request");
        self
    }

    /// The header block with its empty line; no length, since it may come before
    /// a body that is still being made.
    pub(super) fn headers(&self) -> String {
        let mut headers = String::new();
        if self.status != Status::Ok {
            put(&mut headers, "Status", self.status.line());
        }
        match self.caching {
            Caching::Never => {
                put(&mut headers, "Expires", "Fri, 01 Jan 1980 00:00:00 GMT");
                put(&mut headers, "Pragma", "no-cache");
                put(
                    &mut headers,
                    "Cache-Control",
                    "no-cache, max-age=0, must-revalidate",
                );
            }
            Caching::Forever => put(&mut headers, "Cache-Control", "public, max-age=31536000"),
        }
        if let Some(allow) = self.allow {
            put(&mut headers, "Allow", allow);
        }
        if let Some(content_type) = self.content_type {
            put(&mut headers, "Content-Type", content_type);
        }
        if let Body::File { bytes, .. } = &self.body {
            put(&mut headers, "Content-Length", &bytes.to_string());
        }
        headers.push_str("\r\n");
        headers
    }

    /// Writes the whole answer.
    pub(super) async fn write<W: AsyncWrite + Unpin>(self, mut output: W) -> io::Result<()> {
        output.write_all(self.headers().as_bytes()).await?;
        match self.body {
            Body::Text(text) => output.write_all(&text).await?,
            Body::File { file, bytes } => copy(file, bytes, &mut output).await?,
        }
        output.flush().await
    }
}

async fn copy<R, W>(file: R, bytes: u64, output: &mut W) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    use tokio::io::AsyncReadExt;
    tokio::io::copy(&mut file.take(bytes), output)
        .await
        .map(drop)
}

fn put(headers: &mut String, name: &str, value: &str) {
    write!(headers, "{name}: {value}\r\n").expect("writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use super::{Answer, Status};

    #[test]
    fn headers_forbid_caching_and_name_the_status() {
        let headers = Answer::new(Status::NotFound).headers();
        assert!(headers.starts_with("Status: 404 Not Found\r\nExpires: Fri, 01 Jan 1980"));
        assert!(headers.ends_with("Cache-Control: no-cache, max-age=0, must-revalidate\r\n\r\n"));
        let headers = Answer::wrong_method("GET", "HTTP/1.1").headers();
        assert!(headers.contains("Status: 405 Method Not Allowed\r\n"));
        assert!(headers.contains("Allow: GET, HEAD\r\n"));
        assert!(
            Answer::wrong_method("POST", "HTTP/1.0")
                .headers()
                .contains("400 Bad Request")
        );
    }
}
