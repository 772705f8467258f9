//! The view that entries and queries read.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included};
use std::ops::ControlFlow;

use bytes::Bytes;

use crate::fault::Fault;
use crate::keys::Key;
use crate::value;

/// The first key of a group's state and the first key after it. Snapshots copy
/// this range; nothing outside it belongs to the machine.
pub const RANGE: (&[u8], &[u8]) = (&[0x00], &[0xff]);

/// What a scan shows its pairs to; it says whether to go on.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// A consistent view of one group's state: ordered keys and their values.
pub trait Reader {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault>;

    /// Shows the pairs from `from` up to, but not including, `to` in the order
    /// of their keys, until `visit` breaks.
    fn scan(&self, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault>;
}

/// The twin in memory.
impl Reader for BTreeMap<Bytes, Bytes> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        Ok(BTreeMap::get(self, key).cloned())
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        if from < to {
            for (key, value) in self.range::<[u8], _>((Included(from), Excluded(to))) {
                if visit(key, value).is_break() {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Consecutive keys: those from `from` up to, but not including, `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Vec<u8>,
    pub(crate) to: Vec<u8>,
}

impl Span {
    /// All keys that start with these bytes, of which one is not 0xff.
    pub(crate) fn prefix(prefix: Vec<u8>) -> Self {
        let mut to = prefix.clone();
        while to.last() == Some(&u8::MAX) {
            to.pop();
        }
        if let Some(last) = to.last_mut() {
            *last += 1;
        }
        Self { from: prefix, to }
    }
}

/// The decoded value of a key.
pub(crate) fn load<K: Key>(reader: &dyn Reader, key: &K) -> Result<Option<K::Value>, Fault> {
    reader
        .get(&key.encode())?
        .map(|bytes| value::decode::<K>(&bytes))
        .transpose()
}

/// Shows decoded pairs of a span to `visit` until it breaks.
pub(crate) fn visit<K: Key>(
    reader: &dyn Reader,
    span: &Span,
    mut visit: impl FnMut(K, K::Value) -> ControlFlow<()>,
) -> Result<(), Fault> {
    let mut fault = None;
    reader.scan(&span.from, &span.to, &mut |key, bytes| {
        let pair = K::decode(key).and_then(|key| Ok((key, value::decode::<K>(bytes)?)));
        match pair {
            Ok((key, value)) => visit(key, value),
            Err(error) => {
                fault = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    fault.map_or(Ok(()), Err)
}

/// All decoded pairs of a span.
pub(crate) fn list<K: Key>(reader: &dyn Reader, span: &Span) -> Result<Vec<(K, K::Value)>, Fault> {
    let mut pairs = Vec::new();
    visit(reader, span, |key, value| {
        pairs.push((key, value));
        ControlFlow::Continue(())
    })?;
    Ok(pairs)
}

/// All keys of a span, as they are stored.
pub(crate) fn keys(reader: &dyn Reader, span: &Span) -> Result<Vec<Vec<u8>>, Fault> {
    let mut keys = Vec::new();
    reader.scan(&span.from, &span.to, &mut |key, _| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn a_prefix_spans_what_starts_with_it() {
        for (prefix, to) in [
            (&[1, 2][..], &[1, 3][..]),
            (&[1, 0xff], &[2]),
            (&[1, 0xff, 0xff], &[2]),
            (&[0xfe, 0], &[0xfe, 1]),
        ] {
            let span = Span::prefix(prefix.to_vec());
            assert_eq!((span.from.as_slice(), span.to.as_slice()), (prefix, to));
        }
    }
}
