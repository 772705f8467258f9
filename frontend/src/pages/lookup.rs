use domain::{Access, Action, Repository, authorize};
use git_id::{ObjectId, RefName};

pub(super) use crate::content::encode;
use crate::pages::PageError;
use crate::pages::visitor::Visitor;
use crate::repository::View;
use crate::site::Site;

/// The repository that an address names, if the visitor may see it.
pub(super) async fn repository(
    site: &Site,
    visitor: &Visitor,
    owner: &str,
    name: &str,
) -> Result<Repository, PageError> {
    let found = site.forge.repositories.find(owner, name).await?;
    match authorize(&visitor.viewer, Action::Read, found.as_ref()) {
        Access::Granted => found.ok_or_else(PageError::not_found),
        Access::Hidden | Access::SignIn | Access::Forbidden(_) => Err(PageError::not_found()),
    }
}

/// What kind of ref an address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefKind {
    Branch,
    Tag,
    /// No ref at all, but a commit's id.
    Commit,
}

impl RefKind {
    /// As addresses say it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "branch" => Some(Self::Branch),
            "tag" => Some(Self::Tag),
            "commit" => Some(Self::Commit),
            _ => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Tag => "tag",
            Self::Commit => "commit",
        }
    }

    fn full(self, short: &str) -> Option<RefName> {
        match self {
            Self::Branch => RefName::branch(short).ok(),
            Self::Tag => RefName::tag(short).ok(),
            Self::Commit => None,
        }
    }
}

/// A place within a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: RefKind,
    /// The short name of the branch or tag.
    pub(super) name: String,
    /// What it names in the end, mostly a commit.
    pub(super) tip: ObjectId,
    /// The path below the root, without slashes around it.
    pub(super) path: String,
}

impl Place {
    /// Splits `name/of/ref/path/to/file` where a ref ends. There is only one
    /// way: no ref's name is a directory of another's.
    pub(super) fn find(view: &View, kind: RefKind, rest: &str) -> Option<Self> {
        let rest = rest.trim_matches('/');
        if kind == RefKind::Commit {
            let (name, path) = rest.split_once('/').unwrap_or((rest, ""));
            return Some(Self {
                kind,
                name: name.to_owned(),
                tip: name.parse().ok()?,
                path: path.trim_matches('/').to_owned(),
            });
        }
        let ends = rest
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([rest.len()]);
        for end in ends {
            let Some(full) = kind.full(&rest[..end]) else {
                continue;
            };
            if let Some(found) = view.refs().get(&full) {
                let path = rest[end..].trim_matches('/').to_owned();
                let tip = found.peeled.unwrap_or(found.id);
                return Some(Self {
                    kind,
                    name: rest[..end].to_owned(),
                    tip,
                    path,
                });
            }
        }
        None
    }

    /// The root of the branch that HEAD names, if it exists.
    pub(super) fn default_branch(view: &View) -> Option<Self> {
        let head = view.refs().head_target()?.as_branch()?;
        Self::find(view, RefKind::Branch, head)
    }

    /// The address of a path at this ref, below the repository's.
    pub(super) fn address(&self, view: &str, path: &str) -> String {
        let mut address = format!("{view}/{}/{}", self.kind.as_str(), encode(&self.name));
        if !path.is_empty() {
            address.push('/');
            address.push_str(&encode(path));
        }
        address
    }
}
