//! Keywords that ifupdown-ng renames (interface-file.c).

/// A version of ifupdown-ng.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 0.11.4~rc1, Debian 12.
    V0_11,
    /// 0.12.1 as in Debian 13, whose `source` accepts patterns.
    V0_12,
    /// The development head of 2026: `defaults`. Its rules come from its source; no test compares them with its ifquery.
    Head,
}

/// Renamed in all versions. ifupdown-ng searches its list by halves, but the list is not sorted: `rx-offload`, and
/// `vxlan-remoteip` from 0.12 on, are in it and never found.
const ALL: [(&str, &str); 69] = [
    ("bond-ad-sys-priority", "bond-ad-actor-sys-prio"),
    ("bond-slaves", "bond-members"),
    ("client", "dhcp-client-id"),
    ("driver-message-level", "ethtool-msglvl"),
    ("endpoint", "tunnel-remote"),
    ("ethernet-autoneg", "ethtool-ethernet-autoneg"),
    ("ethernet-pause-autoneg", "ethtool-pause-autoneg"),
    ("ethernet-pause-rx", "ethtool-pause-rx"),
    ("ethernet-pause-tx", "ethtool-pause-tx"),
    ("ethernet-port", "ethtool-ethernet-port"),
    ("ethernet-wol", "ethtool-ethernet-wol"),
    ("gro-offload", "ethtool-offload-gro"),
    ("gso-offload", "ethtool-offload-gso"),
    ("hardware-dma-ring-rx", "ethtool-dma-ring-rx"),
    ("hardware-dma-ring-rx-jumbo", "ethtool-dma-ring-rx-jumbo"),
    ("hardware-dma-ring-rx-mini", "ethtool-dma-ring-rx-mini"),
    ("hardware-dma-ring-tx", "ethtool-dma-ring-tx"),
    ("hardware-irq-coalesce-adaptive-rx", "ethtool-coalesce-adaptive-rx"),
    ("hardware-irq-coalesce-adaptive-tx", "ethtool-coalesce-adaptive-tx"),
    ("hardware-irq-coalesce-pkt-rate-high", "ethtool-coalesce-pkt-rate-high"),
    ("hardware-irq-coalesce-pkt-rate-low", "ethtool-coalesce-pkt-rate-low"),
    ("hardware-irq-coalesce-rx-frames", "ethtool-coalesce-rx-frames"),
    ("hardware-irq-coalesce-rx-frames-high", "ethtool-coalesce-rx-frames-high"),
    ("hardware-irq-coalesce-rx-frames-irq", "ethtool-coalesce-rx-frames-irq"),
    ("hardware-irq-coalesce-rx-frames-low", "ethtool-coalesce-rx-frames-low"),
    ("hardware-irq-coalesce-rx-usecs", "ethtool-coalesce-rx-usecs"),
    ("hardware-irq-coalesce-rx-usecs-high", "ethtool-coalesce-rx-usecs-high"),
    ("hardware-irq-coalesce-rx-usecs-irq", "ethtool-coalesce-rx-usecs-irq"),
    ("hardware-irq-coalesce-rx-usecs-low", "ethtool-coalesce-rx-usecs-low"),
    ("hardware-irq-coalesce-sample-interval", "ethtool-coalesce-sample-interval"),
    ("hardware-irq-coalesce-stats-block-usecs", "ethtool-coalesce-stats-block-usecs"),
    ("hardware-irq-coalesce-tx-frames", "ethtool-coalesce-tx-frames"),
    ("hardware-irq-coalesce-tx-frames-high", "ethtool-coalesce-tx-frames-high"),
    ("hardware-irq-coalesce-tx-frames-irq", "ethtool-coalesce-tx-frames-irq"),
    ("hardware-irq-coalesce-tx-frames-low", "ethtool-coalesce-tx-frames-low"),
    ("hardware-irq-coalesce-tx-usecs", "ethtool-coalesce-tx-usecs"),
    ("hardware-irq-coalesce-tx-usecs-high", "ethtool-coalesce-tx-usecs-high"),
    ("hardware-irq-coalesce-tx-usecs-irq", "ethtool-coalesce-tx-usecs-irq"),
    ("hardware-irq-coalesce-tx-usecs-low", "ethtool-coalesce-tx-usecs-low"),
    ("hostname", "dhcp-hostname"),
    ("key", "tunnel-key"),
    ("leasetime", "dhcp-leasetime"),
    ("link-autoneg", "ethtool-ethernet-autoneg"),
    ("link-duplex", "ethtool-link-duplex"),
    ("link-fec", "ethtool-link-fec"),
    ("link-speed", "ethtool-link-speed"),
    ("local", "tunnel-local"),
    ("lro-offload", "ethtool-offload-lro"),
    ("mode", "tunnel-mode"),
    ("offload-gro", "ethtool-offload-gro"),
    ("offload-gso", "ethtool-offload-gso"),
    ("offload-lro", "ethtool-offload-lro"),
    ("offload-rx", "ethtool-offload-rx"),
    ("offload-sg", "ethtool-offload-sg"),
    ("offload-tso", "ethtool-offload-tso"),
    ("offload-tx", "ethtool-offload-tx"),
    ("offload-ufo", "ethtool-offload-ufo"),
    ("pointopoint", "point-to-point"),
    ("provider", "ppp-provider"),
    ("script", "dhcp-script"),
    ("tso-offload", "ethtool-offload-tso"),
    ("ttl", "tunnel-ttl"),
    ("tunnel-endpoint", "tunnel-remote"),
    ("tunnel-physdev", "tunnel-dev"),
    ("tx-offload", "ethtool-offload-tx"),
    ("ufo-offload", "ethtool-offload-ufo"),
    ("vendor", "dhcp-vendor"),
    ("vrf", "vrf-member"),
    ("vxlan-local-tunnelip", "vxlan-local-ip"),
];

/// Renamed in 0.11 only.
const V0_11: [(&str, &str); 2] =
    [("vxlan-remoteip", "vxlan-remote-ip"), ("vxlan-svcnodeip", "vxlan-remote-group")];

/// Renamed from 0.12 on.
const V0_12: [(&str, &str); 3] = [
    ("vxlan-remote-group", "vxlan-peer-group"),
    ("vxlan-remote-ip", "vxlan-peer-ips"),
    ("vxlan-svcnodeip", "vxlan-peer-group"),
];

/// Renamed by the head only.
const HEAD: [(&str, &str); 4] = [
    ("accept_ra", "ipv6-accept-ra"),
    ("autoconf", "ipv6-autoconf"),
    ("dad_transmits", "ipv6-dad-transmits"),
    ("vrrp", "vrrp-cfg"),
];

/// Whether only some versions rename this keyword, or they rename it differently.
pub fn depend_on_version(keyword: &str) -> bool {
    V0_11.iter().chain(&V0_12).chain(&HEAD).any(|(alias, _)| *alias == keyword)
}

/// The keyword that ifupdown-ng uses in place of this one.
pub fn renamed(keyword: &str, version: Version) -> &str {
    let lists: &[&[(&str, &str)]] = match version {
        Version::V0_11 => &[&ALL, &V0_11],
        Version::V0_12 => &[&ALL, &V0_12],
        Version::Head => &[&ALL, &V0_12, &HEAD],
    };
    let found = lists.iter().copied().flatten().find(|(alias, _)| *alias == keyword);
    found.map_or(keyword, |(_, name)| name)
}
