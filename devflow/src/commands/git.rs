//! `devflow git …`: git's server programs over plain bare directories.

use std::error::Error;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use git_pack::{Consolidate, DeltaOptions, Islands, MaintainOptions, NoProgress};
use git_serve::bare::{BareRepository, Caller, find};
use git_serve::cgi::{CgiEnvironment, http_backend};
use git_serve::stdio::{Arguments, receive_pack_command, upload_pack_command};
use tokio::io::{stdin, stdout};

use crate::cli::{GitCommand, MaintainArguments};

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
    let caller = || Caller {
        session_id: Some(session_id()),
        ..Caller::from_variables(|name| std::env::var(name).ok())
    };
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
        GitCommand::Maintain(arguments) => {
            tokio::task::spawn_blocking(move || maintain(&arguments))
                .await?
                .map_err(|error| error as Box<dyn Error>)?;
        }
        GitCommand::HttpBackend => {
            let mut environment = CgiEnvironment::from_variables(|name| std::env::var(name).ok());
            environment.caller.session_id = Some(session_id());
            http_backend(&environment, stdin(), stdout()).await?;
        }
    }
    Ok(())
}

/// Names this process in the logs of both sides: when it started, and its number.
#[expect(
    clippy::disallowed_methods,
    reason = "a program that lives for one request has no clock to take"
)]
fn session_id() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since.map_or(0, |since| since.as_micros());
    format!("{micros:x}-{:x}", std::process::id())
}

/// Does all that there is to do, and says what that was.
fn maintain(arguments: &MaintainArguments) -> Result<(), Box<dyn Error + Send + Sync>> {
    let machine = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = arguments.threads.unwrap_or_else(machine).max(1);
    let options = MaintainOptions {
        consolidate: match arguments.all {
            true => Consolidate::All {
                expire_before: arguments.expire_before,
            },
            false => Consolidate::Geometric {
                factor: arguments.geometric,
            },
        },
        commit_graph: true,
        bitmaps: true,
        deltas: DeltaOptions {
            window: arguments.window,
            depth: arguments.depth,
            threads,
            ..DeltaOptions::default()
        },
        islands: Islands::default(),
        threads,
    };
    let directory = find(&arguments.directory, false)?;
    let repository = BareRepository::open(&directory, &Caller::default())?;
    let done = repository.maintain(&options, &NoProgress, &AtomicBool::new(false))?;
    match &done.repacked {
        Some(pack) => println!(
            "{} packs and {} loose objects became {}: {} objects, {} bytes, {} of them deltas, {} copied as they were",
            done.replaced.len(),
            done.pruned,
            pack.pack.display(),
            pack.objects,
            pack.bytes,
            pack.deltas,
            pack.reused
        ),
        None => println!("the packs stay as they are"),
    }
    if let Some(cruft) = &done.cruft {
        let path = cruft.pack.display();
        println!("{} objects that no ref reaches: {path}", cruft.objects);
    }
    if done.dropped > 0 {
        println!("{} objects dropped", done.dropped);
    }
    if let Some(commits) = done.commit_graph {
        println!("commit-graph: {commits} commits");
    }
    match (&done.bitmaps, done.no_bitmaps) {
        (Some(path), _) => println!("bitmaps: {}", path.display()),
        (None, Some(reason)) => println!("no bitmaps: {reason}"),
        (None, None) => {}
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
