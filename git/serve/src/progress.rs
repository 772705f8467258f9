use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::BytesMut;
use git_pack::Progress;
use git_wire::sideband::{Band, Sideband};

use crate::Output;
use crate::pulse::Pulse;

/// Shows progress on the client's terminal, as lines on the side band.
///
/// A line is sent when its percentage changes or, without one, when the pulse
/// ticks. Lines that a slow client would have to wait for are left out: the
/// display never holds up the work.
#[derive(Debug)]
pub(crate) struct SidebandProgress {
    output: Output,
    sideband: Sideband,
    pulse: Pulse,
    stage: Mutex<Option<Stage>>,
    done: AtomicU64,
    /// The number of steps at which the next line is due at the latest.
    due: AtomicU64,
}

#[derive(Debug)]
struct Stage {
    title: String,
    total: Option<u64>,
    /// The number of steps in the last line.
    shown: u64,
}

/// Stages that the client's own display shows already.
const SHOWN_BY_CLIENT: [&str; 3] = ["Receiving objects", "Indexing objects", "Writing objects"];

impl SidebandProgress {
    pub(crate) fn new(output: Output, sideband: Sideband, pulse: Pulse) -> Self {
        Self {
            output,
            sideband,
            pulse,
            stage: Mutex::default(),
            done: AtomicU64::new(0),
            due: AtomicU64::new(u64::MAX),
        }
    }

    fn show(&self, text: &str) {
        let mut out = BytesMut::new();
        self.sideband.put(&mut out, Band::Progress, text.as_bytes());
        self.pulse.said_something();
        self.output.offer(out.freeze());
    }

    fn update(&self) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stage) = &mut *stage else { return };
        let done = self.done.load(Ordering::Relaxed);
        if std::mem::replace(&mut stage.shown, done) == done {
            return;
        }
        if let Some(total) = stage.total {
            let percent = percent(done, total);
            let next = ((percent + 1) * total).div_ceil(100);
            self.due.store(next.max(done + 1), Ordering::Relaxed);
        }
        self.show(&format!("{}\r", stage.text(done)));
    }
}

impl Stage {
    fn text(&self, done: u64) -> String {
        match self.total {
            Some(total) => {
                format!(
                    "{}: {:3}% ({done}/{total})",
                    self.title,
                    percent(done, total)
                )
            }
            None => format!("{}: {done}", self.title),
        }
    }
}

fn percent(done: u64, total: u64) -> u64 {
    done.min(total) * 100 / total.max(1)
}

impl Progress for SidebandProgress {
    fn stage(&self, title: &str, total: Option<u64>) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = total != Some(0) && !SHOWN_BY_CLIENT.contains(&title);
        *stage = shown.then(|| Stage {
            title: title.to_owned(),
            total,
            shown: 0,
        });
        self.done.store(0, Ordering::Relaxed);
        let due = if total.is_some() { 1 } else { u64::MAX };
        self.due.store(due, Ordering::Relaxed);
    }

    fn advance(&self, by: u64) {
        let done = self.done.fetch_add(by, Ordering::Relaxed) + by;
        if done >= self.due.load(Ordering::Relaxed) || self.pulse.take_tick() {
            self.update();
        }
    }

    fn done(&self) {
        let stage = self
            .stage
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(stage) = stage {
            let done = self.done.load(Ordering::Relaxed);
            self.show(&format!("{}, done.\n", stage.text(done)));
        }
    }
}

#[cfg(test)]
mod tests {
    use git_pack::Progress;
    use git_wire::sideband::Sideband;

    use super::SidebandProgress;
    use crate::Output;
    use crate::pulse::Pulse;

    fn lines(steps: impl FnOnce(&SidebandProgress)) -> Vec<String> {
        let (output, mut receiver) = Output::channel();
        steps(&SidebandProgress::new(
            output,
            Sideband::Large,
            Pulse::default(),
        ));
        let mut lines = Vec::new();
        while let Ok(line) = receiver.try_recv() {
            lines.push(String::from_utf8(line[5..].to_vec()).unwrap());
        }
        lines
    }

    #[test]
    fn a_line_is_sent_for_each_percentage_and_at_the_end() {
        let shown = lines(|progress| {
            progress.stage("Resolving deltas", Some(3));
            for _ in 0..3 {
                progress.advance(1);
            }
            progress.done();
        });
        let expected = [
            "Resolving deltas:  33% (1/3)\r",
            "Resolving deltas:  66% (2/3)\r",
            "Resolving deltas: 100% (3/3)\r",
            "Resolving deltas: 100% (3/3), done.\n",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn stages_without_a_total_or_steps_are_short() {
        let shown = lines(|progress| {
            progress.stage("Enumerating objects", None);
            (0..1000).for_each(|_| progress.advance(1));
            progress.done();
            progress.stage("Compressing objects", Some(0));
            progress.done();
            progress.stage("Receiving objects", Some(9));
            progress.advance(9);
            progress.done();
        });
        assert_eq!(shown, ["Enumerating objects: 1000, done.\n"]);
    }

    #[test]
    fn a_client_that_does_not_read_holds_up_nothing() {
        let shown = lines(|progress| {
            progress.stage("Counting objects", Some(1000));
            (0..1000).for_each(|_| progress.advance(1));
        });
        assert_eq!(shown.len(), crate::OUTPUT_PIECES);
    }
}
