//! A link, as far as a restoration has to understand it.

use crate::kernel::netlink::raw::{Attributes, NLA_F_NESTED, Object};
use crate::values::IfName;

// Attributes of links (include/uapi/linux/if_link.h).
pub(super) const ADDRESS: u16 = 1;
pub(super) const IFNAME: u16 = 3;
pub(super) const MTU: u16 = 4;
pub(super) const LINK: u16 = 5;
pub(super) const MASTER: u16 = 10;
pub(super) const TXQLEN: u16 = 13;
pub(super) const LINKMODE: u16 = 17;
pub(super) const LINKINFO: u16 = 18;
pub(super) const IFALIAS: u16 = 20;
pub(super) const AF_SPEC: u16 = 26;
pub(super) const GROUP: u16 = 27;
pub(super) const NET_NS_FD: u16 = 28;
const NUM_TX_QUEUES: u16 = 31;
const NUM_RX_QUEUES: u16 = 32;
const LINK_NETNSID: u16 = 37;
pub(super) const NEW_IFINDEX: u16 = 49;
pub(super) const PROP_LIST: u16 = 52;
pub(super) const ALT_IFNAME: u16 = 53;
const PERM_ADDRESS: u16 = 54;

// In AF_SPEC.
pub(super) const AF_INET6: u16 = 10;
pub(super) const INET6_ADDR_GEN_MODE: u16 = 8;

// In LINKINFO.
pub(super) const INFO_KIND: u16 = 1;
pub(super) const INFO_DATA: u16 = 2;
pub(super) const INFO_SLAVE_KIND: u16 = 4;
pub(super) const INFO_SLAVE_DATA: u16 = 5;

/// Flags of a link (include/uapi/linux/if.h).
pub(super) const IFF_UP: u32 = 1;
/// The flags that can be set: DEBUG, NOARP, PROMISC, ALLMULTI, MULTICAST, DYNAMIC.
pub(super) const SETTABLE_FLAGS: u32 = 0x4 | 0x80 | 0x100 | 0x200 | 0x1000 | 0x8000;

/// The settings of a bridge that can be set (`IFLA_BR_FORWARD_DELAY` to `IFLA_BR_FDB_MAX_LEARNED`). The others are
/// states and timers, or the command to flush the forwarding database.
pub(super) const BRIDGE_SETTINGS: [u16; 35] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39,
    41, 42, 43, 44, 45, 46, 49,
];
/// Those of VLANs: filtering, protocol, default PVID.
const BRIDGE_VLAN_SETTINGS: [u16; 3] = [BRIDGE_VLAN_FILTERING, 8, 39];
const BRIDGE_VLAN_FILTERING: u16 = 7;
/// The address to which a bridge sends BPDUs. A bridge gets its own one by its VLAN protocol, unless one is set.
pub(super) const BRIDGE_GROUP_ADDR: u16 = 20;
/// The settings of a port that can be set (`IFLA_BRPORT_PRIORITY` to `IFLA_BRPORT_BACKUP_NHID`). The state is left to
/// the bridge.
pub(super) const PORT_SETTINGS: [u16; 26] =
    [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 25, 27, 28, 29, 30, 31, 32, 33, 34, 37, 39, 40, 42, 43, 44];
/// The setting of a port that is the index of another one.
pub(super) const PORT_BACKUP: u16 = 34;
/// The flags of a VLAN, with a mask. The kernel shows a mask that it does not accept.
const VLAN_FLAGS: u16 = 2;
const VLAN_FLAGS_MASK: u32 = 0x1f;
/// The number, and the protocol of a VLAN.
const VLAN_FIXED: [u16; 2] = [1, 5];
const VRF_TABLE: u16 = 1;
const VETH_INFO_PEER: u16 = 1;

/// A link.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: IfName,
    /// Its name as the kernel knows it.
    pub(super) raw_name: Vec<u8>,
    /// `None` for hardware, and for `lo`.
    pub(super) kind: Option<String>,
    pub(super) flags: u32,
    pub(super) attributes: Attributes,
    pub(super) info: Attributes,
}

/// The links in the answers of a dump.
pub(super) fn parse(answers: &[Vec<u8>]) -> Vec<Link> {
    answers.iter().filter_map(|answer| Link::parse(answer)).collect()
}

impl Link {
    fn parse(answer: &[u8]) -> Option<Self> {
        let object = Object::parse(answer, 16)?;
        let (index, flags) = (object.number(4), object.number(8));
        let attributes = object.attributes;
        let raw_name = attributes.get(IFNAME)?.to_vec();
        let info = attributes.nested(LINKINFO);
        Some(Self {
            index,
            name: IfName::of_kernel(&attributes.text(IFNAME)?),
            raw_name,
            kind: info.text(INFO_KIND),
            flags,
            attributes,
            info,
        })
    }

    pub(super) fn is_up(&self) -> bool {
        self.flags & IFF_UP != 0
    }

