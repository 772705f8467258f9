use git_pack::{Filter, Kind};
use git_wire::{FilterRule, ObjectType};

use crate::FilterPolicy;
use crate::error::Refusal;

/// What the objects are chosen by, if the policy allows what the client asks for.
pub(super) fn filter(
    policy: &FilterPolicy,
    asked: Option<&git_wire::Filter>,
) -> Result<Filter, Refusal> {
    let Some(asked) = asked else {
        return Ok(Filter::default());
    };
    if !policy.offered {
        return Err(Refusal::FiltersNotOffered);
    }
    if asked.rules.len() > 1 && !policy.allows("combine") {
        return Err(Refusal::FilterNotSupported { name: "combine" });
    }
    let mut filter = Filter::default();
    for rule in &asked.rules {
        let name = rule.name();
        if !policy.allows(name) {
            return Err(Refusal::FilterNotSupported { name });
        }
        filter = match rule {
            FilterRule::BlobNone => filter.without_blobs_from(0),
            FilterRule::BlobLimit(bytes) => filter.without_blobs_from(*bytes),
            FilterRule::TreeDepth(depth) if *depth > policy.max_tree_depth => {
                return Err(Refusal::FilterTooDeep {
                    limit: policy.max_tree_depth,
                    depth: *depth,
                });
            }
            FilterRule::TreeDepth(depth) => filter.without_depths_from(*depth),
            FilterRule::ObjectType(kind) => filter.only(match kind {
                ObjectType::Blob => Kind::Blob,
                ObjectType::Tree => Kind::Tree,
                ObjectType::Commit => Kind::Commit,
                ObjectType::Tag => Kind::Tag,
            }),
            FilterRule::SparseOid(_) => return Err(Refusal::FilterNotSupported { name }),
        };
    }
    Ok(filter)
}
