//! Requests to upload-pack that are not as they should be: each gets a message,
//! and no pack.

use std::path::PathBuf;

use bytes::BytesMut;
use git_serve::ProtocolVersion;
use git_wire::pkt::{put_data, put_delimiter, put_flush};

use crate::sandbox::Sandbox;
use crate::wire_client::{packets, raw_upload};

/// A repository with a hidden branch and a commit that no ref reaches.
struct Target {
    served: PathBuf,
    main: String,
    hidden: String,
    lost: String,
    sandbox: Sandbox,
}

impl Target {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let served = sandbox.history("served.git", 12);
        let commit = |text: &str| {
            let tree = ["commit-tree", "-p", "main", "-m", text, "main^{tree}"];
            sandbox.at(&served, &tree).trim().to_owned()
        };
        let (hidden, lost) = (commit("hidden"), commit("lost"));
        sandbox.at(&served, &["update-ref", "refs/internal/x", &hidden]);
        for (key, value) in [
            ("transfer.hideRefs", "refs/internal"),
            ("uploadpack.allowFilter", "true"),
        ] {
            sandbox.at(&served, &["config", key, value]);
        }
        let main = sandbox.id(&served, "main");
        Self {
            served,
            main,
            hidden,
            lost,
            sandbox,
        }
    }

    /// What the client reads as an error; it gets nothing else.
    fn refusal(&self, version: ProtocolVersion, request: &[u8]) -> String {
        let (bytes, error) = raw_upload(&self.served, version, request);
        assert!(error.is_some(), "{}", String::from_utf8_lossy(&bytes));
        let texts: Vec<String> = packets(&bytes)
            .into_iter()
            .map(|packet| String::from_utf8(packet).unwrap())
            .collect();
        match texts.as_slice() {
            [text] => text.strip_prefix("ERR ").unwrap().to_owned(),
            _ => panic!("more than an error: {texts:?}"),
        }
    }
}

/// Packets: a line each, `0000` and `0001` for themselves.
fn request(lines: &[&str]) -> BytesMut {
    let mut out = BytesMut::new();
    for line in lines {
        match *line {
            "0000" => put_flush(&mut out),
            "0001" => put_delimiter(&mut out),
            line => put_data(&mut out, line.as_bytes()),
        }
    }
    out
}

#[test]
fn what_breaks_protocol_v2_is_told_so() {
    let target = Target::new();
    let want = format!("want {}", target.main);
    let wrong_length = format!("want {}", &target.main[1..]);
    let cases: &[(&[&str], &str)] = &[
        (
            &["command=ls-refs", "0001", "0001"],
            "expected flush after ls-refs arguments",
        ),
        (
            &["command=fetch", "0001", "0001"],
            "expected flush after fetch arguments",
        ),
        (
            &["command=fetch", "0001", &want],
            "the remote end hung up unexpectedly",
        ),
        (&["0001"], "no command requested"),
        (&["agent=x", "0000"], "no command requested"),
        (&["command=push", "0000"], "invalid command 'push'"),
        (&["frobnicate", "0000"], "unknown capability 'frobnicate'"),
        (
            &["command=fetch", "command=fetch", "0000"],
            "command 'fetch' requested after another one",
        ),
        (
            &["command=fetch", "object-format=sha256", "0001"],
            "mismatched object format: server sha1; client sha256",
        ),
        (
            &["command=fetch", "0001", "frobnicate"],
            "unexpected line: 'frobnicate'",
        ),
        (
            &["command=fetch", "0001", &wrong_length],
            &format!("protocol error, expected to get object ID, not '{wrong_length}'"),
        ),
        (
            &["command=fetch", "0001", &want, "deepen 0", "0000"],
            "invalid deepen: deepen 0",
        ),
        (
            &[
                "command=fetch",
                "0001",
                &want,
                "deepen 1",
                "deepen-since 5",
                "0000",
            ],
            "deepen and deepen-since (or deepen-not) cannot be used together",
        ),
    ];
    for (lines, expected) in cases {
        let said = target.refusal(ProtocolVersion::V2, &request(lines));
        assert_eq!(said, *expected, "{lines:?}");
    }
}

#[test]
fn what_breaks_protocol_v0_is_told_so() {
    let target = Target::new();
    let want = format!("want {} side-band-64k", target.main);
    let cases: &[(&[&str], &str)] = &[
        (&[&want], "the remote end hung up unexpectedly"),
        (&["0001"], "protocol error: unexpected special packet"),
        (
            &["have x"],
            "protocol error, expected to get object ID, not 'have x'",
        ),
        (
            &[&want, "0000", "shallow x"],
            "expected SHA1 list, got 'shallow x'",
        ),
        (
            &[&want, "filter tree:x", "0000"],
            "invalid filter-spec 'tree:x'",
        ),
    ];
    for (lines, expected) in cases {
        let said = target.refusal(ProtocolVersion::V0, &request(lines));
        assert_eq!(said, *expected, "{lines:?}");
    }
}

#[test]
fn lengths_that_cannot_be_are_told_so_in_every_version() {
    let target = Target::new();
    let cases: &[(&[u8], &str)] = &[
        (b"xyzw", "protocol error: bad line length character: xyzw"),
        (b"0003", "protocol error: bad line length 3"),
        (b"ffffaaaa", "protocol error: bad line length 65535"),
        (b"00", "the remote end hung up unexpectedly"),
        (b"0010want", "the remote end hung up unexpectedly"),
    ];
    for (bytes, expected) in cases {
        for version in [ProtocolVersion::V0, ProtocolVersion::V2] {
            assert_eq!(target.refusal(version, bytes), *expected);
        }
    }
}

#[test]
fn filters_nested_or_combined_without_end_are_refused_quickly() {
    let target = Target::new();
    let want = format!("want {}", target.main);
    let escape = |text: String| text.replace('%', "%25").replace('+', "%2b");
    let nested = (0..9).fold("tree:1+tree:1".to_owned(), |inner, _| {
        format!("combine:{}", escape(inner))
    });
    let wide = format!("combine:{}", vec!["blob:none"; 1000].join("+"));
    let deepest = format!("combine:{}", vec!["combine:"; 4000].concat());
    for filter in [nested, wide, deepest] {
        let line = format!("filter {filter}");
        let lines = ["command=fetch", "0001", &want, &line, "done", "0000"];
        let said = target.refusal(ProtocolVersion::V2, &request(&lines));
        assert!(said.starts_with("invalid filter-spec 'combine:"), "{said}");
        assert!(said.len() < 200, "the whole filter is repeated");
    }
}

#[test]
fn what_no_shown_ref_names_is_not_given_away_in_v0() {
    let target = Target::new();
    let missing = "1".repeat(40);
    let tree = target.sandbox.id(&target.served, "main^{tree}");
    for id in [&target.hidden, &target.lost, &missing, &tree] {
        let want = format!("want {id} side-band-64k");
        let lines = [want.as_str(), "0000", "done"];
        let said = target.refusal(ProtocolVersion::V0, &request(&lines));
        assert_eq!(said, format!("upload-pack: not our ref {id}"));
    }
}
