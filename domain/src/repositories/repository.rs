use git_id::{HashKind, RefName};
use storage_node_api::{RepositoryId, Slot, Timestamp};

use crate::accounts::Owner;
use crate::facts::{Columns, FactsError};
use crate::{AccountId, RepositoryKey};

/// One repository as SQL knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its id for people and programs.
    pub key: RepositoryKey,
    /// Whose it is.
    pub owner: Owner,
    /// Its name.
    pub name: String,
    /// Its id in its group.
    pub storage: RepositoryId,
    /// The hash that names its objects.
    pub hash: HashKind,
    /// Hidden from strangers.
    pub is_private: bool,
    /// What it is about; may be empty.
    pub description: String,
    /// What it was forked from, if that still exists.
    pub fork_of: Option<RepositoryKey>,
    /// When it was made.
    pub created: Timestamp,
    /// When its settings last changed; its content is the group's to know.
    pub updated: Timestamp,
}

impl Repository {
    /// The slot of its group.
    pub fn slot(&self) -> Slot {
        self.storage.slot()
    }

    /// `owner/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner.name, self.name)
    }
}

/// Where a repository is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Creating,
    Active,
    Deleting,
}

impl State {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "creating" => Some(Self::Creating),
            "active" => Some(Self::Active),
            "deleting" => Some(Self::Deleting),
            _ => None,
        }
    }
}

/// A repository in whatever state, with what it takes to finish it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) repository: Repository,
    pub(crate) state: State,
    pub(crate) initial_head: RefName,
}

/// What [`read_row`] reads, from `repositories` as `r` and its owner as `u`.
pub(crate) const ROW: &str = "SELECT r.id, u.id, u.name, u.full_name, u.created, r.name, \
     r.storage, r.object_format, r.is_private, r.description, r.fork_of, r.created, r.updated, \
     r.state, r.initial_head FROM repositories r JOIN users u ON u.id = r.owner_id";

pub(crate) fn read_row(row: &mut Columns) -> Result<Row, FactsError> {
    let repository = Repository {
        key: RepositoryKey(row.integer()?),
        owner: Owner {
            id: AccountId(row.integer()?),
            name: row.text()?,
            full_name: row.text()?,
            created: row.time()?,
        },
        name: row.text()?,
        storage: row.parsed(|text| text.parse().ok())?,
        hash: row.parsed(HashKind::from_name)?,
        is_private: row.boolean()?,
        description: row.text()?,
        fork_of: row.optional_integer()?.map(RepositoryKey),
        created: row.time()?,
        updated: row.time()?,
    };
    let state = row.parsed(State::parse)?;
    let initial_head = row.parsed(|text| RefName::new(text).ok())?;
    Ok(Row {
        repository,
        state,
        initial_head,
    })
}
