//! Processor time and memory of a group of processes, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// Processor time, user and system, of all processes of a process group and of
/// their children that have ended.
pub(crate) fn processor_time(group: u32) -> anyhow::Result<Duration> {
    let mut ticks = 0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let Some((_, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        // Fields from the third on, as proc(5) counts them: 5 is the group, 14 to 17 the times.
        let fields: Vec<&str> = rest.split(' ').collect();
        if fields.get(2).and_then(|field| field.parse().ok()) != Some(group) {
            continue;
        }
        ticks += fields[11..15]
            .iter()
            .filter_map(|field| field.parse::<u64>().ok())
            .sum::<u64>();
    }
    Ok(Duration::from_millis(
        ticks * 1000 / rustix::param::clock_ticks_per_second(),
    ))
}

/// Anonymous resident memory of one process, in MiB.
pub(crate) fn anonymous_mib(process: u32) -> anyhow::Result<u64> {
    status_mib(process, "RssAnon:")
}

/// Resident memory of one process, in MiB.
pub(crate) fn resident_mib(process: u32) -> anyhow::Result<u64> {
    status_mib(process, "VmRSS:")
}

fn status_mib(process: u32, key: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = line
        .and_then(|line| line.split_whitespace().next())
        .with_context(|| format!("no {key}"))?;
    Ok(kib.parse::<u64>()? / 1024)
}
