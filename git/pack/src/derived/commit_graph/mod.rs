//! The commit-graph (gitformat-commit-graph(5)): what a walk needs of each commit, without
//! inflating it, and which paths each commit may have changed.

mod filter;
mod write;

use std::ops::Range;
use std::path::Path;

use git_id::HashKind;

pub use filter::{ChangedPath, ChangedPaths};
pub(crate) use filter::{FilterBuilder, Filters};
pub(crate) use write::encode_commit_graph;

use super::chunks::{Chunks, number_at};
use super::file::{Damage, Summed, load, u32_at};
use super::id_table::{IdTable, check_header};
use super::murmur::FilterVersion;

const SIGNATURE: [u8; 4] = *b"CGPH";

/// Bytes of the header: signature, version, hash, chunks, base graphs.
const HEADER_BYTES: usize = 8;

/// Bytes of a commit's data besides the id of its tree.
const ROW_BYTES: usize = 16;

/// Stands for a parent that there is not.
const NO_PARENT: u32 = 0x7000_0000;

/// Says that a number is a place in the list of further parents, or the last in it.
const FLAG: u32 = 0x8000_0000;

/// Bytes that start the filters: version, hashes, bits.
const FILTER_HEADER_BYTES: usize = 12;

/// A commit-graph in memory.
#[derive(Debug)]
pub(crate) struct CommitGraph {
    content: Vec<u8>,
    hash: HashKind,
    ids: IdTable,
    data: Range<usize>,
    edges: Range<usize>,
    filters: Option<FilterChunks>,
}

#[derive(Debug)]
struct FilterChunks {
    version: FilterVersion,
    ends: Range<usize>,
    bytes: Range<usize>,
}

/// What the graph says of a commit.
pub(crate) struct Row<'a> {
    pub(crate) tree: &'a [u8],
    pub(crate) parents: Vec<u32>,
    /// The committer's time, seconds since the epoch.
    pub(crate) time: i64,
}

impl CommitGraph {
    /// Reads the file of an `objects` directory; `None` if there is none that can be used.
    pub(crate) fn load(objects_directory: &Path, hash: HashKind) -> Option<Self> {
        let path = Self::path(objects_directory);
        load(&path, hash, |file| Self::parse(file, hash))
    }

    /// Where an `objects` directory keeps it.
    pub(crate) fn path(objects_directory: &Path) -> std::path::PathBuf {
        objects_directory.join("info").join("commit-graph")
    }

    fn parse(file: Summed, hash: HashKind) -> Result<Self, Damage> {
        let content = file.content;
        check_header(&content, SIGNATURE, hash)?;
        let &[count, bases] = content.get(6..8).ok_or(Damage::Truncated)? else {
            return Err(Damage::Truncated);
        };
        if bases != 0 {
            return Err(Damage::Unsupported("base graphs"));
        }
        let chunks = Chunks::parse(&content, HEADER_BYTES, count)?;
        let ids = IdTable::parse(&content, &chunks, hash)?;
        let row = hash.len_bytes() + ROW_BYTES;
        let data = chunks.expect(*b"CDAT", ids.count() as usize * row)?;
        let edges = chunks.get(*b"EDGE").unwrap_or(0..0);
        let filters = FilterChunks::parse(&content, &chunks, ids.count())?;
        Ok(Self {
            content,
            hash,
            ids,
            data,
            edges,
            filters,
        })
    }

    /// The position of a commit in the graph.
    pub(crate) fn position(&self, id: &[u8]) -> Option<u32> {
        self.ids.find(&self.content, id)
    }

    /// The id of the commit at a position that is in the graph.
    pub(crate) fn id(&self, position: u32) -> &[u8] {
        self.ids.id(&self.content, position)
    }

    /// The commit at a position; `None` if what is said of it cannot be.
    pub(crate) fn row(&self, position: u32) -> Option<Row<'_>> {
        let length = self.hash.len_bytes();
        let rows = &self.content[self.data.clone()];
        let row = rows
            .chunks_exact(length + ROW_BYTES)
            .nth(position as usize)?;
        let (tree, numbers) = row.split_at(length);
        let number = |at: usize| u32_at(numbers, at * 4);
        let time = i64::from(number(2)? & 3) << 32 | i64::from(number(3)?);
        let mut parents: Vec<u32> = [number(0)?]
            .into_iter()
            .filter(|parent| *parent != NO_PARENT)
            .collect();
        match number(1)? {
            NO_PARENT => {}
            parent if parent & FLAG == 0 => parents.push(parent),
            first => self.further_parents(first & !FLAG, &mut parents)?,
        }
        let known = |parent: &u32| *parent < self.ids.count();
        parents.iter().all(known).then_some(Row {
            tree,
            parents,
            time,
        })
    }

    fn further_parents(&self, first: u32, parents: &mut Vec<u32>) -> Option<()> {
        for at in first.. {
            let edge = number_at(&self.content, &self.edges, at)?;
            parents.push(edge & !FLAG);
            if edge & FLAG != 0 {
                break;
            }
        }
        Some(())
    }

    /// The filter of the paths that a commit changed, compared with its first parent; `None` if
    /// that is not known.
    pub(crate) fn changed_paths(&self, id: &[u8]) -> Option<ChangedPaths<'_>> {
        let filters = self.filters.as_ref()?;
        let position = self.position(id)?;
        let end = |at: u32| number_at(&self.content, &filters.ends, at);
        let start = position.checked_sub(1).map_or(Some(0), end)? as usize;
        let filter = self.content[filters.bytes.clone()].get(start..end(position)? as usize)?;
        Some(ChangedPaths::new(filters.version, filter))
    }
}

