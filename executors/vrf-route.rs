//! `vrf-route` puts routes into the table of a VRF, or leaks them into another.

use ifupdown_ng_netlink::plan::vrf::route::{VrfRoute, is_link_local};
use ifupdown_ng_netlink::program::executor::{Executor, Keyword, Program, boxed};
use ifupdown_ng_netlink::program::run::run;
use ifupdown_ng_netlink::stanza::Stanza;
use ifupdown_ng_netlink::values::{IfName, List, RouteSpec, RouteTable};
use std::process::ExitCode;

/// The program.
pub const PROGRAM: Program = Program {
    name: "vrf-route",
    about: "Puts routes into the table of a VRF, or leaks them into another",
    parts: &[VRF_ROUTE],
    examples: [
        "IF_VRF=red vrf-route --iface eth1 --check vrf-route='default via 192.0.2.1'",
        "IF_VRF_TABLE=10 vrf-route --iface red --dry-run vrf-route='unreachable default metric 4096'",
    ],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

const VRF_ROUTE: Executor = Executor {
    depends: leaked_into,
    ..Executor::new(
        &[Keyword {
            name: "vrf-route",
            syntax: "ROUTE, …",
            help: "Routes, as ip-route(8) spells them: [unreachable|blackhole|prohibit] PREFIX|default [via ADDR] \
               [dev IF] [src ADDR] [metric N] [onlink] [table T|vrf V]; without table or vrf they go to the \
               table of this stanza's VRF",
        }],
        |stanza| boxed(vrf_route(stanza)),
    )
};

fn vrf_route(stanza: &Stanza) -> Option<VrfRoute> {
    let List(routes) = stanza.get::<List<RouteSpec>>("vrf-route")?;
    let is_vrf = stanza.text("vrf-table").is_some();
    if let Some(route) = routes.iter().find(|route| is_vrf && route.dev.is_none() && is_link_local(route)) {
        let via = route.via.map(|via| via.to_string()).unwrap_or_default();
        stanza.reject("vrf-route", format!("via {via}: a link-local gateway requires dev"));
        return None;
    }
    let has_table = is_vrf || stanza.text("vrf-member").or(stanza.text("vrf")).is_some();
    if !has_table && routes.iter().any(|route| route.table == RouteTable::Own) {
        stanza.reject(
            "vrf-route",
            "this stanza has neither vrf-table nor vrf-member; add `table T` or `vrf V`",
        );
        return None;
    }
    let own_table = stanza.text("vrf-table").filter(|table| *table != "auto");
    Some(VrfRoute {
        routes,
        is_vrf,
        own_table: own_table.and_then(|table| table.parse().ok()),
        written: stanza.text("vrf-route")?.to_owned(),
    })
}

/// The VRFs that routes are leaked into. Empty for a VRF: two VRFs that leak into each other would wait for each other.
fn leaked_into(_: Option<&str>, stanza: &Stanza) -> Vec<IfName> {
    if stanza.text("vrf-table").is_some() {
        return Vec::new();
    }
    let routes = stanza.text("vrf-route").and_then(|text| text.parse().ok());
    let List::<RouteSpec>(routes) = routes.unwrap_or(List(Vec::new()));
    let vrf = |route: RouteSpec| match route.table {
        RouteTable::Vrf(vrf) => Some(vrf),
        _ => None,
    };
    routes.into_iter().filter_map(vrf).collect()
}
