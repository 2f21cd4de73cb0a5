//! Routes in a stanza, in the syntax of `ip route`.

use crate::values::{Family, IfName, Invalid, TableSpec};
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// What the kernel does with a packet that a route matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteKind {
    /// Forward it.
    Unicast,
    /// Refuse it: "Network is unreachable" for a local sender, ICMP unreachable for another.
    Unreachable,
    /// Drop it silently.
    Blackhole,
    /// Refuse it as administratively prohibited.
    Prohibit,
}

impl RouteKind {
    /// The word of `ip route` for the kind, empty for an ordinary route.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unicast => "",
            Self::Unreachable => "unreachable ",
            Self::Blackhole => "blackhole ",
            Self::Prohibit => "prohibit ",
        }
    }
}

/// The table of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteTable {
    /// The table of the stanza's own VRF.
    Own,
    /// `table T`.
    Table(TableSpec),
    /// `vrf V`: the table of that VRF.
    Vrf(IfName),
}

/// One `ROUTE` of `vrf-route`:
/// `[unreachable|blackhole|prohibit] PREFIX|default [via ADDR] [dev IF] [src ADDR] [metric N] [onlink]
/// [table T|vrf V]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSpec {
    /// The kind of route.
    pub kind: RouteKind,
    /// The prefix, or `None` for a `default` without a gateway, whose family is unknown. It means both families.
    pub prefix: Option<IpNet>,
    /// The gateway.
    pub via: Option<IpAddr>,
    /// The interface to send through.
    pub dev: Option<IfName>,
    /// The source address of this host's own packets.
    pub src: Option<IpAddr>,
    /// Lower wins.
    pub metric: Option<u32>,
    /// The gateway is on the link of `dev`, although no prefix of `dev` covers it.
    pub onlink: bool,
    /// The table.
    pub table: RouteTable,
}

impl FromStr for RouteSpec {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut words = text.split_whitespace().peekable();
        let kind = match words.peek() {
            Some(&"unreachable") => RouteKind::Unreachable,
            Some(&"blackhole") => RouteKind::Blackhole,
            Some(&"prohibit") => RouteKind::Prohibit,
            _ => RouteKind::Unicast,
        };
        if kind != RouteKind::Unicast {
            words.next();
        }
        let destination = words.next().ok_or_else(|| Invalid::new("no prefix"))?;
        let mut route = Self {
            kind,
            prefix: None,
            via: None,
            dev: None,
            src: None,
            metric: None,
            onlink: false,
            table: RouteTable::Own,
        };
        let mut seen = Vec::new();
        while let Some(word) = words.next() {
            // `vrf` and `table` both name the table.
            let what = if word == "vrf" { "table" } else { word };
            if seen.contains(&what) {
                return Err(Invalid::new(format!("{word}: {what} is already given")));
            }
            seen.push(what);
            if word == "onlink" {
                route.onlink = true;
                continue;
            }
            let value = words.next().ok_or_else(|| Invalid::new(format!("nothing after {word}")))?;
            route.set(word, value)?;
        }
        let family = route.via.or(route.src).map(Family::of);
        route.prefix = prefix(destination, family)?;
        route.consistent()
    }
}

impl RouteSpec {
    fn set(&mut self, word: &str, value: &str) -> Result<(), Invalid> {
        let address =
            || value.parse().map_err(|_| Invalid::new(format!("{word} {value}: not an IP address")));
        let name = || value.parse().map_err(|error| Invalid::new(format!("{word} {value}: {error}")));
        match word {
            "via" => self.via = Some(address()?),
            "src" => self.src = Some(address()?),
            "dev" => self.dev = Some(name()?),
            "vrf" => self.table = RouteTable::Vrf(name()?),
            "metric" => {
                let metric =
                    value.parse().map_err(|_| Invalid::new(format!("metric {value}: not a number")))?;
                self.metric = Some(metric);
            }
            "table" => {
                let table = value.parse().map_err(|error| Invalid::new(format!("table {value}: {error}")))?;
                self.table = RouteTable::Table(table);
            }
            _ => return Err(Invalid::new(format!("{word}: not a word of a route"))),
        }
        Ok(())
    }

    /// The checks that need more than one word.
    fn consistent(self) -> Result<Self, Invalid> {
        let families =
            [self.prefix.map(|p| Family::of(p.addr())), self.via.map(Family::of), self.src.map(Family::of)];
        let mut families = families.into_iter().flatten();
        if families.next().is_some_and(|first| families.any(|other| other != first)) {
            return Err(Invalid::new("IPv4 and IPv6 in one route"));
        }
        let has_next_hop = self.via.is_some() || self.dev.is_some();
        match self.kind {
            RouteKind::Unicast if !has_next_hop => Err(Invalid::new("neither via nor dev")),
            RouteKind::Unicast if self.onlink && (self.via.is_none() || self.dev.is_none()) => {
                Err(Invalid::new("onlink needs via and dev"))
            }
            RouteKind::Unicast => Ok(self),
            _ if has_next_hop || self.onlink || self.src.is_some() => {
                Err(Invalid::new(format!("{}takes no via, dev, src or onlink", self.kind.word())))
            }
            _ => Ok(self),
        }
    }
}

/// A prefix without host bits. `default` is the zero prefix of the family, if the family is known.
fn prefix(text: &str, family: Option<Family>) -> Result<Option<IpNet>, Invalid> {
    if text == "default" {
        return Ok(family.map(unspecified));
    }
    let wrong = || Invalid::new(format!("{text}: not a prefix (ADDRESS/LENGTH) nor default"));
    let net = match text.parse::<IpNet>() {
        Ok(net) => net,
        Err(_) => text.parse::<IpAddr>().map(IpNet::from).map_err(|_| wrong())?,
    };
    if net != net.trunc() {
        return Err(Invalid::new(format!("{text}: has host bits, {} is meant?", net.trunc())));
    }
    Ok(Some(net))
}

/// A gateway of default routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gateway(pub IpAddr);

impl FromStr for Gateway {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse().map(Self).map_err(|_| Invalid::new("not an IP address"))
    }
}

/// The metric of a route; 0 leaves it to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric(pub u32);

impl FromStr for Metric {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse().map(Self).map_err(|_| Invalid::new("not a metric (0-4294967295)"))
    }
}

/// `0.0.0.0/0` or `::/0`.
pub fn unspecified(family: Family) -> IpNet {
    match family {
        Family::Ipv4 => IpNet::V4(ipnet::Ipv4Net::default()),
        Family::Ipv6 => IpNet::V6(ipnet::Ipv6Net::default()),
    }
}

impl fmt::Display for RouteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => Ok(()),
            Self::Table(table) => write!(f, " table {table}"),
            Self::Vrf(vrf) => write!(f, " vrf {vrf}"),
        }
    }
}
