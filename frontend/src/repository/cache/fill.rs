use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::stream::{self, TryStreamExt};
use git_id::ObjectId;
use git_pack::{Objects, ReceivedPack};
use storage_node_api::order::{Answer, Query};
use storage_node_api::repository::{Pack, PackList};
use storage_node_api::{DedupDomain, ReadPoint, RepositoryId};

use super::entry::OpenPacks;
use super::verify::verify;
use super::{CacheError, Entry, PackCache};
use crate::limits::{LIST_ATTEMPTS, PACKS_FETCHED};

impl PackCache {
    /// The objects, at least everything that refs of that version reach.
    pub(crate) async fn objects(
        &self,
        entry: &Entry,
        at_least: u64,
    ) -> Result<Objects, CacheError> {
        Ok(self.open_packs(entry, at_least).await?.objects)
    }

    /// The same, with the version of the list that they are of.
    pub(crate) async fn open_packs(
        &self,
        entry: &Entry,
        at_least: u64,
    ) -> Result<OpenPacks, CacheError> {
        let mut open = entry.open.lock().await;
        if let Some(held) = &*open
            && held.version >= at_least
        {
            self.metrics.hits.inc();
            return Ok(held.clone());
        }
        let known = open.as_ref().map(|held| held.version);
        let list = match (self.list(entry, known, at_least).await?, &*open) {
            (Some(list), _) => list,
            (None, Some(held)) => return Ok(held.clone()),
            (None, None) => return Err(CacheError::UnexpectedAnswer),
        };
        let held = open.as_ref().map(|held| held.objects.clone());
        let fresh = self.fill_newest(entry, held.clone(), list).await?;
        if let Some(held) = &held {
            self.drop_replaced(entry, held, &fresh.objects).await?;
        }
        self.note_packs(entry, fresh.objects.packs().len());
        *open = Some(fresh.clone());
        drop(open);
        self.evict().await;
        Ok(fresh)
    }

    /// Brings the packs of a list here, or of the newest list if those were replaced meanwhile.
    async fn fill_newest(
        &self,
        entry: &Entry,
        mut held: Option<Objects>,
        mut list: PackList,
    ) -> Result<OpenPacks, CacheError> {
        let mut attempt = 0;
        let objects = loop {
            attempt += 1;
            let error = match self.fill(entry, held.clone(), &list).await {
                Ok(objects) => break objects,
                Err(error) if attempt == LIST_ATTEMPTS => return Err(error),
                Err(error) => error,
            };
            match error {
                // Someone emptied the directory: fetch everything again.
                CacheError::Open { .. } => {
                    self.state().on_disk(entry.id).checked.clear();
                    held = None;
                }
                CacheError::NoManifest(_) | CacheError::Download(_) => {
                    let before = Some(list.version);
                    match self.list(entry, before, list.version + 1).await? {
                        Some(newer) => list = newer,
                        None => return Err(error),
                    }
                }
                error => return Err(error),
            }
        };
        let version = list.version;
        Ok(OpenPacks { version, objects })
    }

    /// The packs at that version or a later one; nothing if the known version is
    /// the last. The replica that is nearest mostly has what the refs were just
    /// read from.
    async fn list(
        &self,
        entry: &Entry,
        known: Option<u64>,
        at_least: u64,
    ) -> Result<Option<PackList>, CacheError> {
        let query = Query::Packs {
            repository: entry.id,
            known,
        };
        for point in [ReadPoint::Stale, ReadPoint::Linearizable] {
            let is_last = point == ReadPoint::Linearizable;
            match self
                .storage
                .read(entry.id.slot(), point, query.clone())
                .await?
            {
                Answer::Packs(Some(list)) if is_last || list.version >= at_least => {
                    return Ok(Some(list));
                }
                Answer::Packs(None) if is_last => return Err(CacheError::Gone(entry.id)),
                Answer::Unchanged if is_last => return Ok(None),
                Answer::Packs(_) | Answer::Unchanged => {}
                _ => return Err(CacheError::UnexpectedAnswer),
            }
        }
        Err(CacheError::UnexpectedAnswer)
    }

    /// The domain in which the repository's chunks are shared.
    pub(crate) async fn domain(&self, entry: &Entry) -> Result<DedupDomain, CacheError> {
        if let Some(known) = entry.domain.get() {
            return Ok(*known);
        }
        // It never changes: any replica's will do, if it has the repository.
        for point in [ReadPoint::Stale, ReadPoint::Linearizable] {
            let query = Query::Repository(entry.id);
            match self.storage.read(entry.id.slot(), point, query).await? {
                Answer::Repository(Some(record)) => {
                    return Ok(*entry.domain.get_or_init(|| record.domain));
                }
                Answer::Repository(None) => {}
                _ => return Err(CacheError::UnexpectedAnswer),
            }
        }
        Err(CacheError::Gone(entry.id))
    }

    /// Brings all packs of the list to this disk and opens those that are not
    /// open already.
    async fn fill(
        &self,
        entry: &Entry,
        held: Option<Objects>,
        list: &PackList,
    ) -> Result<Objects, CacheError> {
        let (id, hash, layout) = (entry.id, entry.hash, self.layout.clone());
        self.blocking("make a repository", move || {
            layout.make_repository(id, hash)
        })
        .await??;
        let are_checked = list
            .packs
            .iter()
            .all(|pack| self.is_checked(id, &pack.checksum));
        let domain = match are_checked {
            true => DedupDomain::default(),
            false => self.domain(entry).await?,
        };
        let packs = stream::iter(list.packs.clone().into_iter().map(Ok));
        let ensure = |pack| async move { self.ensure(entry, domain, &pack).await };
        packs.try_for_each_concurrent(PACKS_FETCHED, ensure).await?;
        let file = |pack: &Pack| self.layout.file(id, &pack.checksum, "pack");
        let paths: Vec<PathBuf> = list.packs.iter().map(file).collect();
        let held = held.unwrap_or_else(|| Objects::empty(hash));
        let opened = self
            .blocking("open packs", move || held.reopen(&paths))
            .await?;
        opened.map_err(|source| CacheError::Open { id, source })
    }

