//! receive-pack (gitprotocol-pack(5), "Pushing Data To a Server"): commands, push
//! options and a pack come in, a report goes out. There is no other version of
//! it: v1 only announces itself, and v2 does not have pushes.

mod report;
mod request;

pub use report::{RefStatus, Report, ReportFormat};
pub use request::{Command, MAX_PUSH_OPTIONS, PushRequest, RequestParser};
