/// What a request takes of the server while it is served, in units of an
/// ordinary small one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cost(pub(super) u32);

/// Bytes up to which something costs so much.
const STEPS: [(u64, u32); 3] = [(16 << 20, 1), (256 << 20, 2), (4 << 30, 4)];
/// What is larger than all steps.
const MOST: u32 = 8;

impl Cost {
    /// An ordinary request.
    pub(crate) const ONE: Self = Self(1);

    /// A fetch from a repository whose packs have so many bytes, as far as is
    /// known without asking the storage.
    pub(crate) fn of_fetch(stored_bytes: Option<u64>) -> Self {
        stored_bytes.map_or(Self::ONE, by_bytes)
    }

    /// A push that says how long it is, or does not, as long ones do.
    pub(crate) fn of_push(announced_bytes: Option<u64>) -> Self {
        announced_bytes.map_or(Self(2), by_bytes)
    }
}

fn by_bytes(bytes: u64) -> Cost {
    let step = STEPS.iter().find(|(most, _)| bytes <= *most);
    Cost(step.map_or(MOST, |(_, cost)| *cost))
}

#[cfg(test)]
mod tests {
    use super::Cost;

    #[test]
    fn more_bytes_never_cost_less() {
        let sizes = [0, 1, 16 << 20, (16 << 20) + 1, 1 << 30, 5 << 30, u64::MAX];
        let costs = sizes.map(|bytes| Cost::of_fetch(Some(bytes)).0);
        assert_eq!(costs, [1, 1, 1, 2, 4, 8, 8]);
        assert_eq!(Cost::of_fetch(None), Cost::ONE);
        assert_eq!(Cost::of_push(None), Cost(2));
        assert_eq!(Cost::of_push(Some(100)), Cost::ONE);
    }
}
