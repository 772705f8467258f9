use std::path::Path;

use anyhow::Context;
use jepsen::harness::{ADMINISTRATOR, Git, Http, Process, serve};
use serde_json::json;

/// The forge, all in one process.
#[derive(Debug)]
pub(crate) struct Forge {
    process: Process,
    base: String,
}

impl Forge {
    /// Starts it with one empty public repository.
    pub(crate) fn start(place: &Path) -> anyhow::Result<Self> {
        let process = serve("forge", place)?;
        let base = process.listener("http")?.to_owned();
        let body = json!({"name": "whole", "private": false});
        Http::new(&base).call("POST", "/api/v1/user/repos", Some(&body))?;
        Ok(Self { process, base })
    }

    /// Its process, which is its own process group's only member that matters.
    pub(crate) fn process(&self) -> anyhow::Result<u32> {
        self.process.id().context("the forge runs")
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// The path of a repository.
    pub(crate) fn path(name: &str) -> String {
        format!("/{ADMINISTRATOR}/{name}.git")
    }

    /// The URL of a repository, with credentials.
    pub(crate) fn url(&self, name: &str) -> String {
        Git::url(&self.base, &format!("{ADMINISTRATOR}/{name}.git"))
    }
}
