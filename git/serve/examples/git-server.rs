//! The commands of `git_serve::stdio` and `git_serve::cgi` as a program, so that
//! git can be pointed at them: `git-server upload-pack|receive-pack DIR`, and
//! `git-server http-backend` as a CGI program.

#![expect(clippy::disallowed_methods, reason = "a program reads its environment")]

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

use git_serve::bare::Caller;
use git_serve::cgi::{CgiEnvironment, http_backend};
use git_serve::stdio::{Arguments, receive_pack_command, upload_pack_command};
use tokio::io::{stdin, stdout};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be started");
    let code = match runtime.block_on(run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            eprintln!("fatal: {text}");
            ExitCode::from(128)
        }
    };
    // A read from standard input may still be waiting for the client.
    runtime.shutdown_background();
    code
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args_os().skip(1);
    let command = words
        .next()
        .ok_or("usage: git-server upload-pack|receive-pack|http-backend")?;
    let protocol = std::env::var("GIT_PROTOCOL").unwrap_or_default();
    match command.to_str() {
        Some("upload-pack") => {
            let arguments = arguments(words)?;
            Ok(upload_pack_command(&arguments, &protocol, stdin(), stdout()).await?)
        }
        Some("receive-pack") => {
            let arguments = arguments(words)?;
            Ok(receive_pack_command(&arguments, &protocol, stdin(), stdout()).await?)
        }
        Some("http-backend") => {
            let environment = CgiEnvironment::from_variables(|name| std::env::var(name).ok());
            Ok(http_backend(&environment, stdin(), stdout()).await?)
        }
        _ => Err("no such command".into()),
    }
}

fn arguments(words: impl Iterator<Item = OsString>) -> Result<Arguments, Box<dyn Error>> {
    let mut arguments = Arguments::parse(words)?;
    arguments.caller = Caller::from_variables(|name| std::env::var(name).ok());
    Ok(arguments)
}
