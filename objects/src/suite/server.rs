use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How often it is tried whether the server answers, and how long in between.
const TRIES: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// moto's S3 server, for as long as a test runs. Panics where a test may.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// What a test says that found none.
    pub const NONE: &str = "NOT TESTED: there is no S3 server here. `./dev s3` installs one, and so \
                            does `pip install 'moto[server]'`";

    /// Starts one, which lets everybody in; nothing if there is none.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts one that knows no credentials, and asks for them from the second request on.
    pub fn start_strict() -> Option<Self> {
        Self::start_with(&[("INITIAL_NO_AUTH_ACTION_COUNT", "1")])
    }

    fn start_with(variables: &[(&str, &str)]) -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").ok()?;
        let port = free.local_addr().ok()?.port();
        drop(free);
        let child = programs().into_iter().find_map(|program| {
            let mut command = Command::new(program);
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.envs(variables.iter().copied());
            command.spawn().ok()
        })?;
        let mut server = Self { child, port };
        for _ in 0..TRIES {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(server);
            }
            if server.child.try_wait().ok()?.is_some() {
                return None;
            }
            std::thread::sleep(PAUSE);
        }
        None
    }

    /// What a client of it needs.
    pub fn options(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        [
            ("endpoint", endpoint.as_str()),
            ("allow_http", "true"),
            ("region", "us-east-1"),
            ("access_key_id", "test"),
            ("secret_access_key", "test"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Makes a bucket.
    ///
    /// # Panics
    /// If the server does not.
    pub fn make_bucket(&self, name: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connect");
        let request = format!(
            "PUT /{name} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("ask");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains(" 200 "), "{answer}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where the server may be: on the path, or where `./dev s3` has put it.
fn programs() -> Vec<PathBuf> {
    let mut programs = vec![PathBuf::from("moto_server")];
    let mut variables = std::env::vars_os();
    if let Some((_, home)) = variables.find(|(name, _)| name == "HOME") {
        programs.push(PathBuf::from(home).join(".cache/devflow/s3/bin/moto_server"));
    }
    programs
}
