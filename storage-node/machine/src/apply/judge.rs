//! Compare-and-swap of references, with the names that exclude each other.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use git_id::RefName;
use storage_node_api::RepositoryId;
use storage_node_api::refs::{RefCommand, RefOutcome, Target};

use crate::fault::Fault;
use crate::keys::{Key, RefKey};
use crate::reader::{Reader, visit};
use crate::txn::Txn;
use crate::value;

/// Judges the commands of one push against the repository and each other,
/// without writing.
pub(super) struct Judge<'t, 'a> {
    txn: &'t Txn<'a>,
    repository: RepositoryId,
    /// What the commands that passed make of the references they name.
    pending: BTreeMap<String, Option<Target>>,
}

/// What a push does to references.
pub(super) struct Verdict {
    /// One outcome per command, in order.
    pub(super) outcomes: Vec<RefOutcome>,
    /// The commands that change something, in order.
    pub(super) changes: Vec<RefCommand>,
}

impl<'t, 'a> Judge<'t, 'a> {
    pub(super) fn new(txn: &'t Txn<'a>, repository: RepositoryId) -> Self {
        Self {
            txn,
            repository,
            pending: BTreeMap::new(),
        }
    }

    /// Judges all commands: first those that delete, so that a push may put a
    /// reference in the place of a directory, then the others; each in order
    /// and by what those before it left.
    pub(super) fn judge(
        mut self,
        commands: Vec<RefCommand>,
        atomic: bool,
    ) -> Result<Verdict, Fault> {
        let mut judged = vec![(RefOutcome::Aborted, false); commands.len()];
        for deletes in [true, false] {
            for (command, place) in commands.iter().zip(&mut judged) {
                if command.new.is_none() == deletes {
                    *place = self.one(command)?;
                }
            }
        }
        let passed = |(outcome, _): &(RefOutcome, bool)| *outcome == RefOutcome::Updated;
        if atomic && !judged.iter().all(passed) {
            for place in &mut judged {
                if passed(place) {
                    *place = (RefOutcome::Aborted, false);
                }
            }
        }
        let (outcomes, changed): (Vec<RefOutcome>, Vec<bool>) = judged.into_iter().unzip();
        let changes = commands
            .into_iter()
            .zip(changed)
            .filter_map(|(command, changed)| changed.then_some(command))
            .collect();
        Ok(Verdict { outcomes, changes })
    }

    /// The outcome of a command, and whether it changes anything.
    fn one(&mut self, command: &RefCommand) -> Result<(RefOutcome, bool), Fault> {
        let current = self.current(command.name.as_str())?;
        let actual = current.map(|target| target.id);
        if actual != command.old {
            return Ok((RefOutcome::Stale { actual }, false));
        }
        if current == command.new {
            return Ok((RefOutcome::Updated, false));
        }
        if current.is_none()
            && let Some(with) = self.conflict(&command.name)?
        {
            return Ok((RefOutcome::Conflict { with }, false));
        }
        self.pending
            .insert(command.name.as_str().to_owned(), command.new);
        Ok((RefOutcome::Updated, true))
    }

    fn current(&self, name: &str) -> Result<Option<Target>, Fault> {
        if let Some(target) = self.pending.get(name) {
            return Ok(*target);
        }
        let stored = self.txn.get(&RefKey::prefix(self.repository, name))?;
        stored
            .map(|bytes| value::decode::<RefKey>(&bytes))
            .transpose()
    }

    /// A reference that is a directory of this name, or below it.
    fn conflict(&self, name: &RefName) -> Result<Option<RefName>, Fault> {
        let full = name.as_str();
        for (end, _) in full.match_indices('/') {
            // "refs" is no name that a reference can have.
            if let Ok(directory) = RefName::new(&full[..end])
                && self.current(directory.as_str())?.is_some()
            {
                return Ok(Some(directory));
            }
        }
        match self.pending_below(full) {
            Some(below) => Ok(Some(below)),
            None => self.stored_below(full),
        }
    }

    fn pending_below(&self, directory: &str) -> Option<RefName> {
        // In ASCII, '0' comes right after '/'.
        let (from, to) = (format!("{directory}/"), format!("{directory}0"));
        self.pending
            .range::<str, _>((Bound::Included(from.as_str()), Bound::Excluded(to.as_str())))
            .find(|(_, target)| target.is_some())
            .and_then(|(name, _)| RefName::new(name).ok())
    }

    fn stored_below(&self, directory: &str) -> Result<Option<RefName>, Fault> {
        let mut found = None;
        let span = RefKey::below(self.repository, directory);
        visit(self.txn, &span, |RefKey { name, .. }, _| {
            if self.pending.contains_key(name.as_str()) {
                // Deleted by this push, or it would have been found before.
                return ControlFlow::Continue(());
            }
            found = Some(name);
            ControlFlow::Break(())
        })?;
        Ok(found)
    }
}

/// Writes what passed.
pub(super) fn write(
    txn: &mut Txn<'_>,
    repository: RepositoryId,
    changes: &[RefCommand],
) -> Result<(), Fault> {
    // Those that delete were judged first: a reference may be deleted and made
    // again in one push.
    for deletes in [true, false] {
        for command in changes {
            let key = RefKey {
                repository,
                name: command.name.clone(),
            };
            match &command.new {
                None if deletes => txn.change(key.encode(), None)?,
                Some(target) if !deletes => txn.put(&key, target)?,
                _ => {}
            }
        }
    }
    Ok(())
}
