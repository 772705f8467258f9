//! One round of moving volumes to the store and back.
//!
//! First what is to be deleted, then what is wanted back: a volume of which twice as many bytes were
//! fetched as it has comes back whole, so that a single pass over everything moves nothing. Then
//! volumes that were not read for long are uploaded, and as many more as space is wanted, those
//! read longest ago first; then files go until the rest fits.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use objects::{ObjectError, Upload};
use runtime::File;

use super::super::error::StoreError;
use super::super::store::ChunkStore;
use super::super::volume::VolumeId;
use super::shelf::Cold;
use super::ticket::{State, Ticket};

/// Bytes that are moved at a time.
const PART_BYTES: u64 = 8 << 20;
/// How many times its own bytes are fetched from a volume before it comes back.
const FETCHED_TIMES: u64 = 2;
/// What the name of a volume that comes back begins with until it is whole; the store's opening
/// removes such files.
const COMING: &str = "new-back-";

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cooled {
    /// Volumes uploaded and read back.
    pub uploaded: u64,
    /// Volumes whose file went.
    pub left: u64,
    /// Volumes that came back.
    pub returned: u64,
    /// Objects deleted.
    pub deleted: u64,
    /// How long the store is to be left alone, if it could not be used.
    pub pause: Duration,
}

/// Why a round stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error("move volumes to or from the cold store")]
    Files(#[from] io::Error),
    /// The bytes that came back are others than those that were sent.
    #[error("{0} came back from the cold store as something else")]
    Differs(VolumeId),
}

impl From<kv::KvError> for Stopped {
    fn from(error: kv::KvError) -> Self {
        Self::Store(error.into())
    }
}

/// A sealed volume on the disk.
#[derive(Clone, Copy, Debug)]
struct Local {
    volume: VolumeId,
    length: u64,
    last: Duration,
}

impl ChunkStore {
    /// One round: deletes, fetches back, uploads and drops what is due. A failure ends the round
    /// and is told; the next one goes on. Without a cold tier there is nothing to do.
    pub async fn cool(&self) -> Cooled {
        let mut cooled = Cooled::default();
        let Some(cold) = self.cold().cloned() else {
            return cooled;
        };
        if let Err(stopped) = self.round(&cold, &mut cooled).await
            // That the store is away was told when it was found out.
            && (cold.reach.is_away().is_none() || !matches!(stopped, Stopped::Object(_)))
        {
            tracing::error!(
                error = &stopped as &dyn std::error::Error,
                "the cold tier cannot go on"
            );
        }
        cooled.pause = cold.reach.pause();
        cooled
    }

    /// Waits until a round is due before its time: a volume was sealed, one was removed, or an
    /// object is not as it should be.
    pub async fn cold_is_due(&self) {
        let Some(cold) = self.cold() else {
            return std::future::pending().await;
        };
        tokio::select! {
            () = cold.is_suspected() => {}
            () = self.sealed() => {}
        }
    }

    async fn round(&self, cold: &Arc<Cold>, cooled: &mut Cooled) -> Result<(), Stopped> {
        if let Some(error) = cold.reach.is_away() {
            // Files whose object is whole go all the same.
            self.leave(cold, cooled).await?;
            return Err(error.into());
        }
        for ticket in cold.gone() {
            let cold = Arc::clone(cold);
            self.work("delete an object", move || cold.delete(&ticket))
                .await?;
            cooled.deleted += 1;
        }
        self.audit(cold).await?;
        for ticket in cold.all_away() {
            let (limit, fetched) = (
                cold.config.local_bytes / 2,
                cold.used(ticket.volume).fetched,
            );
            if ticket.length <= limit && fetched >= FETCHED_TIMES * ticket.length {
                cooled.returned += u64::from(self.bring_back(cold, ticket).await?);
            }
        }
        let locals = self.locals(cold).await?;
        let mut wanted = self.wanted(cold, &locals).await?;
        self.leave(cold, cooled).await?;
        for local in locals {
            let idle = cold.clock.monotonic().saturating_sub(local.last);
            let is_idle = idle >= Duration::from_secs(cold.config.after_seconds);
            if wanted == 0 && !is_idle {
                continue;
            }
            wanted = wanted.saturating_sub(local.length);
            let is_up = cold.ticket(local.volume);
            if is_up.is_none_or(|ticket| ticket.state == State::Up)
                && self.upload(cold, local).await?
            {
                cooled.uploaded += 1;
                self.leave(cold, cooled).await?;
            }
        }
        Ok(())
    }

