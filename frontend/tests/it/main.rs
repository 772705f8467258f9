//! A real frontend over the in-memory storage, driven by real git and by plain
//! HTTP.

mod bad_input;
mod cache;
mod clone_and_push;
mod forge;
mod git;
mod http;
mod pages;
mod rest;
