//! Restores links: which exist and where, and their settings.

use crate::kernel::Refusal;
use crate::kernel::netlink::raw::{Attributes, NLA_F_NESTED, Object, number};
use crate::kernel::netlink::saved::link::{
    ADDRESS, AF_INET6, AF_SPEC, ALT_IFNAME, BRIDGE_GROUP_ADDR, GROUP, IFALIAS, IFF_UP, IFNAME,
    INET6_ADDR_GEN_MODE, INFO_SLAVE_DATA, INFO_SLAVE_KIND, LINK, LINKINFO, LINKMODE, Link, MASTER, MTU,
    NET_NS_FD, NEW_IFINDEX, PORT_BACKUP, PROP_LIST, SETTABLE_FLAGS, TXQLEN, header, parse, peer,
};
use crate::kernel::netlink::saved::{Change, Restoration};
use crate::state::{Noun, Subject};
use crate::values::IfName;
use nix::errno::Errno;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsRawFd as _;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_SETLINK: u16 = 19;
const RTM_NEWLINKPROP: u16 = 108;
const RTM_DELLINKPROP: u16 = 109;

/// A link: the number of its namespace, and its index.
pub(super) type At = (usize, u32);

/// The links of all namespaces as they are, and which of the saved ones they are.
pub(super) struct View {
    /// By the number of the namespace.
    pub(super) links: Vec<Vec<Link>>,
    /// Where each saved link is now.
    now: BTreeMap<At, At>,
    /// The saved links that are restored.
    pub(super) touched: BTreeSet<At>,
}

impl View {
    fn get(&self, (site, index): At) -> Option<&Link> {
        self.links.get(site)?.iter().find(|link| link.index == index)
    }

    fn named(&self, site: usize, name: &[u8]) -> Option<&Link> {
        self.links.get(site)?.iter().find(|link| link.raw_name == name)
    }

    /// The index that a saved link has now, if it is in its namespace.
    pub(super) fn index(&self, site: usize, saved: u32) -> Option<u32> {
        self.now.get(&(site, saved)).filter(|(now, _)| *now == site).map(|(_, index)| *index)
    }

    /// The saved links of a namespace that are restored, with what they are now.
    pub(super) fn touched<'a>(&'a self, site: usize, saved: &'a [Link]) -> Vec<(Link, Link)> {
        let is_touched = |link: &&Link| self.touched.contains(&(site, link.index));
        let now =
            |link: &Link| Some((link.clone(), self.get((site, self.index(site, link.index)?))?.clone()));
        saved.iter().filter(is_touched).filter_map(now).collect()
    }

    /// The saved link that a link is.
    fn saved_of(&self, now: At) -> Option<At> {
        self.now.iter().find(|(_, is)| **is == now).map(|(saved, _)| *saved)
    }
}

impl Restoration {
    /// Reads all links.
    pub(super) fn view(&mut self) -> Option<View> {
        let mut links = Vec::new();
        for site in 0..self.sites.len() {
            links.push(parse(&self.now(site, Noun::Link)?));
        }
        let mut view = View { links, now: BTreeMap::new(), touched: BTreeSet::new() };
        self.match_in_place(&mut view);
        for (number, site) in self.sites.iter().enumerate() {
            for link in &site.links {
                let at = (number, link.index);
                let is_named = |(at, name): (usize, &IfName)| {
                    self.sites.get(at).is_some_and(|site| site.touched.contains(name))
                };
                let now = view.now.get(&at).and_then(|now| Some((now.0, &view.get(*now)?.name)));
                if is_named((number, &link.name)) || now.is_some_and(is_named) {
                    view.touched.insert(at);
                }
            }
        }
        self.match_moved(&mut view);
        Some(view)
    }

