use std::path::Path;

use git_id::HashKind;
use git_wire::ProtocolVersion;

use super::locate::OpenError;
use super::reflog::{LogRefs, Reflog};
use super::{Caller, Config, ConfigError};
use crate::{
    CheckedOutBranch, FilterPolicy, HiddenRefs, Policy, ReceivePolicy, UploadPolicy, WantPolicy,
};

/// What a repository's configuration says about serving it.
///
/// These variables are heeded, with git's meaning and defaults:
/// `core.bare`, `core.logAllRefUpdates`, `core.repositoryFormatVersion`, `extensions.objectFormat`,
/// `http.getanyfile`, `http.receivepack`, `http.uploadpack`, `lsrefs.unborn`,
/// `pack.threads`, `receive.advertiseAtomic`, `receive.advertisePushOptions`,
/// `receive.denyCurrentBranch` (not `updateInstead`, which refuses),
/// `receive.denyDeleteCurrent`, `receive.denyDeletes`,
/// `receive.denyNonFastForwards`, `receive.fsckObjects`, `receive.hideRefs`,
/// `receive.maxInputSize`, `transfer.fsckObjects`, `transfer.hideRefs`,
/// `bundle.*`, `transfer.advertiseObjectInfo`, `transfer.advertiseSID`,
/// `uploadpack.advertiseBundleURIs`, `uploadpack.allowAnySHA1InWant`, `uploadpack.allowFilter`,
/// `uploadpack.allowReachableSHA1InWant`, `uploadpack.allowRefInWant`, `uploadpack.allowSidebandAll`,
/// `uploadpack.allowTipSHA1InWant`, `uploadpack.hideRefs`, `uploadpackfilter.*`, `user.email`,
/// `user.name` (who is in the reflog, if the caller does not say).
#[derive(Clone, Debug)]
pub struct Settings {
    /// The repository's hash function.
    pub hash: HashKind,
    /// What applies to requests of the dumb and smart HTTP protocols.
    pub http: HttpSettings,
    wants: WantPolicy,
    upload: UploadPolicy,
    receive: ReceivePolicy,
    advertise_session: bool,
    log_refs: LogRefs,
    user: [Option<String>; 2],
}

/// Which services HTTP offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Files to dumb clients.
    pub get_any_file: bool,
    /// Fetching.
    pub upload_pack: bool,
    /// Pushing; unset, only to users whom the web server authenticated.
    pub receive_pack: Option<bool>,
}

impl Settings {
    pub(super) fn read(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.to_path_buf();
        let config = Config::read(&directory.join("config"));
        let config = config.map_err(|source| OpenError::Config {
            path: path.clone(),
            source,
        })?;
        if let Some(extension) = unsupported(&config) {
            return Err(OpenError::Unsupported { path, extension });
        }
        let named_git = directory.file_name().is_some_and(|name| name == ".git");
        Self::from_config(&config, named_git).map_err(|source| OpenError::Config { path, source })
    }

    /// The policy for a client of that protocol version. In protocol v2 git
    /// lets a client want any object whatever the configuration says.
    ///
    /// `session_id` names this run of the server in logs; it is said to the client if the
    /// configuration wants that.
    pub(super) fn policy(&self, version: ProtocolVersion, session_id: Option<&str>) -> Policy {
        let wants = if version == ProtocolVersion::V2 {
            WantPolicy::Any
        } else {
            self.wants
        };
        Policy {
            session_id: session_id
                .filter(|_| self.advertise_session)
                .map(str::to_owned),
            upload: UploadPolicy {
                wants,
                ..self.upload.clone()
            },
            receive: self.receive.clone(),
        }
    }

    /// The reflog for what that caller does.
    pub(super) fn reflog(&self, directory: &Path, caller: &Caller) -> Reflog {
        let [name, email] = &self.user;
        let name = caller.committer_name.as_ref().or(name.as_ref());
        let email = caller.committer_email.as_ref().or(email.as_ref());
        let (name, email) = (
            name.map_or(UNKNOWN_USER.0, String::as_str),
            email.map_or(UNKNOWN_USER.1, String::as_str),
        );
        Reflog::new(directory, self.log_refs, name, email)
    }

