//! Protocol v2 (gitprotocol-v2(5)): a request names a command, capabilities and
//! arguments; a connection carries any number of requests, HTTP one.

mod fetch;
mod ls_refs;
mod object_info;
mod request;
mod section;

pub use fetch::{
    Fetch, Negotiated, put_acknowledgments, put_packfile_header, put_shallow_info, put_wanted_refs,
};
pub use ls_refs::{LsRefs, RefLine, put_ref, put_unborn_head};
pub use object_info::{ObjectInfo, put_object_info, put_object_info_header};
pub use request::{Command, Request, RequestParser};
pub use section::Sections;