    /// Finds the saved links that are where they were, by their index, or else by their name.
    fn match_in_place(&self, view: &mut View) {
        for by_index in [true, false] {
            for (number, site) in self.sites.iter().enumerate() {
                for link in &site.links {
                    let at = (number, link.index);
                    if view.now.contains_key(&at) {
                        continue;
                    }
                    let found = if by_index { view.get(at) } else { view.named(number, &link.raw_name) };
                    let Some(found) = found.filter(|found| found.is_alike(link)) else { continue };
                    // A link that was made anew is made once more, with its index, if this index is free.
                    let is_other = link.creation_data().is_some() || link.is("veth");
                    let can_be_made = is_other && site.touched.contains(&link.name);
                    let found = (number, found.index);
                    let is_free = view.saved_of(found).is_none();
                    if is_free && (by_index || !can_be_made || view.get(at).is_some()) {
                        view.now.insert(at, found);
                    }
                }
            }
        }
    }

    /// Finds the saved links that were moved to another namespace.
    fn match_moved(&self, view: &mut View) {
        for at in view.touched.clone() {
            let Some(link) = self.saved_link(at).filter(|_| !view.now.contains_key(&at)) else { continue };
            let mut candidates = Vec::new();
            for (number, site) in self.sites.iter().enumerate().filter(|(number, _)| *number != at.0) {
                let is_it = |found: &&Link| {
                    link.may_be_moved_to(found)
                        && (site.touched.contains(&found.name) || found.raw_name == link.raw_name)
                        && view.saved_of((number, found.index)).is_none()
                };
                let found = view.links.get(number).into_iter().flatten().filter(is_it);
                candidates.extend(found.map(|found| ((number, found.index), found)));
            }
            // The most likely one has the same index and the same address.
            let likely = |found: &Link| {
                u8::from(found.index == link.index) + u8::from(found.address() == link.address())
            };
            if let Some((now, _)) = candidates.into_iter().max_by_key(|(_, found)| likely(found)) {
                view.now.insert(at, now);
            }
        }
    }

    pub(super) fn saved_link(&self, (site, index): At) -> Option<&Link> {
        self.sites.get(site)?.links.iter().find(|link| link.index == index)
    }

    /// Deletes the links that did not exist, moves others back, renames them, and makes those that are missing.
    pub fn restore_links(&mut self) {
        // Each step is one layer of links on top of others.
        for _ in 0..STEPS {
            let Some(view) = self.view() else { return };
            let made = self.delete_others(&view)
                | self.move_back(&view)
                | self.rename(&view)
                | self.make_missing(&view);
            if !made {
                return;
            }
        }
    }

    fn delete_others(&mut self, view: &View) -> bool {
        let mut made = false;
        for (site, links) in view.links.iter().enumerate() {
            let touched = self.sites.get(site).map(|site| site.touched.clone()).unwrap_or_default();
            for link in links {
                // Hardware cannot be deleted.
                let is_other = touched.contains(&link.name) && view.saved_of((site, link.index)).is_none();
                if is_other && link.kind.is_some() {
                    let object = Object { header: header(0, link.index, 0, 0), ..Object::default() };
                    let change = Change { number: RTM_DELLINK, flags: 0, object };
                    made |= self.delete(site, subject(link), change);
                }
            }
        }
        made
    }

    fn move_back(&mut self, view: &View) -> bool {
        let mut made = false;
        for (saved, now) in view.now.iter().filter(|(saved, now)| saved.0 != now.0) {
            let (Some(link), Some(file)) = (self.saved_link(*saved).cloned(), self.file(saved.0)) else {
                continue;
            };
            if view
                .named(saved.0, &link.raw_name)
                .is_some_and(|other| !self.is_in_the_way(view, saved.0, other))
            {
                self.note(saved.0, subject(&link), Err(Refusal::text("another link has its name")));
                continue;
            }
            let fd = file.as_raw_fd().to_ne_bytes();
            let mut attributes =
                Attributes::default().with(NET_NS_FD, fd).with(IFNAME, link.raw_name.clone());
            if view.get(*saved).is_none() {
                attributes.push(NEW_IFINDEX, link.index.to_ne_bytes());
            }
            let object = Object { header: header(0, now.1, 0, 0), attributes };
            made |= self.change(now.0, subject(&link), Change { number: RTM_SETLINK, flags: 0, object });
        }
        made
    }

