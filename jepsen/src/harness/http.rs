use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{ADMINISTRATOR, PASSWORD};

/// HTTP as its users send it: through curl.
#[derive(Clone, Debug)]
pub struct Http {
    base: String,
    credentials: Option<String>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status; 0 if there was no answer.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Http {
    /// Requests to this base URL, by the administrator.
    pub fn new(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            credentials: Some(format!("{ADMINISTRATOR}:{PASSWORD}")),
        }
    }

    /// The same requests by nobody.
    pub fn anonymous(&self) -> Self {
        Self {
            base: self.base.clone(),
            credentials: None,
        }
    }

    /// The same requests by someone else.
    pub fn as_user(&self, name: &str, password: &str) -> Self {
        Self {
            base: self.base.clone(),
            credentials: Some(format!("{name}:{password}")),
        }
    }

    /// Sends one request, with a JSON body if there is one.
    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--max-time",
            "60",
            "--path-as-is",
        ]);
        curl.args(["--request", method, "--write-out", "\n%{http_code}"]);
        if let Some(credentials) = &self.credentials {
            curl.args(["--user", credentials]);
        }
        if body.is_some() {
            curl.args([
                "--header",
                "content-type: application/json",
                "--data-binary",
                "@-",
            ]);
        }
        curl.arg(format!("{}{path}", self.base));
        let mut child = curl
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("run curl")?;
        let mut input = child.stdin.take().context("standard input is piped")?;
        if let Some(body) = body {
            input.write_all(body.to_string().as_bytes())?;
        }
        drop(input);
        let output = child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').unwrap_or(("", "0"));
        Ok(Answer {
            status: status.parse().unwrap_or(0),
            body: body.to_owned(),
        })
    }

    /// Sends a request that must succeed, and parses the answer.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let answer = self.send(method, path, body)?;
        ensure!(
            (200..300).contains(&answer.status),
            "{method} {path}: {} {}",
            answer.status,
            answer.body
        );
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&answer.body)
            .with_context(|| format!("{method} {path}: {}", answer.body))
    }
}
