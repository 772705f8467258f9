//! Where backups are kept: named objects, in a directory or an object store.
//!
//! An object appears whole or not at all, and is never changed. In a directory
//! it is synced before it appears under its name.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use objects::{Opened, Patience};

pub use objects::{Location, LocationError};

use crate::format::Damage;

/// Objects by name.
#[derive(Clone)]
pub struct Destination {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

/// Why an object could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The store did not do what was asked.
    #[error("{doing} object {object}: {cause}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// Which object, or the beginning of the names of several.
        object: String,
        /// What the store said, with its own causes in one line.
        cause: Box<object_store::Error>,
    },
    /// The object is not as it was written.
    #[error("object {object}: {damage}")]
    Damaged {
        /// Which object.
        object: String,
        /// What is wrong with it.
        damage: Damage,
    },
}

impl ObjectError {
    pub(crate) fn damaged(object: &str, damage: Damage) -> Self {
        Self::Damaged {
            object: object.to_owned(),
            damage,
        }
    }

    fn store(doing: &'static str, object: &str) -> impl FnOnce(object_store::Error) -> Self {
        let object = object.to_owned();
        move |cause| Self::Store {
            doing,
            object,
            cause: Box::new(cause),
        }
    }
}

impl Destination {
    /// Objects of this store whose names begin with `prefix` and a slash.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Path) -> Self {
        Self { store, prefix }
    }

    /// The destination at a location; see [`Location::open`].
    pub fn open(
        location: &Location,
        options: &[(String, String)],
        make: bool,
    ) -> Result<Self, LocationError> {
        let Opened { store, prefix } = location.open(options, make, Patience::Long)?;
        Ok(Self { store, prefix })
    }

    fn path(&self, object: &str) -> Path {
        self.prefix
            .parts()
            .chain(Path::from(object).parts())
            .collect()
    }

    /// Writes an object. One that is there already stays as it is: names of
    /// packs follow from their bytes, and others are drawn.
    pub(crate) async fn put(&self, object: &str, bytes: Bytes) -> Result<(), ObjectError> {
        let options = PutOptions::from(PutMode::Overwrite);
        let path = self.path(object);
        let put = self.store.put_opts(&path, bytes.into(), options).await;
        put.map_err(ObjectError::store("write", object))?;
        Ok(())
    }

    /// All bytes of an object, at most `limit`.
    pub(crate) async fn get(&self, object: &str, limit: u64) -> Result<Bytes, ObjectError> {
        let found = match self.store.get(&self.path(object)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(ObjectError::damaged(object, Damage::Missing));
            }
            Err(error) => return Err(ObjectError::store("read", object)(error)),
        };
        if found.meta.size > limit {
            return Err(ObjectError::damaged(object, Damage::TooLong));
        }
        let bytes = found.bytes().await;
        bytes.map_err(ObjectError::store("read", object))
    }

    /// Removes an object. One that is not there stays away.
    pub(crate) async fn remove(&self, object: &str) -> Result<(), ObjectError> {
        match self.store.delete(&self.path(object)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(ObjectError::store("remove", object)(error)),
        }
    }

    /// The names, without the directory, and lengths of all objects of one.
    pub(crate) async fn list(&self, directory: &str) -> Result<Vec<(String, u64)>, ObjectError> {
        let prefix = self.path(directory);
        let found: Vec<ObjectMeta> = self
            .store
            .list(Some(&prefix))
            .try_collect()
            .await
            .map_err(ObjectError::store("list", directory))?;
        let names = found.into_iter().filter_map(|meta| {
            let name = meta.location.filename()?.to_owned();
            Some((name, meta.size))
        });
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        Ok(names)
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Destination({}/{})", self.store, self.prefix)
    }
}