    fn from_config(config: &Config, named_git: bool) -> Result<Self, ConfigError> {
        let flag = |key, default| -> Result<bool, ConfigError> {
            Ok(config.boolean(key)?.unwrap_or(default))
        };
        let hidden = |service| {
            let rules = config.all("transfer.hiderefs").chain(config.all(service));
            HiddenRefs::new(rules)
        };
        let threads = match config.number("pack.threads")? {
            Some(threads @ 1..=256) => threads as usize,
            _ => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let has_working_tree = !flag("core.bare", !named_git)?;
        let format = config.get("extensions.objectformat").unwrap_or("sha1");
        Ok(Self {
            hash: HashKind::from_name(format).unwrap_or_default(),
            http: HttpSettings {
                get_any_file: flag("http.getanyfile", true)?,
                upload_pack: flag("http.uploadpack", true)?,
                receive_pack: config.boolean("http.receivepack")?,
            },
            wants: wants(config)?,
            upload: UploadPolicy {
                hidden: hidden("uploadpack.hiderefs"),
                wants: WantPolicy::Advertised,
                unborn: config.get("lsrefs.unborn").unwrap_or("advertise") == "advertise",
                filters: filters(config)?,
                ref_in_want: flag("uploadpack.allowrefinwant", false)?,
                sideband_all: flag("uploadpack.allowsidebandall", false)?,
                object_info: flag("transfer.advertiseobjectinfo", false)?,
                bundles: match flag("uploadpack.advertisebundleuris", false)? {
                    true => Some(bundles(config)),
                    false => None,
                },
                threads,
            },
            receive: ReceivePolicy {
                hidden: hidden("receive.hiderefs"),
                max_pack_bytes: match config.number("receive.maxinputsize")? {
                    None | Some(0) => ReceivePolicy::default().max_pack_bytes,
                    Some(limit) => limit,
                },
                check_objects: match config.boolean("receive.fsckobjects")? {
                    Some(check) => check,
                    None => flag("transfer.fsckobjects", false)?,
                },
                threads,
                deny_non_fast_forwards: flag("receive.denynonfastforwards", false)?,
                deny_deletes: flag("receive.denydeletes", false)?,
                deny_delete_current: denies(config.get("receive.denydeletecurrent")),
                checked_out: checked_out(config, has_working_tree),
                atomic: flag("receive.advertiseatomic", true)?,
                push_options: flag("receive.advertisepushoptions", false)?,
                ..ReceivePolicy::default()
            },
            advertise_session: flag("transfer.advertisesid", false)?,
            log_refs: log_refs(config, has_working_tree)?,
            user: ["user.name", "user.email"].map(|key| config.get(key).map(str::to_owned)),
        })
    }
}

/// Who is in the reflog if nobody says.
const UNKNOWN_USER: (&str, &str) = ("unknown", "unknown@localhost");

fn log_refs(config: &Config, has_working_tree: bool) -> Result<LogRefs, ConfigError> {
    const KEY: &str = "core.logallrefupdates";
    if config
        .get(KEY)
        .is_some_and(|value| value.eq_ignore_ascii_case("always"))
    {
        return Ok(LogRefs::Always);
    }
    Ok(match config.boolean(KEY)?.unwrap_or(has_working_tree) {
        true => LogRefs::Branches,
        false => LogRefs::Existing,
    })
}

fn wants(config: &Config) -> Result<WantPolicy, ConfigError> {
    for (key, policy) in [
        ("uploadpack.allowanysha1inwant", WantPolicy::Any),
        ("uploadpack.allowreachablesha1inwant", WantPolicy::Reachable),
        ("uploadpack.allowtipsha1inwant", WantPolicy::Tips),
    ] {
        if config.boolean(key)?.unwrap_or(false) {
            return Ok(policy);
        }
    }
    Ok(WantPolicy::Advertised)
}

/// The list of bundles as `bundle-uri` says it: the section as it is written.
fn bundles(config: &Config) -> Vec<String> {
    let entries = config.section("bundle");
    entries
        .map(|(key, value)| format!("{key}={value}"))
        .collect()
}

/// The names that `uploadpackfilter` has rules for.
const FILTERS: [&str; 6] = [
    "blob:none",
    "blob:limit",
    "tree",
    "object:type",
    "sparse:oid",
    "combine",
];

fn filters(config: &Config) -> Result<FilterPolicy, ConfigError> {
    let mut named = Vec::new();
    for name in FILTERS {
        if let Some(allowed) = config.boolean(&format!("uploadpackfilter.{name}.allow"))? {
            named.push((name.to_owned(), allowed));
        }
    }
    Ok(FilterPolicy {
        offered: config.boolean("uploadpack.allowfilter")?.unwrap_or(false),
        others: config.boolean("uploadpackfilter.allow")?.unwrap_or(true),
        named,
        max_tree_depth: config
            .number("uploadpackfilter.tree.maxdepth")?
            .unwrap_or(u64::MAX),
    })
}

/// `refuse` or true, which is the default.
fn denies(value: Option<&str>) -> bool {
    let value = value.unwrap_or("refuse").to_ascii_lowercase();
    !matches!(
        value.as_str(),
        "ignore" | "warn" | "false" | "no" | "off" | "0"
    )
}

fn checked_out(config: &Config, has_working_tree: bool) -> CheckedOutBranch {
    if !has_working_tree {
        return CheckedOutBranch::Allow;
    }
    let value = config.get("receive.denycurrentbranch");
    match value {
        Some(value) if value.eq_ignore_ascii_case("warn") => CheckedOutBranch::Warn,
        value if denies(value) => CheckedOutBranch::Refuse,
        _ => CheckedOutBranch::Allow,
    }
}

/// What of the repository's format is not known here.
fn unsupported(config: &Config) -> Option<String> {
    match config.get("core.repositoryformatversion").unwrap_or("0") {
        "0" => return None,
        "1" => {}
        version => return Some(format!("format version {version}")),
    }
    match config.get("extensions.objectformat") {
        None | Some("sha1" | "sha256") => {}
        Some(format) => return Some(format!("object format {format}")),
    }
    match config.get("extensions.refstorage") {
        None | Some("files") => None,
        Some(storage) => Some(format!("ref storage {storage}")),
    }
}

#[cfg(test)]
mod tests {
    use git_wire::ProtocolVersion;