    /// Whether a link is to be deleted, renamed or moved away.
    fn is_in_the_way(&self, view: &View, site: usize, link: &Link) -> bool {
        match view.saved_of((site, link.index)) {
            None => {
                link.kind.is_some()
                    && self.sites.get(site).is_some_and(|site| site.touched.contains(&link.name))
            }
            Some(saved) => {
                let is_elsewhere = saved.0 != site
                    || self.saved_link(saved).is_some_and(|saved| saved.raw_name != link.raw_name);
                is_elsewhere && view.touched.contains(&saved)
            }
        }
    }

    fn rename(&mut self, view: &View) -> bool {
        let mut made = false;
        for (saved, now) in view.now.iter().filter(|(saved, now)| saved.0 == now.0) {
            let (Some(link), Some(found)) = (self.saved_link(*saved).cloned(), view.get(*now)) else {
                continue;
            };
            if link.raw_name == found.raw_name || !view.touched.contains(saved) {
                continue;
            }
            let mut name = link.raw_name.clone();
            if let Some(other) = view.named(now.0, &link.raw_name) {
                if !self.is_in_the_way(view, now.0, other) {
                    self.note(now.0, subject(&link), Err(Refusal::text("another link has its name")));
                    continue;
                }
                // Two links may have each other's names.
                name = format!("ifnl{}\0", found.index).into_bytes();
                if found.raw_name == name {
                    continue;
                }
            }
            let attributes = Attributes::default().with(IFNAME, name);
            let rename = |attributes| Change {
                number: RTM_SETLINK,
                flags: 0,
                object: Object { header: header(0, found.index, 0, 0), attributes },
            };
            // Before Linux 6.2, a link that is up cannot be renamed.
            let mut outcome = self.send(now.0, rename(attributes.clone()));
            if matches!(&outcome, Err(refusal) if refusal.errno == Some(Errno::EBUSY)) {
                outcome = self.send(now.0, set_up(found.index, false));
                outcome = outcome.and_then(|()| self.send(now.0, rename(attributes)));
            }
            made |= self.note(now.0, subject(&link), outcome);
        }
        made
    }

    fn make_missing(&mut self, view: &View) -> bool {
        let mut made = false;
        let mut together: BTreeSet<At> = BTreeSet::new();
        let is_missing = |at: &&At| !view.now.contains_key(at);
        for at in view.touched.iter().filter(is_missing).copied().collect::<Vec<At>>() {
            let Some(link) = self.saved_link(at).cloned() else { continue };
            if together.contains(&at) {
                continue;
            }
            if view.named(at.0, &link.raw_name).is_some() {
                self.note(at.0, subject(&link), Err(Refusal::text("another link has its name")));
                continue;
            }
            let index = if view.get(at).is_some() { 0 } else { link.index };
            let outcome = if link.is("veth") {
                self.pair(view, at, &link, index, &mut together)
            } else {
                self.single(view, at, &link, index)
            };
            let outcome = outcome.and_then(|object| {
                self.send(at.0, Change { number: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, object })
            });
            made |= self.note(at.0, subject(&link), outcome);
        }
        made
    }

    /// The message that makes a link.
    fn single(&self, view: &View, at: At, link: &Link, index: u32) -> Result<Object, Refusal> {
        let data =
            link.creation_data().ok_or_else(|| Refusal::text("a link of this kind cannot be made again"))?;
        let mut attributes = link.creation(!self.address_is_of_another(at, link));
        if let Some(lower) = link.lower().filter(|_| link.nsid().is_none()) {
            let lower = view.index(at.0, lower).ok_or_else(missing)?;
            attributes.push(LINK, lower.to_ne_bytes());
        } else if link.lower().is_some() {
            return Err(Refusal::text("a link of this kind cannot be made again"));
        }
        attributes.push(LINKINFO | NLA_F_NESTED, link.linkinfo(&data));
        Ok(Object { header: header(0, index, 0, 0), attributes })
    }

