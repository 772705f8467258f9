use git_id::{HashKind, ObjectId};

use super::super::Commits;
use super::super::chunks::{ChunkId, assemble, numbers};
use super::super::file::seal;
use super::super::id_table::{fanout, hash_byte};
use super::filter::{Filters, SETTINGS};
use super::{FLAG, NO_PARENT, SIGNATURE};

/// Times that the format has room for are below this.
const MAX_TIME: i64 = 1 << 34;

/// The greatest level that the format has room for.
const MAX_LEVEL: u32 = 0x3fff_ffff;

/// Differences between corrected and real date from here on are kept in a list of their own.
const FIRST_LARGE_DATE: u64 = FLAG as u64;

/// A commit whose time the format has no room for, so that there can be no graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnstorableTime(pub(crate) ObjectId);

/// The commit-graph file of some commits, with their changed-path filters if there are any.
pub(crate) fn encode_commit_graph(
    hash: HashKind,
    commits: &Commits,
    filters: Option<&Filters>,
) -> Result<Vec<u8>, UnstorableTime> {
    let rows = commits.rows();
    let unstorable = |time: i64| !(0..MAX_TIME).contains(&time);
    if let Some(row) = rows.iter().find(|row| unstorable(row.time)) {
        return Err(UnstorableTime(row.id));
    }
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    order.sort_unstable_by_key(|at| rows[*at as usize].id);
    let ids = || order.iter().map(|at| &rows[*at as usize].id);
    let mut chunks: Vec<(ChunkId, Vec<u8>)> = vec![
        (*b"OIDF", fanout(ids())),
        (
            *b"OIDL",
            ids().flat_map(|id| id.as_bytes().to_vec()).collect(),
        ),
    ];
    let (data, edges) = data(commits, &order);
    chunks.push((*b"CDAT", data));
    let (dates, large_dates) = dates(commits, &order);
    chunks.push((*b"GDA2", dates));
    if !large_dates.is_empty() {
        chunks.push((*b"GDO2", large_dates));
    }
    if !edges.is_empty() {
        chunks.push((*b"EDGE", numbers(edges)));
    }
    if let Some(filters) = filters {
        let each = || order.iter().map(|at| filters.get(*at as usize));
        let ends = each().scan(0u32, |end, filter| {
            *end += filter.len() as u32;
            Some(*end)
        });
        chunks.push((*b"BIDX", numbers(ends)));
        let mut bytes = numbers([filters.version.number(), SETTINGS[0], SETTINGS[1]]);
        each().for_each(|filter| bytes.extend_from_slice(filter));
        chunks.push((*b"BDAT", bytes));
    }
    let mut header = SIGNATURE.to_vec();
    header.extend_from_slice(&[1, hash_byte(hash), chunks.len() as u8, 0]);
    let mut file = assemble(&header, &chunks);
    seal(&mut file, hash);
    Ok(file)
}

/// Tree, parents, level and time of each commit; and the parents that have no room there.
fn data(commits: &Commits, order: &[u32]) -> (Vec<u8>, Vec<u32>) {
    let mut positions = vec![0u32; order.len()];
    for (position, at) in order.iter().enumerate() {
        positions[*at as usize] = position as u32;
    }
    let (mut data, mut edges) = (Vec::new(), Vec::new());
    for at in order {
        let row = &commits.rows()[*at as usize];
        let parents = commits.parents(*at as usize).iter();
        let parents: Vec<u32> = parents.map(|parent| positions[*parent as usize]).collect();
        let (first, second) = match parents.as_slice() {
            [] => (NO_PARENT, NO_PARENT),
            [only] => (*only, NO_PARENT),
            [first, second] => (*first, *second),
            [first, further @ .., last] => {
                let start = edges.len() as u32;
                edges.extend_from_slice(further);
                edges.push(FLAG | last);
                (*first, FLAG | start)
            }
        };
        data.extend_from_slice(row.tree.as_bytes());
        let level = row.level.min(MAX_LEVEL);
        let high = level << 2 | (row.time >> 32) as u32;
        data.extend(numbers([first, second, high, row.time as u32]));
    }
    (data, edges)
}

/// By how much each commit's corrected date is later; and what has no room there.
fn dates(commits: &Commits, order: &[u32]) -> (Vec<u8>, Vec<u8>) {
    let (mut dates, mut large) = (Vec::new(), Vec::new());
    for at in order {
        let row = &commits.rows()[*at as usize];
        let later = row.corrected - row.time as u64;
        let number = if later < FIRST_LARGE_DATE {
            later as u32
        } else {
            large.extend_from_slice(&later.to_be_bytes());
            FLAG | (large.len() / 8 - 1) as u32
        };
        dates.extend_from_slice(&number.to_be_bytes());
    }
    (dates, large)
}
