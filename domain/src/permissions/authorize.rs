use storage_node_api::metadata::Value;

use crate::keys::DeployKey;
use crate::permissions::{SignedIn, Viewer};
use crate::tokens::{Category, Level};
use crate::{AccountId, Repository};

/// What someone wants to do with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See it, clone it.
    Read,
    /// Push to it.
    Write,
    /// Change its settings, delete it.
    Administer,
}

/// Whether it may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Access {
    /// It may.
    Granted,
    /// As far as the viewer may know, there is no such thing.
    Hidden,
    /// Only someone with an account may.
    SignIn,
    /// The viewer may know of the thing, but not do this.
    Forbidden(Reason),
}

/// Why someone known may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The account has no right to it.
    #[error("you have no right to do this")]
    NotPermitted,
    /// The key may only fetch.
    #[error("this deploy key may only fetch")]
    ReadOnlyKey,
    /// The account may, its token may not.
    #[error("the access token lacks the scope {level}:{category}", category = category.name())]
    Scope {
        /// How much it would need.
        level: Level,
        /// Of what.
        category: Category,
    },
}

/// Decides whether a viewer may do something with a repository. `None` stands
/// for a repository that does not exist, and is answered exactly as a private
/// one is answered to a stranger.
pub fn authorize(viewer: &Viewer, action: Action, repository: Option<&Repository>) -> Access {
    let Some(repository) = repository else {
        return Access::Hidden;
    };
    if let Viewer::DeployKey(key) = viewer {
        return authorize_deploy_key(key, action, repository);
    }
    let signed_in = viewer.signed_in();
    let is_trusted = signed_in
        .is_some_and(|someone| someone.user.is_admin || someone.user.id == repository.owner.id);
    let may_see_private =
        is_trusted && signed_in.is_some_and(|someone| !someone.scopes.public_only());
    if repository.is_private && !may_see_private {
        return Access::Hidden;
    }
    let level = if action == Action::Read {
        Level::Read
    } else {
        Level::Write
    };
    let Some(someone) = signed_in else {
        return if action == Action::Read {
            Access::Granted
        } else {
            Access::SignIn
        };
    };
    if action != Action::Read && !is_trusted {
        return Access::Forbidden(Reason::NotPermitted);
    }
    require(someone, level, Category::Repository)
}

/// A deploy key knows of its own repository and of no other.
fn authorize_deploy_key(key: &DeployKey, action: Action, repository: &Repository) -> Access {
    if repository.key != key.repository {
        return Access::Hidden;
    }
    match action {
        Action::Read => Access::Granted,
        Action::Write if key.read_only => Access::Forbidden(Reason::ReadOnlyKey),
        Action::Write => Access::Granted,
        Action::Administer => Access::Forbidden(Reason::NotPermitted),
    }
}

/// Decides whether a viewer may use its own account for something that is not
/// about one repository.
pub fn authorize_account(viewer: &Viewer, level: Level, category: Category) -> Access {
    match viewer.signed_in() {
        None => Access::SignIn,
        Some(someone) => require(someone, level, category),
    }
}

/// Decides whether a viewer may make repositories that belong to this account.
pub fn authorize_namespace(viewer: &Viewer, owner: AccountId) -> Access {
    let Some(someone) = viewer.signed_in() else {
        return Access::SignIn;
    };
    if someone.user.id != owner && !someone.user.is_admin {
        return Access::Forbidden(Reason::NotPermitted);
    }
    require(someone, Level::Write, Category::Repository)
}

/// Decides whether a viewer may administer the forge.
pub fn authorize_administration(viewer: &Viewer) -> Access {
    let Some(someone) = viewer.signed_in() else {
        return Access::SignIn;
    };
    if !someone.user.is_admin {
        return Access::Forbidden(Reason::NotPermitted);
    }
    require(someone, Level::Write, Category::Admin)
}

fn require(someone: &SignedIn, level: Level, category: Category) -> Access {
    if someone.scopes.allow(level, category) {
        Access::Granted
    } else {
        Access::Forbidden(Reason::Scope { level, category })
    }
}

