use std::path::PathBuf;
use std::time::Duration;

use domain::PasswordCost;
use frontend_ssh::{Authorities, AuthorityError};
use http::uri::{Authority, Scheme, Uri};
use serde::Deserialize;

use crate::ssh::SshConfig;

/// What an operator may set. The defaults are for production.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The directory of the pack cache and of pushes that arrive. It can be
    /// deleted while no frontend runs; no two frontends share one.
    pub cache_directory: PathBuf,
    /// What the pack cache may hold, in bytes. A repository in use may exceed it.
    pub cache_bytes: u64,
    /// What packs that are made for several clients may take of the disk, in bytes: those under
    /// way, and those that were asked for more than once.
    pub answer_bytes: u64,
    /// The address that people use, such as `https://git.example.org`, without
    /// a path. If unset, each request's own `Host` is taken.
    pub public_url: Option<String>,
    /// The most bytes of one push's pack.
    pub max_push_bytes: u64,
    /// The most objects of one push.
    pub max_push_objects: u32,
    /// The most bytes of one object in a push.
    pub max_object_bytes: u64,
    /// The most bytes of a fetch's request, and of what a compressed request of
    /// either kind may unpack to.
    pub max_negotiation_bytes: u64,
    /// Fetches and clones that are served at the same time; those from large
    /// repositories count as several, up to eight.
    pub concurrent_fetches: u32,
    /// Pushes that are served at the same time; long ones count as several, up
    /// to eight.
    pub concurrent_pushes: u32,
    /// Requests of the API and of pages that are served at the same time.
    pub concurrent_requests: u32,
    /// How much of each of these one account or address may have, in percent.
    pub tenant_share_percent: u32,
    /// Open connections.
    pub max_connections: usize,
    /// Threads that work on one fetch.
    pub fetch_threads: usize,
    /// Threads that work on one push.
    pub push_threads: usize,
    /// The most bytes of one large file (Git LFS).
    pub lfs_max_object_bytes: u64,
    /// A repository that is opened with so many packs or more is maintained; 0 for none.
    pub maintenance_packs: u32,
    /// Threads that maintain a repository, of which there is one at a time.
    pub maintenance_threads: usize,
    /// Whether a push to a repository that does not exist in one's own
    /// namespace makes it.
    pub push_to_create: bool,
    /// Whether a repository made by a push is private.
    pub push_to_create_private: bool,
    /// For how many hours a deleted repository can be restored; 0 deletes at
    /// once. What is deleted keeps the window it was deleted with.
    pub undelete_hours: u32,
    /// Git over SSH.
    pub ssh: SshConfig,
    /// How dear it is to try a password.
    #[serde(skip)]
    pub password_cost: PasswordCost,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cache_directory: PathBuf::from("frontend-cache"),
            cache_bytes: 20 << 30,
            answer_bytes: 4 << 30,
            public_url: None,
            max_push_bytes: 4 << 30,
            max_push_objects: 20_000_000,
            max_object_bytes: 512 << 20,
            max_negotiation_bytes: 32 << 20,
            concurrent_fetches: 64,
            concurrent_pushes: 16,
            concurrent_requests: 256,
            tenant_share_percent: 50,
            max_connections: 4096,
            fetch_threads: 1,
            push_threads: 2,
            lfs_max_object_bytes: 64 << 30,
            maintenance_packs: 50,
            maintenance_threads: 1,
            push_to_create: true,
            push_to_create_private: true,
            undelete_hours: 7 * 24,
            ssh: SshConfig::default(),
            password_cost: PasswordCost::Production,
        }
    }
}

/// A configuration that can be served with.
#[derive(Clone, Debug)]
pub struct CheckedConfig {
    /// As it was given.
    pub(crate) config: Config,
    /// `scheme://authority`, if it was given.
    pub(crate) public_url: Option<String>,
    /// Whose certificates stand for accounts.
    pub(crate) authorities: Authorities,
}

/// Why a configuration cannot be served with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not a URL of `http` or `https` without path.
    #[error("public_url {0:?}: use the form https://git.example.org, without a path")]
    PublicUrl(String),
    /// Not the public key of an authority.
    #[error("ssh.user_authorities: {0}")]
    Authority(#[from] AuthorityError),
    /// Not a URL of SSH without path.
    #[error("ssh.public_url {0:?}: use the form ssh://git@git.example.org:2222, without a path")]
    SshUrl(String),
    /// A limit under which nothing works.
    #[error("{name} must be at least {least}")]
    TooSmall {
        /// The field.
        name: &'static str,
        /// What it must be at least.
        least: u64,
    },
}

impl Config {
    /// Small limits and cheap passwords.
    pub fn for_testing(cache_directory: PathBuf) -> Self {
        Self {
            cache_directory,
            cache_bytes: 1 << 30,
            max_push_bytes: 64 << 20,
            max_negotiation_bytes: 1 << 20,
            concurrent_fetches: 8,
            concurrent_pushes: 8,
            maintenance_packs: 0,
            max_connections: 256,
            password_cost: PasswordCost::Testing,
            ..Self::default()
        }
    }

