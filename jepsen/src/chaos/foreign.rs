//! A cluster that somebody else runs, and the ways in which it can be broken.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::Options;
use super::nemesis::{self, Order};
use super::workload::Door;
use crate::checkers::Verdict;
use crate::harness::Operator;

/// How long replicas, and then content, may take to be as they should.
const PATIENCE: Duration = Duration::from_secs(180);

/// The operator's own means.
#[derive(Debug)]
pub(super) struct Foreign {
    /// Who may order things, if an identity was given.
    operator: Option<Operator>,
    hook: Option<String>,
    nodes: Vec<String>,
    faults: Vec<Fault>,
}

#[derive(Clone, Debug)]
enum Fault {
    /// Ordered over the wire.
    Order(&'static str, Order),
    /// Brought about by the hook.
    Hook(String),
}

impl Foreign {
    /// What the options give.
    pub(super) fn of(options: &Options) -> anyhow::Result<Self> {
        let faults = options.faults.iter().map(|name| {
            let kind = nemesis::find(std::slice::from_ref(name)).ok();
            let kind = kind.and_then(|kinds| kinds.first().copied());
            match kind.and_then(|kind| Some((kind.name, kind.order()?))) {
                Some((name, order)) if options.data.is_some() => Ok(Fault::Order(name, order)),
                _ if options.hook.is_some() => Ok(Fault::Hook(name.clone())),
                Some(_) => anyhow::bail!("{name} is ordered over the wire, which needs --data"),
                None => anyhow::bail!("{name} needs a --hook that brings it about"),
            }
        });
        Ok(Self {
            faults: faults.collect::<anyhow::Result<_>>()?,
            operator: options.data.clone().map(Operator::with),
            hook: options.hook.clone(),
            nodes: options.nodes.clone(),
        })
    }

    /// How many faults there are to choose from.
    pub(super) fn count(&self) -> usize {
        self.faults.len()
    }

    /// One fault from start to end: its name, and what it was.
    pub(super) fn inflict(
        &self,
        turn: usize,
        hold: Duration,
        random: &mut StdRng,
    ) -> anyhow::Result<(String, String)> {
        match &self.faults[turn] {
            Fault::Order(name, order) => {
                let operator = self.operator.as_ref().context("there is no identity")?;
                let said = order(operator, random).with_context(|| format!("order {name}"))?;
                thread::sleep(hold);
                Ok(((*name).to_owned(), said))
            }
            Fault::Hook(name) => {
                let node = self.nodes.choose(random).map_or("", String::as_str);
                let started = self.call("start", name, node);
                thread::sleep(hold);
                self.call("heal", name, node)?;
                let said = format!("{node} {}", started?);
                Ok((name.clone(), said.trim().to_owned()))
            }
        }
    }

    fn call(&self, verb: &str, fault: &str, node: &str) -> anyhow::Result<String> {
        let hook = self.hook.as_ref().context("there is no hook")?;
        // What the operator wrote is a line for a shell; the rest are its words.
        let line = format!("{hook} \"$@\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &line, "sh", verb, fault]);
        if !node.is_empty() {
            shell.arg(node);
        }
        let output = shell.output().context("run sh")?;
        ensure!(
            output.status.success(),
            "{hook} {verb} {fault} {node}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// What can be said of replicas and content, with an identity.
    pub(super) fn verdicts(&self) -> Vec<Verdict> {
        let Some(operator) = &self.operator else {
            return Vec::new();
        };
        let settled = operator.wait_until(PATIENCE, |status| status.ensure_settled());
        let settled = settled.map(|status| {
            let groups = status.count_groups();
            format!("{groups} groups: one state hash each on all nodes")
        });
        let verified = operator.wait_until_verified(PATIENCE);
        let verified = verified.map(|said| said.trim().replace('\n', "; "));
        vec![
            Verdict::of("replicas", settled),
            Verdict::of("content", verified),
        ]
    }
}

/// The frontends of such a cluster.
pub(super) fn doors(options: &Options) -> anyhow::Result<Vec<Door>> {
    let user = options.user.as_deref().context("--cluster needs --user")?;
    let file = options.password_file.as_deref();
    let file = file.context("--cluster needs --password-file")?;
    let password = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let doors = options.cluster.iter().map(|base| Door {
        name: base.clone(),
        base: base.trim_end_matches('/').to_owned(),
        credentials: format!("{user}:{}", password.trim_end()),
        stale: None,
    });
    Ok(doors.collect())
}
