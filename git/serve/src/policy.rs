//! What a server allows and offers.

use git_wire::advertisement::V2Offer;

use crate::HiddenRefs;

/// The name under which this server introduces itself.
pub const AGENT: &str = concat!("devflow/", env!("CARGO_PKG_VERSION"));

/// What a server allows and offers, for one repository and one user.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// A token that joins the logs of client and server, if it is advertised.
    pub session_id: Option<String>,
    /// Fetching.
    pub upload: UploadPolicy,
    /// Pushing.
    pub receive: ReceivePolicy,
}

/// Which objects a client may name that is not satisfied with whole refs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantPolicy {
    /// What a visible ref names.
    Advertised,
    /// What any ref names, hidden ones included.
    Tips,
    /// Whatever a visible ref reaches: files of a partial clone are fetched so.
    Reachable,
    /// Any object that is there.
    Any,
}

/// What a server allows and offers to those who fetch.
#[derive(Clone, Debug)]
pub struct UploadPolicy {
    /// Refs that are not shown.
    pub hidden: HiddenRefs,
    /// What may be wanted. In git's own server, protocol v2 means
    /// [`WantPolicy::Any`] whatever the configuration.
    pub wants: WantPolicy,
    /// Tell where HEAD points even if that ref does not exist.
    pub unborn: bool,
    /// Partial clones.
    pub filters: FilterPolicy,
    /// Refs may be wanted by name (protocol v2), so that a fetch gets what a ref
    /// is when the pack is made.
    pub ref_in_want: bool,
    /// Whole responses may be asked for on the side band (protocol v2).
    pub sideband_all: bool,
    /// The sizes of objects may be asked for (protocol v2), of those that may be
    /// wanted.
    pub object_info: bool,
    /// What `bundle-uri` answers, lines of the form `bundle.version=1` (git-config(1),
    /// "bundle.*"); `None` if the command is not offered.
    pub bundles: Option<Vec<String>>,
    /// Threads for one pack; at least 1.
    pub threads: usize,
}

impl UploadPolicy {
    /// What of this protocol v2 offers.
    pub(crate) fn v2_offer(&self) -> V2Offer {
        V2Offer {
            unborn: self.unborn,
            filter: self.filters.offered,
            ref_in_want: self.ref_in_want,
            sideband_all: self.sideband_all,
            object_info: self.object_info,
            bundle_uri: self.bundles.is_some(),
        }
    }
}

/// Which filters partial clones may use. `sparse:oid` is not supported.
#[derive(Clone, Debug)]
pub struct FilterPolicy {
    /// Filters are offered at all.
    pub offered: bool,
    /// What holds for filters that are not in `named`.
    pub others: bool,
    /// Filters by name (`blob:none`, `tree`, …) and whether they are allowed.
    pub named: Vec<(String, bool)>,
    /// The most steps of a `tree` filter.
    pub max_tree_depth: u64,
}

impl FilterPolicy {
    pub(crate) fn allows(&self, name: &str) -> bool {
        let named = self.named.iter().find(|(other, _)| other == name);
        named.map_or(self.others, |(_, allowed)| *allowed)
    }
}

impl Default for FilterPolicy {
    fn default() -> Self {
        Self {
            offered: true,
            others: true,
            named: Vec::new(),
            max_tree_depth: u64::MAX,
        }
    }
}

impl Default for UploadPolicy {
    fn default() -> Self {
        Self {
            hidden: HiddenRefs::default(),
            wants: WantPolicy::Reachable,
            unborn: true,
            filters: FilterPolicy::default(),
            ref_in_want: true,
            sideband_all: false,
            object_info: true,
            bundles: None,
            threads: 1,
        }
    }
}

/// What happens to pushes to the branch that a working tree has checked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckedOutBranch {
    /// There is no working tree, or nobody minds.
    Allow,
    /// Allowed with a warning.
    Warn,
    /// Refused.
    Refuse,
}

/// What a server allows and offers to those who push.
#[derive(Clone, Debug)]
pub struct ReceivePolicy {
    /// Refs that are neither shown nor updated.
    pub hidden: HiddenRefs,
    /// The most ref updates in one push.
    pub max_commands: usize,
    /// The most bytes of one pack.
    pub max_pack_bytes: u64,
    /// The most objects of one pack.
    pub max_objects: u32,
    /// The most bytes of one object.
    pub max_object_bytes: u64,
    /// Check every object as `git fsck --strict` does.
    pub check_objects: bool,
    /// Threads for indexing one pack; at least 1.
    pub threads: usize,
    /// Sync the pack's files before they are referred to.
    pub sync: bool,
    /// Refuse updates of branches that lose commits.
    pub deny_non_fast_forwards: bool,
    /// Refuse to delete branches.
    pub deny_deletes: bool,
    /// Refuse to delete the branch to which HEAD points.
    pub deny_delete_current: bool,
    /// Pushes to the checked-out branch.
    pub checked_out: CheckedOutBranch,
    /// Offer all-or-none pushes.
    pub atomic: bool,
    /// Offer push options.
    pub push_options: bool,
}

impl Default for ReceivePolicy {
    fn default() -> Self {
        Self {
            hidden: HiddenRefs::default(),
            max_commands: 100_000,
            max_pack_bytes: 16 << 30,
            max_objects: 50_000_000,
            max_object_bytes: 2 << 30,
            check_objects: true,
            threads: 2,
            sync: true,
            deny_non_fast_forwards: false,
            deny_deletes: false,
            deny_delete_current: true,
            checked_out: CheckedOutBranch::Allow,
            atomic: true,
            push_options: true,
        }
    }
}
