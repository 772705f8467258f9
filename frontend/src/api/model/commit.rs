use git_id::ObjectId;
use git_pack::{Commit as Read, Kind, Objects, ReadError, Signature};
use git_services::{FileChange, Services, Signed, signed};
use serde::Serialize;

use crate::content::Changes;
use crate::moment::rfc3339_at;

/// A commit.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct Commit {
    pub(in crate::api) url: String,
    pub(in crate::api) sha: String,
    pub(in crate::api) created: String,
    pub(in crate::api) html_url: String,
    pub(in crate::api) commit: CommitContent,
    /// Accounts are not looked up by their mail addresses.
    pub(in crate::api) author: Option<()>,
    pub(in crate::api) committer: Option<()>,
    pub(in crate::api) parents: Vec<CommitMeta>,
    pub(in crate::api) files: Option<Vec<AffectedFile>>,
    pub(in crate::api) stats: Option<CommitStats>,
}

/// What a commit says.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct CommitContent {
    pub(in crate::api) url: String,
    pub(in crate::api) author: CommitUser,
    pub(in crate::api) committer: CommitUser,
    pub(in crate::api) message: String,
    pub(in crate::api) tree: CommitMeta,
    pub(in crate::api) verification: Verification,
}

/// Who did something when.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct CommitUser {
    pub(in crate::api) name: String,
    pub(in crate::api) email: String,
    pub(in crate::api) date: String,
}

/// Where another object is found.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct CommitMeta {
    pub(in crate::api) url: String,
    pub(in crate::api) sha: String,
    pub(in crate::api) created: String,
}

/// A file that a commit changed.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct AffectedFile {
    pub(in crate::api) filename: String,
    pub(in crate::api) status: &'static str,
}

impl AffectedFile {
    fn of(change: &FileChange) -> Self {
        Self {
            filename: String::from_utf8_lossy(change.path()).into_owned(),
            status: match (&change.before, &change.after) {
                (None, _) => "added",
                (_, None) => "removed",
                _ if change.similarity.is_some() => "renamed",
                _ => "modified",
            },
        }
    }
}

/// The commits that one side of a comparison has and the other lacks.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct Comparison {
    pub(in crate::api) total_commits: usize,
    pub(in crate::api) commits: Vec<Commit>,
}

/// How many lines a commit changed.
#[derive(Clone, Copy, Debug, Serialize)]
pub(in crate::api) struct CommitStats {
    pub(in crate::api) total: u64,
    pub(in crate::api) additions: u64,
    pub(in crate::api) deletions: u64,
}

/// A signature as it is stored. Signatures are not verified yet.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct Verification {
    verified: bool,
    reason: &'static str,
    signature: String,
    signer: Option<()>,
    payload: String,
}

impl Verification {
    pub(in crate::api) fn of(signed: Option<Signed>) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let reason = match &signed {
            Some(_) => "gpg.error.no_gpg_keys_found",
            None => "gpg.error.not_signed_commit",
        };
        let (signature, payload) = match signed {
            Some(signed) => (text(signed.signature), text(signed.payload)),
            None => (String::new(), String::new()),
        };
        Self {
            verified: false,
            reason,
            signature,
            signer: None,
            payload,
        }
    }
}

impl CommitUser {
    pub(in crate::api) fn of(signature: &Signature) -> Self {
        Self {
            name: String::from_utf8_lossy(&signature.name).into_owned(),
            email: String::from_utf8_lossy(&signature.email).into_owned(),
            date: date(signature),
        }
    }
}

/// The time of a signature.
pub(in crate::api) fn date(signature: &Signature) -> String {
    rfc3339_at(signature.time, signature.offset_minutes)
}

/// Addresses of a repository's objects.
#[derive(Clone, Debug)]
pub(in crate::api) struct Addresses {
    /// Of the repository in this interface, without a slash at the end.
    pub(in crate::api) api: String,
    /// Of its page.
    pub(in crate::api) page: String,
}

impl Addresses {
    pub(in crate::api) fn new(base: &str, full_name: &str) -> Self {
        Self {
            api: format!("{base}/api/v1/repos/{full_name}"),
            page: format!("{base}/{full_name}"),
        }
    }
}

impl Commit {
    /// Reads a commit; `None` if there is none of that id.
    pub(in crate::api) fn read(
        objects: &Objects,
        id: &ObjectId,
        addresses: &Addresses,
    ) -> Result<Option<Self>, ReadError> {
        let Some(object) = objects.read(id)? else {
            return Ok(None);
        };
        if object.kind != Kind::Commit {
            return Ok(None);
        }
        let Some(read) = objects.commit(id)? else {
            return Ok(None);
        };
        let verification = Verification::of(signed(Kind::Commit, &object.data));
        Ok(Some(Self::new(id, &read, verification, addresses)))
    }

    /// The same, with what it changed.
    pub(in crate::api) fn read_with_changes(
        services: &dyn Services,
        id: &ObjectId,
        addresses: &Addresses,
    ) -> Result<Option<Self>, ReadError> {
        let objects = services.objects();
        let Some(mut commit) = Self::read(objects, id, addresses)? else {
            return Ok(None);
        };
        let Some(read) = objects.commit(id)? else {
            return Ok(None);
        };
        let changes = Changes::of(services, &read)?;
        let (additions, deletions) = (changes.added(), changes.removed());
        commit.stats = Some(CommitStats {
            total: additions + deletions,
            additions,
            deletions,
        });
        let files = changes.files.iter();
        commit.files = Some(files.map(|(change, _)| AffectedFile::of(change)).collect());
        Ok(Some(commit))
    }

    fn new(id: &ObjectId, read: &Read, verification: Verification, addresses: &Addresses) -> Self {
        let created = date(&read.committer);
        let meta = |kind: &str, id: &ObjectId, created: &str| CommitMeta {
            url: format!("{}/git/{kind}/{id}", addresses.api),
            sha: id.to_string(),
            created: created.to_owned(),
        };
        let url = format!("{}/git/commits/{id}", addresses.api);
        Self {
            url: url.clone(),
            sha: id.to_string(),
            created: created.clone(),
            html_url: format!("{}/commit/{id}", addresses.page),
            commit: CommitContent {
                url,
                author: CommitUser::of(&read.author),
                committer: CommitUser::of(&read.committer),
                message: String::from_utf8_lossy(&read.message).into_owned(),
                tree: meta("trees", &read.tree, &created),
                verification,
            },
            author: None,
            committer: None,
            // When they were made is not read.
            parents: read
                .parents
                .iter()
                .map(|parent| meta("commits", parent, "0001-01-01T00:00:00Z"))
                .collect(),
            files: None,
            stats: None,
        }
    }
}
