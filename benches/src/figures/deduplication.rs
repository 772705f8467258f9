//! Bytes that are stored of successive versions, beside backup programs that
//! cut by content too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use chunking::Profile;
use jepsen::harness::Cluster;

use super::clients;
use super::report::{Goal, Report};
use super::tier::Tier;

/// Of the other programs' repositories, which hold nothing worth a secret.
const PASSWORD: &str = "figures";

/// For each directory, whose files in the order of their names are versions of
/// one thing.
pub(super) fn measure(place: &Path, versions: &[PathBuf]) -> anyhow::Result<Report> {
    ensure!(
        !versions.is_empty(),
        "name what to store: --versions DIRECTORY, whose files in the order of their names are versions of one thing"
    );
    let mut report = Report::new("Bytes stored of bytes received", "devflow", "the other");
    for (number, directory) in versions.iter().enumerate() {
        let own = place.join(number.to_string());
        fs::create_dir(&own)?;
        let mut files: Vec<PathBuf> = fs::read_dir(directory)
            .with_context(|| format!("list {}", directory.display()))?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?;
        files.sort();
        let received: u64 = files.iter().map(|file| size(file)).sum::<Result<_, _>>()?;
        let share = |bytes: u64| bytes as f64 / received.max(1) as f64;
        let profile = profile(&files)?;
        let ours = share(ours(&own, &files, profile)?);
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        let what = format!(
            "{name}: {} files, {} MiB, cut as {profile:?}",
            files.len(),
            received >> 20
        );
        for (program, compression) in [
            ("restic", "off"),
            ("restic", "auto"),
            ("borg", "none"),
            ("borg", "zstd"),
        ] {
            let repository = own.join(format!("{program}-{compression}"));
            match program {
                "restic" => restic(&repository, &files, compression)?,
                _ => borg(&repository, &files, compression)?,
            }
            let theirs = share(usage(&repository)?);
            let row = format!("{what}; {program}, compression {compression}");
            report.pairs(&row, "", &[(ours, theirs)], Goal::None);
        }
    }
    report.note(
        "Ours: what the volumes of one of three nodes take on disk, which keeps one copy of everything; nothing is compressed. \
         Theirs: what the repository takes on disk."
            .to_owned(),
    );
    Ok(report)
}

/// As the forge and the registry choose it: by what kind of content it is.
fn profile(files: &[PathBuf]) -> anyhow::Result<Profile> {
    let first = files.first().context("the directory is empty")?;
    let extension = first.extension().unwrap_or_default().to_string_lossy();
    Ok(match &*extension {
        "pack" => Profile::GitPackV1,
        "whl" | "tgz" | "gz" | "xz" | "deb" | "zip" => Profile::ArchiveV1,
        _ => Profile::GenericV1,
    })
}

fn ours(place: &Path, files: &[PathBuf], profile: Profile) -> anyhow::Result<u64> {
    let clients = clients()?;
    let cluster = Cluster::start(place, 3, 0)?;
    let volumes = cluster.data(0).join("volumes");
    let before = usage(&volumes)?;
    clients.block_on(async {
        let tier = Tier::enter(&cluster.data(0))?;
        for file in files {
            tier.write_as(fs::read(file)?.into(), profile).await?;
        }
        anyhow::Ok(())
    })?;
    cluster.wait_until_settled(std::time::Duration::from_secs(120))?;
    Ok(usage(&volumes)?.saturating_sub(before))
}

fn restic(repository: &Path, files: &[PathBuf], compression: &str) -> anyhow::Result<()> {
    let restic = || {
        let mut command = Command::new("restic");
        command
            .env("RESTIC_PASSWORD", PASSWORD)
            .args([
                "--quiet",
                "--no-cache",
                "--compression",
                compression,
                "--repo",
            ])
            .arg(repository);
        command
    };
    run(restic().arg("init"))?;
    files
        .iter()
        .try_for_each(|file| run(restic().arg("backup").arg(file)))
}

fn borg(repository: &Path, files: &[PathBuf], compression: &str) -> anyhow::Result<()> {
    run(Command::new("borg")
        .args(["init", "--encryption", "none"])
        .arg(repository))?;
    for (number, file) in files.iter().enumerate() {
        let archive = format!("{}::{number}", repository.display());
        run(Command::new("borg")
            .args(["create", "--compression", compression, &archive])
            .arg(file))?;
    }
    Ok(())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .output()
        .with_context(|| format!("run {command:?}: is its package installed?"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}

fn size(file: &Path) -> anyhow::Result<u64> {
    Ok(fs::metadata(file)?.len())
}

/// Bytes on disk below a directory.
pub(super) fn usage(directory: &Path) -> anyhow::Result<u64> {
    let output = Command::new("du")
        .args(["--summarize", "--block-size=1"])
        .arg(directory)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let bytes = text.split_whitespace().next().context("du said nothing")?;
    Ok(bytes.parse()?)
}
