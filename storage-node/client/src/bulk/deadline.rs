use std::future::Future;
use std::time::Duration;

use futures_util::future::{Either, select};
use runtime::Runtime;

/// What the future gives, unless it takes longer.
pub(super) async fn within<T>(
    runtime: &Runtime,
    limit: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let future = std::pin::pin!(future);
    match select(future, runtime.clock.sleep(limit)).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => None,
    }
}
