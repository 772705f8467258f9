//! A web server that knows just enough HTTP/1.1 for git and hands each request to
//! the CGI backend in this process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use git_serve::cgi::{CgiEnvironment, http_backend};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

pub(crate) struct HttpServer {
    port: u16,
    runtime: Option<Runtime>,
}

impl HttpServer {
    pub(crate) fn start(root: &Path) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let root = root.to_path_buf();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let root = root.clone();
                tokio::spawn(async move { drop(answer(stream, root).await) });
            }
        });
        Self {
            port,
            runtime: Some(runtime),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

async fn answer(stream: TcpStream, root: PathBuf) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await?;
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let body = read_body(&headers, &mut stream).await?;
    let mut words = request.split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    let environment = CgiEnvironment {
        request_method: method.to_owned(),
        path_info: path.to_owned(),
        git_project_root: root.to_str().unwrap().to_owned(),
        export_all: true,
        query_string: query.to_owned(),
        content_type: header("content-type"),
        content_length: Some(body.len() as u64),
        content_encoding: header("content-encoding"),
        git_protocol: header("git-protocol"),
        remote_user: "tester".to_owned(),
        server_protocol: "HTTP/1.1".to_owned(),
        ..CgiEnvironment::default()
    };
    let mut response = Vec::new();
    // A failure after the first byte shows as a cut-off answer.
    let served = http_backend(&environment, &body[..], &mut response).await;
    let end = response
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let cgi = String::from_utf8_lossy(&response[..end]).into_owned();
    let status = cgi
        .lines()
        .find_map(|line| line.strip_prefix("Status: "))
        .unwrap_or("200 OK");
    let length = response.len() - end - 4 + usize::from(served.is_err());
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut rest: Vec<u8> = Vec::new();
    for line in cgi
        .lines()
        .filter(|line| !line.starts_with("Content-Length"))
    {
        rest.extend_from_slice(format!("{line}\r\n").as_bytes());
    }
    rest.extend_from_slice(&response[end + 2..]);
    stream.write_all(&rest).await?;
    stream.shutdown().await
}

async fn read_body<R: AsyncBufRead + Unpin>(
    headers: &HashMap<String, String>,
    stream: &mut R,
) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if headers
        .get("transfer-encoding")
        .is_some_and(|encoding| encoding == "chunked")
    {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let size = u64::from_str_radix(line.trim_end(), 16).unwrap_or(0);
            (&mut *stream).take(size).read_to_end(&mut body).await?;
            stream.read_line(&mut line).await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    stream.take(length).read_to_end(&mut body).await?;
    Ok(body)
}
