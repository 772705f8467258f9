use serde::Deserialize;

/// What an operator may set of SSH.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SshConfig {
    /// Open connections.
    pub max_connections: usize,
    /// Open connections of one address, or of one network of version 6.
    pub max_connections_of_address: usize,
    /// Open connections of which it is not yet known who it is.
    pub max_strangers: usize,
    /// The public keys, one a line, of authorities whose certificates stand for
    /// the accounts that they name as principals.
    pub user_authorities: Vec<String>,
    /// The address that people use, such as `ssh://git@git.example.org:2222`,
    /// without a path. If unset, none is shown.
    pub public_url: Option<String>,
}

impl Default for SshConfig {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_connections_of_address: 128,
            max_strangers: 128,
            user_authorities: Vec::new(),
            public_url: None,
        }
    }
}
