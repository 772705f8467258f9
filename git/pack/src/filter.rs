use crate::Kind;

/// What a partial clone does without (git-rev-list(1), `--filter`). What the client wants by
/// name is sent whatever the filter says, and so is what a tag that it wants names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    blob_limit: Option<u64>,
    depth: Option<u64>,
    only: Option<Only>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Only {
    Kind(Kind),
    /// Two kinds at once were asked for.
    Nothing,
}

impl Filter {
    /// No blobs of that many bytes or more.
    #[must_use]
    pub fn without_blobs_from(mut self, bytes: u64) -> Self {
        self.blob_limit = Some(self.blob_limit.map_or(bytes, |limit| limit.min(bytes)));
        self
    }

    /// No trees and blobs that many steps below a commit or more; a commit's own tree is at 0.
    #[must_use]
    pub fn without_depths_from(mut self, depth: u64) -> Self {
        self.depth = Some(self.depth.map_or(depth, |limit| limit.min(depth)));
        self
    }

    /// Nothing but objects of a kind.
    #[must_use]
    pub fn only(mut self, kind: Kind) -> Self {
        self.only = Some(match self.only {
            Some(only) if only != Only::Kind(kind) => Only::Nothing,
            _ => Only::Kind(kind),
        });
        self
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an object's place in a tree decides about it, so that a walk is needed.
    pub(crate) fn depends_on_place(&self) -> bool {
        self.depth.is_some_and(|depth| depth > 0)
    }

    /// Whether an object of a kind may pass, given its place.
    pub(crate) fn passes(&self, kind: Kind, depth: u64) -> bool {
        let kind_passes = match self.only {
            None => true,
            Some(only) => only == Only::Kind(kind),
        };
        kind_passes
            && match kind {
                Kind::Commit | Kind::Tag => true,
                Kind::Tree => self.reaches(depth),
                Kind::Blob => self.reaches(depth) && self.blob_limit != Some(0),
            }
    }

    /// Whether anything at a depth below a commit may pass.
    pub(crate) fn reaches(&self, depth: u64) -> bool {
        self.depth.is_none_or(|limit| depth < limit)
    }

    /// Whether anything may pass at that depth or below that is not a commit or a tag.
    pub(crate) fn wants_content(&self, depth: u64) -> bool {
        self.passes(Kind::Tree, depth) || self.passes(Kind::Blob, depth)
    }

    /// Whether a blob passes whose kind and place do.
    pub(crate) fn passes_size<E>(&self, size: impl FnOnce() -> Result<u64, E>) -> Result<bool, E> {
        match self.blob_limit {
            None => Ok(true),
            Some(limit) => size().map(|size| size < limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Filter;
    use crate::Kind;

    #[test]
    fn rules_add_up() {
        let kinds = |filter: Filter, depth| {
            [Kind::Commit, Kind::Tree, Kind::Blob, Kind::Tag].map(|kind| filter.passes(kind, depth))
        };
        let all = Filter::default();
        for (filter, depth, expected) in [
            (all, 9, [true, true, true, true]),
            (all.without_blobs_from(0), 0, [true, true, false, true]),
            (
                all.without_blobs_from(5).without_blobs_from(0),
                0,
                [true, true, false, true],
            ),
            (all.without_depths_from(0), 0, [true, false, false, true]),
            (all.without_depths_from(2), 1, [true, true, true, true]),
            (
                all.without_depths_from(3).without_depths_from(1),
                1,
                [true, false, false, true],
            ),
            (all.only(Kind::Tree), 0, [false, true, false, false]),
            (
                all.only(Kind::Tag).only(Kind::Tag),
                0,
                [false, false, false, true],
            ),
            (all.only(Kind::Tag).only(Kind::Blob), 0, [false; 4]),
        ] {
            assert_eq!(kinds(filter, depth), expected, "{filter:?} at {depth}");
        }
        let size = |bytes| move || Ok::<u64, ()>(bytes);
        let limited = all.without_blobs_from(7).without_blobs_from(9);
        assert_eq!(limited.passes_size(size(7)), Ok(false));
        assert_eq!(limited.passes_size(size(6)), Ok(true));
        assert_eq!(all.passes_size(|| Err(())), Ok(true));
    }
}
