use std::fmt;
use std::str::FromStr;

use runtime::{Random, Timestamp};
use serde::{Deserialize, Serialize};

/// One backup: when it began, in milliseconds since the Unix epoch, and a random
/// number. As text, ids order by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BackupId {
    began: u64,
    random: u32,
}

/// A text that is no id of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of a backup has 13 digits, a dash and 8 hexadecimal digits")]
pub struct ParseBackupIdError;

const DIGITS: usize = 13;

impl BackupId {
    /// A fresh id for a backup that begins now.
    pub fn new(now: Timestamp, random: &dyn Random) -> Self {
        let mut bytes = [0; 4];
        random.fill(&mut bytes);
        Self {
            began: now.millis(),
            random: u32::from_le_bytes(bytes),
        }
    }

    /// When it began.
    pub fn began(self) -> Timestamp {
        Timestamp(self.began)
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:013}-{:08x}", self.began, self.random)
    }
}

impl FromStr for BackupId {
    type Err = ParseBackupIdError;

    fn from_str(text: &str) -> Result<Self, ParseBackupIdError> {
        let (began, random) = text.split_once('-').ok_or(ParseBackupIdError)?;
        let plain = began.len() == DIGITS && random.len() == 8;
        let digits = began.bytes().all(|c| c.is_ascii_digit())
            && random.bytes().all(|c| c.is_ascii_hexdigit());
        if !plain || !digits {
            return Err(ParseBackupIdError);
        }
        Ok(Self {
            began: began.parse().map_err(|_| ParseBackupIdError)?,
            random: u32::from_str_radix(random, 16).map_err(|_| ParseBackupIdError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use runtime::{Runtime, Timestamp};

    use super::{BackupId, ParseBackupIdError};

    #[test]
    fn ids_read_back_what_they_print_and_order_by_time() {
        let (world, _) = Runtime::simulated(1);
        let id = BackupId::new(Timestamp(1_700_000_000_000), &*world.random);
        let later = BackupId::new(Timestamp(1_700_000_000_001), &*world.random);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string() < later.to_string());
        for bad in [
            "",
            "-",
            "1-2",
            "+700000000000-00000000",
            "1700000000000-+0000000",
        ] {
            assert_eq!(bad.parse::<BackupId>(), Err(ParseBackupIdError), "{bad}");
        }
    }
}
