use git_id::{HashKind, ObjectId};

use super::FsckProblem;

/// Checks that the headers of a commit or tag end: with an empty line, or, if
/// nothing follows, with a newline.
pub(super) fn check_headers(data: &[u8]) -> Result<(), FsckProblem> {
    let body = data.windows(2).position(|pair| pair == b"\n\n");
    if data[..body.unwrap_or(data.len())].contains(&0) {
        return Err(FsckProblem::NulInHeader);
    }
    if body.is_none() && data.last() != Some(&b'\n') {
        return Err(FsckProblem::UnterminatedHeader);
    }
    Ok(())
}

/// Takes an id and the newline behind it from the front of `rest`.
pub(super) fn take_id(rest: &mut &[u8], hash: HashKind) -> Option<ObjectId> {
    let (hex, tail) = rest.split_at_checked(hash.len_hex())?;
    let id = ObjectId::from_hex(hex).ok()?;
    *rest = tail.strip_prefix(b"\n")?;
    Some(id)
}

/// Takes a line from the front of `rest`, without its newline; `None` if there
/// is no newline.
pub(super) fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let line = &rest[..end];
    *rest = &rest[end + 1..];
    Some(line)
}

/// Takes `prefix` from the front of `rest`, if it is there.
pub(super) fn take_prefix(rest: &mut &[u8], prefix: &[u8]) -> bool {
    rest.strip_prefix(prefix)
        .inspect(|tail| *rest = tail)
        .is_some()
}

/// Checks who and when in an author, committer or tagger line.
pub(super) fn check_ident(line: &[u8]) -> Result<(), FsckProblem> {
    if line.first() == Some(&b'<') {
        return Err(FsckProblem::MissingNameBeforeEmail);
    }
    let open = line
        .iter()
        .position(|byte| matches!(byte, b'<' | b'>'))
        .ok_or(FsckProblem::MissingEmail)?;
    if line[open] == b'>' {
        return Err(FsckProblem::BadName);
    }
    if line[open - 1] != b' ' {
        return Err(FsckProblem::MissingSpaceBeforeEmail);
    }
    let email = &line[open + 1..];
    let close = email
        .iter()
        .position(|byte| matches!(byte, b'<' | b'>'))
        .ok_or(FsckProblem::BadEmail)?;
    if email[close] == b'<' {
        return Err(FsckProblem::BadEmail);
    }
    let date = email[close + 1..]
        .strip_prefix(b" ")
        .ok_or(FsckProblem::MissingSpaceBeforeDate)?;
    let blanks = date
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    check_date(&date[blanks..])
}

fn check_date(date: &[u8]) -> Result<(), FsckProblem> {
    let digits = date.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (seconds, zone) = date.split_at(digits);
    match seconds {
        [] => return Err(FsckProblem::BadDate),
        [b'0', ..] if date.get(1) != Some(&b' ') => return Err(FsckProblem::ZeroPaddedDate),
        _ => {}
    }
    let seconds = std::str::from_utf8(seconds).expect("digits");
    if seconds.parse::<i64>().is_err() {
        return Err(FsckProblem::BadDateOverflow);
    }
    match zone.strip_prefix(b" ").ok_or(FsckProblem::BadDate)? {
        [b'+' | b'-', digits @ ..]
            if digits.len() == 4 && digits.iter().all(u8::is_ascii_digit) =>
        {
            Ok(())
        }
        _ => Err(FsckProblem::BadTimezone),
    }
}
