use std::io;
use std::net::IpAddr;

use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg};
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use crate::guard::Guard;
use crate::limits::{FAREWELL, SILENCE, SILENCE_OF_PUSH, STALL, VARIABLE_BYTES};
use crate::metrics::CommandLabels;
use crate::server::Inner;
use crate::{Call, Command, Shell, Status, Verb};

/// The number of the stream that people read (RFC 4254, section 5.2).
const STDERR: u32 = 1;

/// Who was let in, and what for.
#[derive(Clone, Debug)]
pub(crate) struct Caller<C> {
    pub(crate) caller: C,
    /// The only command that may be run.
    pub(crate) forced: Option<String>,
}

/// What a session is opened for.
enum Wish {
    Command { line: Vec<u8>, protocol: String },
    Shell,
}

/// One session, from its requests to its end.
pub(crate) async fn serve<S: Shell>(
    server: &Inner<S>,
    handle: &Handle,
    mut channel: Channel<Msg>,
    caller: Caller<S::Caller>,
    address: IpAddr,
    cut: &CancellationToken,
) {
    let id = channel.id();
    let wish = tokio::select! {
        wish = wish(&mut channel) => wish,
        () = server.runtime.clock.sleep(STALL) => None,
        () = cut.cancelled() => None,
    };
    let status = match wish {
        Some(wish) => fulfil(server, &mut channel, caller, wish, address, cut).await,
        None => Status::Refused,
    };
    // Whoever reads these is gone if they cannot be sent.
    let farewell = async {
        handle.exit_status_request(id, status.code()).await?;
        handle.eof(id).await?;
        handle.close(id).await
    };
    tokio::select! {
        _said = farewell => {}
        // What it does not take stands before it; an idle connection is cut.
        () = server.runtime.clock.sleep(FAREWELL) => {}
        () = cut.cancelled() => {}
    }
}

/// What the client asks for: variables, then a command or a shell.
async fn wish(channel: &mut Channel<Msg>) -> Option<Wish> {
    let mut protocol = String::new();
    loop {
        match channel.wait().await? {
            ChannelMsg::SetEnv {
                variable_name,
                variable_value,
                ..
            } if variable_name == "GIT_PROTOCOL" && variable_value.len() <= VARIABLE_BYTES => {
                protocol = variable_value;
            }
            ChannelMsg::Exec { command, .. } => {
                return Some(Wish::Command {
                    line: command,
                    protocol,
                });
            }
            ChannelMsg::RequestShell { .. } => return Some(Wish::Shell),
            ChannelMsg::Data { .. } | ChannelMsg::Eof | ChannelMsg::Close => return None,
            _ => {}
        }
    }
}

async fn fulfil<S: Shell>(
    server: &Inner<S>,
    channel: &mut Channel<Msg>,
    caller: Caller<S::Caller>,
    wish: Wish,
    address: IpAddr,
    cut: &CancellationToken,
) -> Status {
    let runtime = &server.runtime;
    let output = Guard::new(channel.make_writer(), runtime, cut).writing(STALL);
    let complaints = channel.make_writer_ext(Some(STDERR));
    let mut complaints = Guard::new(complaints, runtime, cut).writing(STALL);
    let (line, protocol) = match (wish, caller.forced) {
        (Wish::Command { protocol, .. }, Some(forced)) => (forced.into_bytes(), protocol),
        (Wish::Shell, Some(forced)) => (forced.into_bytes(), String::new()),
        (Wish::Command { line, protocol }, None) => (line, protocol),
        (Wish::Shell, None) => {
            let greeting = server.shell.greeting(&caller.caller);
            return complain(&mut complaints, "shell", &greeting, server).await;
        }
    };
    let command = match Command::parse(&line) {
        Ok(command) => command,
        Err(error) => {
            let greeting = server.shell.greeting(&caller.caller);
            let message = format!("devflow: {error}\n{greeting}");
            return complain(&mut complaints, "other", &message, server).await;
        }
    };
    let name = command.verb.name();
    let silence = match command.verb {
        Verb::ReceivePack => SILENCE_OF_PUSH,
        _ => SILENCE,
    };
    let input = Guard::new(channel.make_reader(), runtime, cut).reading(silence);
    let call = Call {
        caller: caller.caller,
        address,
        command,
        protocol,
        input: Box::new(input),
        output: Box::new(output),
        complaints: Box::new(complaints),
    };
    let status = server.shell.run(call).await;
    count(server, name, status);
    status
}

/// Tells a person why nothing is done.
async fn complain<S: Shell, W: tokio::io::AsyncWrite + Unpin>(
    stream: &mut W,
    command: &'static str,
    message: &str,
    server: &Inner<S>,
) -> Status {
    let said: io::Result<()> = async {
        stream.write_all(message.as_bytes()).await?;
        stream.write_all(b"\n").await
    }
    .await;
    if let Err(error) = said {
        tracing::debug!(%error, "a client did not wait for its answer");
    }
    count(server, command, Status::Refused);
    Status::Refused
}

fn count<S: Shell>(server: &Inner<S>, command: &'static str, status: Status) {
    let labels = CommandLabels {
        command,
        outcome: status.name(),
    };
    server.metrics.commands.get_or_create(&labels).inc();
}