/// The SQL condition on table `repositories` (as `r`) of those that
/// [`authorize`] does not hide. Parameters are appended to `params`.
pub(crate) fn visible_condition(viewer: &Viewer, params: &mut Vec<Value>) -> String {
    match viewer.signed_in() {
        Some(someone) if someone.scopes.public_only() => "r.is_private = 0".to_owned(),
        Some(someone) if someone.user.is_admin => "1 = 1".to_owned(),
        Some(someone) => {
            params.push(someone.user.id.into());
            format!("(r.is_private = 0 OR r.owner_id = ${})", params.len())
        }
        None => "r.is_private = 0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use git_id::HashKind;
    use storage_node_api::{RepositoryId, Timestamp};

    use super::{Access, Action, Reason, authorize, authorize_administration, authorize_namespace};
    use crate::permissions::{Means, SignedIn, Viewer};
    use crate::tokens::{Category, Level, Scopes};
    use crate::{AccountId, Repository, RepositoryKey, TokenId, User};

    fn user(id: i64, is_admin: bool) -> User {
        User {
            id: AccountId(id),
            name: format!("user{id}"),
            email: String::new(),
            full_name: String::new(),
            is_admin,
            is_active: true,
            created: Timestamp(0),
        }
    }

    fn repository(is_private: bool) -> Repository {
        Repository {
            key: RepositoryKey(1),
            owner: (&user(1, false)).into(),
            name: "r".to_owned(),
            storage: RepositoryId([0; 16]),
            hash: HashKind::Sha1,
            is_private,
            description: String::new(),
            fork_of: None,
            created: Timestamp(0),
            updated: Timestamp(0),
        }
    }

    fn with_scopes(user: User, scopes: &[&str]) -> Viewer {
        let scopes = Scopes::parse(scopes.iter().copied()).unwrap();
        let means = Means::Token(TokenId(1));
        Viewer::SignedIn(Box::new(SignedIn {
            user,
            scopes,
            means,
        }))
    }

    #[test]
    fn rights_follow_this_table() {
        use Access::{Granted, Hidden, SignIn};
        let refused = Access::Forbidden(Reason::NotPermitted);
        let lacks = |level| {
            Access::Forbidden(Reason::Scope {
                level,
                category: Category::Repository,
            })
        };
        let owner = || user(1, false);
        let viewers = [
            ("anonymous", Viewer::Anonymous),
            ("owner", Viewer::with_password(owner())),
            ("stranger", Viewer::with_password(user(2, false))),
            ("administrator", Viewer::with_password(user(3, true))),
            ("reading token", with_scopes(owner(), &["read:repository"])),
            ("other token", with_scopes(owner(), &["write:user"])),
            (
                "public token",
                with_scopes(owner(), &["public-only", "all"]),
            ),
        ];
        // Read, Write, Administer of a public one, then of a private one.
        let expected = [
            [Granted, SignIn, SignIn, Hidden, Hidden, Hidden],
            [Granted; 6],
            [Granted, refused, refused, Hidden, Hidden, Hidden],
            [Granted; 6],
            [
                Granted,
                lacks(Level::Write),
                lacks(Level::Write),
                Granted,
                lacks(Level::Write),
                lacks(Level::Write),
            ],
            [
                lacks(Level::Read),
                lacks(Level::Write),
                lacks(Level::Write),
                lacks(Level::Read),
                lacks(Level::Write),
                lacks(Level::Write),
            ],
            [Granted, Granted, Granted, Hidden, Hidden, Hidden],
        ];
        for ((name, viewer), expected) in viewers.iter().zip(expected) {
            let actions = [Action::Read, Action::Write, Action::Administer];
            for (index, action) in actions.into_iter().enumerate() {
                let public = authorize(viewer, action, Some(&repository(false)));
                assert_eq!(public, expected[index], "{name} {action:?} public");
                let private = authorize(viewer, action, Some(&repository(true)));
                assert_eq!(private, expected[index + 3], "{name} {action:?} private");
                assert_eq!(authorize(viewer, action, None), Hidden);
            }
        }
    }

    #[test]
    fn namespaces_are_their_owners_and_administration_the_administrators() {
        let refused = Access::Forbidden(Reason::NotPermitted);
        let owner = Viewer::with_password(user(1, false));
        let admin = Viewer::with_password(user(3, true));
        assert_eq!(authorize_namespace(&owner, AccountId(1)), Access::Granted);
        assert_eq!(authorize_namespace(&owner, AccountId(2)), refused);
        assert_eq!(authorize_namespace(&admin, AccountId(2)), Access::Granted);
        assert_eq!(
            authorize_namespace(&Viewer::Anonymous, AccountId(1)),
            Access::SignIn
        );
        assert_eq!(authorize_administration(&admin), Access::Granted);
        assert_eq!(authorize_administration(&owner), refused);
        let scoped = with_scopes(user(3, true), &["write:repository"]);
        assert!(matches!(
            authorize_administration(&scoped),
            Access::Forbidden(Reason::Scope { .. })
        ));
    }
}
