//! `git archive --remote`, with the real git.

use crate::forge::TestForge;
use crate::git::{git, run, sample};
use crate::ssh::client::{KeyFile, here, url};

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_archive_is_the_local_one() {
    let forge = TestForge::start().await;
    let (_, key) = KeyFile::of_alice(&forge).await;
    let ssh = key.git(&forge);
    let source = forge.path("source");
    sample(&source).await;
    let address = url(&forge, "alice/project.git");
    git(&source, &["-c", &ssh, "push", "-q", "--mirror", &address]).await;
    let remote = format!("--remote={address}");
    let bytes = async |words: &[&str], far: bool| {
        let archive = match far {
            true => vec!["-c", &ssh, "archive", &remote],
            false => vec!["archive"],
        };
        let output = run(&source, &[&archive[..], words].concat()).await;
        assert!(output.status.success(), "{words:?}: {output:?}");
        output.stdout
    };
    for words in [
        &["HEAD"][..],
        &["--format=tar", "--prefix=p/", "main"],
        &["v1"],
        &["refs/heads/feature/x", "counter.txt"],
        &["--list"],
    ] {
        let (far, near) = (bytes(words, true).await, bytes(words, false).await);
        assert_eq!(far, near, "{words:?}");
    }
    for (words, names) in [
        (&["--format=zip", "main"][..], "docs/guide.md"),
        (&["--format=tgz", "main:docs"], "guide.md"),
    ] {
        let file = forge.path("archive");
        std::fs::write(&file, bytes(words, true).await).unwrap();
        let list = match words[0] {
            "--format=zip" => {
                "import sys, zipfile; print(*zipfile.ZipFile(sys.argv[1]).namelist())"
            }
            _ => "import sys, tarfile; print(*tarfile.open(sys.argv[1]).getnames())",
        };
        let mut python = tokio::process::Command::new("python3");
        python.args(["-c", list]).arg(&file);
        let listed = python.output().await.unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(
            listed.split_whitespace().any(|name| name == names),
            "{listed}"
        );
    }
    let head = git(&source, &["rev-parse", "HEAD"]).await;
    for (words, said) in [
        (&[head.as_str()][..], "no such ref"),
        (&["absent"], "no such ref"),
        (&["main", "absent.txt"], "absent.txt"),
        (&["main:absent"], "absent"),
        (&["--format=rar", "main"], "unknown archive format"),
    ] {
        let words = [&["-c", &ssh, "archive", &remote][..], words].concat();
        let output = run(here(&forge), &words).await;
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{words:?}");
        assert!(complained.contains(said), "{words:?}: {complained}");
        assert!(output.stdout.is_empty());
    }
}
