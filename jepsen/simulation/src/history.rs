//! What clients did and what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chunking::BlobId;
use git_id::ObjectId;
use storage_node_api::refs::{RefCommand, RefOutcome};
use storage_node_api::{OwnerId, RepositoryId, RequestId, Slot};

/// What an operation of a client came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It happened.
    Ok,
    /// It did not happen and will not.
    Fail,
    /// Nobody can tell.
    Unknown,
}

/// One operation of one client.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Whose.
    pub client: u64,
    /// When it was called, in a count that all clients share.
    pub called: u64,
    /// When the client was told, in the same count.
    pub returned: u64,
    /// What it came to.
    pub outcome: Outcome,
    /// What it was.
    pub action: Action,
}

/// What a client can do.
#[derive(Clone, Debug)]
pub enum Action {
    /// A blob was put and named.
    PutBlob(Blob),
    /// A blob was read back: whether its manifest was there, and what was wrong
    /// with its bytes.
    GetBlob {
        /// Which, by its number.
        number: u64,
        /// Whether its manifest was there.
        named: bool,
        /// What was wrong with its bytes.
        wrong: Option<String>,
    },
    /// An owner of a blob was to let it go.
    RemoveBlob {
        /// Which, by its number.
        number: u64,
    },
    /// All refs of a repository were read.
    ReadRefs {
        /// Whose.
        repository: RepositoryId,
        /// What they named.
        refs: BTreeMap<String, ObjectId>,
    },
    /// Refs were to move.
    Push(PushAction),
    /// A row was to be inserted and counted, in one batch.
    AddRow {
        /// Its id, which no other has.
        row: i64,
    },
    /// The rows and their count were read.
    ReadRows {
        /// The ids that there are.
        rows: BTreeSet<i64>,
    },
}

/// A blob of the workload: its bytes follow from its number.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Its number.
    pub number: u64,
    /// Its id.
    pub id: BlobId,
    /// Which slot keeps it.
    pub slot: Slot,
    /// How many bytes.
    pub length: usize,
    /// Who keeps it; nothing for a pack, which its repository keeps.
    pub owner: Option<OwnerId>,
}

/// A push of the workload.
#[derive(Clone, Debug)]
pub struct PushAction {
    /// The id of its request.
    pub request: RequestId,
    /// Into which repository.
    pub repository: RepositoryId,
    /// What was asked.
    pub commands: Vec<RefCommand>,
    /// Whether all or none.
    pub atomic: bool,
    /// The pack that it brings.
    pub pack: Option<Blob>,
    /// What it was told of each command, if it was told.
    pub outcomes: Vec<RefOutcome>,
}

/// Takes down what happens. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    taken: Arc<Mutex<(u64, Vec<Operation>)>>,
    doomed: Arc<Mutex<BTreeSet<OwnerId>>>,
}

impl Recorder {
    fn inner(&self) -> MutexGuard<'_, (u64, Vec<Operation>)> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owners(&self) -> MutexGuard<'_, BTreeSet<OwnerId>> {
        self.doomed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on an owner may be gone at any time.
    pub fn doom(&self, owner: OwnerId) {
        self.owners().insert(owner);
    }

    /// Whether somebody has asked for a blob's owner to go.
    pub fn is_doomed(&self, blob: &Blob) -> bool {
        blob.owner
            .is_some_and(|owner| self.owners().contains(&owner))
    }

    /// The next moment.
    pub fn tick(&self) -> u64 {
        let mut inner = self.inner();
        inner.0 += 1;
        inner.0
    }

    /// An operation has ended.
    pub fn ended(&self, client: u64, called: u64, outcome: Outcome, action: Action) {
        let returned = self.tick();
        self.inner().1.push(Operation {
            client,
            called,
            returned,
            outcome,
            action,
        });
    }

    /// Everything so far, in the order in which it ended.
    pub fn operations(&self) -> Vec<Operation> {
        self.inner().1.clone()
    }
}
