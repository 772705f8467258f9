use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Commits that wait, newest first; of the same time, in the order in which they came.
#[derive(Debug)]
pub(crate) struct ByTime<T> {
    heap: BinaryHeap<(i64, Reverse<u64>, Item<T>)>,
    arrivals: u64,
}

/// Takes no part in the order.
#[derive(Debug)]
struct Item<T>(T);

impl<T> PartialEq for Item<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Item<T> {}

impl<T> PartialOrd for Item<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Item<T> {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

impl<T> Default for ByTime<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            arrivals: 0,
        }
    }
}

impl<T> ByTime<T> {
    pub(crate) fn push(&mut self, time: i64, item: T) {
        self.arrivals += 1;
        self.heap.push((time, Reverse(self.arrivals), Item(item)));
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.heap.pop().map(|(_, _, Item(item))| item)
    }
}
