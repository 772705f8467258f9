use bytes::BytesMut;
use git_id::{HashKind, ObjectId};

use crate::error::{ProtocolError, shown};
use crate::pkt::put_line;

/// The arguments of `object-info`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Say how large each object is.
    pub size: bool,
    /// The objects, in the client's order; may repeat.
    pub ids: Vec<ObjectId>,
}

impl ObjectInfo {
    pub(super) fn take(&mut self, line: &[u8], hash: HashKind) -> Result<(), ProtocolError> {
        if line == b"size" {
            self.size = true;
            return Ok(());
        }
        let unexpected = || ProtocolError::UnexpectedLine { line: shown(line) };
        let hex = line.strip_prefix(b"oid ").ok_or_else(unexpected)?;
        match ObjectId::from_hex(hex) {
            Ok(id) if id.kind() == hash => self.ids.push(id),
            _ => return Err(ProtocolError::ExpectedObjectId { line: shown(line) }),
        }
        Ok(())
    }
}

/// Appends which facts follow for each object.
pub fn put_object_info_header(out: &mut BytesMut, arguments: &ObjectInfo) {
    if arguments.size {
        put_line(out, format_args!("size"));
    }
}

/// Appends an object's facts; `size` is `None` for one that is not there. A
/// flush packet ends the list.
pub fn put_object_info(
    out: &mut BytesMut,
    arguments: &ObjectInfo,
    id: &ObjectId,
    size: Option<u64>,
) {
    match (arguments.size, size) {
        (false, _) => put_line(out, format_args!("{id}")),
        (true, Some(size)) => put_line(out, format_args!("{id} {size}")),
        (true, None) => put_line(out, format_args!("{id} ")),
    }
}
