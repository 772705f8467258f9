use std::io;
use std::path::PathBuf;

use git_id::ObjectId;

use crate::Kind;
use crate::defect::Defect;

/// Why a set of objects could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or directory could not be read.
    #[error("cannot open {path}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A pack or index that is damaged or in an unknown format.
    #[error("cannot use pack file {path}: {reason}", path = path.display())]
    Invalid {
        /// The `.pack` or `.idx`.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An index that belongs to another pack.
    #[error("the index beside {path} was made for another pack", path = path.display())]
    IndexMismatch {
        /// The `.pack`.
        path: PathBuf,
    },
    /// More objects than can be numbered.
    #[error("the packs hold more than {limit} objects together", limit = u32::MAX)]
    TooManyObjects,
    /// Alternates that refer to alternates, too many times.
    #[error("alternates of {path} are nested more than {limit} deep", path = path.display())]
    AlternatesTooDeep {
        /// The objects directory.
        path: PathBuf,
        /// The deepest that is followed, as in git.
        limit: usize,
    },
}

/// Why an object could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A loose object's file could not be read.
    #[error("cannot read {path}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The stored form of an object is damaged.
    #[error("the object at offset {offset} of {pack} is unreadable: {defect}", pack = pack.display())]
    Corrupt {
        /// The pack.
        pack: PathBuf,
        /// Where its entry begins.
        offset: u64,
        /// What is wrong.
        defect: Defect,
    },
    /// The file of a loose object is damaged.
    #[error("loose object {path} is unreadable: {defect}", path = path.display())]
    CorruptLoose {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        defect: Defect,
    },
    /// An object that something refers to is not there.
    #[error("object {id} is missing")]
    Missing {
        /// Its name.
        id: ObjectId,
        /// An object that refers to it, where that is known.
        referrer: Option<ObjectId>,
    },
    /// An object whose content git could not parse either.
    #[error("object {id} is not a well-formed {kind}")]
    Malformed {
        /// Its name.
        id: ObjectId,
        /// What it should be.
        kind: Kind,
    },
    /// An object of another kind than what refers to it says.
    #[error("object {id} is a {actual}, not a {expected}")]
    WrongKind {
        /// Its name.
        id: ObjectId,
        /// What it is.
        actual: Kind,
        /// What was needed.
        expected: Kind,
    },
    /// The caller no longer wants the answer.
    #[error("cancelled")]
    Cancelled,
}