    /// The sealed volumes on the disk that are not damaged, those that were read longest ago first.
    async fn locals(&self, cold: &Arc<Cold>) -> Result<Vec<Local>, Stopped> {
        let damaged: Vec<VolumeId> = self
            .stats()?
            .damage
            .iter()
            .map(|damage| damage.volume)
            .collect();
        let (index, files) = (self.index().clone(), Arc::clone(cold));
        let (locals, bytes) = self
            .work("look at volumes", move || {
                let Some(checkpoint) = index.checkpoint()? else {
                    return Ok((Vec::new(), 0));
                };
                let mut locals = Vec::new();
                let mut bytes = 0;
                for name in files.files.list("")? {
                    let Some(volume) = VolumeId::of_file(&name) else {
                        continue;
                    };
                    if volume >= checkpoint.volume {
                        continue;
                    }
                    let length = match files.files.open(&name) {
                        // Compacted since.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        opened => opened?.len()?,
                    };
                    bytes += length;
                    let last = files.seen(volume).last;
                    locals.push(Local {
                        volume,
                        length,
                        last,
                    });
                }
                Ok::<_, Stopped>((locals, bytes))
            })
            .await?;
        cold.metrics
            .local_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
        let mut locals: Vec<Local> = locals;
        locals.retain(|local| !damaged.contains(&local.volume));
        locals.sort_unstable_by_key(|local| (local.last, local.volume));
        Ok(locals)
    }

    /// Bytes that have to go for the rest to fit.
    async fn wanted(&self, cold: &Arc<Cold>, locals: &[Local]) -> Result<u64, Stopped> {
        let bytes: u64 = locals.iter().map(|local| local.length).sum();
        let over = bytes.saturating_sub(cold.config.local_bytes);
        let files = Arc::clone(cold);
        let look = move || Ok::<_, Stopped>(files.files.available_bytes()?);
        let available = self.work("look for free space", look).await?;
        Ok(over.max((2 * self.reserve_bytes()).saturating_sub(available)))
    }

    /// Removes files whose volume is whole in the store, until the rest fits.
    async fn leave(&self, cold: &Arc<Cold>, cooled: &mut Cooled) -> Result<(), Stopped> {
        let locals = self.locals(cold).await?;
        let mut wanted = self.wanted(cold, &locals).await?;
        let mut going = Vec::new();
        for local in locals {
            let ticket = cold.ticket(local.volume);
            if wanted > 0 && ticket.is_some_and(|ticket| ticket.state == State::Cold) {
                wanted = wanted.saturating_sub(local.length);
                going.push(local.volume);
            }
        }
        if going.is_empty() {
            return Ok(());
        }
        let (store, cold) = (self.clone(), Arc::clone(cold));
        let leave = move || {
            // So that recovery begins behind them, whatever happens.
            store.index().sync()?;
            let mut left = 0;
            for volume in going {
                left += u64::from(cold.leave(volume)?);
                store.forget(volume);
            }
            cold.files.sync_dir("")?;
            cold.metrics.left.inc_by(left);
            Ok::<_, Stopped>(left)
        };
        cooled.left += self.work("drop files of volumes", leave).await?;
        Ok(())
    }

    /// Uploads a volume and reads it back; no if it was removed meanwhile.
    async fn upload(&self, cold: &Arc<Cold>, local: Local) -> Result<bool, Stopped> {
        let Some((file, ticket)) = self.begin(cold, local).await? else {
            return Ok(false);
        };
        let (asked, name) = (Arc::clone(cold), ticket.object(cold.owner));
        let object = name.clone();
        let known = move || match asked.reach.ask(|objects| objects.length(&object)) {
            Ok(length) => Ok(length == ticket.length),
            Err(ObjectError::Missing { .. }) => Ok(false),
            Err(error) => Err(Stopped::Object(error)),
        };
        // An earlier process may have come so far.
        if !self.work("look for an object", known).await? {
            self.send(cold, &file, ticket).await?;
        }
        let mut hash = blake3::Hasher::new();
        for (from, to) in parts(ticket.length) {
            let (asked, object) = (Arc::clone(cold), name.clone());
            let read = move || Ok(asked.reach.ask(|objects| objects.read(&object, from..to))?);
            let bytes: Bytes = self.work("read an object back", read).await?;
            hash.update(&bytes);
            self.pace(cold, to - from).await;
        }
        if *hash.finalize().as_bytes() != ticket.hash {
            let cold = Arc::clone(cold);
            self.work(
                "give an object up",
                move || Ok(cold.give_up(ticket.volume)?),
            )
            .await?;
            return Err(Stopped::Differs(ticket.volume));
        }
        let settle = Arc::clone(cold);
        let settled = self
            .work("keep a ticket", move || Ok(settle.settle(ticket)?))
            .await?;
        cold.metrics.uploads.inc_by(u64::from(settled));
        Ok(settled)
    }

