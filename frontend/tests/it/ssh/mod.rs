//! SSH, with the real clients: git, ssh and ssh-keygen.

mod access;
mod bad_input;
mod certificates;
mod client;
mod clone_and_push;
mod keys;
mod server;
mod sha256;
