//! The system's random numbers, replaced by those of a seed.
//!
//! openraft draws its election timeouts from the thread's generator, tokio and
//! the hash maps of std take their seeds from the system. All of them ask
//! libc's `getrandom`, which this file defines anew for whatever is linked
//! with this crate: before [`follow`] it passes the question on to the kernel,
//! after it the answers are a function of the seed.
//!
//! One process follows one seed: what the crates draw once per process, such
//! as tokio's counter of runtimes, is the same in each process only.

use std::io::Read;
use std::sync::{Mutex, PoisonError};

use runtime::{Random, SeededRandom};

static SEEDED: Mutex<Option<SeededRandom>> = Mutex::new(None);

/// From now on what this process takes for entropy follows `seed`.
pub fn follow(seed: u64) {
    *SEEDED.lock().unwrap_or_else(PoisonError::into_inner) = Some(SeededRandom::new(seed));
}

/// Fills `bytes` from the seed, or from the kernel if there is none. Returns
/// how many bytes were filled.
fn fill(bytes: &mut [u8]) -> Option<usize> {
    let seeded = SEEDED.lock().unwrap_or_else(PoisonError::into_inner);
    match &*seeded {
        Some(random) => random.fill(bytes),
        None => {
            let mut kernel = std::fs::File::open("/dev/urandom").ok()?;
            kernel.read_exact(bytes).ok()?;
        }
    }
    Some(bytes.len())
}

/// What libc's function of this name does, with a seed behind it.
///
/// # Safety
/// As of `getrandom(2)`: `buffer` has room for `length` bytes.
#[expect(
    unsafe_code,
    reason = "the only place where entropy of all dependencies can be replaced"
)]
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    if length == 0 || buffer.is_null() {
        return 0;
    }
    // SAFETY: the caller promises that `buffer` has room for `length` bytes, and
    // it is not null; bytes are written before any is read.
    let bytes = unsafe {
        buffer.write_bytes(0, length);
        std::slice::from_raw_parts_mut(buffer, length)
    };
    match fill(bytes) {
        Some(filled) => isize::try_from(filled).unwrap_or(isize::MAX),
        None => -1,
    }
}
