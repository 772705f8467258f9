//! The threads that help with one stream.

use std::thread::{Builder, JoinHandle};

use super::MAX_IN_FLIGHT_BYTES;
use super::board::Board;

/// Threads that work on a board until this is dropped.
#[derive(Debug, Default)]
pub(super) struct Workers(Option<Running>);

#[derive(Debug)]
struct Running {
    board: Board,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts up to `count` threads; fewer, or none, if the system refuses.
    pub(super) fn start(board: &Board, count: usize) -> Self {
        let thread = |_| {
            let board = board.clone();
            Builder::new()
                .name("chunk-hash".to_owned())
                .spawn(move || board.work())
                .ok()
        };
        Self(Some(Running {
            board: board.clone(),
            threads: (0..count).map_while(thread).collect(),
        }))
    }

    /// Whether it has not been tried to start any.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How much the caller may leave to the threads.
    pub(super) fn in_flight_limit(&self) -> usize {
        match &self.0 {
            Some(running) if !running.threads.is_empty() => MAX_IN_FLIGHT_BYTES,
            _ => 0,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.board.close();
        for thread in self.threads.drain(..) {
            // A worker that panicked has already said so on its own thread,
            // and nothing of its work is used after this.
            drop(thread.join());
        }
    }
}
