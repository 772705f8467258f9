use crate::defect::Defect;

/// The sizes that a delta announces, of its base and of its result, and where
/// its instructions begin.
pub(crate) fn delta_sizes(delta: &[u8]) -> Result<(u64, u64, usize), Defect> {
    let (base, first) = size(delta)?;
    let (result, second) = size(&delta[first..])?;
    Ok((base, result, first + second))
}

fn size(bytes: &[u8]) -> Result<(u64, usize), Defect> {
    let (mut size, mut shift) = (0u64, 0);
    for (at, byte) in bytes.iter().enumerate() {
        let bits = u64::from(byte & 0x7f);
        if shift > 57 && (shift >= 64 || bits >> (64 - shift) != 0) {
            return Err(Defect::BadDelta);
        }
        size |= bits << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Ok((size, at + 1));
        }
    }
    Err(Defect::BadDelta)
}

/// Rebuilds an object from its base, replacing what `out` held.
///
/// Nothing is allocated before the announced result was found to be at most
/// `limit` bytes and the base to have the announced size.
pub(crate) fn apply_delta(
    base: &[u8],
    delta: &[u8],
    out: &mut Vec<u8>,
    limit: u64,
) -> Result<(), Defect> {
    let (base_size, result_size, start) = delta_sizes(delta)?;
    if base_size != base.len() as u64 {
        return Err(Defect::BadDelta);
    }
    if result_size > limit {
        return Err(Defect::TooLarge {
            size: result_size,
            limit,
        });
    }
    let result_size = usize::try_from(result_size).map_err(|_| Defect::BadDelta)?;
    out.clear();
    out.reserve(result_size);
    let mut rest = &delta[start..];
    while let [command, tail @ ..] = rest {
        let (piece, tail) = if command & 0x80 != 0 {
            let (offset, size, tail) = copy_operands(*command, tail)?;
            (
                base.get(offset..offset + size).ok_or(Defect::BadDelta)?,
                tail,
            )
        } else if *command != 0 {
            tail.split_at_checked(usize::from(*command))
                .ok_or(Defect::BadDelta)?
        } else {
            return Err(Defect::BadDelta);
        };
        if piece.len() > result_size - out.len() {
            return Err(Defect::BadDelta);
        }
        out.extend_from_slice(piece);
        rest = tail;
    }
    if out.len() == result_size {
        Ok(())
    } else {
        Err(Defect::BadDelta)
    }
}

/// The longest that a copy's operands can be.
const MAX_COPY_OPERANDS: usize = 7;

fn copy_operands(command: u8, bytes: &[u8]) -> Result<(usize, usize, &[u8]), Defect> {
    let needed = (command & 0x7f).count_ones() as usize;
    debug_assert!(needed <= MAX_COPY_OPERANDS);
    let (mut operands, tail) = bytes.split_at_checked(needed).ok_or(Defect::BadDelta)?;
    let mut value = 0u64;
    for bit in 0..MAX_COPY_OPERANDS {
        if command & 1 << bit != 0 {
            value |= u64::from(operands[0]) << (8 * bit);
            operands = &operands[1..];
        }
    }
    let (offset, size) = (value as u32 as usize, (value >> 32) as usize);
    Ok((offset, if size == 0 { 0x10000 } else { size }, tail))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::apply_delta;
    use crate::defect::Defect;

    fn applied(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, Defect> {
        let mut out = Vec::new();
        apply_delta(base, delta, &mut out, 1 << 20).map(|()| out)
    }

    #[test]
    fn copies_and_insertions_follow_each_other() {
        let delta = [11, 8, 0x91, 6, 5, 3, b'a', b'b', b'c'];
        assert_eq!(applied(b"hello world", &delta).unwrap(), b"worldabc");
        let base = vec![7; 0x10000];
        let delta = [0x80, 0x80, 4, 0x80, 0x80, 4, 0x80];
        assert_eq!(
            applied(&base, &delta).unwrap().len(),
            0x10000,
            "size 0 means 64 KiB"
        );
    }

    #[test]
    fn a_delta_that_lies_is_refused() {
        for (what, delta) in [
            ("another base size", &[4, 1, 1, b'x'][..]),
            ("more than announced", &[5, 1, 2, b'x', b'y']),
            ("less than announced", &[5, 3, 2, b'x', b'y']),
            ("copy beyond the base", &[5, 2, 0x91, 4, 2]),
            ("copy operand cut off", &[5, 2, 0x91, 4]),
            ("insertion cut off", &[5, 2, 2, b'x']),
            ("reserved command", &[5, 0, 0]),
            ("no sizes", &[]),
        ] {
            assert_eq!(applied(b"12345", delta), Err(Defect::BadDelta), "{what}");
        }
    }

    #[test]
    fn a_giant_result_is_refused_before_it_is_allocated() {
        let delta = [5, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1];
        assert_eq!(
            applied(b"12345", &delta),
            Err(Defect::TooLarge {
                size: 1 << 42,
                limit: 1 << 20
            })
        );
    }

    proptest! {
        #[test]
        fn no_delta_makes_it_panic(base: Vec<u8>, delta: Vec<u8>) {
            let mut whole = vec![(base.len() & 0x7f) as u8, 40];
            whole.extend_from_slice(&delta);
            let _ = applied(&base[..base.len() & 0x7f], &whole);
        }
    }
}
