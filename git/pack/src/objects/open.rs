use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use git_id::HashKind;

use super::{CommitGraphFile, Inner, LooseObjects, Objects, OpenError, Pack};
use crate::reachability::Reachability;

/// How deep alternates may refer to alternates, as in git.
const MAX_ALTERNATE_DEPTH: usize = 5;

impl Objects {
    /// No objects at all.
    pub fn empty(hash: HashKind) -> Self {
        Self::assemble(hash, Vec::new(), Vec::new(), Arc::default())
            .expect("no packs are not too many")
    }

    /// Opens exactly these packs, given by the paths of their `.pack` files with the
    /// `.idx` beside each.
    ///
    /// # Errors
    ///
    /// A file is missing or damaged; an index belongs to another pack.
    pub fn open_packs(hash: HashKind, packs: &[PathBuf]) -> Result<Self, OpenError> {
        Self::empty(hash).reopen(packs)
    }

    /// Opens exactly these packs, without opening again those that are already in
    /// use here, and shares what is known about reachability.
    ///
    /// # Errors
    ///
    /// As [`Objects::open_packs`].
    pub fn reopen(&self, packs: &[PathBuf]) -> Result<Self, OpenError> {
        let open = |path: &PathBuf| match self.pack_list().iter().find(|pack| pack.path() == path) {
            Some(pack) => Ok(Arc::clone(pack)),
            None => Pack::open(path, self.hash()).map(Arc::new),
        };
        let packs = packs.iter().map(open).collect::<Result<_, _>>()?;
        Self::assemble(
            self.hash(),
            packs,
            Vec::new(),
            Arc::clone(self.reachability()),
        )
    }

    /// Opens the `objects` directory of a plain repository: its packs, its loose
    /// objects, and the same of its alternates.
    ///
    /// # Errors
    ///
    /// As [`Objects::open_packs`]; alternates nested too deep. An alternate that
    /// does not exist is left out, as git does.
    pub fn open_directory(hash: HashKind, objects_dir: &Path) -> Result<Self, OpenError> {
        let mut directories = vec![objects_dir.to_owned()];
        let mut seen: HashSet<PathBuf> = objects_dir.canonicalize().into_iter().collect();
        let mut level = directories.clone();
        for depth in 0.. {
            let mut next = Vec::new();
            for directory in &level {
                let found = alternates(directory)?;
                next.extend(
                    found
                        .into_iter()
                        .filter(|path| path.is_dir() && seen.insert(path.clone())),
                );
            }
            if next.is_empty() {
                break;
            }
            if depth == MAX_ALTERNATE_DEPTH {
                return Err(OpenError::AlternatesTooDeep {
                    path: objects_dir.to_owned(),
                    limit: MAX_ALTERNATE_DEPTH,
                });
            }
            directories.extend_from_slice(&next);
            level = next;
        }
        let mut packs = Vec::new();
        for directory in &directories {
            for path in pack_files(&directory.join("pack"))? {
                packs.push(Arc::new(Pack::open(&path, hash)?));
            }
        }
        let loose = directories
            .iter()
            .map(|directory| LooseObjects::new(directory))
            .collect();
        let mut inner = Inner::assemble(hash, packs, loose, Arc::default())?;
        inner.commit_graph = Arc::new(CommitGraphFile {
            directory: Some(objects_dir.to_owned()),
            ..CommitGraphFile::default()
        });
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// These objects and those of one more pack, such as a push in quarantine.
    ///
    /// # Errors
    ///
    /// As [`Objects::open_packs`].
    pub fn with_pack(&self, pack: &Path) -> Result<Self, OpenError> {
        let added = Arc::new(Pack::open(pack, self.hash())?);
        let mut packs = self.pack_list().to_vec();
        packs.push(Arc::clone(&added));
        let reachability = Arc::clone(self.reachability());
        let mut inner =
            Inner::assemble(self.hash(), packs, self.loose_list().to_vec(), reachability)?;
        inner.added = inner
            .packs
            .iter()
            .position(|pack| Arc::ptr_eq(pack, &added));
        inner.commit_graph = Arc::clone(&self.inner.commit_graph);
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The same objects, with what is known about reachability shared with other
    /// sets that were given the same cache.
    #[must_use]
    pub fn with_reachability(&self, cache: &Arc<Reachability>) -> Self {
        let (packs, loose) = (self.pack_list().to_vec(), self.loose_list().to_vec());
        let mut inner = Inner::assemble(self.hash(), packs, loose, Arc::clone(cache))
            .expect("the same packs as before are not too many");
        inner.added = self.added_pack();
        inner.commit_graph = Arc::clone(&self.inner.commit_graph);
        Self {
            inner: Arc::new(inner),
        }
    }

    fn assemble(
        hash: HashKind,
        packs: Vec<Arc<Pack>>,
        loose: Vec<LooseObjects>,
        reachability: Arc<Reachability>,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            inner: Arc::new(Inner::assemble(hash, packs, loose, reachability)?),
        })
    }
}

impl Inner {
    fn assemble(
        hash: HashKind,
        mut packs: Vec<Arc<Pack>>,
        loose: Vec<LooseObjects>,
        reachability: Arc<Reachability>,
    ) -> Result<Self, OpenError> {
        packs.sort_by(|a, b| {
            b.count()
                .cmp(&a.count())
                .then_with(|| a.path().cmp(b.path()))
        });
        packs.dedup_by(|a, b| a.path() == b.path());
        let mut first_numbers = vec![0u32];
        let mut next = 0u32;
        for pack in &packs {
            next = next
                .checked_add(pack.count())
                .ok_or(OpenError::TooManyObjects)?;
            first_numbers.push(next);
        }
        Ok(Self {
            hash,
            packs,
            first_numbers,
            combined: OnceLock::new(),
            loose,
            added: None,
            readers: Mutex::default(),
            reachability,
            commit_graph: Arc::default(),
            bitmaps: OnceLock::new(),
        })
    }
}

/// The `.pack` files of a directory whose `.idx` is there too: without it, a pack
/// is not finished and not visible.
fn pack_files(directory: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let failed = |source| OpenError::Io {
        path: directory.to_owned(),
        source,
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut packs = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "idx") {
            let pack = path.with_extension("pack");
            if pack.is_file() {
                packs.push(pack);
            }
        }
    }
    Ok(packs)
}

/// The directories that `info/alternates` lists, as absolute paths without links; those
/// that do not exist are left out.
fn alternates(objects_dir: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let path = objects_dir.join("info").join("alternates");
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(OpenError::Io { path, source }),
    };
    let lines = text.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    Ok(lines
        .filter_map(|line| objects_dir.join(path_from(line)).canonicalize().ok())
        .collect())
}

fn path_from(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}
