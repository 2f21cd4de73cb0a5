//! `ifnetlink show`: VRFs, namespaces, veth pairs and bridges as the kernel has them.

mod draw;
mod view;

use anyhow::Context as _;
use ifupdown_ng_netlink::kernel::Kernel as _;
use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::kernel::netns::named;
use ifupdown_ng_netlink::kernel::netns::resolved::References;
use ifupdown_ng_netlink::stanza::environment;
use ifupdown_ng_netlink::state::{LinkKind, Netns, Place, Query, Snapshot, TableRef};
use std::collections::BTreeSet;
use std::io::Write as _;
use view::View;

/// Prints the state.
///
/// # Errors
/// When the kernel does not answer, or nothing can be printed.
pub fn show(machine: bool) -> anyhow::Result<u8> {
    let found = look().context("cannot read the state of the kernel")?;
    let view = View::new(&found);
    let text =
        if machine { format!("{}\n", view.json()) } else { draw::draw(&view, environment::has_colours()) };
    std::io::stdout().write_all(text.as_bytes()).context("cannot print what there is")?;
    Ok(0)
}

/// Reads all named namespaces, and this one.
fn look() -> anyhow::Result<Snapshot> {
    let (mut kernel, mut references) = (Live::default(), References::default());
    let mut places = BTreeSet::from([Place::Here]);
    let mut query = Query::default();
    for netns in named::all() {
        if matches!(references.look(&netns)?, Netns::Is(existing) if !existing.own) {
            query.netns.insert(netns.clone(), false);
            places.insert(Place::In(netns));
        }
    }
    for place in &places {
        let wants = query.at(place);
        wants.all_links = true;
        wants.rules = true;
        wants.bridging.all_vlans = true;
        wants.nsids = places.iter().filter(|other| *other != place).cloned().collect();
    }
    // The links show which routes and addresses are needed.
    let found = kernel.read(&query)?;
    for (place, state) in &found.places {
        let wants = query.at(place);
        for (name, link) in &state.links {
            match &link.kind {
                LinkKind::Vrf(_) => drop(wants.routes.insert(TableRef::Vrf(name.clone()))),
                LinkKind::Other(kind) if kind == "veth" => drop(wants.addresses.insert(name.clone())),
                _ if *place != Place::Here => drop(wants.addresses.insert(name.clone())),
                _ => {}
            }
        }
    }
    Ok(kernel.read(&query)?)
}
