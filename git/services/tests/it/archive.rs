use std::os::unix::fs::{PermissionsExt as _, symlink};

use git_services::{ArchiveError, ArchiveOptions, Format, archive};

use crate::fixture::{NEVER, Repository, directory, run};

/// Everything that an archive can hold, in paths and links of every length around the limits.
fn everything() -> Repository {
    let repository = Repository::new();
    let root = repository.path();
    repository.write("README.md", "# Read me\n");
    repository.write("empty", "");
    repository.write("run.sh", "#!/bin/sh\n");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(root.join("run.sh"), mode).unwrap();
    for length in [511, 512, 513, 20_000] {
        repository.write(&format!("sizes/{length}"), vec![b'x'; length]);
    }
    for length in 90..106 {
        repository.write(&format!("names/{}", "n".repeat(length)), "x");
        symlink("t".repeat(length), root.join(format!("link{length}"))).unwrap();
    }
    for length in [90, 150, 155, 156, 200] {
        let directory = format!("{}/{}", "d".repeat(length), "e".repeat(40));
        repository.write(&format!("{directory}/file"), "x");
        repository.write(&format!("{directory}/{}", "f".repeat(100)), "x");
    }
    repository.write("d\u{e9}j\u{e0} vu/\u{1f980}", "unicode");
    repository.write("docs/hidden", "x");
    repository.write("tests/all/hidden", "x");
    repository.write("tests/data.bin", "a\nb\n");
    repository.write("kept/data.bin", "a\nb\n");
    repository.write("windows.bat", "one\ntwo\r\nthree\n");
    repository.write("auto.txt", "one\ntwo\n");
    repository.write("sub/secret.txt", "x");
    repository.write("sub/public.txt", "x\n");
    repository.write("sub/.gitattributes", "secret* export-ignore\n*.txt -eol\n");
    repository.write(
        ".gitattributes",
        "docs/ export-ignore\n/tests/** export-ignore\n*.bat text eol=crlf\n\
         *.txt text=auto eol=crlf\n.gitattributes export-ignore\n*.bin binary\n",
    );
    // Content goes in as it is.
    repository.git(&["config", "core.autocrlf", "false"]);
    repository.commit("everything");
    repository.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        "160000,1111111111111111111111111111111111111111,module",
    ]);
    repository.git(&["commit", "-q", "-m", "with a submodule"]);
    repository
}

fn ours(repository: &Repository, revision: &str, options: &ArchiveOptions) -> Vec<u8> {
    let mut out = Vec::new();
    let id = repository.id(revision);
    archive(&repository.objects(), &id, options, &mut out, &NEVER).unwrap();
    out
}

#[test]
fn a_tar_is_gits_byte_for_byte() {
    let repository = everything();
    repository.git(&["tag", "-a", "-m", "annotated", "v1"]);
    for (prefix, paths) in [
        ("", vec![]),
        ("project-1.0/", vec![]),
        ("a/b//", vec![]),
        ("no-slash-", vec![]),
        ("p/", vec!["sub", "sizes/512", "README.md"]),
        ("", vec!["kept/"]),
    ] {
        let mut options = ArchiveOptions::new(Format::Tar);
        options.prefix = prefix.into();
        options.paths = paths.iter().map(|path| (*path).into()).collect();
        let prefix = format!("--prefix={prefix}");
        for revision in ["HEAD", "v1"] {
            let mut arguments = vec!["archive", "--format=tar", &prefix, revision];
            arguments.extend(&paths);
            let theirs = repository.git_bytes(&arguments, b"");
            let ours = ours(&repository, revision, &options);
            assert!(ours == theirs, "{arguments:?}");
        }
    }
}

