//! `./dev s3`: what speaks S3, against a real server.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::run::cargo;
use crate::setup;

/// What is installed; the tests find it there.
const SERVER: &str = "moto[server]==5.2.1";
const TRIES: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// Ends the server with the chore.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Installs a server, and runs the tests of objects, of the cold tier and of backups.
pub(crate) fn s3(_: &[String]) -> Result<(), String> {
    setup::all()?;
    let program = install()?;
    cargo(&["test", "--locked", "--package", "objects"])?;
    let cold = [
        "test",
        "--locked",
        "--package",
        "storage-node-server",
        "--test",
        "it",
    ];
    cargo(&[&cold[..], &["cold::"]].concat())?;
    let (_running, port) = start(&program)?;
    let endpoint = format!("http://127.0.0.1:{port}");
    let bucket = Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "-X", "PUT"])
        .args([
            "-H",
            "Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request",
        ])
        .arg(format!("{endpoint}/backups"))
        .stdout(Stdio::null())
        .status();
    if !bucket.is_ok_and(|status| status.success()) {
        return Err("make a bucket: the server refused".to_owned());
    }
    let place = format!(
        "s3://backups endpoint={endpoint} allow_http=true region=us-east-1 access_key_id=test \
         secret_access_key=test"
    );
    let status = Command::new("cargo")
        .args(["test", "--locked", "--package", "backup", "--test", "it"])
        .env("BACKUP_TEST_BUCKET", place)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err("backups do not work against the server".to_owned()),
    }
}

fn install() -> Result<PathBuf, String> {
    let home = std::env::var("HOME").map_err(|_| "HOME is not set".to_owned())?;
    let place = Path::new(&home).join(".cache/devflow/s3");
    let program = place.join("bin/moto_server");
    if program.exists() {
        return Ok(program);
    }
    println!("dev: installing {SERVER} in {}", place.display());
    let run = |program: &Path, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            _ => Err(format!(
                "`{} {}` failed: it takes Debian's python3-venv, and a way to PyPI",
                program.display(),
                arguments.join(" ")
            )),
        }
    };
    run(
        Path::new("python3"),
        &["-m", "venv", &place.to_string_lossy()],
    )?;
    run(&place.join("bin/pip"), &["install", "--quiet", SERVER])?;
    Ok(program)
}

fn start(program: &Path) -> Result<(Running, u16), String> {
    let free = TcpListener::bind("127.0.0.1:0").map_err(|error| format!("find a port: {error}"))?;
    let port = free
        .local_addr()
        .map_err(|error| format!("find a port: {error}"))?
        .port();
    drop(free);
    let child = Command::new(program)
        .args(["-H", "127.0.0.1", "-p", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("run {}: {error}", program.display()))?;
    let running = Running(child);
    for _ in 0..TRIES {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok((running, port));
        }
        std::thread::sleep(PAUSE);
    }
    Err("the S3 server does not answer".to_owned())
}
