//! Backups and restores that are killed as fate does, by real processes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use jepsen::clients::made_history;
use jepsen::harness::{ADMINISTRATOR, Cluster, Git, devflow, serve};

/// Slow enough to be killed in the middle: between the second and the third of three packs.
const RATE: &str = "8000000";
const MIDDLE: Duration = Duration::from_secs(6);

fn begin(arguments: &[&str]) -> Child {
    let mut command = Command::new(devflow().unwrap());
    command.args(arguments).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn().unwrap()
}

/// Kills it while it works.
fn kill_in_the_middle(mut child: Child) {
    thread::sleep(MIDDLE);
    assert_eq!(child.try_wait().unwrap(), None, "it was over too soon");
    child.kill().unwrap();
    child.wait().unwrap();
}

fn run(arguments: &[&str]) -> String {
    let output = Command::new(devflow().unwrap())
        .args(arguments)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
#[ignore = "waits two minutes until what the killed backup holds is free"]
fn a_backup_and_a_restore_that_are_killed_are_finished_by_the_next() {
    let place = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(place.path(), 3, 1).unwrap();
    let source = made_history(&place.path().join("source"), 10).unwrap();
    let mut word = 1_u64;
    let noise: String = (0..110_000_000)
        .map(|_| {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            char::from(b' ' + (word >> 58) as u8)
        })
        .collect();
    source.commit("large.txt", &noise).unwrap();
    let base = cluster.base(0).unwrap();
    let url = Git::url(&base, &format!("{ADMINISTRATOR}/kept.git"));
    source
        .run(&["push", "--quiet", &url, "main", "--tags"])
        .unwrap();
    let (store, data) = (place.path().join("backups"), place.path().join("frontend1"));
    let (store, data) = (text(&store), text(&data));
    let take = ["admin", "backup", store, "--data", data];

    kill_in_the_middle(begin(&[&take[..], &["--rate", RATE]].concat()));
    assert_eq!(run(&["admin", "backup", "list", store]), "");
    // The groups are held until the dead one's hold ends; nothing else waits for it.
    source.commit("meanwhile.txt", "meanwhile\n").unwrap();
    source.run(&["push", "--quiet", &url, "main"]).unwrap();
    let began = std::time::Instant::now();
    loop {
        let output = Command::new(devflow().unwrap())
            .args(take)
            .output()
            .unwrap();
        if output.status.success() {
            break;
        }
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("another backup is being taken"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(180), "{error}");
        thread::sleep(Duration::from_secs(5));
    }
    assert!(run(&["admin", "verify", store]).contains("is whole"));
    let first = run(&["admin", "backup", "list", store]);
    let first = first.split_whitespace().next().unwrap();
    run(&take);
    let pruned = run(&["admin", "backup", "prune", store, "--keep", "1"]);
    assert!(pruned.contains(&format!("{first}  begun")), "{pruned}");
    assert_eq!(run(&["admin", "backup", "list", store]).lines().count(), 1);
    assert!(run(&["admin", "verify", store]).contains("is whole"));

    let other = place.path().join("other");
    let back = ["admin", "restore", store, "--data", text(&other)];
    kill_in_the_middle(begin(&[&back[..], &["--rate", RATE]].concat()));
    let told = run(&back);
    assert!(told.contains("is back"), "{told}");
    let forge = serve("other", place.path()).unwrap();
    let url = Git::url(
        forge.listener("http").unwrap(),
        &format!("{ADMINISTRATOR}/kept.git"),
    );
    Git::at(place.path())
        .run(&["clone", "--quiet", "--mirror", &url, "clone"])
        .unwrap();
    let cloned = Git::at(place.path().join("clone")).summary().unwrap();
    assert_eq!(cloned.objects, source.summary().unwrap().objects);
}
