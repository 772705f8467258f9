use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::{Context, ensure};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use super::tun;

type Job = Box<dyn FnOnce() + Send>;

/// The largest packet. Few large packets cost less than many small ones.
const MTU: &str = "9000";

/// One host: what its thread does, and what is started from there, sees only its
/// network and its mounts.
#[derive(Debug)]
pub struct Host {
    address: Ipv4Addr,
    space: File,
    jobs: SyncSender<Job>,
}

impl Host {
    /// Makes a host and its device. Its thread lives as long as the host.
    pub(super) fn start(address: Ipv4Addr) -> anyhow::Result<(Self, File)> {
        let (jobs, inbox) = sync_channel::<Job>(1);
        let (ready, made) = sync_channel(1);
        thread::spawn(move || {
            // Who waits for this has gone if it cannot be sent.
            drop(ready.send(set_up(address)));
            for job in inbox {
                job();
            }
        });
        let (space, device) = made.recv().context("the host's thread ended")??;
        let host = Self {
            address,
            space,
            jobs,
        };
        Ok((host, device))
    }

    /// Its address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Does something there, and waits for it. A process started so is killed
    /// with this one if it was started through [`Host::command`].
    pub fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let (sender, receiver) = sync_channel(1);
        let job: Job = Box::new(move || drop(sender.send(work())));
        self.jobs
            .send(job)
            .map_err(|_| anyhow::anyhow!("the thread of host {} has ended", self.address))?;
        receiver
            .recv()
            .with_context(|| format!("host {}", self.address))
    }

    /// A command that the kernel kills when the thread that spawned it ends.
    pub fn command(program: &std::path::Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command
    }

    /// Moves the calling thread to this host's network, for good.
    pub fn enter(&self) -> anyhow::Result<()> {
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(self.space.as_fd(), kind).context("enter a network namespace")
    }

    /// Lets it send no larger packets than this.
    pub(super) fn limit_packets(&self, bytes: u16) -> anyhow::Result<()> {
        let mtu = bytes.to_string();
        self.run(move || {
            let device = ["link", "set", tun::NAME, "mtu"];
            run(Command::new("ip").args(device).arg(mtu))
        })?
    }

    /// Puts an empty memory file system of this size at `directory`, seen only
    /// from this host.
    pub fn mount(&self, directory: &std::path::Path, bytes: u64) -> anyhow::Result<()> {
        let directory = directory.to_owned();
        self.run(move || {
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"]);
            run(mount.arg(directory))
        })?
    }
}

/// Makes this thread a host.
#[expect(deprecated, reason = "no other thread shares what is unshared here")]
fn set_up(address: Ipv4Addr) -> anyhow::Result<(File, File)> {
    let unshare = |flags| rustix::thread::unshare(flags).map_err(io::Error::from);
    unshare(UnshareFlags::NEWNET | UnshareFlags::NEWNS).context("make namespaces")?;
    run(Command::new("mount").args(["--make-rprivate", "/"]))?;
    let device = tun::open().context("make a TUN device")?;
    let address = format!("{address}/24");
    let steps: [&[&str]; 3] = [
        &["link", "set", "lo", "up"],
        &["address", "add", &address, "dev", tun::NAME],
        &["link", "set", tun::NAME, "mtu", MTU, "up"],
    ];
    for step in steps {
        run(Command::new("ip").args(step))?;
    }
    let space = File::open("/proc/thread-self/ns/net").context("open the namespace")?;
    Ok((space, device))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .output()
        .with_context(|| format!("run {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
