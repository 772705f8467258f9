//! The seam below the protocol: what a repository must offer to be served.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use git_id::{HashKind, ObjectId, RefName};
use git_pack::{Objects, ReceivedPack};

use crate::answers::Shared;
use crate::error::{CommitError, RepositoryError};

/// A repository that can be fetched from and pushed to.
#[async_trait]
pub trait Repository: Send + Sync {
    /// The hash function that names its objects.
    fn hash(&self) -> HashKind;

    /// All refs at one moment.
    async fn refs(&self) -> Result<Arc<RefSnapshot>, RepositoryError>;

    /// The objects, at least everything reachable from any snapshot that
    /// [`Repository::refs`] returned before this call.
    async fn objects(&self) -> Result<Objects, RepositoryError>;

    /// Where its answers are shared between clients; by default each has its own made.
    fn shared(&self) -> Option<Shared> {
        None
    }

    /// Begins a push: makes a private directory for what arrives.
    async fn begin_push(&self) -> Result<Box<dyn PushSession>, RepositoryError>;
}

/// One push. Dropped without a commit it leaves no trace.
#[async_trait]
pub trait PushSession: Send {
    /// The directory in which the pack is indexed. Nobody else reads it.
    fn quarantine(&self) -> &Path;

    /// Hands over the pack's bytes as they arrive, in order, so that a store
    /// can cut and send them while they are being indexed. They are not checked
    /// yet. A failure ends the push.
    ///
    /// Where [`ReceivedPack::completed_bases`] is 0, these bytes are exactly
    /// those of the indexed pack.
    async fn received(&mut self, bytes: Bytes) -> Result<(), RepositoryError> {
        let _ = bytes;
        Ok(())
    }

    /// Makes the pack and the accepted ref updates visible, all at once and
    /// durably, and says what became of each command, in their order.
    ///
    /// The pack is indexed, checked and connected, and the commands are allowed
    /// by policy; what remains to be judged here is whether refs still have
    /// their old values and whether names conflict. With `atomic`, either every
    /// command is accepted or nothing happens. If none is accepted the pack
    /// must not become visible.
    async fn commit(self: Box<Self>, push: Push) -> Result<Vec<RefOutcome>, CommitError>;
}

/// All refs of a repository at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefSnapshot {
    head: Option<Head>,
    refs: Vec<Reference>,
}

impl RefSnapshot {
    /// A snapshot; `refs` in any order, names unique.
    pub fn new(head: Option<Head>, mut refs: Vec<Reference>) -> Self {
        refs.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Self { head, refs }
    }

    /// What HEAD is; `None` if the repository has none.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The refs in the order of their names, HEAD not among them.
    pub fn refs(&self) -> &[Reference] {
        &self.refs
    }

    /// The ref with that name.
    pub fn get(&self, name: &RefName) -> Option<&Reference> {
        let found = self
            .refs
            .binary_search_by(|candidate| candidate.name.cmp(name));
        found.ok().map(|at| &self.refs[at])
    }

    /// What HEAD resolves to; `None` if it points to a ref that does not exist.
    pub fn head_id(&self) -> Option<ObjectId> {
        match self.head.as_ref()? {
            Head::Detached(id) => Some(*id),
            Head::Symbolic(target) => Some(self.get(target)?.id),
        }
    }

    /// Where HEAD points, existing or not.
    pub fn head_target(&self) -> Option<&RefName> {
        match self.head.as_ref()? {
            Head::Symbolic(target) => Some(target),
            Head::Detached(_) => None,
        }
    }

    /// Every object that a ref or HEAD names; may repeat.
    pub fn tips(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.refs
            .iter()
            .map(|reference| reference.id)
            .chain(self.head_id())
    }
}

/// What HEAD is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// The name of a ref, which need not exist (a repository without commits).
    Symbolic(RefName),
    /// A commit.
    Detached(ObjectId),
}

/// One ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The full name.
    pub name: RefName,
    /// The object that it names.
    pub id: ObjectId,
    /// What that object, if it is an annotated tag, names in the end.
    pub peeled: Option<ObjectId>,
    /// For a symbolic ref, the ref that it points to.
    pub symref_target: Option<RefName>,
}

impl Reference {
    /// A ref that is not symbolic.
    pub fn new(name: RefName, id: ObjectId, peeled: Option<ObjectId>) -> Self {
        Self {
            name,
            id,
            peeled,
            symref_target: None,
        }
    }
}

/// What a push asks to be committed.
#[derive(Debug)]
pub struct Push {
    /// The ref updates that passed every check before the commit; each ref at
    /// most once.
    pub commands: Vec<RefCommand>,
    /// The pack, if one came that has objects.
    pub pack: Option<ReceivedPack>,
    /// All commands or none.
    pub atomic: bool,
    /// What the user passed with `--push-option`.
    pub options: Vec<String>,
}

