//! Rounds of the cold tier, from time to time; what a round does is in
//! [`crate::volumes::cold`].

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::StorageNode;

/// How long after a round the next one follows.
const LOOK: Duration = Duration::from_secs(60);

pub(super) async fn run(node: Weak<StorageNode>) {
    loop {
        let Some(strong) = node.upgrade() else { return };
        let chunks = Arc::clone(&strong.parts.chunks);
        let clock = Arc::clone(&strong.parts.runtime.clock);
        drop(strong);
        let cooled = chunks.cool().await;
        let pause = if cooled.pause.is_zero() {
            LOOK
        } else {
            cooled.pause
        };
        tokio::select! {
            () = clock.sleep(pause) => {}
            () = chunks.cold_is_due() => {}
        }
    }
}
