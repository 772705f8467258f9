use storage_node_api::metadata::Value;

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: u64,
}

/// Which page of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// At most this many items.
    pub limit: u32,
    /// After this many.
    pub offset: u64,
}

impl Slice {
    /// The parameters for `LIMIT` and `OFFSET`.
    pub(crate) fn params(self) -> [Value; 2] {
        let offset = i64::try_from(self.offset).unwrap_or(i64::MAX);
        [self.limit.into(), offset.into()]
    }
}
