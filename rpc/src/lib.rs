//! Calls from one node to another over gRPC: many of them on one stream.
//!
//! A unary gRPC call costs a stream of its own, with its headers, its tasks and its writes; for
//! messages of some hundred bytes that is most of what they cost. So short calls share one
//! stream for as long as the connection lasts ([`Line`]), and leave in frames that hold whatever
//! was waiting; the answers come back likewise, in the order in which they are ready. A longer
//! call, and every call to a release that does not know the stream, is a unary call.
//!
//! What it keeps true:
//! - a call is sent at most once; one that got no answer has failed, whatever became of it;
//! - calls that wait, calls that are answered at a time, and messages all have limits, in
//!   [`limits`].
//!
//! Not here: what the bytes mean, who may call (the [`Answering`] side judges by what the server
//! attached to the connection), deadlines (a caller gives up by dropping the future), and trying
//! again.

pub mod limits;

mod answering;
mod codec;
mod frame;
mod line;
mod method;

#[cfg(test)]
mod tests;

pub use answering::{Answering, Conversations, serve};
pub use line::Line;
pub use method::Method;
