//! The rules of the table `bridge-allow`, and the expressions of nf_tables that they consist of.

use crate::kernel::netlink::nftables::{number, text};
use crate::kernel::netlink::raw::Attributes;

/// An element of a list.
pub(super) const LIST_ELEM: u16 = 1;

/// A value of a frame that rules compare.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field {
    /// What the kernel knows of the frame: the key (`enum nft_meta_keys`) and the length in bytes.
    Meta(u32, u32),
    /// Bytes after the beginning of a header (`enum nft_payload_bases`): offset and length.
    Bytes(u32, u32, u32),
    /// The same, two bytes of which some bits count.
    Bits(u32, u32, [u8; 2]),
    /// The VLAN of untagged frames on the port that received the frame.
    Pvid,
    /// The offset in the IPv6 fragment header.
    FragmentOffset,
    /// The next header in the IPv6 fragment header.
    FragmentNext,
}

const LINK: u32 = 0;
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;

/// The protocol behind the first VLAN tag.
const PROTOCOL: Field = Field::Meta(1, 2);
const FROM: Field = Field::Meta(6, 16);
const TO: Field = Field::Meta(7, 16);
/// The protocol in the IP packet, behind all extension headers. A rule that reads it does not match a packet whose
/// headers cannot be followed.
const INNER: Field = Field::Meta(16, 1);
const DESTINATION: Field = Field::Bytes(LINK, 0, 6);
const SOURCE: Field = Field::Bytes(LINK, 6, 6);
/// 802.1Q or the protocol. The kernel shows the tag as if it were in the frame (net/netfilter/nft_payload.c
/// `nft_payload_copy_vlan`).
const TAG: Field = Field::Bytes(LINK, 12, 2);
const TAG_VID: Field = Field::Bits(LINK, 14, [0x0f, 0xff]);
const BEHIND_TAG: Field = Field::Bytes(LINK, 16, 2);
const ARP_SENDER: [Field; 2] = [Field::Bytes(NETWORK, 8, 6), Field::Bytes(NETWORK, 14, 4)];
const ARP_TARGET: Field = Field::Bytes(NETWORK, 24, 4);
/// The offset of a fragment; with the flag that more fragments follow.
const IPV4_OFFSET: Field = Field::Bits(NETWORK, 6, [0x1f, 0xff]);
const IPV4_FRAGMENT: Field = Field::Bits(NETWORK, 6, [0x3f, 0xff]);
const IPV4_SOURCE: Field = Field::Bytes(NETWORK, 12, 4);
const IPV6_SOURCE: Field = Field::Bytes(NETWORK, 8, 16);
const IPV6_LENGTH: Field = Field::Bytes(NETWORK, 4, 2);
const IPV6_NEXT: Field = Field::Bytes(NETWORK, 6, 1);
const UDP_SOURCE: Field = Field::Bytes(TRANSPORT, 0, 2);
const UDP_DESTINATION: Field = Field::Bytes(TRANSPORT, 2, 2);
/// The Ethernet address of the client (chaddr) in a DHCP message.
const DHCP_CLIENT: Field = Field::Bytes(TRANSPORT, 36, 6);
const IGMP_TYPE: Field = Field::Bytes(TRANSPORT, 0, 1);
const ICMPV6_TYPE: Field = Field::Bytes(TRANSPORT, 0, 1);
const ND_TARGET: Field = Field::Bytes(TRANSPORT, 8, 16);
/// The type and the length of the first option of a solicitation or an advertisement.
const ND_OPTION: Field = Field::Bytes(TRANSPORT, 24, 2);

