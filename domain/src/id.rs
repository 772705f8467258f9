use std::fmt;

use runtime::Random;

/// Bits of an id: what JavaScript and JSON readers keep exactly.
const ID_BITS: u32 = 53;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl $name {
            /// A fresh id: random, positive and of at most 53 bits.
            pub fn random(random: &dyn Random) -> Self {
                Self(draw(random))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl From<$name> for storage_node_api::metadata::Value {
            fn from(id: $name) -> Self {
                Self::Integer(id.0)
            }
        }
    };
}

id! {
    /// One account.
    AccountId
}
id! {
    /// One access token or session.
    TokenId
}
id! {
    /// One key of an account or a repository.
    KeyId
}
id! {
    /// One lock of a file.
    LockId
}
id! {
    /// One repository as people and SQL know it; its group knows it by a
    /// [`storage_node_api::RepositoryId`].
    RepositoryKey
}

fn draw(random: &dyn Random) -> i64 {
    loop {
        let id = random.u64() >> (u64::BITS - ID_BITS);
        if let Ok(id) = i64::try_from(id)
            && id > 0
        {
            return id;
        }
    }
}
