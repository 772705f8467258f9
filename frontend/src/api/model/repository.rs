use domain::permissions::Access;
use domain::repositories::ContentError;
use domain::{Action, Repository as Row, Viewer, authorize};
use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use storage_node_api::repository::Repository as Record;

use crate::api::ApiError;
use crate::api::model::User;
use crate::limits::RECORDS_READ;
use crate::moment::rfc3339;
use crate::request::BaseUrl;
use crate::site::Site;

/// What the viewer may do with a repository.
#[derive(Clone, Copy, Debug, Serialize)]
pub(in crate::api) struct Permission {
    admin: bool,
    push: bool,
    pull: bool,
}

impl Permission {
    pub(in crate::api) fn of(viewer: &Viewer, row: &Row) -> Self {
        let may = |action| authorize(viewer, action, Some(row)) == Access::Granted;
        Self {
            admin: may(Action::Administer),
            push: may(Action::Write),
            pull: may(Action::Read),
        }
    }

    pub(in crate::api) fn may_push(self) -> bool {
        self.push
    }
}

/// A repository.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct Repository {
    id: i64,
    owner: User,
    name: String,
    full_name: String,
    description: String,
    empty: bool,
    private: bool,
    fork: bool,
    template: bool,
    mirror: bool,
    /// In KiB.
    size: u64,
    language: &'static str,
    languages_url: String,
    html_url: String,
    url: String,
    link: &'static str,
    /// Empty if SSH is not offered by a known address.
    ssh_url: String,
    clone_url: String,
    original_url: &'static str,
    website: &'static str,
    stars_count: u64,
    forks_count: u64,
    watchers_count: u64,
    open_issues_count: u64,
    open_pr_counter: u64,
    release_counter: u64,
    default_branch: String,
    archived: bool,
    created_at: String,
    updated_at: String,
    permissions: Permission,
    has_code: bool,
    has_issues: bool,
    has_wiki: bool,
    has_pull_requests: bool,
    has_projects: bool,
    has_releases: bool,
    has_packages: bool,
    has_actions: bool,
    internal: bool,
    object_format_name: &'static str,
    topics: Vec<String>,
    licenses: Vec<String>,
    avatar_url: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Box<Repository>>,
}

impl Repository {
    fn of(row: &Row, record: &Record, viewer: &Viewer, base: &BaseUrl, ssh: Option<&str>) -> Self {
        let full_name = row.full_name();
        let url = base.as_str();
        let html_url = format!("{url}/{full_name}");
        let api_url = format!("{url}/api/v1/repos/{full_name}");
        Self {
            id: row.key.0,
            owner: User::owner(&row.owner, base),
            name: row.name.clone(),
            ssh_url: ssh.map_or_else(String::new, |ssh| format!("{ssh}/{full_name}.git")),
            full_name,
            description: row.description.clone(),
            empty: record.packs == 0,
            private: row.is_private,
            fork: row.fork_of.is_some(),
            template: false,
            mirror: false,
            size: record.bytes.div_ceil(1024),
            language: "",
            languages_url: format!("{api_url}/languages"),
            clone_url: format!("{html_url}.git"),
            html_url,
            url: api_url,
            link: "",
            original_url: "",
            website: "",
            stars_count: 0,
            forks_count: 0,
            watchers_count: 0,
            open_issues_count: 0,
            open_pr_counter: 0,
            release_counter: 0,
            default_branch: record.head.as_branch().unwrap_or_default().to_owned(),
            archived: false,
            created_at: rfc3339(row.created),
            updated_at: rfc3339(row.updated.max(record.changed)),
            permissions: Permission::of(viewer, row),
            has_code: true,
            has_issues: false,
            has_wiki: false,
            has_pull_requests: false,
            has_projects: false,
            has_releases: false,
            has_packages: false,
            has_actions: false,
            internal: false,
            object_format_name: row.hash.name(),
            topics: Vec::new(),
            licenses: Vec::new(),
            avatar_url: "",
            parent: None,
        }
    }
}

/// A repository in full, with what it was forked from if the viewer may know.
pub(in crate::api) async fn describe(
    site: &Site,
    row: &Row,
    viewer: &Viewer,
    base: &BaseUrl,
) -> Result<Repository, ApiError> {
    let ssh = site.config.config.ssh.public_url.as_deref();
    let record = site.forge.repositories.record(row).await?;
    let mut described = Repository::of(row, &record, viewer, base, ssh);
    if let Some(key) = row.fork_of {
        let parent = site.forge.repositories.by_key(key).await?;
        if let Some(parent) = parent
            && authorize(viewer, Action::Read, Some(&parent)) == Access::Granted
        {
            let record = site.forge.repositories.record(&parent).await?;
            described.parent = Some(Box::new(Repository::of(
                &parent, &record, viewer, base, ssh,
            )));
        }
    }
    Ok(described)
}

/// Repositories of a listing. Those deleted meanwhile are left out.
pub(in crate::api) async fn describe_all(
    site: &Site,
    rows: &[Row],
    viewer: &Viewer,
    base: &BaseUrl,
) -> Result<Vec<Repository>, ApiError> {
    let records: Vec<Result<Record, ContentError>> = stream::iter(rows.to_vec())
        .map(|row| async move { site.forge.repositories.record(&row).await })
        .buffered(RECORDS_READ)
        .collect()
        .await;
    let ssh = site.config.config.ssh.public_url.as_deref();
    let mut described = Vec::new();
    for (row, record) in rows.iter().zip(records) {
        match record {
            Ok(record) => described.push(Repository::of(row, &record, viewer, base, ssh)),
            Err(ContentError::Gone) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(described)
}
