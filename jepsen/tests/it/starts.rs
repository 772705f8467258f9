//! Starting where one should not, and stopping as fate does.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use std::{fs, thread};

use jepsen::clients::made_history;
use jepsen::harness::{ADMINISTRATOR, Git, Process, devflow, free_address, serve};

fn serve_output(data: &Path) -> Output {
    Command::new(devflow().unwrap())
        .args(["serve", "--http", "127.0.0.1:0", "--data"])
        .arg(data)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_data_directory_of_a_newer_version_is_refused_untouched() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("format"), "999\n").unwrap();
    let text = said(&serve_output(&data));
    assert!(
        text.contains("format 999") && text.contains("newer"),
        "{text}"
    );
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
}

#[test]
fn a_directory_of_other_things_is_refused_untouched() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("thesis.txt"), "precious").unwrap();
    let text = said(&serve_output(place.path()));
    assert!(text.contains("not a data directory"), "{text}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn a_second_process_on_a_data_directory_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let first = serve("data", place.path()).unwrap();
    let text = said(&serve_output(&place.path().join("data")));
    assert!(text.contains("in use by another process"), "{text}");
    let base = first.listener("http").unwrap();
    let refs = Git::at(place.path())
        .output(&["ls-remote", &format!("{base}/a/b.git")])
        .unwrap();
    assert!(!refs.status.success(), "the first goes on to answer");
    assert!(String::from_utf8_lossy(&refs.stderr).contains("could not read Username"));
}

#[test]
fn a_killed_process_is_ready_again_soon_with_everything() {
    let place = tempfile::tempdir().unwrap();
    let mut forge = serve("data", place.path()).unwrap();
    let source = made_history(&place.path().join("source"), 20).unwrap();
    let base = forge.listener("http").unwrap().to_owned();
    let url = Git::url(&base, &format!("{ADMINISTRATOR}/kept.git"));
    source
        .run(&["push", "--quiet", &url, "main", "--tags"])
        .unwrap();
    forge.kill().unwrap();
    let began = Instant::now();
    forge.restart().unwrap();
    let ready = began.elapsed();
    assert!(ready < Duration::from_secs(10), "ready after {ready:?}");
    Git::at(place.path())
        .run(&["clone", "--quiet", "--mirror", &url, "clone"])
        .unwrap();
    let cloned = Git::at(place.path().join("clone")).summary().unwrap();
    let pushed = source.summary().unwrap();
    assert_eq!(cloned.objects, pushed.objects);
}

#[test]
fn a_full_disk_refuses_pushes_early_and_serves_clones() {
    let place = tempfile::tempdir().unwrap();
    let source = made_history(&place.path().join("source"), 5).unwrap();
    let data = place.path().join("data");
    let address = free_address().unwrap().to_string();
    let arguments = [
        "serve",
        "--data",
        data.to_str().unwrap(),
        "--http",
        &address,
    ];
    let url = Git::url(
        &format!("http://{address}"),
        &format!("{ADMINISTRATOR}/full.git"),
    );
    let mut forge = Process::start("roomy", &arguments, 1, place.path()).unwrap();
    source.run(&["push", "--quiet", &url, "main"]).unwrap();
    forge.stop().unwrap();

    // As if nearly nothing were free: the reserve is more than any disk has.
    let reserve = [("DEVFLOW_NODE__RESERVE_BYTES", "1000000000000000")];
    let _full = Process::start_with("full", &arguments, &reserve, 1, place.path()).unwrap();
    source.commit("more.txt", "more\n").unwrap();
    let push = source.output(&["push", &url, "main"]).unwrap();
    let text = String::from_utf8_lossy(&push.stderr);
    assert!(!push.status.success() && text.contains("full"), "{text}");
    Git::at(place.path())
        .run(&["clone", "--quiet", &url, "clone"])
        .unwrap();
    let head = Git::at(place.path().join("clone"))
        .run(&["rev-parse", "HEAD"])
        .unwrap();
    assert_eq!(head, source.run(&["rev-parse", "HEAD~1"]).unwrap());
}

#[test]
fn a_client_that_stops_mid_push_leaves_no_trace() {
    let place = tempfile::tempdir().unwrap();
    let forge = serve("data", place.path()).unwrap();
    let base = forge.listener("http").unwrap();
    let source = made_history(&place.path().join("source"), 5).unwrap();
    let url = Git::url(base, &format!("{ADMINISTRATOR}/torn.git"));
    source.run(&["push", "--quiet", &url, "main"]).unwrap();
    let blob: String = (0..4_000_000u32)
        .map(|n| char::from(b' ' + (n.wrapping_mul(2654435761) >> 26) as u8))
        .collect();
    source.commit("large.txt", &blob).unwrap();
    let mut push = Command::new("git")
        .args(["push", "--quiet", &url, "main"])
        .current_dir(source.directory())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(60));
    push.kill().unwrap();
    push.wait().unwrap();
    thread::sleep(Duration::from_millis(500));
    let cache = place.path().join("data/cache");
    let left: Vec<_> = fs::read_dir(cache.join("quarantine"))
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    assert!(left.is_empty(), "quarantines are left: {left:?}");
    Git::at(place.path())
        .run(&["clone", "--quiet", "--mirror", &url, "clone"])
        .unwrap();
    Git::at(place.path().join("clone")).summary().unwrap();
}
