use crate::state::Chunks;

/// How far a check goes, and what it begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Storage nodes, at most 2.
    pub nodes: usize,
    /// Chunks, at most 2.
    pub chunks: usize,
    /// The slot of each repository; its length, at most 3, is their number.
    pub slot_of: &'static [usize],
    /// The group that owns each slot at first; their number is that of slots.
    pub owner_of: &'static [usize],
    /// Groups, at most 2.
    pub groups: usize,
    /// Repositories there are from the beginning, by their number.
    pub made: &'static [usize],
    /// What the first of those names from the beginning.
    pub named: Chunks,
    /// What is stored from the beginning, touched before the first generation.
    pub stored: Chunks,
    /// Upload sessions at a time, at most 2.
    pub sessions: usize,
    /// The last generation; the first is 1.
    pub generations: u8,
    /// The node on which chunk 0 is placed in each map epoch; chunk 1 is on the
    /// other, if the map has two nodes. The length is the number of epochs.
    pub placed: &'static [usize],
    /// The first epoch whose map does not have node 0, if one.
    pub removed_at: Option<u8>,
    /// Restarts of each node.
    pub restarts: u8,
    /// Moves of each slot.
    pub moves: u8,
    /// Whether repositories are forked and emptied.
    pub forks: bool,
    /// Whether repositories are deleted, undeleted and purged.
    pub deletions: bool,
    /// Whether node n can come to lack what it should hold and repair it.
    pub repairs: bool,
}

/// A part of the protocol to which one check is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scenario {
    /// Uploads, forks and drops on one node that restarts.
    Sharing,
    /// Two slots of two groups, and slots that move.
    Slots,
    /// Two nodes while the placement changes.
    Movement,
    /// A node that leaves.
    Leaving,
    /// Deletion, undeletion and purge.
    Deletion,
    /// Two of everything; no slot moves and no node leaves.
    Whole,
    /// Two of everything, all actions. Not to be gone through in an hour.
    Everything,
}

/// One node, one group, one slot with a repository, and nothing that happens.
const LEAST: Bounds = Bounds {
    nodes: 1,
    chunks: 1,
    slot_of: &[0],
    owner_of: &[0],
    groups: 1,
    made: &[0],
    named: Chunks::NONE,
    stored: Chunks::NONE,
    sessions: 1,
    generations: 2,
    placed: &[0],
    removed_at: None,
    restarts: 0,
    moves: 0,
    forks: false,
    deletions: false,
    repairs: false,
};

const NAMED: Chunks = Chunks::of(0);

const SHARING: Bounds = Bounds {
    slot_of: &[0, 0],
    made: &[1],
    named: NAMED,
    stored: NAMED,
    restarts: 1,
    forks: true,
    generations: 3,
    ..LEAST
};

const SLOTS: Bounds = Bounds {
    slot_of: &[0, 0, 1],
    owner_of: &[0, 1],
    groups: 2,
    made: &[1, 2],
    named: NAMED,
    stored: NAMED,
    moves: 1,
    forks: true,
    ..LEAST
};

const MOVEMENT: Bounds = Bounds {
    nodes: 2,
    named: NAMED,
    stored: NAMED,
    placed: &[0, 1, 0],
    forks: true,
    repairs: true,
    ..LEAST
};

const LEAVING: Bounds = Bounds {
    nodes: 2,
    slot_of: &[0, 1],
    owner_of: &[0, 1],
    groups: 2,
    made: &[0, 1],
    named: Chunks::NONE,
    stored: NAMED,
    placed: &[0, 1],
    removed_at: Some(1),
    moves: 1,
    forks: true,
    repairs: true,
    generations: 1,
    ..LEAST
};

const DELETION: Bounds = Bounds {
    slot_of: &[0, 0],
    named: NAMED,
    stored: NAMED,
    forks: true,
    deletions: true,
    ..LEAST
};

const WHOLE: Bounds = Bounds {
    nodes: 2,
    chunks: 2,
    slot_of: &[0, 1],
    owner_of: &[0, 1],
    groups: 2,
    made: &[0, 1],
    named: NAMED,
    stored: NAMED,
    forks: true,
    ..LEAST
};

const EVERYTHING: Bounds = Bounds {
    nodes: 2,
    chunks: 2,
    slot_of: &[0, 0, 1],
    owner_of: &[0, 1],
    groups: 2,
    made: &[1, 2],
    named: NAMED,
    stored: Chunks::of(0).with(1),
    sessions: 2,
    generations: 3,
    placed: &[0, 1, 1],
    removed_at: Some(2),
    restarts: 1,
    moves: 1,
    forks: true,
    deletions: true,
    repairs: true,
};

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Sharing,
        Self::Slots,
        Self::Movement,
        Self::Leaving,
        Self::Deletion,
        Self::Whole,
        Self::Everything,
    ];

    /// Its bounds; `deeper` adds generations to those of the short check.
    pub fn bounds(self, deeper: u8) -> Bounds {
        let short = match self {
            Self::Sharing => SHARING,
            Self::Slots => SLOTS,
            Self::Movement => MOVEMENT,
            Self::Leaving => LEAVING,
            Self::Deletion => DELETION,
            Self::Whole => WHOLE,
            Self::Everything => EVERYTHING,
        };
        Bounds {
            generations: short.generations + deeper,
            ..short
        }
    }
}

impl Bounds {
    /// The node that should hold a chunk under a map epoch.
    pub fn place(&self, chunk: usize, epoch: u8) -> usize {
        let first = self.placed[usize::from(epoch)];
        let alone = self.nodes == 1 || self.removed_at.is_some_and(|removed| epoch >= removed);
        if chunk == 0 || alone {
            first
        } else {
            1 - first
        }
    }

    /// Whether a map has a node.
    pub fn has(&self, node: usize, epoch: u8) -> bool {
        node != 0 || self.removed_at.is_none_or(|removed| epoch < removed)
    }
}