    /// The message that makes both ends of a veth pair.
    fn pair(
        &self,
        view: &View,
        at: At,
        link: &Link,
        index: u32,
        together: &mut BTreeSet<At>,
    ) -> Result<Object, Refusal> {
        let site = match link.nsid() {
            None => Some(at.0),
            Some(nsid) => self.sites.get(at.0).and_then(|site| site.others.get(&nsid)).copied(),
        };
        let end = site.zip(link.lower()).ok_or_else(missing)?;
        let other = self.saved_link(end).cloned().ok_or_else(missing)?;
        if view.named(end.0, &other.raw_name).is_some() {
            return Err(Refusal::text("another link has the name of its peer"));
        }
        let is_free = index != 0 && view.get(end).is_none();
        let mut attributes = other.creation(true);
        if end.0 != at.0 {
            let file = self.file(end.0).ok_or_else(missing)?;
            attributes.push(NET_NS_FD, file.as_raw_fd().to_ne_bytes());
        }
        let data = peer(header(0, if is_free { other.index } else { 0 }, 0, 0), attributes);
        let mut attributes = link.creation(true);
        attributes.push(LINKINFO | NLA_F_NESTED, link.linkinfo(&data));
        together.insert(end);
        Ok(Object { header: header(0, index, 0, 0), attributes })
    }

    /// Whether a link has the address of a port or of its lower link. It takes it over by itself.
    fn address_is_of_another(&self, (site, _): At, link: &Link) -> bool {
        let Some(site) = self.sites.get(site) else { return false };
        let is_below = |other: &&Link| {
            (link.is("bridge") && other.master() == Some(link.index))
                || (link.is("vlan") && link.lower() == Some(other.index))
        };
        site.links.iter().filter(is_below).any(|other| other.address() == link.address())
    }

    /// Restores the settings of links.
    pub fn restore_settings(&mut self) {
        for stage in [Self::restore_master, Self::restore_setting, Self::restore_up, Self::restore_port] {
            // What a stage changes has effects on others: a bridge takes over the address of a port.
            let Some(view) = self.view() else { return };
            for site in 0..self.sites.len() {
                let saved = self.sites.get(site).map(|site| site.links.clone()).unwrap_or_default();
                for (saved, now) in view.touched(site, &saved) {
                    stage(self, &view, site, &saved, &now);
                }
            }
        }
    }

    fn restore_master(&mut self, view: &View, site: usize, saved: &Link, now: &Link) {
        let wanted = match saved.master().map(|master| view.index(site, master)) {
            None => 0,
            Some(Some(master)) => master,
            Some(None) => {
                self.note(site, setting(saved, "master"), Err(missing()));
                return;
            }
        };
        if now.master().unwrap_or_default() != wanted {
            let attributes = Attributes::default().with(MASTER, wanted.to_ne_bytes());
            self.change(site, setting(saved, "master"), set(now, attributes));
        }
    }

