use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use runtime::{Faults, Timestamp};

use crate::{Meta, ObjectError, Objects, Upload};

/// Objects in memory, for tests and simulation. Clones share them.
///
/// A call that the schedule fails is told to be [`ObjectError::Unreachable`] and has done nothing;
/// that of [`MemoryObjects::late`] has done it, and its answer is lost.
#[derive(Clone, Debug, Default)]
pub struct MemoryObjects {
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
    faults: Arc<Faults>,
    late: Arc<Faults>,
}

#[derive(Debug)]
struct Growing {
    store: MemoryObjects,
    name: String,
    bytes: Vec<u8>,
}

impl MemoryObjects {
    /// No objects.
    pub fn new() -> Self {
        Self::default()
    }

    /// The schedule of calls that fail before they do anything.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The schedule of calls that fail after they did it.
    pub fn late(&self) -> &Faults {
        &self.late
    }

    /// The names of all objects, in order.
    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Flips a bit of an object.
    pub fn flip(&self, name: &str, at: usize) {
        let mut objects = self.lock();
        if let Some(bytes) = objects.get_mut(name) {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            *bytes = changed.into();
        }
    }

    /// Takes an object away, as somebody else would.
    pub fn lose(&self, name: &str) {
        self.lock().remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(
        &self,
        doing: &'static str,
        object: &str,
        call: impl FnOnce(&mut BTreeMap<String, Bytes>) -> Result<T, ObjectError>,
    ) -> Result<T, ObjectError> {
        let failed = |error: std::io::Error| ObjectError::Unreachable {
            doing,
            object: object.to_owned(),
            cause: error.to_string(),
        };
        self.faults.check().map_err(failed)?;
        let done = call(&mut self.lock());
        self.late.check().map_err(failed)?;
        done
    }
}

fn missing(doing: &'static str, object: &str) -> ObjectError {
    ObjectError::Missing {
        doing,
        object: object.to_owned(),
    }
}

impl Objects for MemoryObjects {
    fn begin(&self, name: &str) -> Result<Box<dyn Upload>, ObjectError> {
        self.call("begin", name, |_| {
            let growing = Growing {
                store: self.clone(),
                name: name.to_owned(),
                bytes: Vec::new(),
            };
            Ok(Box::new(growing) as Box<dyn Upload>)
        })
    }

    fn read(&self, name: &str, range: Range<u64>) -> Result<Bytes, ObjectError> {
        self.call("read", name, |objects| {
            let bytes = objects.get(name).ok_or_else(|| missing("read", name))?;
            let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
            if bytes.len() < at(range.end) {
                let object = name.to_owned();
                return Err(ObjectError::Short { object });
            }
            Ok(bytes.slice(at(range.start)..at(range.end)))
        })
    }

    fn length(&self, name: &str) -> Result<u64, ObjectError> {
        self.call("look at", name, |objects| {
            let bytes = objects.get(name).ok_or_else(|| missing("look at", name))?;
            Ok(bytes.len() as u64)
        })
    }

    fn delete(&self, name: &str) -> Result<(), ObjectError> {
        self.call("delete", name, |objects| {
            objects.remove(name);
            Ok(())
        })
    }

    fn list(&self, directory: &str, visit: &mut dyn FnMut(Meta)) -> Result<(), ObjectError> {
        let found = self.call("list", directory, |objects| {
            let below = format!("{directory}/");
            let below = objects.iter().filter(|(name, _)| name.starts_with(&below));
            let meta = |(name, bytes): (&String, &Bytes)| Meta {
                name: name.clone(),
                bytes: bytes.len() as u64,
                modified: Timestamp(0),
            };
            Ok(below.map(meta).collect::<Vec<_>>())
        });
        found?.into_iter().for_each(visit);
        Ok(())
    }
}

impl Upload for Growing {
    fn part(&mut self, bytes: Bytes) -> Result<(), ObjectError> {
        let store = self.store.clone();
        store.call("write", &self.name, |_| {
            self.bytes.extend_from_slice(&bytes);
            Ok(())
        })
    }

    fn finish(self: Box<Self>) -> Result<(), ObjectError> {
        let Self { store, name, bytes } = *self;
        store.call("finish", &name, |objects| {
            objects.insert(name.clone(), bytes.into());
            Ok(())
        })
    }
}