/// One ref update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefCommand {
    /// The ref; never HEAD.
    pub name: RefName,
    /// What it must be at the commit; null if it must not exist.
    pub old: ObjectId,
    /// What it becomes; null if it is deleted.
    pub new: ObjectId,
}

/// What became of a command.
pub type RefOutcome = Result<(), RefRejection>;

/// Why a ref was not updated. The text is what the pushing person reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefRejection {
    /// Not a name that git accepts, or outside `refs/`.
    #[error("funny refname: {reason}")]
    Name {
        /// The rule that it breaks.
        reason: git_id::RefNameError,
    },
    /// A name without a second level, such as `refs/a`, which a push does not make.
    #[error("funny refname: a push makes refs of at least two levels, such as refs/heads/NAME")]
    OneLevel,
    /// `HEAD` cannot be pushed to.
    #[error("funny refname: HEAD is not updated by a push, push to the branch")]
    Head,
    /// Two commands for one ref.
    #[error("multiple updates for ref '{name}' not allowed")]
    Duplicate {
        /// The ref.
        name: RefName,
    },
    /// The server hides the ref.
    #[error("deny updating a hidden ref")]
    Hidden,
    /// The pack was not taken.
    #[error("unpacker error")]
    Unpack,
    /// The new object, or something it reaches, is neither here nor in the pack.
    #[error("missing necessary objects")]
    MissingObjects,
    /// As [`RefRejection::MissingObjects`], when pushing from a shallow clone.
    #[error("shallow update not allowed")]
    Shallow,
    /// A branch shall name something else than a commit.
    #[error("trying to write non-commit object {id} to branch '{name}'")]
    NotACommit {
        /// The branch.
        name: RefName,
        /// The object.
        id: ObjectId,
    },
    /// The new commit does not descend from the old one, and policy wants that.
    #[error("non-fast-forward")]
    NonFastForward,
    /// Policy forbids to delete branches.
    #[error("deletion prohibited")]
    Deletion,
    /// HEAD points to the branch that would be deleted.
    #[error("deletion of the current branch prohibited")]
    CurrentBranchDeletion,
    /// A working tree has the branch checked out.
    #[error("branch is currently checked out")]
    CheckedOut,
    /// The ref is not what the client believed it to be.
    #[error("incorrect old value provided")]
    StaleOldValue,
    /// The ref was to be created, but exists.
    #[error("reference already exists")]
    Exists,
    /// The ref was to be changed or deleted, but does not exist.
    #[error("reference does not exist")]
    Missing,
    /// The name is a directory of another ref, or has another ref as directory.
    #[error("refname conflict: '{existing}' exists")]
    NameConflict {
        /// The other ref.
        existing: RefName,
    },
    /// The ref points to another ref.
    #[error("'{name}' is a symbolic ref, push to what it points to")]
    Symbolic {
        /// The ref.
        name: RefName,
    },
    /// Another process holds the ref's lock.
    #[error("failed to lock, try again")]
    Locked,
    /// Another command of an atomic push was rejected before the commit.
    #[error("atomic push failure")]
    AtomicPush,
    /// Another command of an atomic push was rejected at the commit.
    #[error("atomic transaction failed")]
    AtomicTransaction,
    /// This command is why an atomic push was rejected at the commit.
    #[error("atomic transaction failed: {reason}")]
    AtomicCause {
        /// What is wrong with it.
        reason: Box<RefRejection>,
    },
    /// A rule of the server's owner, such as a protected branch.
    #[error("{message}")]
    Declined {
        /// What the person should read; one line.
        message: String,
    },
    /// The commit failed; see [`CommitError`].
    #[error("failed to update ref")]
    Commit,
}

impl RefRejection {
    /// How a rejection at the commit reads in an atomic push: git's word for it,
    /// then the reason. What the owner declines reads as the owner says it.
    pub(crate) fn in_atomic(self) -> Self {
        match self {
            Self::AtomicTransaction | Self::Commit | Self::Declined { .. } => self,
            reason => Self::AtomicCause {
                reason: Box::new(reason),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use git_id::{ObjectId, RefName};

    use super::{Head, RefSnapshot, Reference};

    #[test]
    fn head_resolves_through_the_snapshot() {
        let id = ObjectId::from_bytes(&[1; 20]).unwrap();
        let main = RefName::branch("main").unwrap();
        let reference = |name: &str| Reference::new(RefName::branch(name).unwrap(), id, None);
        let snapshot = RefSnapshot::new(
            Some(Head::Symbolic(main.clone())),
            vec![reference("z"), reference("main"), reference("a")],
        );
        assert_eq!(snapshot.head_id(), Some(id));
        assert_eq!(snapshot.refs()[0].name.as_str(), "refs/heads/a");
        let unborn = RefSnapshot::new(Some(Head::Symbolic(main.clone())), vec![]);
        assert_eq!(
            (unborn.head_id(), unborn.head_target()),
            (None, Some(&main))
        );
    }
}
