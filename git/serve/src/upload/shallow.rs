use git_id::{ObjectId, RefName};
use git_pack::{Depth, ShallowChange, ShallowError, shallow_boundary};
use git_wire::Deepen;

use super::view::View;
use crate::ServeError;
use crate::error::Refusal;

/// Works out which commits become shallow and which cease to be.
pub(super) fn shallow_change(
    view: &View,
    wants: &[ObjectId],
    client_shallow: &[ObjectId],
    deepen: &Deepen,
) -> Result<ShallowChange, ServeError> {
    let depth = match deepen {
        Deepen::Commits {
            count,
            relative: false,
        } => Depth::Commits(*count),
        Deepen::Commits {
            count,
            relative: true,
        } => Depth::Relative(*count),
        Deepen::History { since, not } => {
            let excluded: Result<_, _> = not.iter().map(|name| resolve(view, name)).collect();
            Depth::Excluding {
                since: *since,
                not: excluded?,
            }
        }
    };
    let known = view.known(client_shallow);
    let cancel = view.pulse.cancelled();
    let change = shallow_boundary(&view.objects, wants, &known, &depth, cancel);
    change.map_err(|error| match error {
        ShallowError::Read(error) => error.into(),
        ShallowError::NothingSelected => Refusal::NothingSelected.into(),
    })
}

/// Finds the ref that a client means by a name, short or full (gitrevisions(7)).
fn resolve(view: &View, name: &str) -> Result<ObjectId, Refusal> {
    if name == "HEAD"
        && let Some(id) = view.snapshot.head_id()
    {
        return Ok(id);
    }
    let places = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"];
    let mut candidates = places
        .iter()
        .filter_map(|place| RefName::new(&format!("{place}{name}")).ok());
    let hidden = &view.policy.hidden;
    let found = candidates.find_map(|full| {
        view.snapshot
            .get(&full)
            .filter(|reference| !hidden.hides(&reference.name))
    });
    let found = found.ok_or_else(|| Refusal::DeepenNot {
        name: name.to_owned(),
    })?;
    Ok(found.peeled.unwrap_or(found.id))
}
