use std::fmt;

/// Most of each, whatever the bounds.
pub(crate) const NODES: usize = 2;
pub(crate) const CHUNKS: usize = 2;
pub(crate) const GROUPS: usize = 2;
pub(crate) const SLOTS: usize = 2;
pub(crate) const REPOSITORIES: usize = 3;
pub(crate) const SESSIONS: usize = 2;

/// A set of chunks.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Chunks(u8);

/// The cluster at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The collector's clock in the cluster group.
    pub generation: u8,
    /// The epoch of the cluster group's map.
    pub epoch: u8,
    /// The data groups.
    pub groups: [Group; GROUPS],
    /// The slots.
    pub slots: [Slot; SLOTS],
    /// The repositories, each in one slot for good.
    pub repositories: [Repository; REPOSITORIES],
    /// The storage nodes.
    pub nodes: [Node; NODES],
    /// The uploads under way.
    pub sessions: [Session; SESSIONS],
    /// What has happened that the rest does not show.
    pub history: History,
}

/// One data group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Group {
    /// That of its last barrier.
    pub generation: u8,
    /// That of the map it has adopted.
    pub epoch: u8,
}

/// One slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The group that owns it.
    pub owner: usize,
    /// How often it moved.
    pub moves: u8,
    /// What its last owner still has of it, kept only where that is asked.
    pub left: Option<[Chunks; REPOSITORIES]>,
}

/// One repository: what SQL says and what its group says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Repository {
    /// In SQL.
    pub facts: Facts,
    /// In its group.
    pub order: Order,
    /// What its manifests name.
    pub chunks: Chunks,
    /// What removed manifests named that are still listed.
    pub removed: Chunks,
    /// A purge without a guard has looked and is on its way.
    pub purge_decided: bool,
}

/// What SQL says of a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Facts {
    /// Nothing.
    #[default]
    Absent,
    /// It can be used.
    Active,
    /// It can be undeleted.
    Deleted,
    /// It is being purged; there is no return.
    Purging,
}

/// What its group says of a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Nothing.
    #[default]
    Absent,
    /// It takes commits.
    Open,
    /// It refuses commits.
    Sealed,
    /// It was removed; its id is not used again.
    Removed,
}

/// One storage node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// It has left with all that it had.
    pub gone: bool,
    /// The generation of the newest map it has seen, for which it sweeps.
    pub generation: u8,
    /// The epoch of that map.
    pub epoch: u8,
    /// The chunks it holds.
    pub held: Chunks,
    /// The last touch of each chunk; 0 for one it does not hold.
    pub touched: [u8; CHUNKS],
    /// What is listed, as far as it got.
    pub listing: Listing,
    /// Chunks whose placed node has confirmed a copy since the listing began.
    pub confirmed: Chunks,
    /// Chunks whose drop is decided but not done.
    pub condemned: Chunks,
    /// Reachable chunks whose copy here somebody counts on: it has a receipt that
    /// was committed, was made by repair, or was confirmed.
    pub counted: Chunks,
    /// How often it has started again.
    pub restarts: u8,
}

/// A node's listing of all slots for its generation and epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Listing {
    /// How many repositories it has gone through.
    pub pages: usize,
    /// What they list.
    pub live: Chunks,
}

/// One upload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Session {
    /// It is under way.
    pub open: bool,
    /// The generation in which it began.
    pub generation: u8,
    /// The map by which it places.
    pub epoch: u8,
    /// For which chunks each node gave a receipt.
    pub receipts: [Chunks; NODES],
}

/// What the invariants need to know of the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct History {
    /// A node dropped a copy that is counted on and that the newest map, which
    /// it has, places on it.
    pub counted_copy_dropped: bool,
    /// A node dropped a chunk before it had listed every slot.
    pub dropped_unlisted: bool,
    /// A commit named a chunk that its node did not hold or could drop.
    pub named_droppable: bool,
    /// A chunk that nothing named was dropped.
    pub collected: bool,
}

impl Chunks {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// One chunk.
    pub const fn of(chunk: usize) -> Self {
        Self(1 << chunk)
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, chunk: usize) -> Self {
        Self(self.0 | 1 << chunk)
    }

    /// These without one.
    #[must_use]
    pub const fn without(self, chunk: usize) -> Self {
        Self(self.0 & !(1 << chunk))
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are also among others.
    #[must_use]
    pub const fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether a chunk is among them.
    pub const fn has(self, chunk: usize) -> bool {
        self.0 & 1 << chunk != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..CHUNKS).filter(move |chunk| self.has(*chunk))
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl State {
    /// What manifests name, of repositories that are not removed.
    pub fn reachable(&self) -> Chunks {
        let all = self.repositories.iter();
        all.fold(Chunks::NONE, |chunks, one| chunks.and(one.chunks))
    }

    /// Nobody counts on a copy of what nothing names.
    pub(crate) fn forget_uncounted(&mut self) {
        let reachable = self.reachable();
        for node in &mut self.nodes {
            node.counted = node.counted.within(reachable);
        }
    }

    /// What some group lists.
    pub(crate) fn listed(&self) -> Chunks {
        let all = self.repositories.iter();
        all.fold(self.reachable(), |chunks, one| chunks.and(one.removed))
    }
}

impl Node {
    /// Holds a chunk, touched at least at a generation.
    pub(crate) fn touch(&mut self, chunk: usize, generation: u8) {
        self.held = self.held.with(chunk);
        self.touched[chunk] = self.touched[chunk].max(generation);
    }

    /// Holds a chunk no more.
    pub(crate) fn forget(&mut self, chunk: usize) {
        self.held = self.held.without(chunk);
        self.condemned = self.condemned.without(chunk);
        self.confirmed = self.confirmed.without(chunk);
        self.counted = self.counted.without(chunk);
        self.touched[chunk] = 0;
    }

    /// Begins to list anew.
    pub(crate) fn list_again(&mut self) {
        self.listing = Listing::default();
        self.confirmed = Chunks::NONE;
    }
}
