use std::fs::File;

use rustix::ioctl::{Setter, ioctl, opcode};

/// Of `struct ifreq`: a name of 16 bytes, and a union of 24.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// `IFF_TUN | IFF_NO_PI`: bare IP packets.
const FLAGS: u16 = 0x0001 | 0x1000;
/// The interface's name within its namespace.
pub(super) const NAME: &str = "tun0";

/// Makes a TUN device in the network namespace of this thread.
#[expect(
    unsafe_code,
    reason = "there is no other way to make a TUN device than this ioctl"
)]
pub(super) fn open() -> std::io::Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    let mut request = Request {
        name: [0; 16],
        flags: FLAGS,
        rest: [0; 22],
    };
    request.name[..NAME.len()].copy_from_slice(NAME.as_bytes());
    const TUNSETIFF: rustix::ioctl::Opcode = opcode::write::<i32>(b'T', 202);
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, which `Request` is
    // as large as, and which lives until the call returns.
    unsafe { ioctl(&file, Setter::<TUNSETIFF, Request>::new(request))? };
    Ok(file)
}
