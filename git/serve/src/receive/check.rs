use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use git_id::ObjectId;
use git_pack::{ConnectivityError, Kind, Objects, ReadError, ReceivedPack, all_wants_reach_common};

use super::judge::Judged;
use super::stream::PackError;
use crate::pulse::Pulse;
use crate::{ReceivePolicy, RefCommand, RefRejection, RefSnapshot};

/// Up to so many commands of a push with missing objects are checked each on its
/// own, so that the complete ones pass; larger pushes are rejected whole.
const MAX_SINGLE_CHECKS: usize = 64;

/// Judges commands by objects, those of the pack included; blocks.
pub(super) struct Check {
    pub(super) objects: Objects,
    pub(super) snapshot: Arc<RefSnapshot>,
    pub(super) policy: ReceivePolicy,
    /// The client's clone is shallow: missing objects have another reason.
    pub(super) from_shallow: bool,
    pub(super) judged: Vec<Judged>,
    pub(super) pulse: Pulse,
}

impl Check {
    pub(super) fn run(&mut self, pack: Option<&ReceivedPack>) -> Result<(), PackError> {
        if let Some(pack) = pack {
            self.objects = self.objects.with_pack(&pack.pack)?;
        }
        self.reject(Self::wrong_object)?;
        self.check_connected()?;
        if self.policy.deny_non_fast_forwards {
            self.reject(Self::non_fast_forward)?;
        }
        Ok(())
    }

    /// Rejects the accepted commands for which `rule` has a reason.
    fn reject(
        &mut self,
        rule: fn(&Self, &RefCommand) -> Result<Option<RefRejection>, ReadError>,
    ) -> Result<(), ReadError> {
        for at in 0..self.judged.len() {
            if let Ok(command) = &self.judged[at].verdict
                && !command.new.is_null()
                && let Some(rejection) = rule(self, command)?
            {
                self.judged[at].verdict = Err(rejection);
            }
        }
        Ok(())
    }

    fn wrong_object(&self, command: &RefCommand) -> Result<Option<RefRejection>, ReadError> {
        let Some(header) = self.objects.header(&command.new)? else {
            return Ok(Some(self.missing()));
        };
        let wrong = command.name.as_branch().is_some() && header.kind != Kind::Commit;
        Ok(wrong.then(|| RefRejection::NotACommit {
            name: command.name.clone(),
            id: command.new,
        }))
    }

    fn non_fast_forward(&self, command: &RefCommand) -> Result<Option<RefRejection>, ReadError> {
        if command.old.is_null() || command.name.as_branch().is_none() {
            return Ok(None);
        }
        let (new, old) = ([command.new], [command.old]);
        let cancel = self.pulse.cancelled();
        let descends = self.objects.contains(&command.old)
            && all_wants_reach_common(&self.objects, &new, &old, cancel)?;
        Ok((!descends).then_some(RefRejection::NonFastForward))
    }

    /// Everything that the new values reach must be here.
    fn check_connected(&mut self) -> Result<(), PackError> {
        let known: HashSet<ObjectId> = self.snapshot.tips().collect();
        let known_ids: Vec<_> = known.iter().copied().collect();
        let new_tip = |command: &Judged| match &command.verdict {
            Ok(update) if !update.new.is_null() && !known.contains(&update.new) => Some(update.new),
            _ => None,
        };
        let tips: HashSet<ObjectId> = self.judged.iter().filter_map(new_tip).collect();
        let tips: Vec<_> = tips.into_iter().collect();
        if tips.is_empty() {
            return Ok(());
        }
        let Some(why) = self.incomplete(&tips, &known_ids)? else {
            return Ok(());
        };
        let mut incomplete = HashMap::new();
        for tip in &tips {
            let single = tips.len() > 1 && tips.len() <= MAX_SINGLE_CHECKS;
            let why = match single {
                true => self.incomplete(&[*tip], &known_ids)?,
                false => Some(why.clone()),
            };
            incomplete.extend(why.map(|why| (*tip, why)));
        }
        let missing = self.missing();
        for command in &mut self.judged {
            let why = command
                .verdict
                .as_ref()
                .ok()
                .and_then(|update| incomplete.get(&update.new));
            if let Some(why) = why {
                command.detail = Some(why.clone());
                command.verdict = Err(missing.clone());
            }
        }
        Ok(())
    }

    /// What is missing of everything that the tips reach.
    fn incomplete(
        &self,
        tips: &[ObjectId],
        known: &[ObjectId],
    ) -> Result<Option<String>, ConnectivityError> {
        let cancel = self.pulse.cancelled();
        match git_pack::check_connected(&self.objects, tips, known, cancel) {
            Ok(()) => Ok(None),
            Err(error @ (ConnectivityError::Read(_) | ConnectivityError::Cancelled)) => Err(error),
            Err(error) => Ok(Some(error.to_string())),
        }
    }

    fn missing(&self) -> RefRejection {
        match self.from_shallow {
            true => RefRejection::Shallow,
            false => RefRejection::MissingObjects,
        }
    }
}
