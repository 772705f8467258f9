//! The library between a process and its disk does what its runs rely on.

use std::fs;
use std::path::Path;
use std::process::Command;

use jepsen::shim::{Lies, Shim};

/// Runs a Python program under the shim; it ends without a clean-up.
fn run(shim: &Shim, data: &Path, program: &str) {
    let output = Command::new("python3")
        .args(["-c", program])
        .current_dir(data)
        .envs(shim.variables().unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_was_not_synced_is_lost_and_what_was_is_kept() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    fs::create_dir(&data).unwrap();
    let library = Shim::compile(place.path()).unwrap();
    let shim = Shim::prepare(&library, &place.path().join("own"), &data).unwrap();
    let synced = "
import os
f = os.open('a', os.O_RDWR | os.O_CREAT)
os.write(f, b'synced')
os.fsync(f)
os.pwrite(f, b'XX', 1)
os.write(f, b' and appended')
os.ftruncate(f, 3)
g = os.open('b', os.O_RDWR | os.O_CREAT)
os.write(g, b'never')
h = os.open('c', os.O_RDWR | os.O_CREAT)
os.write(h, b'first')
os.fdatasync(h)
os.rename('c', 'd')
os.posix_fallocate(h, 0, 4096)
";
    run(&shim, &data, synced);
    assert_eq!(fs::read(data.join("a")).unwrap(), b"sXX");
    assert_eq!(shim.lose_unsynced().unwrap(), 5);
    assert_eq!(fs::read(data.join("a")).unwrap(), b"synced");
    assert_eq!(fs::read(data.join("b")).unwrap(), b"");
    assert_eq!(fs::read(data.join("d")).unwrap(), b"first");
    // What lies outside of the data directory is left alone, and nothing is undone twice.
    assert_eq!(shim.lose_unsynced().unwrap(), 0);

    shim.lie(Lies::All).unwrap();
    run(
        &shim,
        &data,
        "import os; f = os.open('a', os.O_RDWR); os.write(f, b'lies!!'); os.fsync(f)",
    );
    assert_eq!(shim.lose_unsynced().unwrap(), 1);
    assert_eq!(fs::read(data.join("a")).unwrap(), b"synced");
}

#[test]
fn a_disk_lies_about_the_files_that_it_is_told_to_lie_about() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let library = Shim::compile(place.path()).unwrap();
    let shim = Shim::prepare(&library, &place.path().join("own"), &data).unwrap();
    for part in ["raft", "volumes", "state"] {
        fs::create_dir_all(data.join(part)).unwrap();
    }
    let write = "
import os
for part in ['raft', 'volumes', 'state']:
    f = os.open(part + '/file', os.O_RDWR | os.O_CREAT)
    os.write(f, b'synced')
    os.fsync(f)
";
    for (about, lost) in [(Lies::Log, "raft"), (Lies::Volumes, "volumes")] {
        shim.lie(about).unwrap();
        run(&shim, &data, write);
        assert_eq!(shim.lose_unsynced().unwrap(), 1);
        for part in ["raft", "volumes", "state"] {
            let left = fs::read(data.join(part).join("file")).unwrap();
            assert_eq!(left.is_empty(), part == lost, "{about:?}: {part}");
            fs::remove_file(data.join(part).join("file")).unwrap();
        }
    }
}

#[test]
fn the_wall_clock_moves() {
    let place = tempfile::tempdir().unwrap();
    let library = Shim::compile(place.path()).unwrap();
    let shim = Shim::prepare(&library, &place.path().join("own"), place.path()).unwrap();
    let check = "import time, sys; sys.exit(time.time() < 5_000_000_000)";
    shim.skew(std::time::Duration::from_secs(5_000_000_000), false)
        .unwrap();
    run(&shim, place.path(), check);
}