    fn restore_setting(&mut self, _: &View, site: usize, saved: &Link, now: &Link) {
        let (wanted, has) = (saved.flags & SETTABLE_FLAGS, now.flags & SETTABLE_FLAGS);
        if wanted != has {
            let object = Object { header: header(0, now.index, wanted, wanted ^ has), ..Object::default() };
            self.change(site, setting(saved, "flags"), Change { number: RTM_SETLINK, flags: 0, object });
        }
        for (kind, word) in [
            (MTU, "mtu"),
            (ADDRESS, "address"),
            (TXQLEN, "txqueuelen"),
            (GROUP, "group"),
            (LINKMODE, "mode"),
            (IFALIAS, "alias"),
        ] {
            // An alias that is missing is set to an empty one.
            let wanted = saved.attributes.get(kind).unwrap_or_default();
            if now.attributes.get(kind).unwrap_or_default() != wanted
                && (kind == IFALIAS || !wanted.is_empty())
            {
                let attributes = Attributes::default().with(kind, wanted);
                self.change(site, setting(saved, word), set(now, attributes));
            }
        }
        if let Some(mode) = saved.addr_gen_mode().filter(|mode| now.addr_gen_mode().as_ref() != Some(mode)) {
            let ipv6 = Attributes::default().with(INET6_ADDR_GEN_MODE, mode);
            let families = Attributes::default().with(AF_INET6 | NLA_F_NESTED, ipv6.bytes());
            let attributes = Attributes::default().with(AF_SPEC | NLA_F_NESTED, families.bytes());
            self.change(site, setting(saved, "addrgenmode"), set(now, attributes));
        }
        let (wanted, has) = (saved.alternative_names(), now.alternative_names());
        for (number, these, those) in [(RTM_DELLINKPROP, &has, &wanted), (RTM_NEWLINKPROP, &wanted, &has)] {
            for name in these.iter().filter(|name| !those.contains(name)) {
                let names = Attributes::default().with(ALT_IFNAME, name.clone());
                let attributes = Attributes::default().with(PROP_LIST | NLA_F_NESTED, names.bytes());
                let object = Object { header: header(0, now.index, 0, 0), attributes };
                let flags = if number == RTM_NEWLINKPROP { NLM_F_CREATE | NLM_F_EXCL } else { 0 };
                self.change(site, setting(saved, "altname"), Change { number, flags, object });
            }
        }
        let has = now.settings();
        for (kind, value) in saved.settings().0 {
            if has.get(kind) != Some(&value) && has.get(kind).is_some() {
                let info = saved.linkinfo(&Attributes::default().with(kind, value));
                let attributes = Attributes::default().with(LINKINFO | NLA_F_NESTED, info);
                let word = if kind == BRIDGE_GROUP_ADDR { "group_address" } else { "type" };
                self.change(site, setting(saved, word), change(now, attributes));
            }
        }
    }

    fn restore_up(&mut self, _: &View, site: usize, saved: &Link, now: &Link) {
        if saved.is_up() != now.is_up() {
            let word = if saved.is_up() { "up" } else { "down" };
            self.change(site, setting(saved, word), set_up(now.index, saved.is_up()));
        }
    }

    fn restore_port(&mut self, view: &View, site: usize, saved: &Link, now: &Link) {
        let has = now.port_settings();
        for (kind, value) in saved.port_settings().0 {
            let value = match number(&value).filter(|_| kind == PORT_BACKUP) {
                Some(port) => view.index(site, port).unwrap_or_default().to_ne_bytes().to_vec(),
                None => value,
            };
            if has.get(kind).is_some_and(|has| has != value)
                || (kind == PORT_BACKUP && has.get(kind).is_none())
            {
                let mut info = Attributes::default().with(INFO_SLAVE_KIND, b"bridge\0".as_slice());
                let data = Attributes::default().with(kind, value);
                info.push(INFO_SLAVE_DATA | NLA_F_NESTED, data.bytes());
                let attributes = Attributes::default().with(LINKINFO | NLA_F_NESTED, info.bytes());
                self.change(site, setting(saved, "port"), change(now, attributes));
            }
        }
    }
}

/// How many layers of links there can be, with the links that have to go before, and a rename in two steps.
const STEPS: usize = 16;

fn subject(link: &Link) -> Subject {
    Subject::new(Noun::Link, link.name.as_str())
}

fn setting(link: &Link, what: &str) -> Subject {
    Subject::new(Noun::Link, format!("{} {what}", link.name))
}

fn missing() -> Refusal {
    Refusal::text("a link that it needs is missing")
}

fn set_up(index: u32, up: bool) -> Change {
    let object = Object { header: header(0, index, u32::from(up), IFF_UP), ..Object::default() };
    Change { number: RTM_SETLINK, flags: 0, object }
}

fn set(link: &Link, attributes: Attributes) -> Change {
    let object = Object { header: header(0, link.index, 0, 0), attributes };
    Change { number: RTM_SETLINK, flags: 0, object }
}

/// A change of what belongs to the kind of a link.
fn change(link: &Link, attributes: Attributes) -> Change {
    Change { number: RTM_NEWLINK, ..set(link, attributes) }
}
