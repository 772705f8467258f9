use std::collections::HashMap;

use kv::KvError;
use storage_node_api::Generation;

use super::{Entry, Index, Key, Place, State, Totals};
use crate::volumes::volume::Damage;

/// Changes to the index that are not written yet, seen over what is.
///
/// The same rules serve the writer and recovery, so that an index made anew
/// from the volumes equals the one that grew with them.
#[derive(Debug)]
pub(in crate::volumes) struct Changes {
    /// Nothing for one that is dropped.
    entries: HashMap<Key, Option<Entry>>,
    damage: Vec<Damage>,
    totals: Totals,
}

impl Changes {
    /// No changes yet to an index of these totals.
    pub(in crate::volumes) fn new(totals: Totals) -> Self {
        Self {
            entries: HashMap::new(),
            damage: Vec::new(),
            totals,
        }
    }

    pub(in crate::volumes) fn get(
        &self,
        index: &Index,
        key: &Key,
    ) -> Result<Option<Entry>, KvError> {
        match self.entries.get(key) {
            Some(entry) => Ok(*entry),
            None => index.get(key),
        }
    }

    /// The chunk is at this place, which takes precedence over an earlier one.
    pub(in crate::volumes) fn stored(
        &mut self,
        index: &Index,
        key: Key,
        place: Place,
        touched: Generation,
    ) -> Result<(), KvError> {
        let before = self.get(index, &key)?;
        let earlier = before.map_or(touched, |entry| entry.touched);
        let after = Entry {
            state: State::Intact,
            place,
            touched: touched.max(earlier),
        };
        self.replace(key, before, Some(after));
        Ok(())
    }

    /// The chunk is not held any more.
    pub(in crate::volumes) fn dropped(&mut self, index: &Index, key: Key) -> Result<(), KvError> {
        let before = self.get(index, &key)?;
        if before.is_some() {
            self.replace(key, before, None);
        }
        Ok(())
    }

    /// The record at this place is corrupt. Says whether the index pointed there
    /// or nowhere, so that the chunk is lost.
    pub(in crate::volumes) fn corrupted(
        &mut self,
        index: &Index,
        key: Key,
        place: Place,
        touched: Generation,
    ) -> Result<bool, KvError> {
        let before = self.get(index, &key)?;
        if before.is_some_and(|entry| entry.place != place || !entry.is_intact()) {
            return Ok(false);
        }
        let after = Entry {
            state: State::Corrupt,
            place,
            touched: before.map_or(touched, |entry| entry.touched),
        };
        self.replace(key, before, Some(after));
        Ok(true)
    }

    /// The chunk was touched at this generation. Nothing if it is not there.
    pub(in crate::volumes) fn touched(
        &mut self,
        index: &Index,
        key: Key,
        generation: Generation,
    ) -> Result<(), KvError> {
        if let Some(before) = self.get(index, &key)?
            && before.touched < generation
        {
            let after = Entry {
                touched: generation,
                ..before
            };
            self.replace(key, Some(before), Some(after));
        }
        Ok(())
    }

    pub(in crate::volumes) fn damaged(&mut self, damage: Damage) {
        self.damage.push(damage);
    }

    pub(in crate::volumes) fn len(&self) -> usize {
        self.entries.len() + self.damage.len()
    }

    pub(in crate::volumes) fn entries(&self) -> impl Iterator<Item = (&Key, Option<&Entry>)> {
        let entries = self.entries.iter();
        entries.map(|(key, entry)| (key, entry.as_ref()))
    }

    pub(in crate::volumes) fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// The totals with these changes.
    pub(in crate::volumes) fn totals(&self) -> Totals {
        self.totals
    }

    fn replace(&mut self, key: Key, before: Option<Entry>, after: Option<Entry>) {
        let totals = &mut self.totals;
        match before {
            Some(entry) if entry.is_intact() => {
                totals.chunks = totals.chunks.saturating_sub(1);
                totals.bytes = totals.bytes.saturating_sub(u64::from(entry.place.length));
            }
            Some(_) => totals.corrupt = totals.corrupt.saturating_sub(1),
            None => {}
        }
        match after {
            Some(entry) if entry.is_intact() => {
                totals.chunks += 1;
                totals.bytes += u64::from(entry.place.length);
            }
            Some(_) => totals.corrupt += 1,
            None => {}
        }
        self.entries.insert(key, after);
    }
}
