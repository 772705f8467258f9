use git_id::{RefName, RefNameError};

use super::packed::PackedRef;
use super::refs::{RawRefs, Value};

/// A part of a repository's refs that is served as if it were all
/// (gitnamespaces(7)). Objects are shared by all namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Namespace {
    /// `refs/namespaces/a/refs/namespaces/b/` for the namespace `a/b`.
    prefix: String,
}

impl Namespace {
    /// The namespace of a `GIT_NAMESPACE`; `None` if that cannot be one.
    pub(super) fn new(path: &str) -> Option<Self> {
        let levels = path.split('/').filter(|level| !level.is_empty());
        let prefix: String = levels
            .map(|level| format!("refs/namespaces/{level}/"))
            .collect();
        RefName::new(prefix.strip_suffix('/')?).ok()?;
        Some(Self { prefix })
    }

    /// The name that a ref has in the repository.
    pub(super) fn outside(&self, name: &RefName) -> Result<RefName, RefNameError> {
        RefName::new(&format!("{}{name}", self.prefix))
    }

    /// The name that a ref has in the namespace, if it is in there.
    fn inside(&self, name: &RefName) -> Option<RefName> {
        let name = name.as_str().strip_prefix(&self.prefix)?;
        RefName::new(name)
            .ok()
            .filter(|_| name.starts_with("refs/"))
    }

    /// The refs of the namespace under the names that they have in there. Its
    /// HEAD is a ref of the repository.
    pub(super) fn view(&self, raw: &RawRefs) -> RawRefs {
        // What points out of the namespace is shown as what it resolves to.
        let value = |value: Value| match &value {
            Value::Symbolic(target) => match self.inside(target) {
                Some(target) => Some(Value::Symbolic(target)),
                None => raw.follow(&value).map(Value::Id),
            },
            Value::Id(_) => Some(value),
        };
        let head = RefName::new(&format!("{}HEAD", self.prefix)).ok();
        let loose = raw.loose.iter().filter_map(|(name, content)| {
            let name = self.inside(name)?;
            Some((name, value(content.clone())?))
        });
        let packed = raw.packed.iter().filter_map(|packed| {
            let name = self.inside(&packed.name)?;
            Some(PackedRef {
                name,
                id: packed.id,
                peeled: packed.peeled,
            })
        });
        RawRefs {
            head: head.and_then(|head| raw.get(&head)).and_then(value),
            loose: loose.collect(),
            packed: packed.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use git_id::{ObjectId, RefName};

    use super::Namespace;
    use crate::bare::refs::{RawRefs, Value};

    #[test]
    fn namespaces_have_git_s_prefixes() {
        let name = RefName::new("refs/heads/m").unwrap();
        let full = |path| {
            let namespace = Namespace::new(path)?;
            Some(namespace.outside(&name).unwrap().to_string())
        };
        let nested = "refs/namespaces/a/refs/namespaces/b/refs/heads/m";
        assert_eq!(full("a/b").as_deref(), Some(nested));
        assert_eq!(full("/a//b/").as_deref(), Some(nested));
        for bad in ["", "/", "a..b", "a b", ".."] {
            assert_eq!(Namespace::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_namespace_shows_its_own_refs_alone() {
        let name = |text: &str| RefName::new(text).unwrap();
        let (one, two) = (
            ObjectId::from_bytes(&[1; 20]).unwrap(),
            ObjectId::from_bytes(&[2; 20]).unwrap(),
        );
        let to = |text| Value::Symbolic(name(text));
        let loose = [
            ("refs/heads/m", Value::Id(one)),
            (
                "refs/namespaces/n/HEAD",
                to("refs/namespaces/n/refs/heads/m"),
            ),
            ("refs/namespaces/n/refs/heads/m", Value::Id(two)),
            ("refs/namespaces/n/refs/heads/out", to("refs/heads/m")),
            ("refs/namespaces/nn/refs/heads/other", Value::Id(one)),
        ];
        let raw = RawRefs {
            head: Some(to("refs/heads/m")),
            loose: loose.map(|(text, value)| (name(text), value)).into(),
            packed: Vec::new(),
        };
        let view = Namespace::new("n").unwrap().view(&raw);
        assert_eq!(view.head, Some(to("refs/heads/m")));
        let expected = [
            (name("refs/heads/m"), Value::Id(two)),
            (name("refs/heads/out"), Value::Id(one)),
        ];
        assert_eq!(view.loose, BTreeMap::from(expected));
    }
}
