use serde::{Deserialize, Serialize};
use storage_node_api::RequestId;
use storage_node_api::order::Reply;

use super::{Family, Key, Parts};

/// Where the answer to a request is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestKey(pub(crate) RequestId);

/// A remembered answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    /// Its place in the order of forgetting.
    pub(crate) order: u64,
    pub(crate) reply: Reply,
}

/// The order in which requests are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestOrderKey(pub(crate) u64);

impl Key for RequestKey {
    const FAMILY: Family = Family::Request;
    type Value = Remembered;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.0.0);
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        parts.array().map(RequestId).map(Self)
    }
}

impl Key for RequestOrderKey {
    const FAMILY: Family = Family::RequestOrder;
    type Value = RequestId;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.0.to_be_bytes());
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        parts.u64().map(Self)
    }
}
