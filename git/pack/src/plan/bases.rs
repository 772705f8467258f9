use git_id::ObjectId;

use super::{Plan, Span};
use crate::objects::{PACK_HEADER_BYTES, Pack};

/// Where the base of a delta is for the receiver.
pub(super) enum Base {
    /// Earlier in the pack that is sent, at that offset.
    Before(u64),
    /// Later in the pack that is sent.
    Later,
    /// With the client.
    WithClient,
    /// Nowhere: the delta is of no use.
    Nowhere,
}

/// Where the entries went that were written so far.
pub(super) struct Placements<'a> {
    plan: &'a Plan,
    /// One for each part.
    placed: Vec<Placed<'a>>,
}

/// Where the entries of a part went.
enum Placed<'a> {
    /// All in one piece that starts there.
    Whole { pack: usize, start: u64 },
    /// Each for itself; fewer while the part is being written.
    Entries {
        pack: usize,
        spans: &'a [Span],
        starts: Vec<u64>,
    },
}

impl<'a> Placements<'a> {
    pub(super) const fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            placed: Vec::new(),
        }
    }

    /// All entries of a pack follow, from `start` on.
    pub(super) fn begin_whole(&mut self, pack: usize, start: u64) {
        self.placed.push(Placed::Whole { pack, start });
    }

    /// These entries of a pack follow, one after the other.
    pub(super) fn begin_entries(&mut self, pack: usize, spans: &'a [Span]) {
        let starts = Vec::with_capacity(spans.len());
        self.placed.push(Placed::Entries {
            pack,
            spans,
            starts,
        });
    }

    /// The next entry is at that offset.
    pub(super) fn place(&mut self, offset: u64) {
        if let Some(Placed::Entries { starts, .. }) = self.placed.last_mut() {
            starts.push(offset);
        }
    }

    fn pack(&self, pack: usize) -> &Pack {
        &self.plan.objects.pack_list()[pack]
    }

    /// Where the base is that is stored at an offset of the delta's own pack, and what its name is,
    /// if that matters; `None` if no entry begins at that offset.
    pub(super) fn base_at(&self, pack: usize, offset: u64) -> Option<(Base, ObjectId)> {
        if self.plan.options.ofs_delta
            && let Some(placed) = self.placed_at(pack, offset)
        {
            return Some((
                Base::Before(placed),
                ObjectId::null(self.plan.objects.hash()),
            ));
        }
        let id = self.pack(pack).id(self.pack(pack).position_at(offset)?);
        Some((self.base_named(pack, &id), id))
    }

    /// Where the base is that a delta of `pack` builds on.
    ///
    /// Within the delta's own pack, only the very entry that the stored delta builds on will do,
    /// and a pack that holds objects twice has none that is certain: otherwise a delta could come
    /// to build on itself.
    pub(super) fn base_named(&self, pack: usize, id: &ObjectId) -> Base {
        let source = self.pack(pack);
        if source.has_duplicates() {
            return Base::Nowhere;
        }
        if let Some(position) = source.lookup(id.as_bytes()) {
            let offset = source.offset(position);
            if let Some(placed) = self.placed_at(pack, offset) {
                return Base::Before(placed);
            }
            if self.is_selected(pack, offset) {
                return Base::Later;
            }
            if self.client_has(pack, position) {
                return Base::WithClient;
            }
        }
        match self.plan.objects.find_packed(id.as_bytes()) {
            Some((other, position)) if other < pack => {
                match self.placed_at(other, self.pack(other).offset(position)) {
                    Some(placed) => Base::Before(placed),
                    None if self.client_has(other, position) => Base::WithClient,
                    None => Base::Nowhere,
                }
            }
            _ => Base::Nowhere,
        }
    }

    /// Whether deltas may build on an object because the client has it.
    fn client_has(&self, pack: usize, position: u32) -> bool {
        let number = self.plan.objects.number(pack, position);
        self.plan.options.thin && self.plan.known.contains(number)
    }

    /// Where the entry at an offset of a pack went, if it was written already.
    pub(super) fn placed_at(&self, pack: usize, offset: u64) -> Option<u64> {
        self.placed.iter().rev().find_map(|placed| match placed {
            Placed::Whole { pack: other, start } if *other == pack => {
                Some(start + offset.checked_sub(PACK_HEADER_BYTES)?)
            }
            Placed::Entries {
                pack: other,
                spans,
                starts,
            } if *other == pack => {
                let at = spans
                    .binary_search_by_key(&offset, |span| span.start)
                    .ok()?;
                starts.get(at).copied()
            }
            _ => None,
        })
    }

    /// Whether the entry at an offset of a pack is among those to write.
    fn is_selected(&self, pack: usize, offset: u64) -> bool {
        self.placed.iter().any(|placed| match placed {
            Placed::Whole { .. } => false,
            Placed::Entries {
                pack: other, spans, ..
            } => {
                *other == pack
                    && spans
                        .binary_search_by_key(&offset, |span| span.start)
                        .is_ok()
            }
        })
    }
}