/// A condition of a rule.
pub(super) enum If {
    Is(Field, &'static [u8]),
    Not(Field, &'static [u8]),
    /// At least this.
    Least(Field, &'static [u8]),
    /// At most this.
    Most(Field, &'static [u8]),
    /// An element of this set.
    In(&'static str, &'static [Field]),
    NotIn(&'static str, &'static [Field]),
}

pub(super) enum Then {
    Accept,
    Drop,
    Return,
    Jump(&'static str),
    Goto(&'static str),
}

/// A rule: its chain, its conditions, what happens then.
pub(super) type Rule = (&'static str, &'static [If], Then);

use Field::Bytes;
use If::{In, Is, Least, Most, Not, NotIn};
use Then::{Accept, Drop, Goto, Jump, Return};

const ARP: [u8; 2] = [0x08, 0x06];
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const IS_ARP: If = Is(PROTOCOL, &ARP);
const IS_IPV4: If = Is(PROTOCOL, &IPV4);
const IS_IPV6: If = Is(PROTOCOL, &IPV6);
const IS_UDP: If = Is(INNER, &[17]);
const IS_ICMPV6: If = Is(INNER, &[58]);
const IS_TAGGED: If = Is(TAG, &[0x81, 0x00]);
const IS_TAGGED_AD: If = Is(TAG, &[0x88, 0xa8]);
/// A packet without a fragment header has no such field.
const HAS_FRAGMENT_HEADER: If = Least(Field::FragmentNext, &[0]);
const UNSPECIFIED4: &[u8] = &[0; 4];
const UNSPECIFIED6: &[u8] = &[0; 16];
/// ARP for Ethernet and IPv4.
const ARP_HEAD: If = Is(Bytes(NETWORK, 0, 6), &[0, 1, 0x08, 0x00, 6, 4]);
const ARP_OPERATION: Field = Bytes(NETWORK, 6, 2);
const SOLICITATION: &[u8] = &[135];
const ADVERTISEMENT: &[u8] = &[136];

/// The chains that the kernel calls, with the hook (`enum nf_br_hooks`) and its priority (uapi/linux/netfilter_bridge.h):
/// before all others that see a frame come, after all others that see it leave.
pub(super) const HOOKS: [(&str, (u32, i32)); 2] = [("prerouting", (0, -300)), ("postrouting", (4, 300))];

pub(super) const CHAINS: [&str; 11] = [
    "received",
    "protocol",
    "ipv4",
    "ipv6",
    "station",
    "tagged-station",
    "untagged-station",
    "without-address",
    "sent",
    "sent-tagged",
    "drop-received",
];
/// The chain in the table of the family netdev.
pub(super) const LINK_LOCAL: &str = "link-local";

/// The rules for a frame from a station in the sets `stations`, `addresses4` and `addresses6`; with a VLAN, in the sets
/// of stations in one VLAN.
macro_rules! of_station {
    ($chain:literal, $addresses4:literal, $addresses6:literal $(, $vlan:expr)?) => {
        [
            (
                $chain,
                &[
                    IS_ARP,
                    ARP_HEAD,
                    Least(ARP_OPERATION, &[0, 1]),
                    Most(ARP_OPERATION, &[0, 2]),
                    In($addresses4, &[FROM, ARP_SENDER[0], $($vlan,)? ARP_SENDER[1]]),
                ],
                Accept,
            ),
            // A probe of an address that the station may have (RFC 5227).
            (
                $chain,
                &[
                    IS_ARP,
                    ARP_HEAD,
                    Is(ARP_OPERATION, &[0, 1]),
                    Is(ARP_SENDER[1], UNSPECIFIED4),
                    In($addresses4, &[FROM, ARP_SENDER[0], $($vlan,)? ARP_TARGET]),
                ],
                Accept,
            ),
            ($chain, &[IS_IPV4, In($addresses4, &[FROM, SOURCE, $($vlan,)? IPV4_SOURCE])], Accept),
            (
                $chain,
                &[
                    IS_IPV6,
                    IS_ICMPV6,
                    Is(ICMPV6_TYPE, ADVERTISEMENT),
                    NotIn($addresses6, &[FROM, SOURCE, $($vlan,)? ND_TARGET]),
                ],
                Return,
            ),
            // The check for duplicates of an address that the station may have (RFC 4862).
            (
                $chain,
                &[
                    IS_IPV6,
                    Is(IPV6_SOURCE, UNSPECIFIED6),
                    IS_ICMPV6,
                    Is(ICMPV6_TYPE, SOLICITATION),
                    In($addresses6, &[FROM, SOURCE, $($vlan,)? ND_TARGET]),
                ],
                Accept,
            ),
            ($chain, &[IS_IPV6, In($addresses6, &[FROM, SOURCE, $($vlan,)? IPV6_SOURCE])], Accept),
            ($chain, &[], Goto("without-address")),
        ]
    };
}

static RULES_OF_STATIONS: [[Rule; 7]; 3] = [
    of_station!("station", "addresses4", "addresses6"),
    of_station!("tagged-station", "vlan-addresses4", "vlan-addresses6", TAG_VID),
    of_station!("untagged-station", "vlan-addresses4", "vlan-addresses6", Field::Pvid),
];

/// An option of a solicitation or an advertisement with an Ethernet address of the port.
const OPTION_MAC: If = In("packet-macs", &[FROM, Bytes(TRANSPORT, 26, 6)]);

static RULES: [Rule; 66] = [
    ("prerouting", &[In("ports", &[FROM])], Jump("received")),
    ("postrouting", &[In("ports", &[TO])], Jump("sent")),
    ("received", &[], Jump("protocol")),
    ("received", &[IS_IPV4], Jump("ipv4")),
    ("received", &[IS_IPV6], Jump("ipv6")),
    ("received", &[In("stations", &[FROM, SOURCE])], Jump("station")),
    ("received", &[IS_TAGGED, In("vlan-stations", &[FROM, SOURCE, TAG_VID])], Jump("tagged-station")),
    // A tag with VLAN ID 0 has only a priority.
    (
        "received",
        &[IS_TAGGED, Is(TAG_VID, &[0, 0]), In("vlan-stations", &[FROM, SOURCE, Field::Pvid])],
        Jump("untagged-station"),
    ),
    (
        "received",
        &[Not(TAG, &[0x81, 0x00]), In("vlan-stations", &[FROM, SOURCE, Field::Pvid])],
        Jump("untagged-station"),
    ),
    ("received", &[], Goto("drop-received")),
    // Neither another protocol nor a second tag. Newer kernels look for the protocol behind more than one tag.
    ("protocol", &[Is(TAG, &ARP)], Return),
    ("protocol", &[Is(TAG, &IPV4)], Return),
    ("protocol", &[Is(TAG, &IPV6)], Return),
    ("protocol", &[IS_TAGGED, Is(BEHIND_TAG, &ARP)], Return),
    ("protocol", &[IS_TAGGED, Is(BEHIND_TAG, &IPV4)], Return),
    ("protocol", &[IS_TAGGED, Is(BEHIND_TAG, &IPV6)], Return),
    ("protocol", &[IS_TAGGED_AD, Is(BEHIND_TAG, &ARP)], Return),
    ("protocol", &[IS_TAGGED_AD, Is(BEHIND_TAG, &IPV4)], Return),
    ("protocol", &[IS_TAGGED_AD, Is(BEHIND_TAG, &IPV6)], Return),
    ("protocol", &[], Goto("drop-received")),
    // Packets that may pass if their source may. Kernels read the ports of later fragments too, from their data.
    ("ipv4", &[Not(IPV4_OFFSET, &[0, 0])], Return),
    // The headers behind an authentication header are not read. This is so for IPv6 too.
    ("ipv4", &[Is(INNER, &[51])], Goto("drop-received")),
    // A DHCP server is not behind such a port. Some clients look only at the destination.
    ("ipv4", &[IS_UDP, Is(UDP_SOURCE, &[0, 67])], Goto("drop-received")),
    ("ipv4", &[IS_UDP, Is(UDP_DESTINATION, &[0, 68])], Goto("drop-received")),
    // A client asks for its own Ethernet address.
    ("ipv4", &[IS_UDP, Is(UDP_DESTINATION, &[0, 67]), In("packet-macs", &[FROM, DHCP_CLIENT])], Return),
    ("ipv4", &[IS_UDP, Is(UDP_DESTINATION, &[0, 67])], Goto("drop-received")),
    // Nor is a multicast router: after a query (IGMP), an advertisement (RFC 4286) or PIM, the bridge would send all
    // groups to the port.
    ("ipv4", &[Is(INNER, &[2]), Is(IGMP_TYPE, &[0x11])], Goto("drop-received")),
    ("ipv4", &[Is(INNER, &[2]), Is(IGMP_TYPE, &[0x30])], Goto("drop-received")),
    ("ipv4", &[Is(INNER, &[103])], Goto("drop-received")),
    // The first fragment of a packet has to show what the packet is: no extension headers follow the fragment header.
    ("ipv6", &[Not(Field::FragmentOffset, &[0, 0])], Return),
    // Bytes behind the end of the packet must not look like its headers.
    ("ipv6", &[HAS_FRAGMENT_HEADER, Not(IPV6_NEXT, &[44])], Goto("drop-received")),
    ("ipv6", &[HAS_FRAGMENT_HEADER, Most(IPV6_LENGTH, &[0, 15])], Goto("drop-received")),
    ("ipv6", &[Is(Field::FragmentNext, &[0])], Goto("drop-received")),
    ("ipv6", &[Is(Field::FragmentNext, &[43])], Goto("drop-received")),
    ("ipv6", &[Is(Field::FragmentNext, &[44])], Goto("drop-received")),
    ("ipv6", &[Is(Field::FragmentNext, &[60])], Goto("drop-received")),
    ("ipv6", &[Is(INNER, &[51])], Goto("drop-received")),
    ("ipv6", &[IS_UDP, Not(UDP_SOURCE, &[0x02, 0x23]), Not(UDP_DESTINATION, &[0x02, 0x22])], Return),
    // A DHCPv6 server, or a packet without port numbers.
    ("ipv6", &[IS_UDP], Goto("drop-received")),
    ("ipv6", &[Is(INNER, &[103])], Goto("drop-received")),
    ("ipv6", &[Not(INNER, &[58])], Return),
    ("ipv6", &[Is(ICMPV6_TYPE, &[130])], Goto("drop-received")),
    ("ipv6", &[Is(ICMPV6_TYPE, &[151])], Goto("drop-received")),
    ("ipv6", &[Most(ICMPV6_TYPE, &[132])], Return),
    ("ipv6", &[Least(ICMPV6_TYPE, &[138])], Return),
    // Neighbour discovery: not behind extension headers, and without options that are not checked here. Neither
    // router advertisements nor redirects.
    ("ipv6", &[Not(IPV6_NEXT, &[58])], Goto("drop-received")),
    ("ipv6", &[Is(ICMPV6_TYPE, &[133]), Is(IPV6_LENGTH, &[0, 8])], Return),
    (
        "ipv6",
        &[
            Is(ICMPV6_TYPE, &[133]),
            Is(IPV6_LENGTH, &[0, 16]),
            Is(Bytes(TRANSPORT, 8, 2), &[1, 1]),
            In("packet-macs", &[FROM, Bytes(TRANSPORT, 10, 6)]),
        ],
        Return,
    ),
    ("ipv6", &[Is(ICMPV6_TYPE, SOLICITATION), Is(IPV6_LENGTH, &[0, 24])], Return),
    (
        "ipv6",
        &[Is(ICMPV6_TYPE, SOLICITATION), Is(IPV6_LENGTH, &[0, 32]), Is(ND_OPTION, &[1, 1]), OPTION_MAC],
        Return,
    ),
    // A nonce (RFC 7527).
    ("ipv6", &[Is(ICMPV6_TYPE, SOLICITATION), Is(IPV6_LENGTH, &[0, 32]), Is(ND_OPTION, &[14, 1])], Return),
    ("ipv6", &[Is(ICMPV6_TYPE, ADVERTISEMENT), Is(IPV6_LENGTH, &[0, 24])], Return),
    (
        "ipv6",
        &[Is(ICMPV6_TYPE, ADVERTISEMENT), Is(IPV6_LENGTH, &[0, 32]), Is(ND_OPTION, &[2, 1]), OPTION_MAC],
        Return,
    ),
    ("ipv6", &[], Goto("drop-received")),
    // DHCP: to all, from client to server.
    (
        "without-address",
        &[
            IS_IPV4,
            Is(IPV4_FRAGMENT, &[0, 0]),
            Is(IPV4_SOURCE, UNSPECIFIED4),
            Is(Bytes(NETWORK, 16, 4), &[255; 4]),
            IS_UDP,
            Is(UDP_SOURCE, &[0, 68]),
            Is(UDP_DESTINATION, &[0, 67]),
        ],
        Accept,
    ),
    // Reports of multicast groups (MLD).
    (
        "without-address",
        &[
            IS_IPV6,
            Is(IPV6_SOURCE, UNSPECIFIED6),
            IS_ICMPV6,
            Least(ICMPV6_TYPE, &[131]),
            Most(ICMPV6_TYPE, &[132]),
        ],
        Accept,
    ),
    (
        "without-address",
        &[IS_IPV6, Is(IPV6_SOURCE, UNSPECIFIED6), IS_ICMPV6, Is(ICMPV6_TYPE, &[143])],
        Accept,
    ),
    // To many stations.
    ("sent", &[Not(Field::Bits(LINK, 0, [1, 0]), &[0, 0])], Return),
    ("sent", &[In("stations", &[TO, DESTINATION])], Return),
    ("sent", &[IS_TAGGED], Jump("sent-tagged")),
    // When an untagged frame leaves, its VLAN is not known any more.
    ("sent", &[Not(TAG, &[0x81, 0x00]), In("macs", &[TO, DESTINATION])], Return),
    ("sent", &[In("dropped-out", &[TO])], Drop),
    ("sent", &[], Drop),
    // In a chain of its own, nft(8) can read the rule that it lists.
    ("sent-tagged", &[In("vlan-stations", &[TO, DESTINATION, TAG_VID])], Accept),
    ("drop-received", &[In("dropped-in", &[FROM])], Drop),
    ("drop-received", &[], Drop),
];

/// The rules for frames to 01:80:c2:00:00:0X: a station may send LLDP and 802.1X (EAPOL). It takes no part in a spanning
/// tree, and nothing else is sent to these addresses by a station.
pub(super) static RULES_OF_NETDEV: [Rule; 4] = [
    (LINK_LOCAL, &[Is(PROTOCOL, &[0x88, 0xcc]), In("macs", &[FROM, SOURCE])], Return),
    (LINK_LOCAL, &[Is(PROTOCOL, &[0x88, 0x8e]), In("macs", &[FROM, SOURCE])], Return),
    (LINK_LOCAL, &[In("dropped-in", &[FROM])], Drop),
    (LINK_LOCAL, &[], Drop),
];

/// The rule in the chain of each port.
pub(super) fn rule_of_port() -> Rule {
    ("", &[Is(Bytes(LINK, 0, 5), &[0x01, 0x80, 0xc2, 0, 0])], Jump(LINK_LOCAL))
}

pub(super) fn rules() -> impl Iterator<Item = &'static Rule> {
    RULES.iter().chain(RULES_OF_STATIONS.iter().flatten())
}

/// The first register of 32 bits (`NFT_REG32_00`).
const REGISTER: u32 = 8;

/// An expression.
pub(super) fn expression(name: &str, data: &Attributes) -> Attributes {
    Attributes::default().with(1, text(name)).nest(2, data)
}

/// The data of an expression: numbers by attribute.
pub(super) fn numbers(numbers: &[(u16, u32)]) -> Attributes {
    let with = |all: Attributes, (kind, value): &(u16, u32)| all.with(*kind, number(*value));
    numbers.iter().fold(Attributes::default(), with)
}

/// A constant.
pub(super) fn constant(bytes: &[u8]) -> Attributes {
    Attributes::default().with(1, bytes)
}

impl Field {
    /// Reads the field into a register. Returns the number of registers that it takes.
    fn load(self, to: u32, expressions: &mut Vec<Attributes>) -> u32 {
        let mut add = |name, data| expressions.push(expression(name, &data));
        match self {
            Self::Meta(key, length) => {
                add("meta", numbers(&[(1, to), (2, key)]));
                length.div_ceil(4)
            }
            Self::Bytes(base, offset, length) => {
                add("payload", numbers(&[(1, to), (2, base), (3, offset), (4, length)]));
                length.div_ceil(4)
            }
            Self::Bits(base, offset, mask) => {
                add("payload", numbers(&[(1, to), (2, base), (3, offset), (4, 2)]));
                add("bitwise", masked(to, mask));
                1
            }
            Self::Pvid => {
                add("meta", numbers(&[(1, to), (2, 28)]));
                // From the host's order to that of a tag.
                add("byteorder", numbers(&[(1, to), (2, to), (3, 1), (4, 2), (5, 2)]));
                1
            }
            Self::FragmentNext => {
                add("exthdr", of_fragment(to, 0, 1));
                1
            }
            Self::FragmentOffset => {
                add("exthdr", of_fragment(to, 2, 2));
                add("bitwise", masked(to, [0xff, 0xf8]));
                1
            }
        }
    }
}

/// Keeps some bits of the two bytes in a register.
fn masked(register: u32, mask: [u8; 2]) -> Attributes {
    let bytes = numbers(&[(1, register), (2, register), (3, 2)]);
    bytes.nest(4, &constant(&mask)).nest(5, &constant(&[0; 2]))
}

/// Reads a part of the IPv6 fragment header (44) into a register.
fn of_fragment(register: u32, offset: u32, length: u32) -> Attributes {
    numbers(&[(1, register), (3, offset), (4, length)]).with(2, [44])
}

impl If {
    fn write(&self, expressions: &mut Vec<Attributes>) {
        let mut compare = |field: Field, operation: u32, value: &[u8]| {
            field.load(REGISTER, expressions);
            let data = numbers(&[(1, REGISTER), (2, operation)]).nest(3, &constant(value));
            expressions.push(expression("cmp", &data));
        };
        match self {
            Self::Is(field, value) => compare(*field, 0, value),
            Self::Not(field, value) => compare(*field, 1, value),
            Self::Most(field, value) => compare(*field, 3, value),
            Self::Least(field, value) => compare(*field, 5, value),
            Self::In(set, key) | Self::NotIn(set, key) => {
                let mut register = REGISTER;
                for field in *key {
                    register += field.load(register, expressions);
                }
                let inverted = u32::from(matches!(self, Self::NotIn(..)));
                let data = Attributes::default().with(1, text(set)).with(2, number(REGISTER));
                expressions.push(expression("lookup", &data.with(5, number(inverted))));
            }
        }
    }
}

impl Then {
    fn write(&self, expressions: &mut Vec<Attributes>) {
        let (code, chain) = match self {
            Self::Drop => (0_i32, None),
            Self::Accept => (1, None),
            Self::Jump(chain) => (-3, Some(chain)),
            Self::Goto(chain) => (-4, Some(chain)),
            Self::Return => (-5, None),
        };
        let mut verdict = Attributes::default().with(1, code.to_be_bytes());
        if let Some(chain) = chain {
            verdict.push(2, text(chain));
        }
        let data = Attributes::default().nest(2, &verdict);
        expressions.push(expression("immediate", &numbers(&[(1, 0)]).nest(2, &data)));
    }
}

/// The expressions of a rule.
pub(super) fn expressions((_, conditions, then): &Rule) -> Attributes {
    let mut expressions = Vec::new();
    conditions.iter().for_each(|condition| condition.write(&mut expressions));
    then.write(&mut expressions);
    expressions.iter().fold(Attributes::default(), |all, one| all.nest(LIST_ELEM, one))
}

/// Whether the kernel shows these expressions for a rule.
pub(super) fn same(ours: &Attributes, shown: &Attributes) -> bool {
    let mut pairs = ours.0.iter().zip(&shown.0);
    ours.0.len() == shown.0.len() && pairs.all(|((_, ours), (_, shown))| has(shown, ours))
}

/// Whether some attributes contain others. The kernel adds some, and shows a register that begins at a multiple of 128
/// bits as one of these (net/netfilter/nf_tables_api.c `nft_dump_register`).
fn has(shown: &[u8], ours: &[u8]) -> bool {
    let (shown, ours) = (Attributes::parse(shown), Attributes::parse(ours));
    let large = |value: &[u8]| {
        let register = u32::from_be_bytes(value.try_into().ok()?).checked_sub(REGISTER)?;
        (register % 4 == 0).then(|| number(register / 4 + 1))
    };
    !ours.0.is_empty()
        && ours.0.iter().all(|(kind, value)| {
            shown.get(*kind).is_some_and(|shown| {
                shown == value || large(value).is_some_and(|large| shown == large) || has(shown, value)
            })
        })
}