    use super::{Settings, unsupported};
    use crate::bare::Config;
    use crate::bare::reflog::LogRefs;
    use crate::{CheckedOutBranch, WantPolicy};

    fn settings(text: &str) -> Settings {
        Settings::from_config(&Config::parse(text).unwrap(), false).unwrap()
    }

    #[test]
    fn defaults_are_those_of_git() {
        let plain = settings("[core]\nbare = true");
        let policy = plain.policy(ProtocolVersion::V0, None);
        assert_eq!(policy.upload.wants, WantPolicy::Advertised);
        assert_eq!(
            plain.policy(ProtocolVersion::V2, None).upload.wants,
            WantPolicy::Any
        );
        assert_eq!(policy.receive.checked_out, CheckedOutBranch::Allow);
        assert!(policy.receive.deny_delete_current && !policy.receive.deny_deletes);
        assert!(!policy.receive.check_objects && !policy.receive.push_options);
        assert_eq!(plain.http.receive_pack, None);
        let tree = settings("[core]\nbare = false");
        assert_eq!(
            tree.policy(ProtocolVersion::V0, None).receive.checked_out,
            CheckedOutBranch::Refuse
        );
    }

    #[test]
    fn variables_are_heeded() {
        let text = "[transfer]\nfsckObjects\nhideRefs = refs/x\n[receive]\nfsckObjects = false\n\
            hideRefs = !refs/x\nmaxInputSize = 1k\ndenyDeleteCurrent = ignore\n\
            denyCurrentBranch = warn\n[core]\nbare = 0\n[uploadpack]\nallowTipSHA1InWant = 1\n\
            [http]\nreceivepack\n";
        let settings = settings(text);
        let policy = settings.policy(ProtocolVersion::V0, None);
        let hidden = git_id::RefName::new("refs/x/y").unwrap();
        assert!(policy.upload.hidden.hides(&hidden) && !policy.receive.hidden.hides(&hidden));
        assert!(!policy.receive.check_objects && !policy.receive.deny_delete_current);
        assert_eq!(policy.receive.max_pack_bytes, 1024);
        assert_eq!(policy.receive.checked_out, CheckedOutBranch::Warn);
        assert_eq!(policy.upload.wants, WantPolicy::Tips);
        assert_eq!(settings.http.receive_pack, Some(true));
    }

    #[test]
    fn what_protocol_v2_offers_more_is_off_until_it_is_configured() {
        let plain = settings("").policy(ProtocolVersion::V2, Some("id"));
        let upload = &plain.upload;
        assert!(!upload.ref_in_want && !upload.sideband_all && !upload.object_info);
        assert_eq!((&upload.bundles, plain.session_id), (&None, None));
        let text = "[uploadpack]\nallowRefInWant\nallowSidebandAll\nadvertiseBundleURIs\n\
            [transfer]\nadvertiseSID\nadvertiseObjectInfo\n[bundles]\nx = 1\n\
            [bundle]\nversion = 1\n[bundle \"One\"]\nuri = https://host/a\n";
        let all = settings(text).policy(ProtocolVersion::V2, Some("id"));
        assert!(all.upload.ref_in_want && all.upload.sideband_all && all.upload.object_info);
        assert_eq!(all.session_id.as_deref(), Some("id"));
        let bundles = all.upload.bundles.unwrap();
        assert_eq!(
            bundles,
            ["bundle.version=1", "bundle.One.uri=https://host/a"]
        );
    }

    #[test]
    fn reflogs_are_kept_where_git_keeps_them() {
        let rule = |text: &str| settings(text).log_refs;
        assert_eq!(rule("[core]\nbare = true"), LogRefs::Existing);
        assert_eq!(rule("[core]\nbare = false"), LogRefs::Branches);
        let bare = "[core]\nbare = true\nlogAllRefUpdates = ";
        assert_eq!(rule(&format!("{bare}true")), LogRefs::Branches);
        assert_eq!(rule(&format!("{bare}Always")), LogRefs::Always);
    }

    #[test]
    fn formats_that_are_not_known_are_named() {
        let found = |text: &str| unsupported(&Config::parse(text).unwrap());
        assert_eq!(found(""), None);
        let base = "[core]\nrepositoryformatversion = 1\n[extensions]\n";
        assert_eq!(found(&format!("{base}objectformat = sha256")), None);
        let reftable = found(&format!("{base}refstorage = reftable"));
        assert_eq!(reftable.as_deref(), Some("ref storage reftable"));
        let two = found("[core]\nrepositoryformatversion = 2");
        assert_eq!(two.as_deref(), Some("format version 2"));
    }
}
