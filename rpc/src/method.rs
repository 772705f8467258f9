//! Which method is called.

use crate::frame;
use crate::limits::FRAME_BYTES;

/// One method of a gRPC service, in its two forms. The paths are part of the protocol between
/// releases.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// The path of the unary form: one call, one answer.
    pub unary: &'static str,
    /// The path of the stream that calls share.
    pub shared: &'static str,
    /// Most bytes of a call.
    pub max_call: usize,
    /// Most bytes of an answer.
    pub max_answer: usize,
}

impl Method {
    /// Most bytes of a frame of answers: full, and the longest one on top.
    pub(crate) fn max_answer_frame(&self) -> usize {
        FRAME_BYTES + frame::OVERHEAD + self.max_answer
    }
}
