use git_id::ObjectId;

use super::Source;
use crate::bitmap::Bitmap;
use crate::history::NumberMap;
use crate::objects::Objects;

/// Steps back through the versions of a file to one that the client has.
const MAX_STEPS: usize = 64;

/// Objects that are probably similar, being versions of the same path.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// For objects to send, others close by in history; sorted by the first.
    pairs: Vec<(Source, Version)>,
}

/// Another version of an object to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    /// It is sent too.
    Sent(Source),
    /// The client has it and it is not sent.
    Had(ObjectId),
}

impl Versions {
    /// From what the walk over trees saw: for some objects, an older version.
    pub(super) fn new(objects: &Objects, selected: &Bitmap, seen: &NumberMap<u32>) -> Self {
        let mut pairs = Vec::new();
        let is_sent = |number: &u32| selected.contains(*number);
        for (number, older) in seen.iter().filter(|(number, _)| is_sent(number)) {
            let sent = source(objects, *number);
            if is_sent(older) {
                let older = source(objects, *older);
                pairs.extend([(sent, Version::Sent(older)), (older, Version::Sent(sent))]);
            }
            let steps = std::iter::successors(Some(*older), |older| seen.get(older).copied());
            if let Some(older) = steps.take(MAX_STEPS).find(|older| !is_sent(older))
                && let Some((pack, position)) = objects.place_of_number(older)
            {
                let id = objects.pack_list()[pack].id(position);
                pairs.push((sent, Version::Had(id)));
            }
        }
        pairs.sort_unstable();
        Self { pairs }
    }

    /// Other versions of an object; those that are sent come first.
    pub(super) fn of(&self, source: Source) -> impl Iterator<Item = Version> + '_ {
        let first = self.pairs.partition_point(|pair| pair.0 < source);
        let pairs = self.pairs[first..].iter();
        pairs
            .take_while(move |pair| pair.0 == source)
            .map(|pair| pair.1)
    }

    /// Whether any other version is known.
    pub(super) fn has(&self, source: Source) -> bool {
        self.of(source).next().is_some()
    }
}

/// Where the object with that number is stored.
fn source(objects: &Objects, number: u32) -> Source {
    match objects.place_of_number(number) {
        Some((pack, position)) => Source::Packed(pack, objects.pack_list()[pack].offset(position)),
        None => Source::Loose(number),
    }
}
