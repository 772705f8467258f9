use git_id::HashKind;

use super::FsckProblem;
use super::headers::{check_headers, check_ident, take_id, take_line, take_prefix};

/// Checks a commit, line by line in the order git demands.
pub(super) fn check_commit(data: &[u8], hash: HashKind) -> Result<(), FsckProblem> {
    check_headers(data)?;
    let mut rest = data;
    if !take_prefix(&mut rest, b"tree ") {
        return Err(FsckProblem::MissingTree);
    }
    take_id(&mut rest, hash).ok_or(FsckProblem::BadTreeSha1)?;
    while take_prefix(&mut rest, b"parent ") {
        take_id(&mut rest, hash).ok_or(FsckProblem::BadParentSha1)?;
    }
    let mut authors = 0;
    while take_prefix(&mut rest, b"author ") {
        check_ident(take_line(&mut rest).ok_or(FsckProblem::UnterminatedHeader)?)?;
        authors += 1;
    }
    match authors {
        0 => return Err(FsckProblem::MissingAuthor),
        1 => {}
        _ => return Err(FsckProblem::MultipleAuthors),
    }
    if !take_prefix(&mut rest, b"committer ") {
        return Err(FsckProblem::MissingCommitter);
    }
    check_ident(take_line(&mut rest).ok_or(FsckProblem::UnterminatedHeader)?)?;
    if data.contains(&0) {
        return Err(FsckProblem::NulInCommit);
    }
    Ok(())
}
