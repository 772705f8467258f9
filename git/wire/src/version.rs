use std::fmt;

/// The version of the protocol that a client asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtocolVersion {
    /// The original protocol.
    #[default]
    V0,
    /// The original protocol, announced by a `version 1` line.
    V1,
    /// Commands with arguments; only for fetching.
    V2,
}

impl ProtocolVersion {
    /// The highest known version in the value of the `Git-Protocol` header or
    /// the `GIT_PROTOCOL` variable: keys and values separated by colons, of
    /// which the unknown ones are passed over (gitprotocol-v2(5)).
    pub fn from_header(value: &str) -> Self {
        let version = |part| match part {
            "version=1" => Some(Self::V1),
            "version=2" => Some(Self::V2),
            _ => None,
        };
        value
            .split(':')
            .filter_map(version)
            .max()
            .unwrap_or_default()
    }
}

/// The two services of the smart protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Fetching and cloning.
    UploadPack,
    /// Pushing.
    ReceivePack,
}

impl Service {
    /// The service's name in URLs and content types: `git-upload-pack` or
    /// `git-receive-pack`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    /// The service with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "git-upload-pack" => Some(Self::UploadPack),
            "git-receive-pack" => Some(Self::ReceivePack),
            _ => None,
        }
    }

    /// The content type of an advertisement over HTTP (gitprotocol-http(5)).
    pub const fn advertisement_content_type(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-advertisement",
            Self::ReceivePack => "application/x-git-receive-pack-advertisement",
        }
    }

    /// The content type of a request's body over HTTP.
    pub const fn request_content_type(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-request",
            Self::ReceivePack => "application/x-git-receive-pack-request",
        }
    }

    /// The content type of an answer's body over HTTP.
    pub const fn result_content_type(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-result",
            Self::ReceivePack => "application/x-git-receive-pack-result",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::ProtocolVersion;

    #[test]
    fn the_highest_known_version_is_chosen() {
        let cases = [
            ("", ProtocolVersion::V0),
            ("version=0", ProtocolVersion::V0),
            ("version=1", ProtocolVersion::V1),
            ("version=2", ProtocolVersion::V2),
            ("version=1:version=2", ProtocolVersion::V2),
            ("key:version=1:version=99", ProtocolVersion::V1),
            ("version=2x", ProtocolVersion::V0),
        ];
        for (header, expected) in cases {
            assert_eq!(ProtocolVersion::from_header(header), expected, "{header}");
        }
    }
}
