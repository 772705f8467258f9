use std::sync::Arc;

use git_id::ObjectId;
use git_pack::{Filter, Objects, ReadError, Selection, ShallowChange, all_wants_reach_common};
use git_wire::Knowledge;

use crate::answers::Shared;
use crate::pulse::Pulse;
use crate::{RefSnapshot, Reference, Repository, RepositoryError, UploadPolicy};

/// What one request sees of the repository: refs and objects of one moment, and
/// what its client may see of them. Its methods block.
#[derive(Clone)]
pub(super) struct View {
    pub(super) snapshot: Arc<RefSnapshot>,
    pub(super) objects: Objects,
    pub(super) policy: UploadPolicy,
    pub(super) pulse: Pulse,
    pub(super) shared: Option<Shared>,
}

impl View {
    pub(super) async fn open(
        repository: &dyn Repository,
        policy: &UploadPolicy,
    ) -> Result<Self, RepositoryError> {
        // Refs first: the objects are then at least those that they reach.
        let snapshot = repository.refs().await?;
        let objects = repository.objects().await?;
        Ok(Self {
            snapshot,
            objects,
            policy: policy.clone(),
            pulse: Pulse::default(),
            shared: repository.shared(),
        })
    }

    /// The refs that the client may see.
    pub(super) fn visible(&self) -> impl Iterator<Item = &Reference> {
        let hidden = &self.policy.hidden;
        self.snapshot
            .refs()
            .iter()
            .filter(|reference| !hidden.hides(&reference.name))
    }

    /// What the pack is made of.
    pub(super) fn selection(&self, request: Request, change: Option<ShallowChange>) -> Selection {
        let change = change.unwrap_or_default();
        let include_tags = match request.include_tag {
            true => self.annotated_tags(),
            false => Vec::new(),
        };
        Selection {
            wants: request.wants,
            haves: request.common,
            shallow: self.known(&request.shallow),
            boundary: change.boundary,
            deepen_unshallow: change.unshallow,
            include_tags,
            filter: request.filter,
        }
    }

    /// Those of the objects that are here. Clients may be shallow at commits of
    /// other repositories.
    pub(super) fn known(&self, ids: &[ObjectId]) -> Vec<ObjectId> {
        ids.iter()
            .copied()
            .filter(|id| self.objects.contains(id))
            .collect()
    }

    pub(super) fn knowledge<'a>(&'a self, wants: &'a [ObjectId]) -> ObjectKnowledge<'a> {
        ObjectKnowledge {
            view: self,
            wants,
            ready: None,
        }
    }

    fn annotated_tags(&self) -> Vec<(ObjectId, ObjectId)> {
        let tags = self
            .visible()
            .filter(|reference| reference.name.as_tag().is_some());
        tags.filter_map(|tag| Some((tag.id, tag.peeled?))).collect()
    }
}

/// The parts of a request that decide which objects are sent.
pub(super) struct Request {
    pub(super) wants: Vec<ObjectId>,
    pub(super) common: Vec<ObjectId>,
    pub(super) shallow: Vec<ObjectId>,
    pub(super) include_tag: bool,
    pub(super) filter: Filter,
}

/// Answers a negotiation from the objects.
pub(super) struct ObjectKnowledge<'a> {
    view: &'a View,
    wants: &'a [ObjectId],
    /// The last answer to "ready", and for how many common objects.
    ready: Option<(usize, bool)>,
}

impl Knowledge for ObjectKnowledge<'_> {
    type Error = ReadError;

    fn contains(&mut self, id: &ObjectId) -> Result<bool, ReadError> {
        Ok(self.view.objects.contains(id))
    }

    fn is_ready(&mut self, common: &[ObjectId]) -> Result<bool, ReadError> {
        // The walk is costly, and its answer changes only when more is common;
        // once true it remains so.
        match self.ready {
            Some((_, true)) => return Ok(true),
            Some((count, false)) if count == common.len() => return Ok(false),
            _ => {}
        }
        let cancel = self.view.pulse.cancelled();
        let ready = all_wants_reach_common(&self.view.objects, self.wants, common, cancel)?;
        self.ready = Some((common.len(), ready));
        Ok(ready)
    }
}
