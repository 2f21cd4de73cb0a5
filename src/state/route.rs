//! Routes (ip-route(8)).

use crate::state::{KERNEL_PROTOCOL, OUR_PROTOCOL};
use crate::values::{Family, IfName, RouteKind, RouteSpec, TableId};
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;

/// The metric of an IPv6 route without one (`IP6_RT_PRIO_USER`). The kernel reports this number.
const DEFAULT_METRIC_IPV6: u32 = 1024;

/// The protocol number of routes that a router advertised (`RTPROT_RA`).
const RA_PROTOCOL: u8 = 9;

/// A route with at most one next hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The table that it is in.
    pub table: TableId,
    /// The destination.
    pub prefix: IpNet,
    /// What happens to a packet.
    pub kind: RouteKind,
    /// The gateway.
    pub via: Option<IpAddr>,
    /// The interface. For IPv6 routes that are not unicast the kernel reports `lo`, which is left out here.
    pub dev: Option<IfName>,
    /// The source address for this host's own packets.
    pub src: Option<IpAddr>,
    /// Lower wins: by default 0 for IPv4, 1024 for IPv6.
    pub metric: u32,
    /// The gateway need not be on a prefix of `dev`.
    pub onlink: bool,
    /// The program that added it.
    pub protocol: u8,
}

impl Route {
    /// Our route for a stanza, to this prefix and in this table.
    pub fn ours(spec: &RouteSpec, prefix: IpNet, table: TableId) -> Self {
        Self {
            table,
            prefix,
            kind: spec.kind,
            via: spec.via,
            dev: spec.dev.clone(),
            src: spec.src,
            // 0 means none: IPv6 replaces it with the default (net/ipv6/route.c `rtm_to_fib6_config`).
            metric: spec
                .metric
                .filter(|metric| *metric != 0)
                .unwrap_or_else(|| Self::default_metric(Family::of(prefix.addr()))),
            onlink: spec.onlink,
            protocol: OUR_PROTOCOL,
        }
    }

    /// Its family.
    pub fn family(&self) -> Family {
        Family::of(self.prefix.addr())
    }

    /// The metric of a route without one.
    pub fn default_metric(family: Family) -> u32 {
        match family {
            Family::Ipv4 => 0,
            Family::Ipv6 => DEFAULT_METRIC_IPV6,
        }
    }

    /// Whether both have the same table, prefix and metric: the kernel keeps only one such IPv4 route.
    pub fn competes_with(&self, other: &Self) -> bool {
        (self.table, self.prefix, self.metric) == (other.table, other.prefix, other.metric)
    }

    /// Whether both are the same route, whichever program added them. Whether a gateway was declared on-link is not
    /// compared: the kernel does not always report it.
    pub fn same(&self, other: &Self) -> bool {
        self.competes_with(other)
            && self.kind == other.kind
            && self.via == other.via
            && (self.dev.is_none() || self.dev == other.dev)
            && (self.src.is_none() || self.src == other.src)
    }

    /// Whether the kernel made it, or learnt it from a router. It does not conflict with ours: the kernel keeps several
    /// IPv6 routes with the same prefix and metric.
    pub fn is_automatic(&self) -> bool {
        self.family() == Family::Ipv6 && [RA_PROTOCOL, KERNEL_PROTOCOL].contains(&self.protocol)
    }

    /// Whether it is one of ours.
    pub fn is_ours(&self) -> bool {
        self.protocol == OUR_PROTOCOL
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.word())?;
        if self.prefix.prefix_len() == 0 {
            f.write_str("default")?;
        } else {
            self.prefix.fmt(f)?;
        }
        if let Some(via) = self.via {
            write!(f, " via {via}")?;
        }
        if let Some(dev) = &self.dev {
            write!(f, " dev {dev}")?;
        }
        write!(f, " table {}", self.table)?;
        if let Some(src) = self.src {
            write!(f, " src {src}")?;
        }
        if self.metric != Self::default_metric(self.family()) {
            write!(f, " metric {}", self.metric)?;
        }
        if self.onlink {
            f.write_str(" onlink")?;
        }
        if self.protocol != 0 {
            write!(f, " protocol {}", self.protocol)?;
        }
        Ok(())
    }
}
