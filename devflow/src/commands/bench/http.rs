use std::time::Duration;

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How long a connection may take to come about.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// The most bytes of an answer that is read whole.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// A server that speaks HTTP, and who asks it.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// Host and port, as in the URL.
    pub(super) authority: String,
    authorization: Option<HeaderValue>,
}

/// One connection, made when it is needed and again after it broke.
#[derive(Debug)]
pub(super) struct Connection {
    site: Site,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// What is asked beside the path.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) content_type: &'static str,
    /// `version=2` where git's protocol is spoken in it.
    pub(super) git_protocol: Option<&'static str>,
}

impl Site {
    /// The server of a URL such as `http://127.0.0.1:3000`.
    pub(super) fn of(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url:?} is no URL"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => bail!(
                "{url}: https is not spoken here; give the http address of a frontend, behind whatever ends TLS for it"
            ),
            _ => bail!("{url}: a URL such as http://127.0.0.1:3000 is needed"),
        }
        let host = uri.host().with_context(|| format!("{url} names no host"))?;
        ensure!(
            uri.path() == "/" && uri.query().is_none(),
            "{url}: give the address of the server alone, without a path"
        );
        let port = uri.port_u16().unwrap_or(80);
        Ok(Self {
            authority: format!("{host}:{port}"),
            authorization: None,
        })
    }

    /// The same, asked by somebody with a token.
    pub(super) fn with_token(&self, token: &str) -> anyhow::Result<Self> {
        self.authorized(format!("token {token}"))
    }

    /// The same, asked by somebody with a password.
    pub(super) fn with_password(&self, user: &str, password: &str) -> anyhow::Result<Self> {
        let both = STANDARD.encode(format!("{user}:{password}"));
        self.authorized(format!("Basic {both}"))
    }

    fn authorized(&self, text: String) -> anyhow::Result<Self> {
        let mut value = HeaderValue::try_from(text)
            .ok()
            .context("the token or password holds characters that no header may")?;
        value.set_sensitive(true);
        Ok(Self {
            authority: self.authority.clone(),
            authorization: Some(value),
        })
    }

    /// A connection that is not made yet.
    pub(super) fn connection(&self) -> Connection {
        Connection {
            site: self.clone(),
            sender: None,
        }
    }
}

impl Connection {
    /// Sends a request; its answer's body is still to be read. A connection that
    /// the server has closed meanwhile is made again, before anything is sent.
    pub(super) async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Body,
    ) -> anyhow::Result<http::Response<Incoming>> {
        let mut kept = self.sender.take();
        if let Some(sender) = &mut kept
            && sender.ready().await.is_err()
        {
            kept = None;
        }
        let mut sender = match kept {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.site.authority)
            .header(header::USER_AGENT, "devflow-bench/1");
        if !body.content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, body.content_type);
        }
        if let Some(version) = body.git_protocol {
            request = request.header("git-protocol", version);
        }
        if let Some(authorization) = &self.site.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body.bytes))?;
        let answer = sender.send_request(request).await;
        let answer = answer.context("the connection broke before an answer")?;
        self.sender = Some(sender);
        Ok(answer)
    }

    /// Sends a request and reads its whole answer.
    pub(super) async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Body,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let answer = self.send(method, path, body).await?;
        let status = answer.status();
        let limited = http_body_util::Limited::new(answer.into_body(), MAX_ANSWER_BYTES);
        match limited.collect().await {
            Ok(whole) => Ok((status, whole.to_bytes())),
            Err(error) => {
                self.sender = None;
                bail!("the answer to {path} broke off: {error}")
            }
        }
    }

    /// Closes it, so that the next request begins with a new one.
    pub(super) fn close(&mut self) {
        self.sender = None;
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let authority = &self.site.authority;
        let connect = TcpStream::connect(authority);
        let stream = tokio::time::timeout(CONNECT_DEADLINE, connect)
            .await
            .with_context(|| format!("{authority} did not take the connection in time"))?
            .with_context(|| format!("connect to {authority}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .with_context(|| format!("speak HTTP to {authority}"))?;
        // Its errors reach whoever waits for an answer.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::Site;

    #[test]
    fn only_addresses_of_servers_are_taken() {
        assert_eq!(
            Site::of("http://localhost").unwrap().authority,
            "localhost:80"
        );
        assert_eq!(
            Site::of("http://[::1]:3000/").unwrap().authority,
            "[::1]:3000"
        );
        for (url, part) in [
            ("https://forge.example", "https is not spoken"),
            ("http://forge.example/somebody", "without a path"),
            ("ftp://forge.example", "http://127.0.0.1:3000"),
            ("localhost", "http://127.0.0.1:3000"),
            ("", "is no URL"),
        ] {
            let error = format!("{:#}", Site::of(url).unwrap_err());
            assert!(error.contains(part), "{url}: {error}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let site = Site::of("http://localhost").unwrap();
        let site = site.with_token("swordfish").unwrap();
        assert!(!format!("{site:?}").contains("swordfish"));
        assert!(site.with_token("a\nb").is_err());
    }
}
