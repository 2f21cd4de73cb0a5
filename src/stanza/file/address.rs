//! An address as ifupdown-ng reads and prints it (interface.c): as inet_pton(3), strtol(3) and inet_ntop(3) do.

use std::net::{IpAddr, Ipv4Addr};

/// An address of a stanza.
#[derive(Debug, Clone, Copy)]
pub struct Address {
    address: IpAddr,
    /// The prefix length; 0 is none. ifupdown-ng does not check it.
    length: u64,
}

impl Address {
    /// Reads `ADDRESS` or `ADDRESS/LENGTH`.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) =
            text.rsplit_once('/').map_or((text, 0), |(address, length)| (address, number(length)));
        Some(Self { address: address.parse().ok()?, length })
    }

    /// Completes an address without a prefix length by that of the keyword `netmask`, or by 24 or 64.
    pub fn complete(&mut self, netmask: Option<&str>) {
        if self.length == 0 {
            self.length = netmask.map_or(if self.address.is_ipv6() { 64 } else { 24 }, length);
        }
    }

    /// The text that ifupdown-ng hands over.
    pub fn text(self) -> String {
        let address = match self.address {
            // inet_ntop(3) writes these with a dotted end, and Rust does not.
            IpAddr::V6(address) if address.segments()[..6] == [0; 6] && address.segments()[6] != 0 => {
                let [.., a, b, c, d] = address.octets();
                format!("::{}", Ipv4Addr::new(a, b, c, d))
            }
            address => address.to_string(),
        };
        if self.length == 0 { address } else { format!("{address}/{}", self.length) }
    }
}

/// The prefix length of a value of `netmask`, dotted or a number.
fn length(netmask: &str) -> u64 {
    if !netmask.contains('.') {
        return number(netmask);
    }
    // ifupdown-ng counts the bits before the zeros at the end, of whatever value.
    netmask.parse::<Ipv4Addr>().map_or(0, |mask| u64::from((!mask.to_bits()).leading_zeros()))
}

/// strtol(3) with base 10, as an unsigned number.
fn number(text: &str) -> u64 {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let digits = digits.bytes().take_while(u8::is_ascii_digit);
    let value = digits.fold(0_i64, |value, digit| {
        let digit = i64::from(digit - b'0');
        let value = value.saturating_mul(10);
        if negative { value.saturating_sub(digit) } else { value.saturating_add(digit) }
    });
    u64::from_ne_bytes(value.to_ne_bytes())
}
