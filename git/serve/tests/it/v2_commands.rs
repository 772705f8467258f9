//! What protocol v2 offers beside listing refs and fetching whole refs.

use std::path::Path;

use bytes::BytesMut;
use git_serve::ProtocolVersion;
use git_wire::pkt::{put_data, put_delimiter, put_flush};

use crate::sandbox::{Over, Sandbox};
use crate::wire_client::{packets, raw_upload};

const NO_OBJECT: &str = "1111111111111111111111111111111111111111";

/// A command with its arguments; the lines of the answer, as far as they are text.
fn ask(repository: &Path, command: &str, arguments: &[String]) -> Vec<String> {
    let mut request = BytesMut::new();
    put_data(&mut request, format!("command={command}").as_bytes());
    put_delimiter(&mut request);
    for line in arguments {
        put_data(&mut request, line.as_bytes());
    }
    put_flush(&mut request);
    let (bytes, _) = raw_upload(repository, ProtocolVersion::V2, &request);
    let text = |packet: Vec<u8>| String::from_utf8(packet).ok();
    let lines = packets(&bytes).into_iter().filter_map(text);
    lines.map(|line| line.trim_end().to_owned()).collect()
}

fn served(settings: &[&str]) -> (Sandbox, std::path::PathBuf) {
    let sandbox = Sandbox::new();
    let path = sandbox.history("served.git", 12);
    for setting in settings {
        sandbox.at(&path, &["config", setting, "true"]);
    }
    (sandbox, path)
}

#[test]
fn a_ref_wanted_by_name_is_what_it_is_when_the_pack_is_made() {
    let (sandbox, path) = served(&["uploadpack.allowRefInWant"]);
    let tip = sandbox.id(&path, "main");
    let want = |name: &str| vec![format!("want-ref {name}"), "done".to_owned()];
    let lines = ask(&path, "fetch", &want("refs/heads/main"));
    assert_eq!(
        lines[..3],
        ["wanted-refs", &format!("{tip} refs/heads/main"), "packfile"]
    );
    sandbox.at(&path, &["config", "transfer.hideRefs", "refs/heads/side"]);
    for name in ["refs/heads/none", "refs/heads/side", "main", "../x"] {
        let expected = format!("ERR unknown ref {name}");
        assert_eq!(ask(&path, "fetch", &want(name)), [expected]);
    }
}

#[test]
fn git_names_the_ref_that_it_wants_and_reads_the_whole_answer_on_the_side_band() {
    let settings = ["uploadpack.allowRefInWant", "uploadpack.allowSidebandAll"];
    let (sandbox, path) = served(&settings);
    for over in [Over::Pipes, Over::Http] {
        let to = format!("clone-{over:?}");
        let clone = sandbox.clone((over, 2), "served.git", &to, &["--depth=1"]);
        let trace = [
            "-c",
            "protocol.version=2",
            "fetch",
            "--depth=3",
            "origin",
            "refs/heads/side",
        ];
        let said = sandbox.traced(&clone, &trace);
        for word in ["want-ref refs/heads/side", "sideband-all"] {
            assert!(said.contains(word), "{said}");
        }
        assert_eq!(sandbox.id(&clone, "FETCH_HEAD"), sandbox.id(&path, "side"));
    }
}

#[test]
fn sizes_are_told_of_what_may_be_wanted() {
    let (sandbox, path) = served(&["transfer.advertiseObjectInfo"]);
    let (blob, tip) = (sandbox.id(&path, "main:same"), sandbox.id(&path, "main"));
    let size = |id: &str| sandbox.at(&path, &["cat-file", "-s", id]).trim().to_owned();
    let oid = |id: &str| format!("oid {id}");
    let asked = ["size".to_owned(), oid(&blob), oid(NO_OBJECT), oid(&tip)];
    let expected = [
        "size".to_owned(),
        format!("{blob} {}", size(&blob)),
        NO_OBJECT.to_owned(),
        format!("{tip} {}", size(&tip)),
    ];
    assert_eq!(ask(&path, "object-info", &asked), expected);
}

#[test]
fn bundles_are_listed_as_they_are_configured() {
    let (sandbox, path) = served(&["uploadpack.advertiseBundleURIs"]);
    sandbox.at(&path, &["config", "bundle.version", "1"]);
    let uri = "https://example.org/a.bundle";
    sandbox.at(&path, &["config", "bundle.One.uri", uri]);
    let lines = ask(&path, "bundle-uri", &[]);
    assert_eq!(
        lines,
        ["bundle.version=1", &format!("bundle.One.uri={uri}")]
    );
}

#[test]
fn commands_that_are_not_offered_are_refused() {
    let (_sandbox, path) = served(&[]);
    for command in ["object-info", "bundle-uri", "push", ""] {
        let expected = format!("ERR invalid command '{command}'");
        assert_eq!(ask(&path, command, &[]), [expected]);
    }
}
