use std::sync::Arc;

use git_id::ObjectId;

use super::cache::BaseCache;
use super::error::ReadError;
use super::pack::Pack;
use super::{Header, MAX_DELTA_CHAIN, MAX_READ_BYTES, Objects, Place};
use crate::Kind;
use crate::defect::Defect;
use crate::entry::{EntryHeader, Inflater, Representation, apply_delta, delta_sizes, parse_header};

/// Bytes of a delta that surely hold the two sizes at its beginning.
const DELTA_SIZES_BYTES: usize = 20;

/// What is needed to rebuild objects, kept from one to the next.
pub(crate) struct Reader {
    inflater: Inflater,
    cache: BaseCache,
    delta: Vec<u8>,
    chain: Vec<Link>,
}

/// A delta on the way from the wanted object to a whole one.
#[derive(Clone, Copy)]
struct Link {
    pack: usize,
    offset: u64,
    header: EntryHeader,
}

/// An object as a reader hands it out.
pub(crate) struct Loaded {
    pub(crate) kind: Kind,
    pub(crate) data: Arc<Vec<u8>>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            inflater: Inflater::new(),
            cache: BaseCache::default(),
            delta: Vec::new(),
            chain: Vec::new(),
        }
    }

    /// Reads an object wherever it is.
    pub(crate) fn load(
        &mut self,
        objects: &Objects,
        id: &ObjectId,
    ) -> Result<Option<Loaded>, ReadError> {
        match objects.find(id) {
            None => Ok(None),
            Some(Place::Packed { pack, position }) => {
                let offset = objects.pack_list()[pack].offset(position);
                self.load_packed(objects, pack, offset).map(Some)
            }
            Some(Place::Loose { directory }) => {
                let loose = &objects.loose_list()[directory];
                let read = loose.read(id, &mut self.inflater)?;
                Ok(read.map(|object| Loaded {
                    kind: object.kind,
                    data: Arc::new(object.data),
                }))
            }
        }
    }

    /// Rebuilds the object whose entry is at `offset` of a pack.
    pub(crate) fn load_packed(
        &mut self,
        objects: &Objects,
        pack: usize,
        offset: u64,
    ) -> Result<Loaded, ReadError> {
        self.chain.clear();
        let mut at = (pack, offset);
        let mut base = loop {
            if let Some((kind, data)) = self.cache.get(at.0 as u32, at.1) {
                break Loaded { kind, data };
            }
            let (header, bytes) = entry(objects, at)?;
            at = match header.representation {
                Representation::Whole(kind) => {
                    break self.load_whole(objects, at, kind, &header, bytes)?;
                }
                Representation::Offset(distance) => {
                    self.push(objects, at, header)?;
                    (
                        at.0,
                        at.1.checked_sub(distance)
                            .ok_or_else(|| corrupt(objects, at, Defect::BadBase))?,
                    )
                }
                Representation::Reference(base) => {
                    self.push(objects, at, header)?;
                    match find_base(objects, at.0, &base) {
                        Some(Place::Packed { pack, position }) => {
                            (pack, objects.pack_list()[pack].offset(position))
                        }
                        Some(Place::Loose { directory }) => {
                            let loose =
                                objects.loose_list()[directory].read(&base, &mut self.inflater)?;
                            let object = loose.ok_or_else(|| {
                                corrupt(objects, at, Defect::MissingBase { base })
                            })?;
                            break Loaded {
                                kind: object.kind,
                                data: Arc::new(object.data),
                            };
                        }
                        None => return Err(corrupt(objects, at, Defect::MissingBase { base })),
                    }
                }
            };
        };
        while let Some(link) = self.chain.pop() {
            base.data = self.apply(objects, link, &base)?;
            self.cache
                .put(link.pack as u32, link.offset, base.kind, &base.data);
        }
        Ok(base)
    }

    fn push(
        &mut self,
        objects: &Objects,
        at: (usize, u64),
        header: EntryHeader,
    ) -> Result<(), ReadError> {
        if self.chain.len() == MAX_DELTA_CHAIN {
            return Err(corrupt(
                objects,
                at,
                Defect::ChainTooLong {
                    limit: MAX_DELTA_CHAIN,
                },
            ));
        }
        self.chain.push(Link {
            pack: at.0,
            offset: at.1,
            header,
        });
        Ok(())
    }

    fn load_whole(
        &mut self,
        objects: &Objects,
        at: (usize, u64),
        kind: Kind,
        header: &EntryHeader,
        bytes: &[u8],
    ) -> Result<Loaded, ReadError> {
        let mut data = Vec::new();
        self.inflate(objects, at, header, bytes, &mut data)?;
        let data = Arc::new(data);
        if kind != Kind::Blob || !self.chain.is_empty() {
            self.cache.put(at.0 as u32, at.1, kind, &data);
        }
        Ok(Loaded { kind, data })
    }

    fn apply(
        &mut self,
        objects: &Objects,
        link: Link,
        base: &Loaded,
    ) -> Result<Arc<Vec<u8>>, ReadError> {
        let at = (link.pack, link.offset);
        let mut delta = std::mem::take(&mut self.delta);
        let (_, bytes) = entry(objects, at)?;
        self.inflate(objects, at, &link.header, bytes, &mut delta)?;
        let mut data = Vec::new();
        apply_delta(&base.data, &delta, &mut data, MAX_READ_BYTES)
            .map_err(|defect| corrupt(objects, at, defect))?;
        self.delta = delta;
        Ok(Arc::new(data))
    }

    fn inflate(
        &mut self,
        objects: &Objects,
        at: (usize, u64),
        header: &EntryHeader,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ReadError> {
        let result = if header.size > MAX_READ_BYTES {
            Err(Defect::TooLarge {
                size: header.size,
                limit: MAX_READ_BYTES,
            })
        } else {
            self.inflater
                .exactly(&bytes[header.length..], header.size, out)
                .map(drop)
        };
        result.map_err(|defect| corrupt(objects, at, defect))
    }

    /// Kind and size of the object at `offset` of a pack, inflating no more than
    /// the beginning of one delta.
    pub(crate) fn header_packed(
        &mut self,
        objects: &Objects,
        pack: usize,
        offset: u64,
    ) -> Result<Header, ReadError> {
        let (mut at, mut size) = ((pack, offset), None);
        for _ in 0..MAX_DELTA_CHAIN {
            let (header, bytes) = entry(objects, at)?;
            if !matches!(header.representation, Representation::Whole(_)) && size.is_none() {
                let mut start = Vec::new();
                let read =
                    self.inflater
                        .prefix(&bytes[header.length..], DELTA_SIZES_BYTES, &mut start);
                let sizes = read
                    .and_then(|()| delta_sizes(&start))
                    .map_err(|defect| corrupt(objects, at, defect))?;
                size = Some(sizes.1);
            }
            at = match header.representation {
                Representation::Whole(kind) => {
                    return Ok(Header {
                        kind,
                        size: size.unwrap_or(header.size),
                    });
                }
                Representation::Offset(distance) => (
                    at.0,
                    at.1.checked_sub(distance)
                        .ok_or_else(|| corrupt(objects, at, Defect::BadBase))?,
                ),
                Representation::Reference(base) => match find_base(objects, at.0, &base) {
                    Some(Place::Packed { pack, position }) => {
                        (pack, objects.pack_list()[pack].offset(position))
                    }
                    Some(Place::Loose { directory }) => {
                        let loose =
                            objects.loose_list()[directory].header(&base, &mut self.inflater)?;
                        let found = loose
                            .ok_or_else(|| corrupt(objects, at, Defect::MissingBase { base }))?;
                        return Ok(Header {
                            kind: found.kind,
                            size: size.unwrap_or(found.size),
                        });
                    }
                    None => return Err(corrupt(objects, at, Defect::MissingBase { base })),
                },
            };
        }
        Err(corrupt(
            objects,
            at,
            Defect::ChainTooLong {
                limit: MAX_DELTA_CHAIN,
            },
        ))
    }

    pub(crate) fn inflater(&mut self) -> &mut Inflater {
        &mut self.inflater
    }
}

/// A base named by its id is looked for in the delta's own pack first.
fn find_base(objects: &Objects, pack: usize, base: &ObjectId) -> Option<Place> {
    let own = objects.pack_list()[pack].lookup(base.as_bytes());
    own.map(|position| Place::Packed { pack, position })
        .or_else(|| objects.find(base))
}

fn entry(objects: &Objects, at: (usize, u64)) -> Result<(EntryHeader, &[u8]), ReadError> {
    let pack: &Pack = &objects.pack_list()[at.0];
    let bytes = pack
        .entry_bytes(at.1)
        .ok_or_else(|| corrupt(objects, at, Defect::BadBase))?;
    let header =
        parse_header(bytes, objects.hash()).map_err(|defect| corrupt(objects, at, defect))?;
    Ok((header, bytes))
}

fn corrupt(objects: &Objects, at: (usize, u64), defect: Defect) -> ReadError {
    ReadError::Corrupt {
        pack: objects.pack_list()[at.0].path().to_owned(),
        offset: at.1,
        defect,
    }
}
