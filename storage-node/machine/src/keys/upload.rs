use storage_node_api::UploadId;
use storage_node_api::order::Staged;

use super::{Family, Key, Parts};
use crate::reader::Span;

/// An upload that has staged parts; holds its place in the order of dropping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UploadKey(pub(crate) UploadId);

/// The order in which uploads are dropped when there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UploadOrderKey(pub(crate) u64);

/// One staged part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartKey {
    pub(crate) upload: UploadId,
    pub(crate) part: u32,
}

impl UploadOrderKey {
    /// All of them, oldest first.
    pub(crate) fn all() -> Span {
        Span::prefix(vec![Family::UploadOrder as u8])
    }
}

impl PartKey {
    /// All parts of an upload, in order.
    pub(crate) fn of(upload: UploadId) -> Span {
        let mut prefix = vec![Family::Part as u8];
        prefix.extend(upload.0);
        Span::prefix(prefix)
    }
}

impl Key for UploadKey {
    const FAMILY: Family = Family::Upload;
    type Value = u64;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.0.0);
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        parts.array().map(UploadId).map(Self)
    }
}

impl Key for UploadOrderKey {
    const FAMILY: Family = Family::UploadOrder;
    type Value = UploadId;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.0.to_be_bytes());
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        parts.u64().map(Self)
    }
}

impl Key for PartKey {
    const FAMILY: Family = Family::Part;
    type Value = Staged;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.upload.0);
        out.extend(self.part.to_be_bytes());
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        let upload = parts.array().map(UploadId)?;
        Some(Self {
            upload,
            part: parts.u32()?,
        })
    }
}
