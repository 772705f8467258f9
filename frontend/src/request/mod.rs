//! What all requests have in common: an id, a span, an address of who asks and
//! of what was asked for, and a body that comes at a decent pace.

mod base_url;
mod body;
mod observe;
mod peer;
mod pieces;
mod range;

pub(crate) use base_url::BaseUrl;
pub(crate) use body::{BodyError, BodyStream, Fault, read_body, refuse_body};
pub(crate) use observe::{Area, RequestId, observe, security_headers};
pub(crate) use peer::Peer;
pub(crate) use pieces::body_of;
pub(crate) use range::parse_range;
