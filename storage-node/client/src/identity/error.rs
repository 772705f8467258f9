use std::io;
use std::path::PathBuf;

/// Why an identity could not be made, kept or used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file could not be read or written.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A private key that others can read.
    #[error("private key {} can be read by others: chmod 600 it, and replace it if it was copied", path.display())]
    Exposed {
        /// The key's file.
        path: PathBuf,
    },
    /// A file that is not what its name says.
    #[error("{} does not hold a {what}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A name that cannot be part of a certificate.
    #[error("{name:?} is not a name: use up to 63 letters a to z, digits and hyphens")]
    Name {
        /// As given.
        name: String,
    },
    /// A certificate that the cluster's authority did not issue to this role.
    #[error("the certificate is not of cluster {cluster}")]
    Foreign {
        /// The cluster that it should be of.
        cluster: storage_node_api::ClusterId,
    },
    /// A certificate that cannot be read.
    #[error("the certificate cannot be read")]
    Certificate,
    /// Making a key or certificate failed.
    #[error("make a certificate")]
    Make(#[from] rcgen::Error),
    /// Key and certificates do not fit together.
    #[error("use the certificate for TLS")]
    Tls(#[source] rustls::Error),
}
