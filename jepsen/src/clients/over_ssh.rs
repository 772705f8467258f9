use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::json;

use crate::harness::{ADMINISTRATOR, Git, Http};

/// A person with a key, who has learnt once by what key the forge is known.
pub(super) struct SshUser {
    work: PathBuf,
}

impl SshUser {
    /// Makes a key and adds it by the frontend at `base`.
    pub(super) fn new(base: &str, work: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(work)?;
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(work.join("key"))
            .status()
            .context("run ssh-keygen")?;
        ensure!(made.success(), "ssh-keygen failed");
        let public = fs::read_to_string(work.join("key.pub"))?;
        let key = json!({"title": "laptop", "key": public});
        Http::new(base).call("POST", "/api/v1/user/keys", Some(&key))?;
        Ok(Self {
            work: work.to_owned(),
        })
    }

    /// Pushes the history in `source` to the frontend that speaks SSH there,
    /// clones and fetches it by each protocol, and compares. `name` must be new.
    pub(super) fn day(&self, ssh: &str, source: &Path, name: &str) -> anyhow::Result<()> {
        let ssh = ssh.strip_prefix("ssh://").unwrap_or(ssh);
        let url = format!("ssh://git@{ssh}/{ADMINISTRATOR}/{name}.git");
        let command = format!("core.sshCommand=ssh {}", self.options());
        let source = Git::at(source);
        let everything = ["refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*"];
        let push = ["-c", &command, "push", "--quiet", &url];
        source.run(&[&push[..], &everything].concat())?;
        let pushed = source.summary()?;
        for version in [0, 1, 2] {
            let copy = format!("{name}-v{version}");
            let clone = ["-c", &command, "clone", "--quiet", "--mirror", &url, &copy];
            let git = Git::at(&self.work).speaking(version);
            git.run(&clone)?;
            let copy = Git::at(self.work.join(&copy)).speaking(version);
            ensure!(
                copy.summary()? == pushed,
                "a clone over SSH by protocol {version} differs from what was pushed"
            );
            copy.run(&["-c", &command, "fetch", "--quiet"])?;
        }
        println!("  pushed over SSH, cloned and fetched by protocols 0, 1 and 2: identical");
        Ok(())
    }

    fn options(&self) -> String {
        let known = self.work.join("known_hosts");
        // Once a key is learnt, no other is taken.
        format!(
            "-F /dev/null -i {} -o UserKnownHostsFile={} -o HostKeyAlias=forge \
             -o StrictHostKeyChecking=accept-new -o IdentitiesOnly=yes -o IdentityAgent=none \
             -o BatchMode=yes -o LogLevel=ERROR",
            self.work.join("key").display(),
            known.display()
        )
    }
}
