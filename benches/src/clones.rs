//! Full clones: processor time of the server, time to the first byte, memory.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use jepsen::harness::Git;

use crate::apache::Apache;
use crate::fetch_client::{Fetched, clone};
use crate::forge::Forge;
use crate::processes::{anonymous_mib, processor_time};
use crate::report::Report;

/// How many clones run at once in the crowd.
const CROWD: usize = 8;

struct Side<'a> {
    address: &'a str,
    path: String,
    group: u32,
}

struct Figures {
    processor: Duration,
    first_byte: Duration,
    whole: Duration,
    bytes: u64,
}

/// Measures single clones, then a crowd, on both sides in turn.
pub(crate) fn measure(
    forge: &Forge,
    apache: &Apache,
    rounds: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let process = forge.process()?;
    let ours = Side {
        address: forge.address(),
        path: Forge::path("whole"),
        group: group_of(process)?,
    };
    let theirs = Side {
        address: apache.address(),
        path: "/git/whole.git".to_owned(),
        group: apache.group(),
    };
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        a.push(crowd(&ours, 1)?);
        b.push(crowd(&theirs, 1)?);
    }
    let median = |all: &mut Vec<Figures>, of: fn(&Figures) -> Duration| {
        all.sort_by_key(of);
        of(&all[all.len() / 2])
    };
    report.time(
        "clone: server CPU",
        0.5,
        median(&mut a, |f| f.processor),
        median(&mut b, |f| f.processor),
    );
    report.time(
        "clone: first pack byte",
        0.5,
        median(&mut a, |f| f.first_byte),
        median(&mut b, |f| f.first_byte),
    );
    report.time(
        "clone: last pack byte",
        1.0,
        median(&mut a, |f| f.whole),
        median(&mut b, |f| f.whole),
    );
    report.note(format!(
        "pack bytes sent: ours {}, git's {}",
        a[0].bytes, b[0].bytes
    ));
    at_once(&ours, &theirs, process, report)
}

/// A crowd of clones on each side, and the forge's memory meanwhile.
fn at_once(
    ours: &Side<'_>,
    theirs: &Side<'_>,
    process: u32,
    report: &mut Report,
) -> anyhow::Result<()> {
    let done = AtomicBool::new(false);
    let (eight, peak) = thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut peak = 0;
            while !done.load(Ordering::SeqCst) {
                peak = peak.max(anonymous_mib(process).unwrap_or(0));
                thread::sleep(Duration::from_millis(10));
            }
            peak
        });
        let eight = crowd(ours, CROWD);
        done.store(true, Ordering::SeqCst);
        (eight, sampler.join())
    });
    let eight = eight?;
    let eight_of_git = crowd(theirs, CROWD)?;
    report.time(
        "8 clones at once: server CPU",
        0.4,
        eight.processor,
        eight_of_git.processor,
    );
    report.time(
        "8 clones at once: wall",
        1.0,
        eight.whole,
        eight_of_git.whole,
    );
    let peak = peak.map_err(|_| anyhow!("the memory sampler panicked"))?;
    report.plain("8 clones at once: anonymous memory", 400, peak, "MiB");
    Ok(())
}

/// Times `git clone --bare` itself.
pub(crate) fn whole(
    forge: &Forge,
    apache: &Apache,
    place: &Path,
    report: &mut Report,
) -> anyhow::Result<()> {
    let time = |url: String, name: &str| -> anyhow::Result<Duration> {
        let began = Instant::now();
        Git::at(place).run(&["clone", "--quiet", "--bare", &url, name])?;
        Ok(began.elapsed())
    };
    let ours = time(forge.url("whole"), "clone-ours")?;
    let theirs = time(apache.url("whole.git"), "clone-theirs")?;
    report.time("git clone --bare: wall", 1.0, ours, theirs);
    Ok(())
}

fn crowd(side: &Side<'_>, size: usize) -> anyhow::Result<Figures> {
    let before = processor_time(side.group)?;
    let began = Instant::now();
    let fetched: Vec<anyhow::Result<Fetched>> = thread::scope(|scope| {
        let clones: Vec<_> = (0..size)
            .map(|_| scope.spawn(|| clone(side.address, &side.path)))
            .collect();
        clones
            .into_iter()
            .map(|clone| {
                clone
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("a client panicked")))
            })
            .collect()
    });
    let fetched = fetched.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let whole = if size == 1 {
        fetched[0].whole
    } else {
        began.elapsed()
    };
    // A child that just ended is counted once its parent has waited for it.
    thread::sleep(Duration::from_millis(200));
    Ok(Figures {
        processor: processor_time(side.group)? - before,
        first_byte: fetched[0].first_byte,
        whole,
        bytes: fetched[0].pack_bytes,
    })
}

fn group_of(process: u32) -> anyhow::Result<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, rest) = stat.rsplit_once(") ").ok_or_else(|| anyhow!("no stat"))?;
    rest.split(' ')
        .nth(2)
        .and_then(|field| field.parse().ok())
        .ok_or_else(|| anyhow!("no group"))
}
