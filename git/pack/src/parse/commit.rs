use git_id::{HashKind, ObjectId};

/// A commit, decoded for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The root directory.
    pub tree: ObjectId,
    /// The commits this one builds on; several for a merge.
    pub parents: Vec<ObjectId>,
    /// Who wrote the change.
    pub author: Signature,
    /// Who made the commit.
    pub committer: Signature,
    /// The message, in whatever encoding it was written.
    pub message: Vec<u8>,
}

/// Who did something when, as commits and tags record it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// The name, in whatever encoding it was written.
    pub name: Vec<u8>,
    /// The mail address without its angle brackets.
    pub email: Vec<u8>,
    /// Seconds since the epoch; 0 where git could not read them.
    pub time: i64,
    /// Minutes east of UTC; 0 where git could not read them.
    pub offset_minutes: i32,
}

/// What a walk needs of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitLinks<'a> {
    pub(crate) tree: ObjectId,
    /// The bytes of the `parent` lines, each of the same length.
    parents: &'a [u8],
    hash: HashKind,
    /// The committer's time, seconds since the epoch; 0 if unreadable.
    pub(crate) time: i64,
}

impl CommitLinks<'_> {
    /// The parents in their order.
    pub(crate) fn parents(&self) -> impl Iterator<Item = ObjectId> + '_ {
        let start = b"parent ".len();
        let hex = self.hash.len_hex();
        self.parents.chunks_exact(start + hex + 1).map(move |line| {
            ObjectId::from_hex(&line[start..start + hex])
                .expect("checked when the commit was parsed")
        })
    }
}

fn id_line<'a>(data: &'a [u8], key: &[u8], hash: HashKind) -> Option<(ObjectId, &'a [u8])> {
    let rest = data.strip_prefix(key)?;
    let (hex, rest) = rest.split_at_checked(hash.len_hex())?;
    Some((ObjectId::from_hex(hex).ok()?, rest.strip_prefix(b"\n")?))
}

/// Reads tree, parents and committer's time; `None` if tree or a parent is not
/// readable.
pub(crate) fn commit_links(data: &[u8], hash: HashKind) -> Option<CommitLinks<'_>> {
    let (tree, parents) = id_line(data, b"tree ", hash)?;
    let mut rest = parents;
    while rest.starts_with(b"parent ") {
        (_, rest) = id_line(rest, b"parent ", hash)?;
    }
    let parents = &parents[..parents.len() - rest.len()];
    Some(CommitLinks {
        tree,
        parents,
        hash,
        time: committer_time(rest),
    })
}

/// As git reads it for ordering: the number after the last `>` of the committer line.
fn committer_time(headers: &[u8]) -> i64 {
    let mut lines = headers.split(|byte| *byte == b'\n');
    let author = lines
        .next()
        .is_some_and(|line| line.starts_with(b"author "));
    let committer = lines
        .next()
        .and_then(|line| line.strip_prefix(b"committer "));
    match committer {
        Some(line) if author => signature(line).time,
        _ => 0,
    }
}

pub(super) fn signature(line: &[u8]) -> Signature {
    let Some(close) = line.iter().rposition(|byte| *byte == b'>') else {
        return Signature {
            name: line.to_vec(),
            ..Signature::default()
        };
    };
    let open = line[..close]
        .iter()
        .position(|byte| *byte == b'<')
        .unwrap_or(close);
    let mut words = line[close + 1..]
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let mut number = || {
        words
            .next()
            .and_then(|word| std::str::from_utf8(word).ok()?.parse::<i64>().ok())
    };
    let time = number().unwrap_or(0);
    let zone = number().filter(|zone| zone.abs() < 10_000).unwrap_or(0) as i32;
    Signature {
        name: line[..open].trim_ascii().to_vec(),
        email: line.get(open + 1..close).unwrap_or_default().to_vec(),
        time,
        offset_minutes: zone / 100 * 60 + zone % 100,
    }
}

/// Decodes a whole commit; `None` if tree or a parent is not readable.
pub(crate) fn parse_commit(data: &[u8], hash: HashKind) -> Option<Commit> {
    let links = commit_links(data, hash)?;
    let (head, message) = match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &data[data.len()..]),
    };
    let line = |key: &[u8]| {
        let found = head
            .split(|byte| *byte == b'\n')
            .find_map(|line| line.strip_prefix(key));
        found.map(signature).unwrap_or_default()
    };
    Some(Commit {
        tree: links.tree,
        parents: links.parents().collect(),
        author: line(b"author "),
        committer: line(b"committer "),
        message: message.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use git_id::HashKind;
    use proptest::prelude::proptest;

    use super::{commit_links, parse_commit};

    const TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    #[test]
    fn a_merge_is_read_whole() {
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let text = format!(
            "tree {TREE}\nparent {one}\nparent {two}\nauthor A U Thor <a@x> 1 -0230\ncommitter C <c> 1700000000 +0100\n\
             gpgsig -----\n x\n\nsubject\n\nbody\n"
        );
        let links = commit_links(text.as_bytes(), HashKind::Sha1).unwrap();
        assert_eq!(
            links.parents().map(|id| id.to_string()).collect::<Vec<_>>(),
            [one, two]
        );
        assert_eq!(links.time, 1_700_000_000);
        let commit = parse_commit(text.as_bytes(), HashKind::Sha1).unwrap();
        assert_eq!(commit.author.name, b"A U Thor");
        assert_eq!(
            (commit.author.time, commit.author.offset_minutes),
            (1, -150)
        );
        assert_eq!(commit.committer.email, b"c");
        assert_eq!(commit.message, b"subject\n\nbody\n");
    }

    #[test]
    fn what_git_could_not_walk_is_refused() {
        for text in [
            "",
            "tree 12\n",
            &format!("tree {TREE}"),
            &format!("tree {TREE}\nparent {TREE}x\n"),
        ] {
            assert!(
                commit_links(text.as_bytes(), HashKind::Sha1).is_none(),
                "{text:?}"
            );
        }
        let dateless = format!("tree {TREE}\nauthor A <a>\ncommitter C <c> soon\n\n");
        assert_eq!(
            commit_links(dateless.as_bytes(), HashKind::Sha1)
                .unwrap()
                .time,
            0
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tail: Vec<u8>) {
            let mut data = format!("tree {TREE}\nauthor ").into_bytes();
            data.extend_from_slice(&tail);
            let _ = parse_commit(&data, HashKind::Sha1);
            let _ = parse_commit(&tail, HashKind::Sha1);
        }
    }
}
