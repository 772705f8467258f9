//! Configuration: defaults, then the TOML file, then `DEVFLOW_SECTION__KEY`,
//! then flags. Only here is the environment read.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::Deserialize;

use crate::cli::{Common, ListenArguments};
use crate::telemetry::LogConfig;

/// Everything that can be configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Where all data is kept.
    pub(crate) data: PathBuf,
    /// The web.
    pub(crate) http: HttpConfig,
    /// Git over SSH.
    pub(crate) ssh: SshConfig,
    /// The administrator that a first start makes.
    pub(crate) admin: AdminConfig,
    /// Logging.
    pub(crate) log: LogConfig,
    /// The storage node.
    pub(crate) node: storage_node_server::Config,
    /// Git, REST and pages.
    pub(crate) frontend: frontend::Config,
    /// How patient the storage tier's client is.
    pub(crate) storage: storage_node_client::tier::Config,
}

/// Where HTTP is served.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HttpConfig {
    /// The address; port 0 takes a free one.
    pub(crate) address: SocketAddr,
}

/// Where SSH is served.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SshConfig {
    /// Whether it is at all.
    pub(crate) enabled: bool,
    /// The address; port 0 takes a free one. Unless it is given, the usual one
    /// is taken if it is free.
    pub(crate) address: Option<SocketAddr>,
}

/// The first administrator.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AdminConfig {
    /// The account's name.
    pub(crate) name: String,
    /// Its password; generated and printed once if there is none.
    pub(crate) password: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("./devflow-data"),
            http: HttpConfig::default(),
            ssh: SshConfig::default(),
            admin: AdminConfig::default(),
            log: LogConfig::default(),
            node: storage_node_server::Config::default(),
            frontend: frontend::Config::default(),
            storage: storage_node_client::tier::Config::default(),
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 3000)),
        }
    }
}

impl Default for SshConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            address: None,
        }
    }
}

impl SshConfig {
    /// Where SSH is served unless it is said.
    pub(crate) const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2222);
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            name: "admin".to_owned(),
            password: None,
        }
    }
}

impl std::fmt::Debug for AdminConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminConfig")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// All layers together.
    pub(crate) fn load(common: &Common, listen: Option<&ListenArguments>) -> anyhow::Result<Self> {
        // What no layer names has its default.
        let mut figment = Figment::new();
        if let Some(file) = &common.config {
            anyhow::ensure!(
                file.exists(),
                "the configuration file {} does not exist",
                file.display()
            );
            figment = figment.merge(Toml::file_exact(file));
        }
        figment = figment.merge(Env::prefixed("DEVFLOW_").ignore(&["binary"]).split("__"));
        if let Some(data) = &common.data {
            figment = figment.merge(Serialized::default("data", data));
        }
        if let Some(address) = listen.and_then(|listen| listen.http) {
            figment = figment.merge(Serialized::default("http.address", address));
        }
        if let Some(address) = listen.and_then(|listen| listen.ssh) {
            figment = figment.merge(Serialized::default("ssh.address", address));
        }
        figment.extract().context("read the configuration")
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn the_defaults_hold_together() {
        let config = Config::default();
        config.node.validate().unwrap();
        config.frontend.validate().unwrap();
    }
}
