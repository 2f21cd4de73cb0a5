//! `ifnetlink show`: links, VRFs, namespaces and bridges as the kernel has them.

mod dot;
mod draw;
mod filter;
mod json;
mod view;
mod vlans;

use anyhow::Context as _;
use clap::{Arg, ArgAction, ArgMatches, Command};
use filter::{Filter, Missing};
use ifupdown_ng_netlink::kernel::Kernel as _;
use ifupdown_ng_netlink::kernel::live::Live;
use ifupdown_ng_netlink::kernel::netns::named;
use ifupdown_ng_netlink::kernel::netns::resolved::References;
use ifupdown_ng_netlink::program::message::complain;
use ifupdown_ng_netlink::program::run::FAILED;
use ifupdown_ng_netlink::stanza::environment::Output;
use ifupdown_ng_netlink::state::{Netns, Place, Query, Snapshot, TableRef};
use ifupdown_ng_netlink::values::IfName;
use nix::errno::Errno;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use view::View;

/// The command line, without `--json`.
pub fn command() -> Command {
    let option = |name, value, help| Arg::new(name).long(name).value_name(value).help(help);
    Command::new("show")
        .about("Prints links with their addresses, VRFs, bridges with their VLANs, and named namespaces")
        .after_help(
            "Colours and a legend are printed on a terminal; NO_COLOR in the environment turns the colours off.\n\
             Exit status: 0, or 1 if a name does not exist, and on other errors.\n\n\
             Examples:\n  \
             ifnetlink show\n  \
             ifnetlink show --netns guest --json",
        )
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .num_args(0..)
                .help("Interfaces, VRFs and namespaces: only these, and what belongs to them"),
        )
        .args([
            option("vrf", "VRF", "Only this VRF and what belongs to it"),
            option("netns", "NETNS", "Only what is in this namespace"),
        ])
        .arg(
            Arg::new("dot")
                .long("dot")
                .action(ArgAction::SetTrue)
                .conflicts_with("json")
                .help("A graph for dot(1) of graphviz"),
        )
}

/// Prints the state.
///
/// # Errors
/// When the kernel does not answer, or nothing can be printed.
pub fn show(matches: &ArgMatches) -> anyhow::Result<u8> {
    let text = |name| matches.get_one::<String>(name).cloned();
    let names = matches.get_many::<String>("name").into_iter().flatten().cloned().collect();
    let mut filter = Filter { names, vrf: text("vrf"), netns: text("netns") };
    let mut kernel = Live::default();
    let found = look(&mut kernel)
        .and_then(|found| resolve(&mut kernel, &found, &mut filter).map(|()| found))
        .context("cannot read the state of the kernel")?;
    let view = match View::new(&found, &filter) {
        Ok(view) => view,
        Err(missing) => {
            for missing in missing {
                complain(&format_args!("ifnetlink: {}", reason(&missing)));
            }
            return Ok(FAILED);
        }
    };
    let text = if matches.get_flag("json") {
        format!("{}\n", json::json(&view))
    } else if matches.get_flag("dot") {
        dot::dot(&view)
    } else {
        draw::draw(&view, &Output::in_process())
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot print what there is")?;
    Ok(0)
}

fn reason(missing: &Missing) -> String {
    match missing {
        Missing::Name(name) => format!("{name}: there is no interface or namespace of that name"),
        Missing::Vrf(name) => format!("{name}: there is no VRF of that name"),
        Missing::Netns(name) => format!("{name}: there is no namespace of that name"),
    }
}

/// Reads all named namespaces, and this one.
fn look(kernel: &mut Live) -> anyhow::Result<Snapshot> {
    let mut references = References::default();
    let mut places = BTreeSet::from([Place::Here]);
    let mut query = Query::default();
    for netns in named::all() {
        if let Netns::Is(existing) = references.look(&netns)? {
            query.netns.insert(netns.clone(), false);
            if !existing.own {
                places.insert(Place::In(netns));
            }
        }
    }
    // Only this module has tables. To ask for one would load it.
    let has_tables = Path::new("/sys/module/nf_tables").exists();
    for place in &places {
        let wants = query.at(place);
        wants.bridging.allowed = has_tables;
        wants.all_links = true;
        wants.all_addresses = true;
        wants.rules = true;
        wants.bridging.all_vlans = true;
        wants.nsids = places.iter().filter(|other| *other != place).cloned().collect();
    }
    let mut found = match kernel.read(&query) {
        // The kernel shows tables only with CAP_NET_ADMIN.
        Err(refusal) if has_tables && refusal.errno == Some(Errno::EPERM) => {
            query.places.values_mut().for_each(|wants| wants.bridging.allowed = false);
            kernel.read(&query)?
        }
        read => read?,
    };
    // The VRFs show which tables are needed.
    let mut query = Query::default();
    for (place, state) in &found.places {
        query.at(place).routes = state.vrfs().map(|(_, table)| TableRef::Id(table)).collect();
    }
    for (place, read) in kernel.read(&query)?.places {
        if let Some(state) = found.places.get_mut(&place) {
            state.routes.clone_from(&read.routes);
        }
    }
    Ok(found)
}

/// Replaces alternative names of links (ip-link(8) `altname`) with their names.
fn resolve(kernel: &mut Live, found: &Snapshot, filter: &mut Filter) -> anyhow::Result<()> {
    let is_unknown =
        |name: &&String| !found.places.values().any(|state| state.links.contains_key(name.as_str()));
    let unknown = filter.names.iter().chain(&filter.vrf).filter(is_unknown);
    let unknown: BTreeSet<IfName> = unknown.filter_map(|name| name.parse().ok()).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let mut query = Query::default();
    for place in found.places.keys() {
        query.at(place).links.clone_from(&unknown);
    }
    for (place, read) in kernel.read(&query)?.places {
        let links = &found.at(&place).details;
        for text in filter.names.iter_mut().chain(&mut filter.vrf) {
            let Some(alternative) = read.details.get(text.as_str()) else { continue };
            let link = links.iter().find(|(_, details)| details.index == alternative.index);
            if let Some((name, _)) = link {
                *text = name.to_string();
            }
        }
    }
    Ok(())
}
