//! The addresses of a certificate's `source-address`.

use std::net::IpAddr;

/// Whether an address is in a list of networks (`192.0.2.0/24,2001:db8::/32`).
/// `None` if the list is not understood.
pub(crate) fn allows(list: &str, address: IpAddr) -> Option<bool> {
    let address = address.to_canonical();
    let mut allowed = false;
    for network in list.split(',') {
        let (base, length) = match network.split_once('/') {
            Some((base, length)) => (base, Some(length.parse::<u32>().ok()?)),
            None => (network, None),
        };
        let base: IpAddr = base.trim().parse().ok()?;
        let bits = if base.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(bits);
        if length > bits {
            return None;
        }
        allowed |= match (base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => same(
                base.to_bits().into(),
                address.to_bits().into(),
                bits - length,
            ),
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                same(base.to_bits(), address.to_bits(), bits - length)
            }
            _ => false,
        };
    }
    Some(allowed)
}

/// Whether two numbers are equal but for so many bits at their end.
fn same(left: u128, right: u128, free: u32) -> bool {
    (left ^ right).checked_shr(free).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn networks_hold_their_addresses() {
        let cases = [
            ("192.0.2.0/24", "192.0.2.7", Some(true)),
            ("192.0.2.0/24", "192.0.3.7", Some(false)),
            ("192.0.2.7", "192.0.2.7", Some(true)),
            ("192.0.2.7", "::ffff:192.0.2.7", Some(true)),
            ("10.0.0.0/8,192.0.2.0/25", "192.0.2.126", Some(true)),
            ("0.0.0.0/0", "198.51.100.1", Some(true)),
            ("0.0.0.0/0", "2001:db8::1", Some(false)),
            ("2001:db8::/32", "2001:db8:1::1", Some(true)),
            ("::/0", "2001:db8::1", Some(true)),
            ("2001:db8::1", "2001:db8::2", Some(false)),
            ("", "192.0.2.7", None),
            ("192.0.2.0/33", "192.0.2.7", None),
            ("192.0.2.7,host.example", "192.0.2.7", None),
        ];
        for (list, address, allowed) in cases {
            assert_eq!(
                allows(list, address.parse().unwrap()),
                allowed,
                "{list} {address}"
            );
        }
    }
}
