use domain::accounts::Owner;
use domain::{User as Account, Viewer};
use serde::Serialize;

use crate::moment::rfc3339;
use crate::request::BaseUrl;

/// An account.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct User {
    id: i64,
    login: String,
    login_name: &'static str,
    source_id: i64,
    full_name: String,
    email: String,
    avatar_url: String,
    html_url: String,
    language: &'static str,
    is_admin: bool,
    created: String,
    restricted: bool,
    active: bool,
    prohibit_login: bool,
    location: &'static str,
    website: &'static str,
    description: &'static str,
    visibility: &'static str,
    followers_count: u64,
    following_count: u64,
    starred_repos_count: u64,
}

impl User {
    /// As everyone may see it; the account itself and administrators see more.
    pub(in crate::api) fn of(user: &Account, viewer: &Viewer, base: &BaseUrl) -> Self {
        let mut shown = Self::owner(&user.into(), base);
        let may_see_all = viewer
            .user()
            .is_some_and(|someone| someone.id == user.id || someone.is_admin);
        if may_see_all {
            shown.email.clone_from(&user.email);
            shown.is_admin = user.is_admin;
        }
        shown
    }

    /// The owner of a repository.
    pub(in crate::api) fn owner(owner: &Owner, base: &BaseUrl) -> Self {
        Self {
            id: owner.id.0,
            login: owner.name.clone(),
            login_name: "",
            source_id: 0,
            full_name: owner.full_name.clone(),
            // As Gitea does for those who keep theirs to themselves.
            email: format!("{}@noreply.localhost", owner.name.to_lowercase()),
            avatar_url: String::new(),
            html_url: format!("{}/{}", base.as_str(), owner.name),
            language: "",
            is_admin: false,
            created: rfc3339(owner.created),
            restricted: false,
            active: true,
            prohibit_login: false,
            location: "",
            website: "",
            description: "",
            visibility: "public",
            followers_count: 0,
            following_count: 0,
            starred_repos_count: 0,
        }
    }
}