#[test]
fn a_compressed_tar_is_the_same_tar_without_a_name_or_a_time() {
    let repository = everything();
    let gz = ours(&repository, "HEAD", &ArchiveOptions::new(Format::TarGz));
    let tar = ours(&repository, "HEAD", &ArchiveOptions::new(Format::Tar));
    let theirs = repository.git_bytes(&["archive", "--format=tar.gz", "HEAD"], b"");
    assert_eq!(gz[..10], theirs[..10]);
    let out = run(repository.path(), "gzip", &["-dc"], &gz);
    assert!(out.status.success() && out.stdout == tar);
}

/// Checks every member, and lists names, sizes, modes and times.
const READ_ZIP: &str = "
import sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
for i in sorted(z.infolist(), key=lambda i: i.filename):
    print(i.filename, i.file_size, oct(i.external_attr >> 16), i.date_time, i.CRC)
print(z.comment.decode())
";

#[test]
fn a_zip_holds_what_a_tar_holds() {
    let repository = everything();
    let mut options = ArchiveOptions::new(Format::Zip);
    options.prefix = b"p/".to_vec();
    let zip = ours(&repository, "HEAD", &options);
    options.format = Format::Tar;
    let tar = ours(&repository, "HEAD", &options);
    let (unzipped, untarred) = (directory(), directory());
    let file = unzipped.path().join("x.zip");
    std::fs::write(&file, zip).unwrap();
    let file = file.to_str().unwrap();
    let listed = run(unzipped.path(), "python3", &["-c", READ_ZIP, file], b"");
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    assert!(
        text.contains("p/run.sh 10 0o100775 (2020, 9, 13, 12, 26, 40)"),
        "{text}"
    );
    assert!(text.ends_with(&format!("{}\n", repository.id("HEAD"))));
    let tar = run(untarred.path(), "tar", &["-x"], &tar);
    assert!(tar.status.success());
    let diff = "import sys, zipfile, os
z = zipfile.ZipFile(sys.argv[1]); root = sys.argv[2]; names = set()
for i in z.infolist():
    path = os.path.join(root, i.filename); names.add(i.filename.rstrip('/'))
    if i.filename.endswith('/'): assert os.path.isdir(path), path
    elif i.external_attr >> 28 == 0o12: assert os.readlink(path) == z.read(i).decode(), path
    else: assert open(path, 'rb').read() == z.read(i), path
for d, dirs, files in os.walk(root):
    for f in dirs + files: assert os.path.relpath(os.path.join(d, f), root) in names, f
";
    let root = untarred.path().to_str().unwrap();
    let compared = run(unzipped.path(), "python3", &["-c", diff, file, root], b"");
    assert!(
        compared.status.success(),
        "{}",
        String::from_utf8_lossy(&compared.stderr)
    );
}

#[test]
fn what_cannot_be_archived_is_refused_before_the_first_byte() {
    let repository = everything();
    let mut options = ArchiveOptions::new(Format::Tar);
    let mut out = Vec::new();
    let mut refused = |id: &str, options: &ArchiveOptions| {
        let id = repository.id(id);
        archive(&repository.objects(), &id, options, &mut out, &NEVER).unwrap_err()
    };
    let error = refused("HEAD:README.md", &options);
    assert!(matches!(error, ArchiveError::NotATree { .. }), "{error}");
    options.paths = vec![b"none/at/all".to_vec()];
    let error = refused("HEAD", &options);
    assert_eq!(
        error.to_string(),
        "there is nothing at the path \"none/at/all\""
    );
    assert!(out.is_empty());
}

#[test]
fn a_directory_is_archived_by_its_tree() {
    let repository = everything();
    let mut options = ArchiveOptions::new(Format::Tar);
    options.tree_time = 1_234_567_890;
    let theirs = repository.git_bytes(&["archive", "--format=tar", "HEAD:sizes"], b"");
    let ours = ours(&repository, "HEAD:sizes", &options);
    // Git writes the present time into theirs.
    assert_eq!(ours.len(), theirs.len());
    assert_eq!(ours[136..147], *b"11145401322");
}
