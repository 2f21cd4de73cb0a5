//! `vrf-table` makes an interface a VRF; `vrf-member` makes it a member of one.

use ifupdown_ng_netlink::plan::vrf::member::VrfMember;
use ifupdown_ng_netlink::plan::vrf::table::{VrfTable, Wanted};
use ifupdown_ng_netlink::program::executor::{Executor, Keyword, Program, boxed};
use ifupdown_ng_netlink::program::run::run;
use ifupdown_ng_netlink::stanza::{Phase, Stanza};
use ifupdown_ng_netlink::values::{IfName, TableRange};
use std::process::ExitCode;

/// The program.
pub const PROGRAM: Program = Program {
    name: "vrf-table",
    about: "Makes an interface a VRF, or a member of one",
    parts: &[VRF_TABLE, VRF_MEMBER],
    examples: [
        "vrf-table --iface red --check vrf-table=10",
        "vrf-table --iface eth1 --dry-run --phase pre-up vrf-member=red",
    ],
};

#[allow(dead_code, reason = "the programs that contain this one have a main of their own")]
fn main() -> ExitCode {
    run(&PROGRAM)
}

const VRF_TABLE: Executor = Executor::new(
    &[
        Keyword {
            name: "vrf-table",
            syntax: "ID|NAME|auto",
            help: "Make the interface a VRF with this routing table; auto takes the lowest free one",
        },
        Keyword {
            name: "vrf-table-range",
            syntax: "FIRST-LAST",
            help: "The tables that auto picks from, 1001-5000 by default",
        },
    ],
    |stanza| boxed(vrf_table(stanza)),
);

fn vrf_table(stanza: &Stanza) -> Option<VrfTable> {
    let range = stanza.get::<TableRange>("vrf-table-range");
    if range.is_some() && stanza.text("vrf-table") != Some("auto") {
        stanza.reject("vrf-table-range", "has no effect without `vrf-table auto`");
    }
    let mut table = stanza.get("vrf-table")?;
    if let (Wanted::Auto(picked), Some(TableRange(range))) = (&mut table, range) {
        *picked = range;
    }
    Some(VrfTable { table, written: stanza.text("vrf-table")?.to_owned() })
}

const VRF_MEMBER: Executor = Executor {
    isolates: |stanza| stanza.uses(["vrf-member", "vrf"]).then_some(Phase::PreUp),
    depends: vrfs,
    ..Executor::new(
        &[
            Keyword {
                name: "vrf-member",
                syntax: "VRF",
                help: "Make the interface a member of this VRF, before it is up and has addresses",
            },
            Keyword { name: "vrf", syntax: "VRF", help: "The same" },
        ],
        |stanza| boxed(vrf_member(stanza)),
    )
};

fn vrf_member(stanza: &Stanza) -> Option<VrfMember> {
    let keyword = if stanza.text("vrf-member").is_some() { "vrf-member" } else { "vrf" };
    if keyword == "vrf-member" && stanza.text("vrf").is_some_and(|vrf| Some(vrf) != stanza.text(keyword)) {
        stanza.reject("vrf", "conflicts with vrf-member; keep one of the two");
        return None;
    }
    let vrf = stanza.get(keyword)?;
    if stanza.text("vrf-table").is_some() {
        stanza.reject(keyword, "a VRF cannot be a member of a VRF");
        return None;
    }
    if stanza.text("dhcp-program") == Some("dhcpcd") {
        let reason =
            "conflicts with vrf-member: dhcpcd adds routes only to the table main; use udhcpc or dhclient";
        stanza.reject("dhcp-program", reason);
    }
    let leases_to_main = stanza.uses_dhcp() && !stanza.uses(["dhcp-script", "dhcp-config"]);
    Some(VrfMember { vrf, keyword, leases_to_main })
}

fn vrfs(_: Option<&str>, stanza: &Stanza) -> Vec<IfName> {
    let texts = [stanza.text("vrf-member"), stanza.text("vrf")];
    texts.into_iter().flatten().filter_map(|text| text.parse().ok()).collect()
}
