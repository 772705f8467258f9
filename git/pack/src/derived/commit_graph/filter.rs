use super::super::murmur::{FilterVersion, murmur3};

/// Bits that are set for one path.
const HASHES: u32 = 7;

/// Bits of the filter for each path.
const BITS_PER_PATH: usize = 10;

/// With more paths than this, a filter says that everything may have changed.
const MAX_PATHS: usize = 512;

/// The numbers that start a `BDAT` chunk: version, hashes, bits.
pub(super) const SETTINGS: [u32; 2] = [HASHES, BITS_PER_PATH as u32];

/// Where the bits of a path are, in filters of any length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PathKey {
    first: u32,
    step: u32,
}

impl PathKey {
    fn new(version: FilterVersion, path: &[u8]) -> Self {
        Self {
            first: murmur3(version, 0x293a_e76f, path),
            step: murmur3(version, 0x7e64_6e2c, path),
        }
    }

    /// Byte and bit of each hash in a filter of that many bytes.
    fn places(self, bytes: usize) -> impl Iterator<Item = (usize, u8)> {
        (0..HASHES).map(move |at| {
            let hash = self.first.wrapping_add(at.wrapping_mul(self.step));
            let place = u64::from(hash) % (bytes as u64 * 8);
            ((place / 8) as usize, 1 << (place % 8))
        })
    }
}

/// Changed-path filters, one for each commit.
pub(crate) struct Filters {
    pub(super) version: FilterVersion,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Filters {
    pub(crate) fn new(version: FilterVersion) -> Self {
        Self {
            version,
            ends: Vec::new(),
            bytes: Vec::new(),
        }
    }

    pub(super) fn get(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start as usize..self.ends[at] as usize]
    }

    /// Adds those of commits that follow.
    pub(crate) fn append(&mut self, other: &Self) {
        let start = self.bytes.len() as u32;
        self.ends.extend(other.ends.iter().map(|end| start + end));
        self.bytes.extend_from_slice(&other.bytes);
    }
}

/// Gathers the paths that a commit changes.
pub(crate) struct FilterBuilder {
    version: FilterVersion,
    keys: Vec<PathKey>,
    files: usize,
}

impl FilterBuilder {
    pub(crate) fn new(version: FilterVersion) -> Self {
        Self {
            version,
            keys: Vec::new(),
            files: 0,
        }
    }

    pub(crate) fn version(&self) -> FilterVersion {
        self.version
    }

    /// How many files were added for this commit.
    pub(crate) fn files(&self) -> usize {
        self.files
    }

    /// Whether more would change nothing.
    pub(crate) fn is_full(&self) -> bool {
        self.files > MAX_PATHS
    }

    pub(crate) fn add_file(&mut self, path: &[u8]) {
        self.files += 1;
        self.add_directory(path);
    }

    /// Adds a directory below which a file was added.
    pub(crate) fn add_directory(&mut self, path: &[u8]) {
        if !self.is_full() {
            self.keys.push(PathKey::new(self.version, path));
        }
    }

    /// The commit's filter is complete; the next commit follows.
    pub(crate) fn finish(&mut self, filters: &mut Filters) {
        self.keys.sort_unstable();
        self.keys.dedup();
        if self.is_full() || self.keys.len() > MAX_PATHS {
            filters.bytes.push(0xff);
        } else {
            let start = filters.bytes.len();
            let length = (self.keys.len() * BITS_PER_PATH).div_ceil(8).max(1);
            filters.bytes.resize(start + length, 0);
            for key in &self.keys {
                for (byte, bit) in key.places(length) {
                    filters.bytes[start + byte] |= bit;
                }
            }
        }
        filters.ends.push(filters.bytes.len() as u32);
        self.keys.clear();
        self.files = 0;
    }
}

/// A path, made ready to be looked for in many filters.
#[derive(Clone, Copy, Debug)]
pub struct ChangedPath {
    v1: PathKey,
    v2: PathKey,
}

impl ChangedPath {
    /// A path, whose parts slashes divide.
    pub fn new(path: &[u8]) -> Self {
        Self {
            v1: PathKey::new(FilterVersion::V1, path),
            v2: PathKey::new(FilterVersion::V2, path),
        }
    }
}

/// The paths that a commit may have changed, compared with its first parent.
#[derive(Clone, Copy, Debug)]
pub struct ChangedPaths<'a> {
    version: FilterVersion,
    filter: &'a [u8],
}

impl<'a> ChangedPaths<'a> {
    pub(super) const fn new(version: FilterVersion, filter: &'a [u8]) -> Self {
        Self { version, filter }
    }

    /// Whether the commit may have changed a path; a no is certain. An empty filter knows nothing.
    pub fn may_contain(&self, path: &ChangedPath) -> bool {
        let key = match self.version {
            FilterVersion::V1 => path.v1,
            FilterVersion::V2 => path.v2,
        };
        let mut places = key.places(self.filter.len().max(1));
        self.filter.is_empty() || places.all(|(byte, bit)| self.filter[byte] & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::murmur::FilterVersion;
    use super::{ChangedPath, ChangedPaths, FilterBuilder, Filters};

    #[test]
    fn what_was_added_is_found_and_little_else() {
        let version = FilterVersion::V1;
        let (mut builder, mut filters) = (FilterBuilder::new(version), Filters::new(version));
        let paths: Vec<String> = (0..100).map(|at| format!("dir/file{at}")).collect();
        for path in &paths {
            builder.add_file(path.as_bytes());
        }
        builder.finish(&mut filters);
        builder.finish(&mut filters);
        (0..=512).for_each(|at: u32| builder.add_file(&at.to_be_bytes()));
        builder.finish(&mut filters);
        let may_contain = |filter: &[u8], path: &str| {
            let path = ChangedPath::new(path.as_bytes());
            ChangedPaths::new(version, filter).may_contain(&path)
        };
        let found = |at, path: &str| may_contain(filters.get(at), path);
        assert!(paths.iter().all(|path| found(0, path)));
        let wrong = (0..1000)
            .filter(|at| found(0, &format!("other{at}")))
            .count();
        assert!(wrong < 30, "{wrong}");
        assert_eq!((filters.get(0).len(), filters.get(1)), (125, &[0][..]));
        assert!(!found(1, "dir"));
        assert_eq!(filters.get(2), [0xff], "too many to tell");
        assert!(found(2, "anything") && may_contain(&[], "anything"));
    }
}
