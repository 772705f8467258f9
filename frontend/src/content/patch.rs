use axum::response::{IntoResponse, Response};
use git_id::ObjectId;
use git_pack::{Commit, Kind, ReadError, Signature};
use git_services::Services;
use http::header;

use crate::content::{patch, tree_before};
use crate::moment::rfc2822;

/// How a commit is sent as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchForm {
    /// What `git diff` prints.
    Diff,
    /// A mail that `git am` takes.
    Mail,
}

impl PatchForm {
    /// The form that the end of an address asks for, and the address without it.
    pub(crate) fn of(address: &str) -> Option<(Self, &str)> {
        let diff = address.strip_suffix(".diff").map(|rest| (Self::Diff, rest));
        diff.or_else(|| Some((Self::Mail, address.strip_suffix(".patch")?)))
    }
}

/// A commit as a patch against its first parent.
#[derive(Debug)]
pub(crate) enum CommitPatch {
    /// There is no such commit.
    Absent,
    /// It is too large to be sent.
    TooLarge,
    Text(Vec<u8>),
}

impl CommitPatch {
    pub(crate) fn read(
        services: &dyn Services,
        id: &ObjectId,
        form: PatchForm,
    ) -> Result<Self, ReadError> {
        let header = services.objects().header(id)?;
        if header.is_none_or(|header| header.kind != Kind::Commit) {
            return Ok(Self::Absent);
        }
        let Some(commit) = services.objects().commit(id)? else {
            return Ok(Self::Absent);
        };
        let before = tree_before(services, &commit)?;
        let Some(diff) = patch(services, before.as_ref(), &commit.tree)? else {
            return Ok(Self::TooLarge);
        };
        Ok(Self::Text(match form {
            PatchForm::Diff => diff,
            PatchForm::Mail => mail(id, &commit, &diff),
        }))
    }

    /// The text as an answer.
    pub(crate) fn answer(text: Vec<u8>) -> Response {
        let headers = [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::CACHE_CONTROL, "private, no-cache"),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; sandbox",
            ),
        ];
        (headers, text).into_response()
    }
}

/// The form of git-format-patch(1).
fn mail(id: &ObjectId, commit: &Commit, diff: &[u8]) -> Vec<u8> {
    let Signature {
        name,
        email,
        time,
        offset_minutes,
    } = &commit.author;
    let (name, email) = (
        String::from_utf8_lossy(name),
        String::from_utf8_lossy(email),
    );
    let message = String::from_utf8_lossy(&commit.message);
    // The first paragraph is the subject.
    let (subject, body) = message.split_once("\n\n").unwrap_or((&message, ""));
    let subject: Vec<&str> = subject.lines().map(str::trim).collect();
    let (subject, body) = (subject.join(" "), body.trim_end());
    let date = rfc2822(*time, *offset_minutes);
    let mut mail = format!(
        "From {id} Mon Sep 17 00:00:00 2001\nFrom: {name} <{email}>\nDate: {date}\n\
         Subject: [PATCH] {subject}\n\n"
    );
    if !body.is_empty() {
        mail.push_str(body);
        mail.push('\n');
    }
    mail.push_str("---\n\n");
    [mail.as_bytes(), diff, b"-- \nDevFlow Code\n\n"].concat()
}
