use git_id::{ObjectId, RefName};

use crate::repository::View;

/// What a client means by the name of a branch, tag or object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revision {
    /// As people call it.
    pub(crate) name: String,
    /// `branch` or `tag` where it is one.
    pub(crate) kind: Option<&'static str>,
    /// The object itself: perhaps a tag.
    pub(crate) id: ObjectId,
    /// What it leads to in the end, mostly a commit.
    pub(crate) tip: ObjectId,
}

/// The revision that a request asks for, or the default branch if it asks for none.
pub(crate) fn resolve(view: &View, asked: Option<&str>) -> Option<Revision> {
    match asked.filter(|asked| !asked.is_empty()) {
        Some(asked) => resolve_text(view, asked),
        None => {
            let head = view.refs().head_target()?;
            named(view, head, head.as_branch()?)
        }
    }
}

/// A branch, a tag, a full ref name, `HEAD` or a whole object id, in this order. Whether there is such an
/// object is not looked at.
pub(crate) fn resolve_text(view: &View, asked: &str) -> Option<Revision> {
    if asked == "HEAD" {
        return resolve(view, None);
    }
    let names = [
        RefName::branch(asked).ok(),
        RefName::tag(asked).ok(),
        asked
            .starts_with("refs/")
            .then(|| RefName::new(asked).ok())
            .flatten(),
    ];
    let found = names
        .iter()
        .flatten()
        .find_map(|name| named(view, name, asked));
    if found.is_some() {
        return found;
    }
    let id = asked.parse().ok()?;
    Some(Revision {
        name: asked.to_owned(),
        kind: None,
        id,
        tip: id,
    })
}

/// The ref of that full name, as `asked` calls it.
fn named(view: &View, name: &RefName, asked: &str) -> Option<Revision> {
    let found = view.refs().get(name)?;
    Some(Revision {
        name: asked.to_owned(),
        kind: match (name.as_branch(), name.as_tag()) {
            (Some(_), _) => Some("branch"),
            (_, Some(_)) => Some("tag"),
            _ => None,
        },
        id: found.id,
        tip: found.peeled.unwrap_or(found.id),
    })
}
