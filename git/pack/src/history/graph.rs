use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use git_id::ObjectId;

use crate::Kind;
use crate::id_map::IdMap;
use crate::objects::{Loaded, MAX_TAG_CHAIN, Objects, Place, ReadError, Reader};
use crate::parse::{commit_links, tag_target};

pub(crate) type NumberMap<V> = HashMap<u32, V, BuildHasherDefault<NumberHasher>>;
pub(crate) type NumberSet = HashSet<u32, BuildHasherDefault<NumberHasher>>;

/// Spreads numbers that are handed out in sequence.
#[derive(Clone, Copy, Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Stands for an object that is not here.
const ABSENT: u32 = u32::MAX;

/// Commits that are inflated before it pays to read the commit-graph, if it was not read yet.
const INFLATED_BEFORE_GRAPH: u32 = 64;

/// What a walk keeps of a commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// The root tree's number, perhaps absent.
    tree: u32,
    first_parent: u32,
    parents: u32,
    /// The committer's time, seconds since the epoch.
    pub(crate) time: i64,
}

/// Reads commits as nodes and remembers them.
pub(crate) struct Graph<'a> {
    objects: &'a Objects,
    reader: Reader,
    /// Numbers of loose objects, given out as they are met.
    loose: IdMap<u32>,
    loose_ids: Vec<ObjectId>,
    nodes: NumberMap<Node>,
    parents: Vec<u32>,
    /// Commits whose parents are as good as not there.
    grafts: NumberSet,
    inflated: u32,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(objects: &'a Objects) -> Self {
        Self {
            objects,
            reader: Reader::new(),
            loose: IdMap::default(),
            loose_ids: Vec::new(),
            nodes: NumberMap::default(),
            parents: Vec::new(),
            grafts: NumberSet::default(),
            inflated: 0,
        }
    }

    pub(crate) fn objects(&self) -> &'a Objects {
        self.objects
    }

    /// The number of an object; `None` if it is not here.
    pub(crate) fn number(&mut self, id: &ObjectId) -> Option<u32> {
        if let Some((pack, position)) = self.objects.find_packed(id.as_bytes()) {
            return Some(self.objects.number(pack, position));
        }
        if self.objects.loose_list().is_empty() {
            return None;
        }
        if let Some(number) = self.loose.get(id) {
            return Some(*number);
        }
        self.objects.find(id)?;
        let number = self
            .objects
            .packed_objects()
            .checked_add(self.loose_ids.len() as u32)?;
        self.loose_ids.push(*id);
        self.loose.insert(*id, number);
        Some(number)
    }

    /// The number of an object that must be here.
    pub(crate) fn expect(&mut self, id: &ObjectId) -> Result<u32, ReadError> {
        self.number(id).ok_or(ReadError::Missing {
            id: *id,
            referrer: None,
        })
    }

    /// The number of an object that another refers to.
    pub(crate) fn expect_from(&mut self, id: &ObjectId, referrer: u32) -> Result<u32, ReadError> {
        self.number(id).ok_or_else(|| ReadError::Missing {
            id: *id,
            referrer: Some(self.id(referrer)),
        })
    }

    /// The name of the object with that number.
    pub(crate) fn id(&self, number: u32) -> ObjectId {
        match self.objects.place_of_number(number) {
            Some((pack, position)) => self.objects.pack_list()[pack].id(position),
            None => self.loose_ids[(number - self.objects.packed_objects()) as usize],
        }
    }

    /// Where the object with that number is.
    fn place(&self, number: u32) -> Option<Place> {
        match self.objects.place_of_number(number) {
            Some((pack, position)) => Some(Place::Packed { pack, position }),
            None => self.objects.find(&self.id(number)),
        }
    }

    /// Reads an object by number.
    pub(crate) fn load(&mut self, number: u32) -> Result<Loaded, ReadError> {
        if let Some(Place::Packed { pack, position }) = self.place(number) {
            let offset = self.objects.pack_list()[pack].offset(position);
            return self.reader.load_packed(self.objects, pack, offset);
        }
        let id = self.id(number);
        self.reader
            .load(self.objects, &id)?
            .ok_or(ReadError::Missing { id, referrer: None })
    }

    /// Reads an object that must be of a kind.
    pub(crate) fn load_kind(&mut self, number: u32, expected: Kind) -> Result<Loaded, ReadError> {
        let loaded = self.load(number)?;
        if loaded.kind == expected {
            return Ok(loaded);
        }
        Err(ReadError::WrongKind {
            id: self.id(number),
            actual: loaded.kind,
            expected,
        })
    }

    /// What kind an object is.
    pub(crate) fn kind(&mut self, number: u32) -> Result<Kind, ReadError> {
        if let Some(Place::Packed { pack, position }) = self.place(number) {
            let offset = self.objects.pack_list()[pack].offset(position);
            return Ok(self.reader.header_packed(self.objects, pack, offset)?.kind);
        }
        Ok(self.load(number)?.kind)
    }

    /// How many bytes an object has.
    pub(crate) fn size(&mut self, number: u32) -> Result<u64, ReadError> {
        if let Some(Place::Packed { pack, position }) = self.place(number) {
            let offset = self.objects.pack_list()[pack].offset(position);
            return Ok(self.reader.header_packed(self.objects, pack, offset)?.size);
        }
        Ok(self.load(number)?.data.len() as u64)
    }

    /// Follows tags down to something else, telling of each tag on the way.
    pub(crate) fn peel(
        &mut self,
        mut number: u32,
        tag: &mut dyn FnMut(u32),
    ) -> Result<(u32, Kind), ReadError> {
        for _ in 0..MAX_TAG_CHAIN {
            let kind = self.kind(number)?;
            if kind != Kind::Tag {
                return Ok((number, kind));
            }
            tag(number);
            let loaded = self.load(number)?;
            let target = tag_target(&loaded.data, self.objects.hash());
            let (target, _) = target.ok_or_else(|| self.malformed(number, Kind::Tag))?;
            number = self.expect_from(&target, number)?;
        }
        Err(self.malformed(number, Kind::Tag))
    }

    fn malformed(&self, number: u32, kind: Kind) -> ReadError {
        ReadError::Malformed {
            id: self.id(number),
            kind,
        }
    }

    /// From now on, the commit has no parents for any walk.
    pub(crate) fn graft(&mut self, commit: u32) {
        self.grafts.insert(commit);
        if let Some(node) = self.nodes.get_mut(&commit) {
            node.parents = 0;
        }
    }

    /// A commit.
    pub(crate) fn commit(&mut self, number: u32) -> Result<Node, ReadError> {
        if let Some(node) = self.nodes.get(&number) {
            return Ok(*node);
        }
        let node = match self.covered(number) {
            Some(node) => node,
            None => self.inflate(number)?,
        };
        self.nodes.insert(number, node);
        Ok(node)
    }

    fn inflate(&mut self, number: u32) -> Result<Node, ReadError> {
        self.inflated = self.inflated.saturating_add(1);
        let loaded = self.load_kind(number, Kind::Commit)?;
        let links = commit_links(&loaded.data, self.objects.hash())
            .ok_or_else(|| self.malformed(number, Kind::Commit))?;
        Ok(self.node(number, &links.tree, links.parents(), links.time))
    }

    /// What the commit-graph knows of a commit; nothing where there is none, or none that
    /// covers it.
    fn covered(&mut self, number: u32) -> Option<Node> {
        let objects = self.objects;
        let graph = objects.commit_graph(self.inflated >= INFLATED_BEFORE_GRAPH)?;
        let row = graph.row(graph.position(self.id(number).as_bytes())?)?;
        let tree = ObjectId::from_bytes(row.tree)?;
        let parents = row.parents.iter();
        let parents = parents.filter_map(|parent| ObjectId::from_bytes(graph.id(*parent)));
        Some(self.node(number, &tree, parents, row.time))
    }

    fn node(
        &mut self,
        number: u32,
        tree: &ObjectId,
        parents: impl Iterator<Item = ObjectId>,
        time: i64,
    ) -> Node {
        let first_parent = self.parents.len() as u32;
        if !self.grafts.contains(&number) {
            for parent in parents {
                let parent = self.number(&parent).unwrap_or(ABSENT);
                self.parents.push(parent);
            }
        }
        Node {
            tree: self.number(tree).unwrap_or(ABSENT),
            first_parent,
            parents: self.parents.len() as u32 - first_parent,
            time,
        }
    }

    pub(crate) fn parent_count(node: &Node) -> usize {
        node.parents as usize
    }

    /// A parent's number; `None` if it is not here.
    pub(crate) fn parent(&self, node: &Node, at: usize) -> Option<u32> {
        Some(self.parents[node.first_parent as usize + at]).filter(|parent| *parent != ABSENT)
    }

    /// A parent that must be here.
    pub(crate) fn expect_parent(
        &mut self,
        commit: u32,
        node: &Node,
        at: usize,
    ) -> Result<u32, ReadError> {
        match self.parent(node, at) {
            Some(parent) => Ok(parent),
            None => Err(self.absent(commit, |links| links.parents().nth(at))),
        }
    }

    /// The root tree, which must be here.
    pub(crate) fn tree(&mut self, commit: u32) -> Result<u32, ReadError> {
        let node = self.commit(commit)?;
        if node.tree != ABSENT {
            return Ok(node.tree);
        }
        Err(self.absent(commit, |links| Some(links.tree)))
    }

    fn absent(
        &mut self,
        commit: u32,
        which: impl FnOnce(&crate::parse::CommitLinks<'_>) -> Option<ObjectId>,
    ) -> ReadError {
        let loaded = match self.load(commit) {
            Ok(loaded) => loaded,
            Err(error) => return error,
        };
        let id = commit_links(&loaded.data, self.objects.hash()).and_then(|links| which(&links));
        ReadError::Missing {
            id: id.unwrap_or_else(|| self.id(commit)),
            referrer: Some(self.id(commit)),
        }
    }
}
