//! Routes in netlink messages.

use crate::kernel::Refusal;
use crate::kernel::netlink::Channel;
use crate::kernel::netlink::message::RouteNetlinkMessage;
use crate::state::{OUR_PROTOCOL, Route, State};
use crate::values::{Family, IfName, RouteKind, TableId, unspecified};
use ipnet::IpNet;
use nix::errno::Errno;
use rtnetlink::packet_core::NLM_F_CREATE;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

impl Channel {
    /// Adds routes with at most one next hop to the state, of both families: those of a table, or our routes in all
    /// tables but those that were `read`. `names` are those of the links that are known already, by index.
    pub(super) fn read_routes(
        &mut self,
        table: Option<TableId>,
        read: &BTreeSet<TableId>,
        names: &mut BTreeMap<u32, IfName>,
        state: &mut State,
    ) -> Result<(), Refusal> {
        // Of all families: the kernel returns no error if one of them is disabled or has no such table.
        let mut query = RouteMessage::default();
        match table {
            Some(table) => query.attributes.push(RouteAttribute::Table(table.get())),
            None => query.header.protocol = RouteProtocol::from(OUR_PROTOCOL),
        }
        let found = self.dump(&RouteNetlinkMessage::GetRoute(query), |answer| {
            let RouteNetlinkMessage::NewRoute(message) = answer else { return None };
            decode(family(&message)?, &message).filter(|(route, _)| match table {
                Some(table) => route.table == table,
                None => route.is_ours(),
            })
        })?;
        for (mut route, dev) in found {
            if let Some(index) = dev.filter(|_| route.kind == RouteKind::Unicast) {
                if !names.contains_key(&index) {
                    names.extend(self.name_of(index)?.map(|name| (index, name)));
                }
                route.dev = names.get(&index).cloned();
            }
            if table.is_some() || !read.contains(&route.table) {
                state.routes.push(route);
            }
        }
        Ok(())
    }

    /// Whether a table of IPv4 routes with this number exists, empty or not. Every VRF creates its table, which stays
    /// until the namespace ends (drivers/net/vrf.c `vrf_rtable_create`, since Linux 4.7).
    pub(super) fn has_table(&mut self, table: TableId) -> Result<bool, Refusal> {
        let mut query = RouteMessage::default();
        query.header.address_family = Family::Ipv4.address_family();
        // Asks for a type that hardly any route has, so that the kernel need not send routes.
        query.header.kind = RouteType::Throw;
        query.attributes.push(RouteAttribute::Table(table.get()));
        match self.dump(&RouteNetlinkMessage::GetRoute(query), |_| None::<()>) {
            Ok(_) => Ok(true),
            Err(Refusal { errno: Some(Errno::ENOENT), .. }) => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// The tables that have routes, whichever program added them.
    pub(super) fn used_tables(&mut self) -> Result<BTreeSet<TableId>, Refusal> {
        let mut used = BTreeSet::new();
        self.dump(&RouteNetlinkMessage::GetRoute(RouteMessage::default()), |answer| {
            let RouteNetlinkMessage::NewRoute(message) = answer else { return None };
            used.extend(family(&message).and_then(|_| table(&message)));
            None::<()>
        })?;
        Ok(used)
    }

    /// Adds a route: beside another one, replacing it, or only if there is none, by `flag`.
    pub(super) fn route_add(&mut self, route: &Route, flag: u16) -> Result<(), Refusal> {
        let message = self.encode_route(route)?;
        self.change(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | flag)
    }

    pub(super) fn route_del(&mut self, route: &Route) -> Result<(), Refusal> {
        let message = self.encode_route(route)?;
        self.change(RouteNetlinkMessage::DelRoute(message), 0)
    }

    fn encode_route(&mut self, route: &Route) -> Result<RouteMessage, Refusal> {
        let dev: Option<&IfName> = route.dev.as_ref();
        let index = dev.map(|dev| self.index(dev)).transpose()?;
        Ok(encode(route, index))
    }
}

/// The family of a route; `None` for multicast and MPLS, which the kernel also shows if it is asked for all families.
fn family(message: &RouteMessage) -> Option<Family> {
    Family::BOTH.into_iter().find(|family| family.address_family() == message.header.address_family)
}

/// The table that a route is in.
fn table(message: &RouteMessage) -> Option<TableId> {
    let named = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    });
    TableId::new(named.unwrap_or_else(|| message.header.table.into()))
}

