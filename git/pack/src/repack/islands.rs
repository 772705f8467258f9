use std::collections::HashMap;
use std::sync::Arc;

use git_id::ObjectId;

/// Which objects belong to whom, where packs are shared: the forks of one network, say.
///
/// An object that is stored as a delta can be read only together with its base. So a delta against an
/// object of a private fork would carry that into every answer that needs the other, or have to be
/// made anew each time. An object's base is therefore in all the islands that the object is in. What is in
/// no island may build on anything, and only its like may build on it.
#[derive(Clone, Debug, Default)]
pub struct Islands {
    of: HashMap<ObjectId, Arc<[u32]>>,
}

impl Islands {
    /// From the islands of each object; those not listed are in none.
    pub fn new(objects: impl IntoIterator<Item = (ObjectId, Vec<u32>)>) -> Self {
        let sorted = |mut islands: Vec<u32>| {
            islands.sort_unstable();
            islands.dedup();
            islands.into()
        };
        let of = objects
            .into_iter()
            .map(|(id, islands)| (id, sorted(islands)));
        Self { of: of.collect() }
    }

    /// Whether everything is allowed.
    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Whether a delta that makes `target` may build on `base`.
    pub(super) fn allow(&self, base: &ObjectId, target: &ObjectId) -> bool {
        let none: Arc<[u32]> = Arc::default();
        let islands = |id| self.of.get(id).unwrap_or(&none);
        let base = islands(base);
        islands(target)
            .iter()
            .all(|island| base.binary_search(island).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use git_id::ObjectId;

    use super::Islands;

    #[test]
    fn a_base_is_wherever_its_delta_is() {
        let id = |byte| ObjectId::from_bytes(&[byte; 20]).unwrap();
        let (shared, one, two, nowhere) = (id(1), id(2), id(3), id(4));
        let islands = Islands::new([(shared, vec![2, 1]), (one, vec![1]), (two, vec![2])]);
        for (base, target, allowed) in [
            (shared, one, true),
            (one, shared, false),
            (one, two, false),
            (one, one, true),
            (nowhere, one, false),
            (one, nowhere, true),
        ] {
            assert_eq!(islands.allow(&base, &target), allowed, "{base} {target}");
        }
        assert!(Islands::default().allow(&one, &two));
    }
}
