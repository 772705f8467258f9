//! `devflow git …`: git's server programs over plain bare directories.

use std::error::Error;
use std::process::ExitCode;

use git_serve::bare::Caller;
use git_serve::cgi::{CgiEnvironment, http_backend};
use git_serve::stdio::{Arguments, receive_pack_command, upload_pack_command};
use tokio::io::{stdin, stdout};

use crate::cli::GitCommand;

/// What git's own programs answer when they fail.
const FATAL: u8 = 128;

/// Runs one of the programs; git reads its exit status and standard error.
pub(crate) fn run(command: GitCommand) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fatal(&error),
    };
    let outcome = runtime.block_on(serve(command));
    // A read from standard input may still be waiting for the client.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fatal(&*error),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "git passes the protocol and CGI its request here"
)]
async fn serve(command: GitCommand) -> Result<(), Box<dyn Error>> {
    let protocol = std::env::var("GIT_PROTOCOL").unwrap_or_default();
    let caller = || Caller::from_variables(|name| std::env::var(name).ok());
    match command {
        GitCommand::UploadPack(passed) => {
            let mut arguments = Arguments::parse(passed.arguments)?;
            arguments.caller = caller();
            upload_pack_command(&arguments, &protocol, stdin(), stdout()).await?;
        }
        GitCommand::ReceivePack(passed) => {
            let mut arguments = Arguments::parse(passed.arguments)?;
            arguments.caller = caller();
            receive_pack_command(&arguments, &protocol, stdin(), stdout()).await?;
        }
        GitCommand::HttpBackend => {
            let environment = CgiEnvironment::from_variables(|name| std::env::var(name).ok());
            http_backend(&environment, stdin(), stdout()).await?;
        }
    }
    Ok(())
}

fn fatal(error: &dyn Error) -> ExitCode {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    eprintln!("fatal: {text}");
    ExitCode::from(FATAL)
}
