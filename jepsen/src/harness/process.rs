use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::{ADMINISTRATOR, PASSWORD};
use crate::network::Host;

/// How long a process may take until it says that it listens.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How long a process may take to end after SIGTERM.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// A running `devflow`, killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    host: Option<Arc<Host>>,
    /// The binary; that under test if there is none.
    program: Option<PathBuf>,
    log: PathBuf,
    child: Option<Child>,
    listeners: Vec<String>,
}

/// The binary under test: `DEVFLOW_BINARY`, or the one built beside this program.
pub fn devflow() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("DEVFLOW_BINARY") {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    let directories = own.ancestors().skip(1).take(2);
    directories
        .map(|directory| directory.join("devflow"))
        .find(|path| path.is_file())
        .context("the devflow binary is not built: run this through ./dev, or set DEVFLOW_BINARY")
}

/// An address on loopback that was free a moment ago.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Process {
    /// Starts `devflow ARGUMENTS` and waits until it has printed `expected`
    /// lines of the form `listening on …`. Its log goes to a file below `logs`.
    pub fn start(
        name: &str,
        arguments: &[&str],
        expected: usize,
        logs: &Path,
    ) -> anyhow::Result<Self> {
        Self::start_with(name, arguments, &[], expected, logs)
    }

    /// The same with environment variables, which restarts keep.
    pub fn start_with(
        name: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
        expected: usize,
        logs: &Path,
    ) -> anyhow::Result<Self> {
        Self::start_on(None, None, name, arguments, variables, expected, logs)
    }

    /// The same on a host of a network of our own, by another binary than that under test.
    pub fn start_on(
        host: Option<Arc<Host>>,
        program: Option<PathBuf>,
        name: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
        expected: usize,
        logs: &Path,
    ) -> anyhow::Result<Self> {
        let mut process = Self {
            name: name.to_owned(),
            arguments: arguments.iter().map(|&a| a.to_owned()).collect(),
            variables: variables
                .iter()
                .map(|&(k, v)| (k.to_owned(), v.to_owned()))
                .collect(),
            host,
            program,
            log: logs.join(format!("{name}.log")),
            child: None,
            listeners: Vec::new(),
        };
        process.launch(expected)?;
        Ok(process)
    }

    /// Starts it again with the same arguments.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        let expected = self.listeners.len();
        self.launch(expected)
    }

    /// Starts it once with more arguments.
    pub fn restart_with(&mut self, more: &[&str]) -> anyhow::Result<()> {
        let always = self.arguments.len();
        self.arguments.extend(more.iter().map(|&a| a.to_owned()));
        let started = self.restart();
        self.arguments.truncate(always);
        started
    }

    /// Has another binary started from now on; that under test if there is none.
    pub fn set_program(&mut self, program: Option<PathBuf>) {
        self.program = program;
    }

    /// What it says it listens on, such as `http://127.0.0.1:3000`.
    pub fn listener(&self, scheme: &str) -> anyhow::Result<&str> {
        let found = self
            .listeners
            .iter()
            .find(|l| l.starts_with(&format!("{scheme}://")));
        found
            .map(String::as_str)
            .with_context(|| format!("{} has no {scheme} listener", self.name))
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Its name in logs and histories.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its log is.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child
            .as_mut()
            .is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child
                .kill()
                .with_context(|| format!("kill {}", self.name))?;
            child.wait()?;
        }
        Ok(())
    }

    /// Sends a signal to it.
    pub fn signal(&self, signal: rustix::process::Signal) -> anyhow::Result<()> {
        let child = self.child.as_ref().context("it does not run")?;
        let pid = rustix::process::Pid::from_child(child);
        rustix::process::kill_process(pid, signal).with_context(|| format!("signal {}", self.name))
    }

    /// SIGTERM, and a clean end in time.
    pub fn stop(&mut self) -> anyhow::Result<Duration> {
        let Some(mut child) = self.child.take() else {
            return Ok(Duration::ZERO);
        };
        let began = Instant::now();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        while began.elapsed() < STOP_DEADLINE {
            if let Some(status) = child.try_wait()? {
                ensure!(
                    status.success(),
                    "{} ended with {status} on SIGTERM",
                    self.name
                );
                return Ok(began.elapsed());
            }
            thread::sleep(Duration::from_millis(10));
        }
        child.kill()?;
        bail!(
            "{} did not end within {STOP_DEADLINE:?} of SIGTERM",
            self.name
        )
    }

    fn launch(&mut self, expected: usize) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let program = self.program.clone().map_or_else(devflow, Ok)?;
        let mut command = match self.host {
            Some(_) => Host::command(&program),
            None => Command::new(program),
        };
        command
            .args(&self.arguments)
            .env("DEVFLOW_ADMIN__NAME", ADMINISTRATOR)
            .env("DEVFLOW_ADMIN__PASSWORD", PASSWORD)
            .envs(self.variables.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0);
        let spawned = match &self.host {
            Some(host) => host.run(move || command.spawn())?,
            None => command.spawn(),
        };
        let mut child = spawned.with_context(|| format!("start {}", self.name))?;
        let lines = lines_of(child.stdout.take().context("standard output is piped")?);
        self.child = Some(child);
        self.listeners = self.wait_for(&lines, expected)?;
        Ok(())
    }

    fn wait_for(&self, lines: &Receiver<String>, expected: usize) -> anyhow::Result<Vec<String>> {
        let began = Instant::now();
        let mut listeners = Vec::new();
        while listeners.len() < expected {
            let left = START_DEADLINE.saturating_sub(began.elapsed());
            let Ok(line) = lines.recv_timeout(left) else {
                bail!(
                    "{} did not start; its log ends:\n{}",
                    self.name,
                    tail(&self.log)
                );
            };
            if let Some(listener) = line.strip_prefix("listening on ") {
                let address = listener.split_whitespace().next().unwrap_or_default();
                listeners.push(address.to_owned());
            }
        }
        Ok(listeners)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("{error:#}");
        }
    }
}

/// Reads all lines on a thread of its own, so that the process never blocks on
/// a full pipe; those beyond the first hundred nobody waits for.
fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(100);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            drop(sender.try_send(line));
        }
    });
    receiver
}

fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(4000)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_else(|error| format!("(no log: {error})"))
}