    fn is_checked(&self, id: RepositoryId, checksum: &ObjectId) -> bool {
        self.state()
            .disk
            .get(&id)
            .is_some_and(|disk| disk.checked.contains_key(checksum))
    }

    /// Has one pack and its index on disk, checked.
    async fn ensure(
        &self,
        entry: &Entry,
        domain: DedupDomain,
        pack: &Pack,
    ) -> Result<(), CacheError> {
        if self.is_checked(entry.id, &pack.checksum) {
            self.metrics.hits.inc();
            return Ok(());
        }
        let path = self.layout.file(entry.id, &pack.checksum, "pack");
        let index = self.layout.file(entry.id, &pack.checksum, "idx");
        if self.take_from_disk(entry.id, pack, &path, &index).await? {
            self.metrics.hits.inc();
            return Ok(());
        }
        let bytes = self.download(entry, domain, pack.pack, &path).await?
            + self.download(entry, domain, pack.index, &index).await?;
        self.metrics.fetched.inc();
        self.note(entry.id, pack, bytes);
        Ok(())
    }

    /// Takes what an earlier process left, or another repository of the same
    /// network of forks has, if its bytes are right.
    async fn take_from_disk(
        &self,
        id: RepositoryId,
        pack: &Pack,
        path: &Path,
        index: &Path,
    ) -> Result<bool, CacheError> {
        let twin = self.state().twin(id, pack);
        let twin = twin.map(|twin| {
            ["pack", "edges", "idx"].map(|extension| {
                let from = self.layout.file(twin, &pack.checksum, extension);
                (from, self.layout.file(id, &pack.checksum, extension))
            })
        });
        let (pack_blob, index_blob) = (pack.pack, pack.index);
        let (path, index) = (path.to_owned(), index.to_owned());
        let failed = path.clone();
        let taken = self
            .blocking("check a pack", move || -> io::Result<Option<u64>> {
                for (from, to) in twin.iter().flatten() {
                    link(from, to)?;
                }
                match (verify(&path, pack_blob)?, verify(&index, index_blob)?) {
                    (Some(pack), Some(index)) => Ok(Some(pack + index)),
                    _ => Ok(None),
                }
            })
            .await?
            .map_err(CacheError::io(failed))?;
        if let Some(bytes) = taken {
            self.note(id, pack, bytes);
        }
        Ok(taken.is_some())
    }

    pub(super) fn note(&self, id: RepositoryId, pack: &Pack, bytes: u64) {
        let mut state = self.state();
        let disk = state.on_disk(id);
        if disk.checked.insert(pack.checksum, pack.pack).is_none() {
            disk.bytes += bytes;
        }
        self.report(&state);
    }

    /// Moves a pack that was pushed, and that the storage has, to where the
    /// next fetch looks for it. What fails here only makes that fetch slower.
    pub(crate) async fn adopt(
        &self,
        entry: &Entry,
        pushed: &ReceivedPack,
        pack: &Pack,
        version: u64,
    ) -> Result<(), CacheError> {
        let mut open = entry.open.lock().await;
        let (id, hash, layout) = (entry.id, entry.hash, self.layout.clone());
        let file = |extension| self.layout.file(id, &pack.checksum, extension);
        let mut moves = vec![(pushed.pack.clone(), file("pack"))];
        if let Some(edges) = &pushed.edges {
            moves.push((edges.clone(), file("edges")));
        }
        moves.push((pushed.index.clone(), file("idx")));
        // With no change between, what was open and this pack are all there is.
        let before = open.take().filter(|held| held.version + 1 == version);
        let target = file("pack");
        let moved = self.blocking("adopt a pack", move || {
            layout.make_repository(id, hash)?;
            let mut bytes = 0;
            for (from, to) in moves {
                bytes += fs::metadata(&from).map_err(CacheError::io(&from))?.len();
                fs::rename(&from, &to).map_err(CacheError::io(&to))?;
            }
            let objects = before.map(|held| {
                let mut packs = held.objects.packs();
                packs.push(target);
                held.objects.reopen(&packs)
            });
            let objects = objects.transpose();
            let objects = objects.map_err(|source| CacheError::Open { id, source })?;
            Ok::<_, CacheError>((bytes, objects))
        });
        let (bytes, objects) = moved.await??;
        self.note(id, pack, bytes);
        if let Some(objects) = &objects {
            self.note_packs(entry, objects.packs().len());
        }
        *open = objects.map(|objects| OpenPacks { version, objects });
        drop(open);
        self.evict().await;
        Ok(())
    }
}

impl super::pack_cache::State {
    /// Another repository of the slot that has the same pack, checked.
    fn twin(&self, id: RepositoryId, pack: &Pack) -> Option<RepositoryId> {
        let has = |disk: &super::pack_cache::OnDisk| {
            disk.checked
                .get(&pack.checksum)
                .is_some_and(|blob| *blob == pack.pack)
        };
        let mut others = self
            .disk
            .iter()
            .filter(|(other, _)| other.slot() == id.slot());
        others
            .find(|(other, disk)| **other != id && has(disk))
            .map(|(other, _)| *other)
    }
}

fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // It was evicted meanwhile: then it is fetched.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        linked => linked,
    }
}
