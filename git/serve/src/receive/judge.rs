use std::collections::HashSet;

use git_id::RefName;
use git_wire::receive::Command;

use crate::{CheckedOutBranch, ReceivePolicy, RefCommand, RefRejection, RefSnapshot};

/// A command, or why it is rejected.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) verdict: Result<RefCommand, RefRejection>,
    /// The name as far as it can be shown.
    pub(super) shown_name: String,
    /// What more is to be said of a rejection.
    pub(super) detail: Option<String>,
    /// It updates a branch that is checked out, which the policy only minds.
    pub(super) warn_checked_out: bool,
}

/// Judges commands by what needs no objects: names, duplicates and policy.
pub(super) fn judge(
    commands: &[Command],
    snapshot: &RefSnapshot,
    policy: &ReceivePolicy,
) -> Vec<Judged> {
    let mut seen = HashSet::new();
    let repeated: HashSet<&[u8]> = commands
        .iter()
        .map(|command| &command.name[..])
        .filter(|name| !seen.insert(*name))
        .collect();
    let judge_one = |command: &Command| {
        let duplicate = repeated.contains(&command.name[..]);
        let verdict = judge_one(command, duplicate, snapshot, policy);
        let current = verdict
            .as_ref()
            .is_ok_and(|update| is_current(&update.name, snapshot));
        Judged {
            warn_checked_out: current
                && policy.checked_out == CheckedOutBranch::Warn
                && !command.new.is_null(),
            verdict,
            detail: None,
            shown_name: String::from_utf8_lossy(&command.name).into_owned(),
        }
    };
    commands.iter().map(judge_one).collect()
}

fn judge_one(
    command: &Command,
    duplicate: bool,
    snapshot: &RefSnapshot,
    policy: &ReceivePolicy,
) -> Result<RefCommand, RefRejection> {
    let name =
        RefName::from_bytes(&command.name).map_err(|reason| RefRejection::Name { reason })?;
    if !name.as_str().starts_with("refs/") {
        return Err(RefRejection::Head);
    }
    if duplicate {
        return Err(RefRejection::Duplicate { name });
    }
    if policy.hidden.hides(&name) {
        return Err(RefRejection::Hidden);
    }
    let deletion = command.new.is_null();
    let levels = name.as_str().split('/').count();
    if !deletion && levels < 3 {
        return Err(RefRejection::OneLevel);
    }
    if is_current(&name, snapshot) {
        if deletion && policy.deny_delete_current {
            return Err(RefRejection::CurrentBranchDeletion);
        }
        if !deletion && policy.checked_out == CheckedOutBranch::Refuse {
            return Err(RefRejection::CheckedOut);
        }
    }
    if deletion && policy.deny_deletes && name.as_branch().is_some() {
        return Err(RefRejection::Deletion);
    }
    Ok(RefCommand {
        name,
        old: command.old,
        new: command.new,
    })
}

fn is_current(name: &RefName, snapshot: &RefSnapshot) -> bool {
    snapshot.head_target() == Some(name)
}

/// In an atomic push one rejection rejects every command.
pub(super) fn reject_all_if_atomic(judged: &mut [Judged], atomic: bool) {
    if atomic && judged.iter().any(|command| command.verdict.is_err()) {
        for command in judged.iter_mut().filter(|command| command.verdict.is_ok()) {
            command.verdict = Err(RefRejection::AtomicPush);
        }
    }
}

#[cfg(test)]
mod tests {
    use git_id::{HashKind, ObjectId, RefName};
    use git_wire::receive::Command;

    use super::{judge, reject_all_if_atomic};
    use crate::{CheckedOutBranch, Head, HiddenRefs, ReceivePolicy, RefSnapshot};

    fn verdicts(names: &[(&str, bool)], policy: &ReceivePolicy, atomic: bool) -> Vec<String> {
        let null = ObjectId::null(HashKind::Sha1);
        let id = ObjectId::from_bytes(&[1; 20]).unwrap();
        let commands: Vec<_> = names
            .iter()
            .map(|(name, deletion)| Command {
                old: id,
                new: if *deletion { null } else { id },
                name: name.as_bytes().to_vec(),
            })
            .collect();
        let head = Head::Symbolic(RefName::branch("main").unwrap());
        let mut judged = judge(&commands, &RefSnapshot::new(Some(head), vec![]), policy);
        reject_all_if_atomic(&mut judged, atomic);
        let text = |verdict: &Result<_, crate::RefRejection>| match verdict {
            Ok(_) => "ok".to_owned(),
            Err(rejection) => rejection.to_string(),
        };
        judged
            .iter()
            .map(|command| text(&command.verdict))
            .collect()
    }

    #[test]
    fn names_and_policy_are_judged_one_by_one() {
        let policy = ReceivePolicy {
            hidden: HiddenRefs::new(["refs/pull"]),
            deny_deletes: true,
            checked_out: CheckedOutBranch::Refuse,
            ..ReceivePolicy::default()
        };
        let names = [
            ("refs/heads/a", false),
            ("HEAD", false),
            ("main", false),
            ("refs/heads/a..b", false),
            ("refs/pull/1/head", false),
            ("refs/heads/twice", false),
            ("refs/heads/twice", true),
            ("refs/heads/b", true),
            ("refs/tags/t", true),
            ("refs/heads/main", true),
            ("refs/heads/main", true),
        ];
        let expected = [
            "ok",
            "funny refname: HEAD is not updated by a push, push to the branch",
            "funny refname: a ref name starts with \"refs/\"",
            "funny refname: a ref name contains neither \"..\" nor \"@{\"",
            "deny updating a hidden ref",
            "multiple updates for ref 'refs/heads/twice' not allowed",
            "multiple updates for ref 'refs/heads/twice' not allowed",
            "deletion prohibited",
            "ok",
        ];
        assert_eq!(verdicts(&names, &policy, false)[..9], expected);
        let main = [("refs/heads/main", true)];
        assert_eq!(
            verdicts(&main, &policy, false),
            ["deletion of the current branch prohibited"]
        );
        let main = [("refs/heads/main", false)];
        assert_eq!(
            verdicts(&main, &policy, false),
            ["branch is currently checked out"]
        );
    }

    #[test]
    fn one_rejection_rejects_an_atomic_push() {
        let names = [("refs/heads/a", false), ("main", false)];
        let verdicts = verdicts(&names, &ReceivePolicy::default(), true);
        assert_eq!(verdicts[0], "atomic push failure");
        assert!(verdicts[1].starts_with("funny refname"));
    }
}
