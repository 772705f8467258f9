use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use objects::{ObjectError, Objects};
use runtime::{Clock, Files};

use super::super::volume::{Identity, VolumeId};
use super::config::Checked;
use super::metrics::Metrics;
use super::reach::Reach;
use super::shelf::{Cold, Parts};
use super::ticket::{State, Ticket, mark};

/// What the mark says, for people.
const MARK: &[u8] = b"Objects beside this one are volumes of a DevFlow storage node.\n";

/// Why the cold tier could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The tickets could not be read.
    #[error("look for tickets of cold volumes")]
    Files(#[from] io::Error),
    /// There are volumes in a store, and none is configured.
    #[error("{0} volumes are in a cold store: set node.cold.url to it again")]
    NoStore(usize),
    /// The store refuses the credential, or there is no such bucket.
    #[error(
        "the cold store cannot be used: {0}; check node.cold.url, the bucket and the credential"
    )]
    Refused(ObjectError),
    /// It is another store than that which has the node's volumes.
    #[error(
        "{0} volumes are in a cold store, and that of node.cold.url has nothing of this node: is it \
         the right bucket and prefix?"
    )]
    Other(usize),
}

impl Cold {
    /// Reads the tickets, and looks whether the store is the right one. A store that cannot be
    /// reached is waited for while the node runs. Blocks.
    pub(in crate::volumes) fn open(
        files: Arc<dyn Files>,
        objects: Arc<dyn Objects>,
        owner: Identity,
        config: Checked,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Result<Self, OpenError> {
        let (tickets, local) = found(&*files)?;
        let away = count_away(&tickets, &local);
        let reach = Reach::new(objects, Arc::clone(&clock), metrics.clone());
        let parts = Parts {
            files,
            reach,
            owner,
            config,
            metrics,
            clock,
        };
        let cold = Self::new(parts, tickets, &local);
        match cold.has_mark() {
            Ok(false) if away > 0 => Err(OpenError::Other(away)),
            Ok(false) => match cold.make_mark() {
                Err(refused @ (ObjectError::Denied { .. } | ObjectError::Missing { .. })) => {
                    Err(OpenError::Refused(refused))
                }
                _ => Ok(cold),
            },
            Err(refused @ ObjectError::Denied { .. }) => Err(OpenError::Refused(refused)),
            Ok(true) | Err(_) => Ok(cold),
        }
    }

    pub(super) fn make_mark(&self) -> Result<(), ObjectError> {
        let mark = mark(self.owner);
        self.reach
            .ask(|objects| objects.put(&mark, Bytes::from_static(MARK)))
    }
}

/// Fails if there are volumes in a store. Blocks.
pub(super) fn without_a_store(files: &dyn Files) -> Result<(), OpenError> {
    let (tickets, local) = found(files)?;
    match count_away(&tickets, &local) {
        0 => Ok(()),
        away => Err(OpenError::NoStore(away)),
    }
}

fn found(files: &dyn Files) -> io::Result<(Vec<Ticket>, BTreeSet<VolumeId>)> {
    let names = files.list("")?;
    let tickets = names
        .iter()
        .filter_map(|name| Ticket::of_file(name))
        .collect();
    let local = names
        .iter()
        .filter_map(|name| VolumeId::of_file(name))
        .collect();
    Ok((tickets, local))
}

fn count_away(tickets: &[Ticket], local: &BTreeSet<VolumeId>) -> usize {
    let away = |ticket: &&Ticket| ticket.state == State::Cold && !local.contains(&ticket.volume);
    tickets.iter().filter(away).count()
}
