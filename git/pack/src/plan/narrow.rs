use super::Selection;
use super::compose::first_copies;
use crate::Kind;
use crate::bitmap::Bitmap;
use crate::history::Graph;
use crate::objects::{Objects, ReadError, Reader};
use crate::reachability::Reachable;

/// Those of packed objects that pass a filter for which their place does not matter.
pub(super) fn narrow(
    objects: &Objects,
    reachable: &Reachable,
    selection: &Selection,
) -> Result<Bitmap, ReadError> {
    let filter = &selection.filter;
    let all = match reachable {
        Reachable::Everything => &first_copies(objects),
        Reachable::Some(numbers) => &**numbers,
    };
    let mut narrowed = Bitmap::with_capacity(objects.packed_objects());
    for (at, pack) in objects.pack_list().iter().enumerate() {
        let kinds = pack.kinds()?;
        let first = objects.number(at, 0);
        for number in all.range(first..first + pack.count()) {
            let position = number - first;
            let kind = kinds.at(position);
            let size = || {
                let offset = pack.offset(position);
                let header = |reader: &mut Reader| reader.header_packed(objects, at, offset);
                objects.with_reader(header).map(|header| header.size)
            };
            if filter.passes(kind, 0) && (kind != Kind::Blob || filter.passes_size(size)?) {
                narrowed.insert(number);
            }
        }
    }
    let mut graph = Graph::new(objects);
    for want in &selection.wants {
        let number = graph.expect(want)?;
        let (peeled, _) = graph.peel(number, &mut |tag| {
            narrowed.insert(tag);
        })?;
        narrowed.insert(peeled);
    }
    Ok(narrowed)
}
