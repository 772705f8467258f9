//! The services against real git, over pipes and over HTTP.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod answers;
mod bad_fetches;
mod bad_input;
mod differential;
mod directory;
mod dumb_http;
mod fetch;
mod http_server;
mod maintain;
mod partial;
mod push;
mod sandbox;
mod shallow;
mod v2_commands;
mod wire_client;