    /// Checks that the values can be served with.
    pub fn validate(self) -> Result<CheckedConfig, ConfigError> {
        let at_least = |name, value: u64, least| {
            if value < least {
                Err(ConfigError::TooSmall { name, least })
            } else {
                Ok(())
            }
        };
        at_least("max_push_bytes", self.max_push_bytes, 1)?;
        at_least("max_push_objects", self.max_push_objects.into(), 1)?;
        at_least("max_object_bytes", self.max_object_bytes, 1)?;
        at_least("max_negotiation_bytes", self.max_negotiation_bytes, 4096)?;
        at_least("concurrent_fetches", self.concurrent_fetches.into(), 1)?;
        at_least("concurrent_pushes", self.concurrent_pushes.into(), 1)?;
        at_least("concurrent_requests", self.concurrent_requests.into(), 1)?;
        at_least("tenant_share_percent", self.tenant_share_percent.into(), 1)?;
        at_least("max_connections", self.max_connections as u64, 1)?;
        at_least("fetch_threads", self.fetch_threads as u64, 1)?;
        at_least("push_threads", self.push_threads as u64, 1)?;
        at_least("maintenance_threads", self.maintenance_threads as u64, 1)?;
        let ssh = &self.ssh;
        at_least("ssh.max_connections", ssh.max_connections as u64, 1)?;
        let of_address = ssh.max_connections_of_address as u64;
        at_least("ssh.max_connections_of_address", of_address, 1)?;
        at_least("ssh.max_strangers", ssh.max_strangers as u64, 1)?;
        if let Some(url) = &ssh.public_url {
            check_ssh_url(url)?;
        }
        let authorities = ssh.user_authorities.iter().map(String::as_str);
        let authorities = Authorities::parse(authorities)?;
        let public_url = self
            .public_url
            .as_deref()
            .map(parse_public_url)
            .transpose()?;
        Ok(CheckedConfig {
            config: self,
            public_url,
            authorities,
        })
    }
}

impl CheckedConfig {
    /// For how long a deleted repository can be restored.
    pub(crate) fn undelete_window(&self) -> Duration {
        Duration::from_secs(u64::from(self.config.undelete_hours) * 3600)
    }
}

fn check_ssh_url(text: &str) -> Result<(), ConfigError> {
    let uri: Option<Uri> = text.parse().ok();
    let is_fit = uri.is_some_and(|uri| {
        uri.scheme_str() == Some("ssh")
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
            && !text.ends_with('/')
    });
    match is_fit {
        true => Ok(()),
        false => Err(ConfigError::SshUrl(text.to_owned())),
    }
}

fn parse_public_url(text: &str) -> Result<String, ConfigError> {
    let refuse = || ConfigError::PublicUrl(text.to_owned());
    let uri: Uri = text.parse().map_err(|_| refuse())?;
    let scheme = uri
        .scheme()
        .filter(|s| **s == Scheme::HTTP || **s == Scheme::HTTPS);
    let scheme = scheme.ok_or_else(refuse)?;
    let authority: &Authority = uri.authority().ok_or_else(refuse)?;
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.as_str().contains('@')
    {
        return Err(refuse());
    }
    Ok(format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::{Config, ConfigError};
    use crate::ssh::SshConfig;

    #[test]
    fn the_defaults_are_valid() {
        assert!(Config::default().validate().is_ok());
    }

    #[test]
    fn a_public_url_is_an_origin() {
        let check = |url: &str| {
            let config = Config {
                public_url: Some(url.to_owned()),
                ..Config::default()
            };
            config.validate().map(|checked| checked.public_url.unwrap())
        };
        assert_eq!(
            check("https://git.example.org/").unwrap(),
            "https://git.example.org"
        );
        assert_eq!(check("http://[::1]:3000").unwrap(), "http://[::1]:3000");
        for url in [
            "",
            "git.example.org",
            "ftp://a",
            "https://a/b",
            "https://u@a",
            "https://a?b",
        ] {
            assert_eq!(
                check(url),
                Err(ConfigError::PublicUrl(url.to_owned())),
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_said_of_ssh_is_checked() {
        let check = |ssh: SshConfig| {
            let config = Config {
                ssh,
                ..Config::default()
            };
            config.validate().map(|_| ())
        };
        let url = |url: &str| SshConfig {
            public_url: Some(url.to_owned()),
            ..SshConfig::default()
        };
        for good in ["ssh://git@git.example.org", "ssh://git@[::1]:2222"] {
            assert_eq!(check(url(good)), Ok(()), "{good}");
        }
        for bad in ["git@git.example.org", "https://a", "ssh://a/b", "ssh://a/"] {
            assert_eq!(check(url(bad)), Err(ConfigError::SshUrl(bad.to_owned())));
        }
        let authority = SshConfig {
            user_authorities: vec!["ssh-dss AAAA".to_owned()],
            ..SshConfig::default()
        };
        assert!(matches!(check(authority), Err(ConfigError::Authority(_))));
    }

    #[test]
    fn limits_under_which_nothing_works_are_refused() {
        let config = Config {
            concurrent_fetches: 0,
            ..Config::default()
        };
        let error = config.validate().unwrap_err();
        assert_eq!(
            error,
            ConfigError::TooSmall {
                name: "concurrent_fetches",
                least: 1
            }
        );
    }
}