impl FilterChunks {
    fn parse(content: &[u8], chunks: &Chunks, count: u32) -> Result<Option<Self>, Damage> {
        let Some(data) = chunks.get(*b"BDAT") else {
            return Ok(None);
        };
        let ends = chunks.expect(*b"BIDX", count as usize * 4)?;
        if data.len() < FILTER_HEADER_BYTES {
            return Err(Damage::Truncated);
        }
        let setting = |at: u32| number_at(content, &data, at);
        let version = setting(0).and_then(FilterVersion::from_number);
        let usual =
            setting(1) == Some(filter::SETTINGS[0]) && setting(2) == Some(filter::SETTINGS[1]);
        // Filters of other kinds are left alone.
        Ok(version.filter(|_| usual).map(|version| Self {
            version,
            ends,
            bytes: data.start + FILTER_HEADER_BYTES..data.end,
        }))
    }
}

#[cfg(test)]
mod tests {
    use git_id::{HashKind, ObjectId};

    use super::super::chunks::{assemble, numbers};
    use super::super::file::{Summed, seal, unseal};
    use super::super::id_table::fanout;
    use super::{ChangedPath, CommitGraph, FLAG, NO_PARENT};

    fn id(byte: u8) -> ObjectId {
        ObjectId::from_bytes(&[byte; 20]).unwrap()
    }

    /// Three commits, the last with these parents and further parents.
    fn graph(parents: [u32; 2], edges: &[u32]) -> Vec<u8> {
        let ids = [id(1), id(2), id(9)];
        let mut data = Vec::new();
        for (first, second) in [
            (NO_PARENT, NO_PARENT),
            (0, NO_PARENT),
            (parents[0], parents[1]),
        ] {
            data.extend_from_slice(&[5; 20]);
            data.extend(numbers([first, second, 1 << 2 | 1, 7]));
        }
        let lookup = ids.iter().flat_map(|id| id.as_bytes().to_vec()).collect();
        let chunks = [
            (*b"OIDF", fanout(ids.iter())),
            (*b"OIDL", lookup),
            (*b"CDAT", data),
            (*b"EDGE", numbers(edges.iter().copied())),
        ];
        let mut file = assemble(b"CGPH\x01\x01\x04\x00", &chunks);
        seal(&mut file, HashKind::Sha1);
        file
    }

    fn read(file: Vec<u8>) -> Option<CommitGraph> {
        let file: Summed = unseal(file, HashKind::Sha1).ok()?;
        CommitGraph::parse(file, HashKind::Sha1).ok()
    }

    #[test]
    fn parents_are_found_however_many() {
        let read = |parents, edges: &[u32]| {
            let graph = read(graph(parents, edges)).unwrap();
            let position = graph.position(id(9).as_bytes()).unwrap();
            graph.row(position).map(|row| (row.parents, row.time))
        };
        let time = 1 << 32 | 7;
        assert_eq!(read([0, 1], &[]), Some((vec![0, 1], time)));
        let octopus = read([0, FLAG | 1], &[9, 1, 0, FLAG]);
        assert_eq!(octopus, Some((vec![0, 1, 0, 0], time)));
        assert_eq!(read([0, FLAG], &[1, 1]), None, "a list without an end");
        assert_eq!(read([0, FLAG | 7], &[FLAG]), None, "a list beyond the end");
        assert_eq!(read([3, NO_PARENT], &[]), None, "a parent beyond the end");
    }

    #[test]
    fn no_damage_goes_unnoticed() {
        let file = graph([0, 1], &[FLAG]);
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert!(read(damaged.clone()).is_none(), "byte {at}");
            assert!(read(file[..at].to_vec()).is_none(), "length {at}");
            // With a checksum that fits, nothing worse than a wrong answer may come of it.
            damaged.truncate(damaged.len() - 20);
            seal(&mut damaged, HashKind::Sha1);
            if let Some(graph) = read(damaged) {
                let positions = (0..graph.ids.count()).map(|at| graph.row(at).is_some());
                let _ = positions.count();
                let filter = graph.changed_paths(id(9).as_bytes());
                let path = ChangedPath::new(b"path");
                let _ = filter.map(|filter| filter.may_contain(&path));
            }
        }
    }
}