    pub(super) fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }

    /// Whether it can have VLANs and entries of a forwarding database.
    pub(super) fn is_bridge_or_port(&self) -> bool {
        self.is("bridge") || !self.port_settings().0.is_empty()
    }

    /// The index of its master.
    pub(super) fn master(&self) -> Option<u32> {
        self.attributes.number(MASTER).filter(|index| *index != 0)
    }

    /// The index of the link below it, or of its peer.
    pub(super) fn lower(&self) -> Option<u32> {
        self.attributes.number(LINK).filter(|index| *index != 0)
    }

    /// The id of the namespace of that link, if it is another one.
    pub(super) fn nsid(&self) -> Option<i32> {
        self.attributes.number(LINK_NETNSID).map(|nsid| i32::from_ne_bytes(nsid.to_ne_bytes()))
    }

    pub(super) fn data(&self) -> Attributes {
        let mut data = self.info.nested(INFO_DATA);
        if self.is("vlan") {
            for (_, flags) in
                data.0.iter_mut().filter(|(kind, flags)| *kind == VLAN_FLAGS && flags.len() == 8)
            {
                flags[4..].copy_from_slice(&VLAN_FLAGS_MASK.to_ne_bytes());
            }
        }
        data
    }

    /// The table of a VRF.
    pub(super) fn table(&self) -> Option<u32> {
        if self.is("vrf") { self.data().number(VRF_TABLE) } else { None }
    }

    pub(super) fn address(&self) -> Option<&[u8]> {
        self.attributes.get(ADDRESS)
    }

    /// Whether both are the same kind of link, with the same settings that cannot be changed.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        let fixed = |link: &Self| match link.kind.as_deref() {
            Some("vrf") => (link.data(), None),
            Some("vlan") => (link.data().only(&VLAN_FIXED), link.lower()),
            _ => (Attributes::default(), None),
        };
        let permanent = |link: &Self| link.attributes.get(PERM_ADDRESS).map(<[u8]>::to_vec);
        let is_other_card = self.kind.is_none()
            && permanent(self).zip(permanent(other)).is_some_and(|(one, another)| one != another);
        self.kind == other.kind && fixed(self) == fixed(other) && !is_other_card
    }

    /// Whether a link in another namespace may be this one: they have the same kind, and an index or an address in
    /// common.
    pub(super) fn may_be_moved_to(&self, other: &Self) -> bool {
        let is_known =
            self.index == other.index || (self.address().is_some() && self.address() == other.address());
        self.is_alike(other) && is_known
    }

    /// The alternative names.
    pub(super) fn alternative_names(&self) -> Vec<Vec<u8>> {
        let names = self.attributes.nested(PROP_LIST).0;
        names.into_iter().filter(|(kind, _)| *kind == ALT_IFNAME).map(|(_, name)| name).collect()
    }

    /// How the kernel chooses the IPv6 link-local address (`IFLA_INET6_ADDR_GEN_MODE`).
    pub(super) fn addr_gen_mode(&self) -> Option<Vec<u8>> {
        self.attributes.nested(AF_SPEC).nested(AF_INET6).get(INET6_ADDR_GEN_MODE).map(<[u8]>::to_vec)
    }

    /// The attributes with which a link like this one is made.
    pub(super) fn creation(&self, with_address: bool) -> Attributes {
        let kinds = [IFNAME, MTU, TXQLEN, GROUP, NUM_TX_QUEUES, NUM_RX_QUEUES];
        let mut attributes = self.attributes.only(&kinds);
        if with_address {
            attributes.0.extend(self.attributes.only(&[ADDRESS]).0);
        }
        attributes
    }

    /// The description of a new link of this kind, with these settings.
    pub(super) fn linkinfo(&self, data: &Attributes) -> Vec<u8> {
        let kind = self.info.get(INFO_KIND).unwrap_or_default();
        let mut info = Attributes::default().with(INFO_KIND, kind);
        if !data.0.is_empty() {
            info.push(INFO_DATA | NLA_F_NESTED, data.bytes());
        }
        info.bytes()
    }

    /// The settings with which a link of this kind is made; `None` if it cannot be made again.
    pub(super) fn creation_data(&self) -> Option<Attributes> {
        let data = self.data();
        Some(match self.kind.as_deref()? {
            "vrf" | "vlan" => data,
            // Without these, the kernel adds VLANs to the bridge and to new ports. The other settings follow.
            // A kernel without VLAN filtering shows that it is off, and refuses to set it off.
            "bridge" if data.get(BRIDGE_VLAN_FILTERING) == Some(&[0]) => {
                data.only(&BRIDGE_VLAN_SETTINGS).without(&[BRIDGE_VLAN_FILTERING])
            }
            "bridge" => data.only(&BRIDGE_VLAN_SETTINGS),
            "dummy" | "ifb" => Attributes::default(),
            _ => return None,
        })
    }

    /// The settings of this kind of link that can be changed.
    pub(super) fn settings(&self) -> Attributes {
        match self.kind.as_deref() {
            Some("bridge") => self.data().only(&BRIDGE_SETTINGS),
            Some("vlan") => self.data().only(&[VLAN_FLAGS]),
            _ => Attributes::default(),
        }
    }

    /// The settings as a port of a bridge.
    pub(super) fn port_settings(&self) -> Attributes {
        if self.info.text(INFO_SLAVE_KIND).as_deref() != Some("bridge") {
            return Attributes::default();
        }
        self.info.nested(INFO_SLAVE_DATA).only(&PORT_SETTINGS)
    }
}

/// The message header of a link.
pub(super) fn header(family: u8, index: u32, flags: u32, mask: u32) -> Vec<u8> {
    let mut header = vec![family, 0, 0, 0];
    header.extend([index, flags, mask].into_iter().flat_map(u32::to_ne_bytes));
    header
}

/// The other end of a veth pair, as its settings.
pub(super) fn peer(header: Vec<u8>, attributes: Attributes) -> Attributes {
    let peer = Object { header, attributes };
    Attributes::default().with(VETH_INFO_PEER | NLA_F_NESTED, peer.bytes())
}
