use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use git_pack::{NoProgress, PackOptions, Progress, Selection, Written};
use git_wire::PackFeatures;
use git_wire::pkt::put_flush;
use git_wire::sideband::{Band, Frames, Sideband};

use super::Failure;
use super::view::View;
use crate::answers::{Order, Shared};
use crate::progress::SidebandProgress;
use crate::pulse::Pulse;
use crate::{Output, ServeError};

/// How much of a pack without side band is sent at once.
const BARE_PIECE_BYTES: usize = 64 * 1024;

/// Plans, writes and sends one pack; blocks.
pub(super) struct PackJob {
    pub(super) order: Order,
    pub(super) shared: Option<Shared>,
    pub(super) to: Recipient,
}

/// Who a pack is sent to, and how.
pub(super) struct Recipient {
    pub(super) features: PackFeatures,
    pub(super) sideband: Option<Sideband>,
    pub(super) output: Output,
    pub(super) pulse: Pulse,
}

impl PackJob {
    /// A pack of what is seen of the repository.
    pub(super) fn new(view: &View, selection: Selection, to: Recipient) -> Self {
        let order = Order {
            objects: view.objects.clone(),
            selection,
            options: PackOptions {
                thin: to.features.thin_pack,
                ofs_delta: to.features.ofs_delta,
                threads: view.policy.threads,
            },
        };
        Self {
            order,
            shared: view.shared.clone(),
            to,
        }
    }

    /// Sends the pack and what ends it. An error goes on the error band.
    pub(super) fn send(self) -> Result<(), Failure> {
        let Self { order, shared, to } = self;
        let write = |out: &mut dyn Write, progress: Arc<dyn Progress>| {
            let cancel = to.pulse.cancelled();
            match &shared {
                Some(shared) => shared.send(order, out, progress, cancel),
                None => order.write(out, &*progress, cancel),
            }
        };
        match to.sideband {
            Some(sideband) => to.send_on(sideband, write),
            None => to.send_bare(write).map_err(Failure::Told),
        }
    }
}

impl Recipient {
    fn send_on(
        &self,
        sideband: Sideband,
        write: impl FnOnce(&mut dyn Write, Arc<dyn Progress>) -> Result<Written, ServeError>,
    ) -> Result<(), Failure> {
        let progress: Arc<dyn Progress> = match self.features.no_progress {
            true => Arc::new(NoProgress),
            false => Arc::new(SidebandProgress::new(
                self.output.clone(),
                sideband,
                self.pulse.clone(),
            )),
        };
        let mut pieces = Framed {
            frames: Frames::new(sideband),
            output: &self.output,
            pulse: &self.pulse,
        };
        self.pulse.allow_keepalive();
        let sent = write(&mut pieces, progress).and_then(|written| {
            if let Some(last) = pieces.frames.take() {
                self.output.blocking_send(last)?;
            }
            Ok(written)
        });
        self.pulse.forbid_keepalive();
        let mut out = BytesMut::new();
        match &sent {
            Ok(written) => {
                if !self.features.no_progress {
                    sideband.put(&mut out, Band::Progress, total_line(written).as_bytes());
                }
                put_flush(&mut out);
            }
            Err(ServeError::ClientGone) => {}
            Err(_) if self.pulse.cancelled().load(Ordering::Relaxed) => {}
            Err(_) => {
                let text = b"upload-pack: the server failed to make the pack\n";
                sideband.put(&mut out, Band::Error, text);
            }
        }
        let ended = self.output.blocking_send(out.freeze());
        sent.and(ended).map_err(Failure::Told)
    }

    fn send_bare(
        &self,
        write: impl FnOnce(&mut dyn Write, Arc<dyn Progress>) -> Result<Written, ServeError>,
    ) -> Result<(), ServeError> {
        let mut pieces = Bare {
            piece: BytesMut::new(),
            output: &self.output,
        };
        write(&mut pieces, Arc::new(NoProgress))?;
        self.output.blocking_send(pieces.piece.freeze())
    }
}

fn total_line(written: &Written) -> String {
    let Written {
        objects,
        deltas,
        reused,
        reused_deltas,
        ..
    } = written;
    format!(
        "Total {objects} (delta {deltas}), reused {reused} (delta {reused_deltas}), pack-reused 0\n"
    )
}

fn gone(_: ServeError) -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

/// Sends a pack on the data band.
struct Framed<'a> {
    frames: Frames,
    output: &'a Output,
    pulse: &'a Pulse,
}

impl Write for Framed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if let Some(packet) = self.frames.fill(&mut rest) {
                self.pulse.said_something();
                self.output.blocking_send(packet).map_err(gone)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends a pack as it is.
struct Bare<'a> {
    piece: BytesMut,
    output: &'a Output,
}

impl Write for Bare<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.chunks(BARE_PIECE_BYTES) {
            if self.piece.len() + part.len() > BARE_PIECE_BYTES {
                let piece: Bytes = std::mem::take(&mut self.piece).freeze();
                self.output.blocking_send(piece).map_err(gone)?;
            }
            self.piece.extend_from_slice(part);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
