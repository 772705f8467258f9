//! Tickets: what says that a volume has an object, and what is to become of it.
//!
//! A ticket is an empty file beside the volumes, so that it is as durable as its name and changes
//! by being renamed: `STATE-VOLUME-LENGTH-HASH`, volume and length as 16 hexadecimal digits, the
//! BLAKE3 of the whole volume as 64. The object is `CLUSTER/node-ID/VOLUME-HASH`.

use std::fmt::Write as _;

use storage_node_api::{ClusterId, NodeId};

use super::super::volume::{Identity, VolumeId};

/// What is so of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// It is being written, or was when a process ended.
    Up,
    /// It is there, was read back, and is as the ticket says.
    Cold,
    /// Nobody needs it any more.
    Gone,
}

/// A volume's object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) state: State,
    pub(super) volume: VolumeId,
    pub(super) length: u64,
    pub(super) hash: [u8; 32],
}

impl State {
    const ALL: [Self; 3] = [Self::Up, Self::Cold, Self::Gone];

    fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Cold => "cold",
            Self::Gone => "gone",
        }
    }
}

impl Ticket {
    pub(super) fn file_name(&self) -> String {
        let (state, volume) = (self.state.word(), self.volume.0);
        format!(
            "{state}-{volume:016x}-{:016x}-{}",
            self.length,
            hex(&self.hash)
        )
    }

    /// The ticket that a file of this name is, if it is one.
    pub(super) fn of_file(name: &str) -> Option<Self> {
        let mut words = name.split('-');
        let state = words.next()?;
        let state = State::ALL.into_iter().find(|one| one.word() == state)?;
        let mut number =
            || u64::from_str_radix(words.next().filter(|word| word.len() == 16)?, 16).ok();
        let (volume, length) = (VolumeId(number()?), number()?);
        let hash = unhex(words.next()?)?;
        let ticket = Self {
            state,
            volume,
            length,
            hash,
        };
        words.next().is_none().then_some(ticket)
    }

    /// The same in another state.
    pub(super) fn to(self, state: State) -> Self {
        Self { state, ..self }
    }

    /// The object's name.
    pub(super) fn object(&self, owner: Identity) -> String {
        let directory = directory_of(owner.cluster, owner.node);
        format!("{directory}/{:016x}-{}", self.volume.0, hex(&self.hash))
    }
}

/// What the names of a node's objects begin with.
pub fn directory_of(cluster: ClusterId, node: NodeId) -> String {
    format!("{}/node-{}", hex(&cluster.0), node.0)
}

/// The node's mark.
pub(super) fn mark(owner: Identity) -> String {
    format!("{}/mark", directory_of(owner.cluster, owner.node))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    for (at, byte) in bytes.iter_mut().enumerate().take_while(|_| is_hex) {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    is_hex.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};
    use storage_node_api::{ClusterId, NodeId};

    use super::super::super::volume::{Identity, VolumeId};
    use super::{State, Ticket, mark};

    /// These names are on people's disks and in their buckets: a change needs another word.
    #[test]
    fn tickets_and_objects_are_named_as_they_always_were() {
        let ticket = Ticket {
            state: State::Cold,
            volume: VolumeId(0x2a),
            length: 268_435_456,
            hash: [0xab; 32],
        };
        let hash = "ab".repeat(32);
        let name = format!("cold-000000000000002a-0000000010000000-{hash}");
        assert_eq!(ticket.file_name(), name);
        assert_eq!(ticket.to(State::Up).file_name(), name.replace("cold", "up"));
        assert_eq!(
            ticket.to(State::Gone).file_name(),
            name.replace("cold", "gone")
        );
        let owner = Identity {
            cluster: ClusterId(*b"0123456789abcdef"),
            node: NodeId(9),
        };
        let below = "30313233343536373839616263646566/node-9";
        assert_eq!(
            ticket.object(owner),
            format!("{below}/000000000000002a-{hash}")
        );
        assert_eq!(mark(owner), format!("{below}/mark"));
    }

    #[test]
    fn other_files_are_no_tickets() {
        let hash = "ab".repeat(32);
        for name in [
            "",
            "vol-000000000000002a",
            "cold-2a-10-ab",
            &format!("warm-000000000000002a-0000000010000000-{hash}"),
            &format!("cold-000000000000002a-0000000010000000-{hash}-1"),
            &format!("cold-000000000000002a-0000000010000000-+{}", &hash[1..]),
        ] {
            assert_eq!(Ticket::of_file(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_ticket_is_read_as_it_was_named(volume: u64, length: u64, hash: [u8; 32], state in 0..3usize) {
            let ticket = Ticket { state: State::ALL[state], volume: VolumeId(volume), length, hash };
            prop_assert_eq!(Ticket::of_file(&ticket.file_name()), Some(ticket));
        }

        #[test]
        fn any_name_is_read_without_panic(name in prop::collection::vec(any::<char>(), 0..120)) {
            let name: String = name.into_iter().collect();
            prop_assert_eq!(Ticket::of_file(&format!("cold-{name}")).is_some(), false);
        }
    }
}
