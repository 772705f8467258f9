//! The few requests of git's protocol that the clients of refs make themselves,
//! without the weight of a git process.

use super::door::Request;

/// The id of no commit.
const ZERO: &str = "0000000000000000000000000000000000000000";
/// A pack of no objects, with its SHA-1 (gitformat-pack).
const EMPTY_PACK: [u8; 32] = [
    b'P', b'A', b'C', b'K', 0, 0, 0, 2, 0, 0, 0, 0, 0x02, 0x9d, 0x08, 0x82, 0x3b, 0xd8, 0xa8, 0xea,
    0xb5, 0x10, 0xad, 0x6a, 0xc7, 0x5c, 0x82, 0x3c, 0xfd, 0x3e, 0xd3, 0x1e,
];

/// `ls-refs` of protocol version 2 for all refs with this prefix.
pub(super) fn list(repository: &str, prefix: &str) -> Request {
    let mut body = line("command=ls-refs\n");
    body.extend(b"0001");
    body.extend(line(&format!("ref-prefix {prefix}\n")));
    body.extend(b"0000");
    Request {
        method: "POST",
        path: format!("/{repository}.git/git-upload-pack"),
        headers: vec![
            "Content-Type: application/x-git-upload-pack-request".to_owned(),
            "Git-Protocol: version=2".to_owned(),
        ],
        body,
        reads: true,
    }
}

/// Moves refs from one value to another, all or none.
pub(super) fn update(
    repository: &str,
    refs: &[String],
    expected: Option<&str>,
    value: &str,
) -> Request {
    let old = expected.unwrap_or(ZERO);
    let mut body = Vec::new();
    for (number, name) in refs.iter().enumerate() {
        let capabilities = if number == 0 {
            "\0report-status atomic"
        } else {
            ""
        };
        body.extend(line(&format!("{old} {value} {name}{capabilities}")));
    }
    body.extend(b"0000");
    body.extend(EMPTY_PACK);
    Request {
        method: "POST",
        path: format!("/{repository}.git/git-receive-pack"),
        headers: vec!["Content-Type: application/x-git-receive-pack-request".to_owned()],
        body,
        reads: false,
    }
}

/// The value of a ref in the answer to [`list`].
pub(super) fn value_of(answer: &str, name: &str) -> Option<String> {
    let line = answer.lines().find(|line| {
        let name_of = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
        name_of(line).as_deref() == Some(name)
    })?;
    // Four digits of the packet's length, perhaps after those of a flush.
    let id = line.split(' ').next()?;
    id.get(id.len().checked_sub(40)?..).map(str::to_owned)
}

fn line(text: &str) -> Vec<u8> {
    format!("{:04x}{text}", text.len() + 4).into_bytes()
}
