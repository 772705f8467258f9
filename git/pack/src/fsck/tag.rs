use git_id::HashKind;

use super::FsckProblem;
use super::headers::{check_headers, check_ident, take_id, take_line, take_prefix};
use crate::Kind;

/// Checks an annotated tag. Its name and the absence of a tagger are no concern
/// of git's strict checks.
pub(super) fn check_tag(data: &[u8], hash: HashKind) -> Result<(), FsckProblem> {
    check_headers(data)?;
    let mut rest = data;
    if !take_prefix(&mut rest, b"object ") {
        return Err(FsckProblem::MissingObject);
    }
    take_id(&mut rest, hash).ok_or(FsckProblem::BadObjectSha1)?;
    if !take_prefix(&mut rest, b"type ") {
        return Err(FsckProblem::MissingTypeEntry);
    }
    let kind = take_line(&mut rest).ok_or(FsckProblem::MissingType)?;
    Kind::from_name(kind).ok_or(FsckProblem::BadType)?;
    if !take_prefix(&mut rest, b"tag ") {
        return Err(FsckProblem::MissingTagEntry);
    }
    take_line(&mut rest).ok_or(FsckProblem::MissingTag)?;
    if take_prefix(&mut rest, b"tagger ") {
        check_ident(take_line(&mut rest).ok_or(FsckProblem::UnterminatedHeader)?)?;
    }
    if take_prefix(&mut rest, b"gpgsig ") || take_prefix(&mut rest, b"gpgsig-sha256 ") {
        take_line(&mut rest).ok_or(FsckProblem::BadGpgsig)?;
        while rest.starts_with(b" ") {
            take_line(&mut rest).ok_or(FsckProblem::BadHeaderContinuation)?;
        }
    }
    Ok(())
}
