//! SSH, with the real clients: git, ssh and ssh-keygen.

mod access;
mod archive;
mod bad_input;
mod certificates;
mod client;
mod clone_and_push;
mod keys;
mod lfs;
mod server;
mod sha256;
