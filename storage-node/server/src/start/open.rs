//! The replicas of a node that starts: opened, or left to be rebuilt.

use std::fs;
use std::path::{Path, PathBuf};

use raft::{OpenError, Raft};
use storage_node_api::map::{CLUSTER_GROUP, ClusterMap, METADATA_GROUP};
use storage_node_api::scrub::ReplicaFault;
use storage_node_metadata::{Fault, Reader, SqliteMachine};

use super::{MetadataPlace, StartError};
use crate::replica::Machines;

/// Opens the facts. A damaged database of a node that is not alone is set aside: the others have
/// what is in it.
pub(super) fn facts(place: &MetadataPlace, is_alone: bool) -> Result<Reader, StartError> {
    let machine = match place {
        MetadataPlace::Memory => SqliteMachine::in_memory(),
        MetadataPlace::Directory(path) => match SqliteMachine::open(path) {
            Err(fault) if fault.is_damage() && !is_alone => {
                let error = &fault as &dyn std::error::Error;
                tracing::error!(
                    error,
                    "the facts are damaged: they are set aside and rebuilt"
                );
                set_aside(path).and_then(|()| SqliteMachine::open(path))
            }
            opened => opened,
        },
    };
    Ok(machine?.reader())
}

fn set_aside(path: &Path) -> Result<(), Fault> {
    let mut aside = PathBuf::from(path).into_os_string();
    aside.push(".damaged");
    let aside = PathBuf::from(aside);
    let failed = |doing, source| Fault::File {
        doing,
        path: path.to_owned(),
        source,
    };
    if aside.exists() {
        fs::remove_dir_all(&aside)
            .map_err(|error| failed("remove what was set aside of", error))?;
    }
    fs::rename(path, &aside).map_err(|error| failed("set aside", error))
}

/// Opens all replicas but those that are distrusted. Returns those, and those whose state is behind
/// its log or cannot be read, which another node can mend if there is one.
pub(super) async fn groups(
    raft: &Raft,
    machines: &Machines,
    map: &ClusterMap,
    distrusted: &[ReplicaFault],
    is_alone: bool,
) -> Result<Vec<ReplicaFault>, StartError> {
    let mut left = distrusted.to_vec();
    let data = map.data_groups();
    for group in [CLUSTER_GROUP, METADATA_GROUP].into_iter().chain(data) {
        if distrusted.iter().any(|fault| fault.group == group) {
            continue;
        }
        match raft.open(raft::GroupId(group.0), machines.of(group)).await {
            Ok(_) => {}
            Err(error) if !is_alone && is_of_the_state(&error) => left.push(ReplicaFault {
                group,
                reason: error.to_string(),
            }),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(left)
}

fn is_of_the_state(error: &OpenError) -> bool {
    matches!(
        error,
        OpenError::StateBehindLog { .. } | OpenError::Machine { .. }
    )
}
