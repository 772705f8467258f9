use bytes::BytesMut;
use git_wire::pkt::put_flush;
use git_wire::v2::{ObjectInfo, put_object_info, put_object_info_header};

use super::view::View;
use super::wants::refused;
use crate::packets::READ_BYTES;
use crate::{Output, ServeError};

/// Answers `object-info`; blocks. What the client may not have is answered as
/// if it were not there.
pub(super) fn object_info(
    view: &View,
    arguments: &ObjectInfo,
    output: &Output,
) -> Result<(), ServeError> {
    let refused = refused(view, &arguments.ids)?;
    let mut out = BytesMut::new();
    put_object_info_header(&mut out, arguments);
    for id in &arguments.ids {
        let size = match refused.contains(id) {
            true => None,
            false => view.objects.header(id)?.map(|header| header.size),
        };
        put_object_info(&mut out, arguments, id, size);
        if out.len() >= READ_BYTES {
            output.blocking_send(out.split().freeze())?;
        }
    }
    put_flush(&mut out);
    output.blocking_send(out.freeze())
}
