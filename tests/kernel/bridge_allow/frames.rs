//! Ethernet frames, byte by byte. Transport checksums are zero: nothing between the two ends reads them.

use std::net::{Ipv4Addr, Ipv6Addr};

/// An Ethernet address.
pub type Mac = [u8; 6];

pub const BROADCAST: Mac = [0xff; 6];
/// A station behind another port. It never sends, so the bridge floods frames to it.
pub const PEER: Mac = [2, 0, 0, 0, 5, 9];
pub const PEER4: Ipv4Addr = Ipv4Addr::new(192, 168, 5, 9);
pub const PEER6: Ipv6Addr = Ipv6Addr::new(0xfd00, 5, 0, 0, 0, 0, 0, 9);
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

pub const ARP: u16 = 0x0806;
pub const IPV4: u16 = 0x0800;
pub const IPV6: u16 = 0x86dd;
pub const DOT1Q: u16 = 0x8100;
pub const DOT1AD: u16 = 0x88a8;

pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMPV6: u8 = 58;

/// A station: an Ethernet address with its IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Station {
    pub mac: Mac,
    pub v4: Ipv4Addr,
    pub v6: Ipv6Addr,
}

impl Station {
    /// The one whose last bytes are these: 02:00:00:00:NET:HOST, 192.168.NET.HOST, fd00:NET::HOST.
    pub const fn new(net: u8, host: u8) -> Self {
        Self {
            mac: [2, 0, 0, 0, net, host],
            v4: Ipv4Addr::new(192, 168, net, host),
            v6: Ipv6Addr::new(0xfd00, net as u16, 0, 0, 0, 0, 0, host as u16),
        }
    }

    /// Its link-local address by EUI-64.
    pub fn link_local(&self) -> Ipv6Addr {
        let m = self.mac;
        let words = [[m[0] ^ 2, m[1]], [m[2], 0xff], [0xfe, m[3]], [m[4], m[5]]].map(u16::from_be_bytes);
        Ipv6Addr::new(0xfe80, 0, 0, 0, words[0], words[1], words[2], words[3])
    }
}

pub fn mac_text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

pub fn ether(to: Mac, from: Mac, protocol: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from, &protocol.to_be_bytes(), payload].concat()
}

/// The frame with these tags: protocol and control information, the outermost first.
pub fn tagged(frame: &[u8], tags: &[(u16, u16)]) -> Vec<u8> {
    let mut tagged = frame[..12].to_vec();
    for (protocol, control) in tags {
        tagged.extend(protocol.to_be_bytes());
        tagged.extend(control.to_be_bytes());
    }
    tagged.extend(&frame[12..]);
    tagged
}

/// An 802.3 frame: with a length in place of the protocol.
pub fn llc(to: Mac, from: Mac, payload: &[u8]) -> Vec<u8> {
    ether(to, from, length(payload.len()), payload)
}

/// The same payload in an 802.3 frame with a SNAP header of this organisation.
pub fn snap(frame: &[u8], organisation: [u8; 3]) -> Vec<u8> {
    let payload = [&[0xaa, 0xaa, 3], &organisation[..], &frame[12..]].concat();
    llc(frame[..6].try_into().unwrap(), frame[6..12].try_into().unwrap(), &payload)
}

fn length(length: usize) -> u16 {
    u16::try_from(length).expect("a frame of ours")
}

/// ARP, by default of IPv4 over Ethernet.
#[derive(Debug, Clone, Copy)]
pub struct Arp {
    pub htype: u16,
    pub ptype: u16,
    pub hlen: u8,
    pub plen: u8,
    pub operation: u16,
    pub sender: (Mac, Ipv4Addr),
    pub target: (Mac, Ipv4Addr),
}

impl Arp {
    pub fn request(sender: (Mac, Ipv4Addr), target: Ipv4Addr) -> Self {
        Self { htype: 1, ptype: IPV4, hlen: 6, plen: 4, operation: 1, sender, target: ([0; 6], target) }
    }

    pub fn reply(sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> Self {
        Self { operation: 2, target, ..Self::request(sender, target.1) }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.htype.to_be_bytes());
        bytes.extend(self.ptype.to_be_bytes());
        bytes.extend([self.hlen, self.plen]);
        bytes.extend(self.operation.to_be_bytes());
        for (mac, ip) in [self.sender, self.target] {
            bytes.extend(mac);
            bytes.extend(ip.octets());
        }
        bytes
    }
}

/// An IPv4 packet.
#[derive(Debug, Clone)]
pub struct Ipv4<'a> {
    pub from: Ipv4Addr,
    pub to: Ipv4Addr,
    pub protocol: u8,
    /// A multiple of four bytes.
    pub options: &'a [u8],
    /// Flags and offset in units of 8 bytes.
    pub fragment: u16,
    pub payload: Vec<u8>,
}

