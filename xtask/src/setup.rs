//! What a fresh machine needs before cargo can build: Debian packages and a
//! generated `.cargo/config.toml`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian packages and the file by which each is known to be there.
const PACKAGES: &[(&str, &str)] = &[
    ("git", "/usr/bin/git"),
    ("curl", "/usr/bin/curl"),
    // For the tests of SSH.
    ("openssh-client", "/usr/bin/ssh"),
    // For the tests of LFS.
    ("git-lfs", "/usr/bin/git-lfs"),
    ("g++", "/usr/bin/g++"),
    // The bindings of RocksDB are generated from its header.
    ("libclang-dev", "/usr/share/doc/libclang-dev"),
    ("librocksdb-dev", "/usr/include/rocksdb/c.h"),
];

/// The RocksDB that the pinned crate's bindings fit.
const ROCKSDB_SERIES: &str = "7.";

const MARK: &str = "# Written by `./dev setup`; delete it to have it written again.";

/// Installs packages where apt is, says what to install elsewhere, and writes
/// cargo's configuration.
pub(crate) fn all() -> Result<(), String> {
    packages()?;
    cargo_configuration()
}

fn packages() -> Result<(), String> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(_, file)| !Path::new(file).exists())
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        // Elsewhere git, a C++ compiler and libclang suffice: RocksDB is then built from source.
        eprintln!(
            "dev: this is not Debian: make sure that git, curl, a C++ compiler and libclang are \
             installed. RocksDB will be built from source, which takes long."
        );
        return Ok(());
    }
    println!("dev: installing {}", missing.join(" "));
    apt(&["update", "-qq"])?;
    apt(&[
        &["install", "-y", "-qq", "--no-install-recommends"],
        missing.as_slice(),
    ]
    .concat())
}

fn apt(arguments: &[&str]) -> Result<(), String> {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.stdout == b"0\n");
    let mut command = if root {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("apt-get");
        sudo
    };
    let status = command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(std::process::Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!(
            "`apt-get {}` failed: run it as root, or let this user use sudo",
            arguments.join(" ")
        )),
    }
}

fn cargo_configuration() -> Result<(), String> {
    let path = Path::new(".cargo/config.toml");
    let present = fs::read_to_string(path).unwrap_or_default();
    if !present.is_empty() && !present.starts_with(MARK) {
        return Ok(());
    }
    let target = std::env::var("CARGO_TARGET_DIR")
        .map_err(|_| "CARGO_TARGET_DIR is not set: run this through ./dev".to_owned())?;
    let mut wanted = format!("{MARK}\n[build]\ntarget-dir = {target:?}\n");
    if let Some(directory) = system_rocksdb() {
        wanted += &format!("\n[env]\nROCKSDB_LIB_DIR = {:?}\n", directory.display());
    } else {
        eprintln!(
            "dev: no RocksDB {ROCKSDB_SERIES}x on this system: it is built from source, which takes long"
        );
    }
    if present == wanted {
        return Ok(());
    }
    fs::create_dir_all(".cargo")
        .and_then(|()| fs::write(path, wanted))
        .map_err(|error| format!("write {}: {error}", path.display()))
}

fn system_rocksdb() -> Option<PathBuf> {
    let version = fs::read_to_string("/usr/include/rocksdb/version.h").ok()?;
    let major = version
        .lines()
        .find_map(|line| line.strip_prefix("#define ROCKSDB_MAJOR "))?;
    if !format!("{}.", major.trim()).starts_with(ROCKSDB_SERIES) {
        return None;
    }
    let triple = Command::new("cc").arg("-dumpmachine").output().ok()?;
    let triple = String::from_utf8(triple.stdout).ok()?;
    let directory = Path::new("/usr/lib").join(triple.trim());
    directory
        .join("librocksdb.so")
        .exists()
        .then_some(directory)
}
