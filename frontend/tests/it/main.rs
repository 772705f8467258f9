//! A real frontend over the in-memory storage, driven by real git and by plain
//! HTTP.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod bad_input;
mod cache;
mod clone_and_push;
mod content;
mod faults;
mod forge;
mod git;
mod http;
mod lfs;
mod maintenance;
mod pages;
mod partial;
mod rest;
mod rounds;
mod ssh;
mod undelete;