impl Ipv4<'_> {
    pub fn new(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, payload: &[u8]) -> Self {
        Self { from, to, protocol, options: &[], fragment: 0, payload: payload.to_vec() }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let header = 20 + self.options.len();
        let mut bytes = vec![0x40 + u8::try_from(header / 4).unwrap(), 0];
        bytes.extend(length(header + self.payload.len()).to_be_bytes());
        bytes.extend([0, 7]);
        bytes.extend(self.fragment.to_be_bytes());
        bytes.extend([64, self.protocol, 0, 0]);
        bytes.extend(self.from.octets());
        bytes.extend(self.to.octets());
        bytes.extend(self.options);
        let sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        let folded = u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap();
        bytes[10..12].copy_from_slice(&(!folded).to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}

/// An extension header of IPv6: its type and its bytes.
pub type Header = (u8, Vec<u8>);

/// An IPv6 packet with extension headers: their types and bytes. Their first byte is set to the type that follows.
pub fn ipv6(from: Ipv6Addr, to: Ipv6Addr, headers: &[Header], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    for (place, (_, header)) in headers.iter().enumerate() {
        let next = headers.get(place + 1).map_or(protocol, |(kind, _)| *kind);
        rest.push(next);
        rest.extend(&header[1..]);
    }
    rest.extend(payload);
    let first = headers.first().map_or(protocol, |(kind, _)| *kind);
    ipv6_of_length(from, to, first, length(rest.len()), &rest)
}

/// An IPv6 packet that states this length.
pub fn ipv6_of_length(from: Ipv6Addr, to: Ipv6Addr, next: u8, length: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend(length.to_be_bytes());
    // Neighbour discovery requires this hop limit.
    bytes.extend([next, 255]);
    bytes.extend(from.octets());
    bytes.extend(to.octets());
    bytes.extend(payload);
    bytes
}

pub fn padding_options(kind: u8) -> Header {
    (kind, vec![0, 0, 1, 4, 0, 0, 0, 0])
}

pub fn router_alert() -> Header {
    (0, vec![0, 0, 5, 2, 0, 0, 1, 0])
}

pub fn jumbo(length: u32) -> Header {
    (0, [&[0, 0, 0xc2, 4][..], &length.to_be_bytes()].concat())
}

pub fn routing(kind: u8) -> Header {
    (43, [&[0, 2, kind, 0, 0, 0, 0, 0][..], &PEER6.octets()].concat())
}

/// Offset in units of 8 bytes.
pub fn fragment(offset: u16, more: bool) -> Header {
    let word = (offset << 3) | u16::from(more);
    (44, [&[0, 0][..], &word.to_be_bytes(), &[0, 0, 0, 7]].concat())
}

pub fn authentication() -> Header {
    let mut header = vec![0; 24];
    header[1] = 4;
    header[7] = 1;
    (51, header)
}

pub fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    [&from.to_be_bytes()[..], &to.to_be_bytes(), &length(8 + payload.len()).to_be_bytes(), &[0, 0], payload]
        .concat()
}

pub fn tcp_syn() -> Vec<u8> {
    let mut bytes = vec![0x9c, 0x40, 0, 80];
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0x20, 0, 0, 0, 0, 0]);
    bytes
}

/// ICMP of either version: type, no code, and these bytes after the checksum.
pub fn icmp(kind: u8, rest: &[u8]) -> Vec<u8> {
    [&[kind, 0, 0, 0], rest].concat()
}

/// A DHCP message (RFC 2131): op, Ethernet address of the client, type.
pub fn dhcp(op: u8, client: Mac, kind: u8) -> Vec<u8> {
    let mut bytes = vec![op, 1, 6, 0, 0, 0, 0, 7, 0, 0, 0x80, 0];
    // ciaddr, yiaddr, siaddr, giaddr
    bytes.extend([0; 16]);
    bytes.extend(client);
    // The rest of chaddr, sname, file.
    bytes.extend([0; 10 + 64 + 128]);
    bytes.extend([99, 130, 83, 99, 53, 1, kind, 255]);
    bytes
}

/// An option of neighbour discovery with an Ethernet address: 1 source, 2 target.
pub fn link_option(kind: u8, mac: Mac) -> Vec<u8> {
    [&[kind, 1], &mac[..]].concat()
}

pub fn nonce() -> Vec<u8> {
    vec![14, 1, 1, 2, 3, 4, 5, 6]
}

pub fn solicit(target: Ipv6Addr, options: &[u8]) -> Vec<u8> {
    icmp(135, &[&[0; 4], &target.octets()[..], options].concat())
}

/// Flags: 0x80 router, 0x40 solicited, 0x20 override.
pub fn advertise(flags: u8, target: Ipv6Addr, options: &[u8]) -> Vec<u8> {
    icmp(136, &[&[flags, 0, 0, 0], &target.octets()[..], options].concat())
}

pub fn router_solicit(options: &[u8]) -> Vec<u8> {
    icmp(133, &[&[0; 4], options].concat())
}

pub fn router_advertise(options: &[u8]) -> Vec<u8> {
    icmp(134, &[&[64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0], options].concat())
}

pub fn redirect(target: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
    icmp(137, &[&[0; 4], &target.octets()[..], &destination.octets()].concat())
}

/// A report of the second version of MLD: one group.
pub fn mld_report() -> Vec<u8> {
    icmp(143, &[&[0, 0, 0, 1, 4, 0, 0, 0], &group().octets()[..]].concat())
}

/// MLD of the first version: 130 query, 131 report, 132 done.
pub fn mld(kind: u8) -> Vec<u8> {
    icmp(kind, &[&[0; 4], &group().octets()[..]].concat())
}

fn group() -> Ipv6Addr {
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 1)
}

/// The Ethernet address of a multicast group.
pub fn multicast6(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}

/// The solicited-node group of an address.
pub fn solicited(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]))
}