fn encode(route: &Route, index: Option<u32>) -> RouteMessage {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = route.family().address_family();
    header.destination_prefix_length = route.prefix.prefix_len();
    header.protocol = RouteProtocol::from(route.protocol);
    header.kind = match route.kind {
        RouteKind::Unicast => RouteType::Unicast,
        RouteKind::Unreachable => RouteType::Unreachable,
        RouteKind::Blackhole => RouteType::BlackHole,
        RouteKind::Prohibit => RouteType::Prohibit,
    };
    // As in iproute2: a route without a gateway has the scope `link`.
    header.scope = match (route.kind, route.via) {
        (RouteKind::Unicast, None) => RouteScope::Link,
        _ => RouteScope::Universe,
    };
    header.table = RouteHeader::RT_TABLE_UNSPEC;
    if route.onlink {
        header.flags |= RouteFlags::Onlink;
    }
    let attributes = &mut message.attributes;
    if route.prefix.prefix_len() > 0 {
        attributes.push(RouteAttribute::Destination(RouteAddress::from(route.prefix.addr())));
    }
    attributes.push(RouteAttribute::Table(route.table.get()));
    attributes.extend(route.via.map(|via| RouteAttribute::Gateway(RouteAddress::from(via))));
    attributes.extend(route.src.map(|src| RouteAttribute::PrefSource(RouteAddress::from(src))));
    attributes.extend(index.map(RouteAttribute::Oif));
    if route.metric != 0 {
        attributes.push(RouteAttribute::Priority(route.metric));
    }
    message
}

/// A route and the index of its interface. `None` for a route that we do not handle (several next hops, broadcast and
/// so on), and for a route that matches only some packets, by their TOS or source, since the kernel keeps it beside
/// others.
pub(super) fn decode(family: Family, message: &RouteMessage) -> Option<(Route, Option<u32>)> {
    let header = &message.header;
    let kind = match header.kind {
        RouteType::Unicast => RouteKind::Unicast,
        RouteType::Unreachable => RouteKind::Unreachable,
        RouteType::BlackHole => RouteKind::Blackhole,
        RouteType::Prohibit => RouteKind::Prohibit,
        _ => return None,
    };
    if header.tos != 0 || header.source_prefix_length != 0 {
        return None;
    }
    let mut route = Route {
        table: TableId::new(u32::from(header.table)).unwrap_or(TableId::MAIN),
        prefix: unspecified(family),
        kind,
        via: None,
        dev: None,
        src: None,
        metric: 0,
        onlink: header.flags.contains(RouteFlags::Onlink),
        protocol: u8::from(header.protocol),
    };
    let mut index = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(to) => {
                route.prefix = IpNet::new(address(to)?, header.destination_prefix_length).ok()?;
            }
            RouteAttribute::Gateway(via) => route.via = Some(address(via)?),
            RouteAttribute::PrefSource(src) => route.src = Some(address(src)?),
            RouteAttribute::Priority(metric) => route.metric = *metric,
            RouteAttribute::Table(table) => route.table = TableId::new(*table)?,
            RouteAttribute::Oif(oif) => index = Some(*oif),
            RouteAttribute::MultiPath(_) => return None,
            _ => {}
        }
    }
    Some((route, index))
}

fn address(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some(IpAddr::V4(*v4)),
        RouteAddress::Inet6(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