    /// Hashes a volume and makes its ticket.
    async fn begin(
        &self,
        cold: &Arc<Cold>,
        local: Local,
    ) -> Result<Option<(Arc<dyn File>, Ticket)>, Stopped> {
        let cold = Arc::clone(cold);
        let begin = move || {
            let file = match cold.files.open(&local.volume.file_name()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                opened => opened?,
            };
            let mut hash = blake3::Hasher::new();
            for (from, to) in parts(local.length) {
                hash.update(&read_part(&*file, from, to)?);
            }
            let ticket = Ticket {
                state: State::Up,
                volume: local.volume,
                length: local.length,
                hash: *hash.finalize().as_bytes(),
            };
            if let Some(old) = cold.ticket(local.volume)
                && old != ticket
            {
                // The first block was mended since, or the file is rotten.
                cold.give_up(local.volume)?;
                return Ok(None);
            }
            if !cold.has_mark()? {
                cold.make_mark()?;
            }
            Ok::<_, Stopped>(cold.begin(ticket)?.then_some((file, ticket)))
        };
        self.work("hash a volume", begin).await
    }

    async fn send(
        &self,
        cold: &Arc<Cold>,
        file: &Arc<dyn File>,
        ticket: Ticket,
    ) -> Result<(), Stopped> {
        let (asked, name) = (Arc::clone(cold), ticket.object(cold.owner));
        let begin = move || Ok::<_, Stopped>(asked.reach.ask(|objects| objects.begin(&name))?);
        let mut upload: Box<dyn Upload> = self.work("begin an object", begin).await?;
        for (from, to) in parts(ticket.length) {
            let (asked, file) = (Arc::clone(cold), Arc::clone(file));
            let send = move || {
                let bytes = read_part(&*file, from, to)?;
                asked.reach.ask(|_| upload.part(bytes))?;
                asked.metrics.uploaded_bytes.inc_by(to - from);
                Ok::<_, Stopped>(upload)
            };
            upload = self.work("write an object", send).await?;
            self.pace(cold, to - from).await;
        }
        let asked = Arc::clone(cold);
        let finish = move || Ok(asked.reach.ask(|_| upload.finish())?);
        self.work("finish an object", finish).await
    }

    /// Fetches a volume whole; no if it was removed meanwhile.
    async fn bring_back(&self, cold: &Arc<Cold>, ticket: Ticket) -> Result<bool, Stopped> {
        let name = format!("{COMING}{:016x}", ticket.volume.0);
        let (files, path) = (Arc::clone(cold), name.clone());
        let create = move || match files.files.create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                files.files.remove(&path)?;
                Ok(files.files.create(&path)?)
            }
            created => Ok(created?),
        };
        let file: Arc<dyn File> = self.work("make a file", create).await?;
        let mut hash = blake3::Hasher::new();
        for (from, to) in parts(ticket.length) {
            let (asked, file) = (Arc::clone(cold), Arc::clone(&file));
            let object = ticket.object(cold.owner);
            let fetch = move || {
                let bytes = asked.reach.ask(|objects| objects.read(&object, from..to))?;
                file.write_at(&bytes, from)?;
                Ok::<_, Stopped>(bytes)
            };
            hash.update(&self.work("fetch a volume", fetch).await?);
            self.pace(cold, to - from).await;
        }
        let is_whole = *hash.finalize().as_bytes() == ticket.hash;
        let (store, cold) = (self.clone(), Arc::clone(cold));
        let end = move || {
            if !is_whole {
                cold.files.remove(&name)?;
                // Reads and the scrub find out what is rotten in it.
                return Err(Stopped::Differs(ticket.volume));
            }
            file.sync_data()?;
            let came = cold.come_back(ticket.volume, &name)?;
            if !came {
                cold.files.remove(&name)?;
            }
            store.forget(ticket.volume);
            cold.cache.forget(ticket.volume);
            cold.metrics.returned.inc_by(u64::from(came));
            Ok(came)
        };
        self.work("keep a volume", end).await
    }

    async fn pace(&self, cold: &Cold, bytes: u64) {
        let pause =
            Duration::from_millis(bytes.saturating_mul(1000) / cold.config.bytes_per_second);
        self.clock().sleep(pause).await;
    }

    /// Does what blocks.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        name: &'static str,
        call: impl FnOnce() -> Result<T, Stopped> + Send + 'static,
    ) -> Result<T, Stopped> {
        self.blocking(name, call).await?
    }
}

impl Cold {
    fn delete(&self, ticket: &Ticket) -> Result<(), Stopped> {
        let name = ticket.object(self.owner);
        self.reach.ask(|objects| objects.delete(&name))?;
        self.deleted(ticket)?;
        self.metrics.deleted.inc();
        Ok(())
    }
}

/// A volume's bytes in parts.
fn parts(length: u64) -> impl Iterator<Item = (u64, u64)> {
    let starts = (0..length.div_ceil(PART_BYTES)).map(|n| n * PART_BYTES);
    starts.map(move |from| (from, (from + PART_BYTES).min(length)))
}

fn read_part(file: &dyn File, from: u64, to: u64) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(to - from).map_err(io::Error::other)?];
    if file.read_at(&mut bytes, from)? < bytes.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes.into())
}
