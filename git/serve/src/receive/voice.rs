use std::sync::Arc;

use bytes::BytesMut;
use git_pack::{NoProgress, Progress};
use git_wire::sideband::{Band, Sideband};

use super::judge::Judged;
use crate::progress::SidebandProgress;
use crate::pulse::Pulse;
use crate::{Output, RefRejection};

/// Speaks to the person who pushes: lines that git shows after `remote: `.
#[derive(Debug)]
pub(super) struct Voice {
    output: Output,
    sideband: Option<Sideband>,
    quiet: bool,
}

/// How many rejections are explained in one push.
const MAX_EXPLANATIONS: usize = 20;

impl Voice {
    pub(super) fn new(output: Output, sideband: Option<Sideband>, quiet: bool) -> Self {
        Self {
            output,
            sideband,
            quiet,
        }
    }

    pub(super) fn output(&self) -> &Output {
        &self.output
    }

    /// Says something; nothing if the client has no side band. A client that
    /// left misses it.
    pub(super) async fn say(&self, text: &str) {
        if let Some(sideband) = self.sideband {
            let mut out = BytesMut::new();
            sideband.put(&mut out, Band::Progress, text.as_bytes());
            let _gone = self.output.send(out.freeze()).await;
        }
    }

    /// Where the indexer says how far it is.
    pub(super) fn progress(&self, pulse: &Pulse) -> Arc<dyn Progress> {
        match self.sideband {
            Some(sideband) if !self.quiet => Arc::new(SidebandProgress::new(
                self.output.clone(),
                sideband,
                pulse.clone(),
            )),
            _ => Arc::new(NoProgress),
        }
    }

    /// Says more about rejections than fits into the report.
    pub(super) async fn explain(&self, judged: &[Judged]) {
        let explained = judged.iter().filter_map(explanation).take(MAX_EXPLANATIONS);
        let text: String = explained.collect();
        if !text.is_empty() {
            self.say(&text).await;
        }
    }
}

fn explanation(command: &Judged) -> Option<String> {
    let name = &command.shown_name;
    let text = match &command.verdict {
        Ok(_) if command.warn_checked_out => {
            format!("warning: updating the current branch {name}\n")
        }
        Err(RefRejection::Name { .. } | RefRejection::OneLevel | RefRejection::Head) => {
            format!("error: refusing to update funny ref '{name}' remotely\n")
        }
        Err(RefRejection::NonFastForward) => {
            format!("error: denying non-fast-forward {name} (you should pull first)\n")
        }
        Err(RefRejection::MissingObjects | RefRejection::Shallow) => {
            let detail = command.detail.as_deref().unwrap_or("its object is missing");
            format!("error: {name}: {detail}\n")
        }
        Err(RefRejection::Deletion) => format!("error: denying ref deletion for {name}\n"),
        Err(RefRejection::CurrentBranchDeletion) => {
            format!("error: refusing to delete the current branch: {name}\n")
        }
        Err(RefRejection::CheckedOut) => format!(
            "error: refusing to update checked out branch: {name}\n\
             error: the working tree would no longer match it: push to another branch, or set\n\
             error: receive.denyCurrentBranch to \"warn\" or \"ignore\" there\n"
        ),
        _ => return None,
    };
    Some(text)
}
