//! The client over scripted nodes, on a clock that the tests move.

mod fake;
mod get;
mod in_place;
mod map;
mod propose;
mod put;
mod read;
mod world;
