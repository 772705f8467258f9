use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

number! {
    /// One storage node, for ever: a node that lost its disk gets a new id.
    NodeId
}
number! {
    /// One Raft group.
    GroupId
}
number! {
    /// How often a node has started, counted on its own disk. A receipt of a
    /// lower incarnation than its node is known by comes from a rolled-back disk.
    Incarnation
}
number! {
    /// The version of the cluster map.
    MapEpoch
}
number! {
    /// The garbage collector's logical clock.
    Generation
}
number! {
    /// The boundary within which equal chunks are shared.
    DedupDomain
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// A fresh id of 128 random bits.
            pub fn random(random: &dyn runtime::Random) -> Self {
                let mut bytes = [0; 16];
                random.fill(&mut bytes);
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(hex: &str) -> Result<Self, ParseIdError> {
                parse_hex(hex).map(Self)
            }
        }
    };
}

id! {
    /// One cluster: certificates, nodes and data of another are refused.
    ClusterId
}
id! {
    /// One write request. A retry carries the same id and cannot apply twice.
    RequestId
}
id! {
    /// One upload session's staged parts.
    UploadId
}
id! {
    /// An owner of a blob that is named by the application.
    OwnerId
}
id! {
    /// One repository. The first two bytes hold its [`Slot`], so that the id
    /// alone says which group to ask.
    RepositoryId
}

impl RepositoryId {
    /// A fresh id in this slot.
    pub fn in_slot(slot: Slot, random: &dyn runtime::Random) -> Self {
        let mut id = Self::random(random);
        id.0[..2].copy_from_slice(&slot.0.to_be_bytes());
        id
    }

    /// The slot that the id carries.
    pub fn slot(self) -> Slot {
        Slot(u16::from_be_bytes([self.0[0], self.0[1]]) % Slot::COUNT)
    }
}

/// One of the 1,024 hash slots, each owned by one group at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(pub u16);

impl Slot {
    /// How many slots there are.
    pub const COUNT: u16 = 1024;

    /// A slot drawn at random.
    pub fn random(random: &dyn runtime::Random) -> Self {
        let mut bytes = [0; 2];
        random.fill(&mut bytes);
        Self(u16::from_be_bytes(bytes) % Self::COUNT)
    }
}

/// Who keeps a blob alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BlobOwner {
    /// The pack list of a repository.
    Repository(RepositoryId),
    /// Something that the application names, such as a package file.
    Named(OwnerId),
}

/// A text that is not an id of 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 32 hexadecimal digits")]
pub struct ParseIdError;

fn parse_hex(hex: &str) -> Result<[u8; 16], ParseIdError> {
    if hex.len() != 32 || !hex.is_ascii() {
        return Err(ParseIdError);
    }
    let mut bytes = [0; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        let pair = &hex[index * 2..index * 2 + 2];
        *byte = u8::from_str_radix(pair, 16).map_err(|_| ParseIdError)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{ParseIdError, RepositoryId, RequestId, Slot};

    #[test]
    fn ids_read_back_what_they_print() {
        let id = RequestId(*b"0123456789abcdef");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("0".repeat(31).parse::<RequestId>(), Err(ParseIdError));
        assert_eq!("g".repeat(32).parse::<RequestId>(), Err(ParseIdError));
        assert_eq!("ä".repeat(16).parse::<RequestId>(), Err(ParseIdError));
    }

    #[test]
    fn a_repository_id_carries_its_slot() {
        let (world, _) = runtime::Runtime::simulated(1);
        for slot in [0, 1, 1023].map(Slot) {
            assert_eq!(RepositoryId::in_slot(slot, &*world.random).slot(), slot);
        }
    }
}
