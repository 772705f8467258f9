use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;

/// How long curl tries to connect, in seconds.
const CONNECT: &str = "3";
/// How long it waits for all of an answer, in seconds.
const WHOLE: &str = "15";

/// A frontend as clients reach it, by curl.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// Its name in the history.
    pub(crate) name: String,
    /// Its address, such as `http://10.77.0.4:3000`.
    pub(crate) base: String,
    /// `name:password`.
    pub(crate) credentials: String,
    /// A cache that answers reads with what it once saw: a bug put back.
    pub(crate) stale: Option<Stale>,
}

/// By request, when it was answered and how.
pub(crate) type Held = HashMap<Vec<u8>, (Instant, Answer)>;

/// A cache that does not ask whether what it holds is still so.
#[derive(Clone, Debug)]
pub(crate) struct Stale {
    /// How long it believes what it holds.
    pub(crate) keep: Duration,
    pub(crate) held: Arc<Mutex<Held>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The HTTP status; 0 if there was no whole answer.
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Whether the server can have seen the request.
    pub(crate) sent: bool,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
    /// Whether it changes nothing.
    pub(crate) reads: bool,
}

impl Answer {
    /// Its body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Door {
    /// Sends a request and waits for the answer.
    pub(crate) fn send(&self, request: &Request) -> anyhow::Result<Answer> {
        let Some(stale) = self.stale.as_ref().filter(|_| request.reads) else {
            return self.send_by_curl(request);
        };
        let key = [request.path.as_bytes(), &request.body].concat();
        let held = || stale.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, answer)) = held().get(&key)
            && when.elapsed() < stale.keep
        {
            return Ok(answer.clone());
        }
        let answer = self.send_by_curl(request)?;
        held().insert(key, (Instant::now(), answer.clone()));
        Ok(answer)
    }

    fn send_by_curl(&self, request: &Request) -> anyhow::Result<Answer> {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--connect-timeout",
            CONNECT,
            "--max-time",
            WHOLE,
        ])
        .args(["--user", &self.credentials, "--request", request.method])
        .args(["--write-out", "\n%{http_code} %{time_connect}"]);
        for header in &request.headers {
            curl.args(["--header", header]);
        }
        if !request.body.is_empty() {
            curl.args(["--data-binary", "@-"]);
        }
        let mut child = curl
            .arg(format!("{}{}", self.base, request.path))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("run curl")?;
        let mut input = child.stdin.take().context("standard input is piped")?;
        // It may end before it has read all.
        drop(input.write_all(&request.body));
        drop(input);
        let output = child.wait_with_output()?;
        let end = output.stdout.iter().rposition(|&byte| byte == b'\n');
        let (body, last) = output.stdout.split_at(end.unwrap_or(0));
        let last = String::from_utf8_lossy(last);
        let mut words = last.split_whitespace();
        let status = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let connected: f64 = words
            .next()
            .and_then(|word| word.parse().ok())
            .unwrap_or(1.0);
        Ok(Answer {
            status: if output.status.success() { status } else { 0 },
            body: body.to_vec(),
            sent: connected > 0.0,
        })
    }
}
