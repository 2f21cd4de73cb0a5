//! Saves the state of namespaces, and restores it.
//!
//! Both work on messages of which only the headers and some attributes are known: an answer of a dump is also a request
//! that leads to the same object, once the attributes that only the kernel sets are removed. `ip address restore` and
//! `ip route restore` do the same.
//!
//! A restoration reads what exists, and changes what differs. It repeats this until nothing changes any more: then also
//! what could not be restored before something else existed is restored. So it can be interrupted and started again at
//! any point.

mod address;
mod bridge;
mod link;
mod links;
mod nexthop;
mod route;
mod rule;

use crate::kernel::Refusal;
use crate::kernel::netlink::channel::Channel;
use crate::kernel::netlink::raw::{Attributes, Object, RawMessage, number};
use crate::state::{Links, Noun, Place, Saved, SavedPlace, Subject};
use crate::values::IfName;
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::rc::Rc;

/// Why something could not be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The namespace of the object.
    pub place: Place,
    /// The object.
    pub subject: Subject,
    /// The reason.
    pub refusal: Refusal,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Place::In(netns) = &self.place {
            write!(f, "{netns}: ")?;
        }
        write!(f, "{}: {}", self.subject, self.refusal)
    }
}

/// A channel for messages that are not decoded.
pub type RawChannel = Channel<RawMessage>;

// Families.
const AF_INET: u8 = 2;
const AF_BRIDGE: u8 = 7;
const AF_INET6: u8 = 10;

/// How the objects of one kind are asked for: the number of the request, the length of the header, the family, and the
/// number of an answer. Family 0 is all families.
fn request(noun: Noun) -> Option<(u16, usize, u8, u16)> {
    Some(match noun {
        Noun::Link => (18, 16, 0, 16),
        Noun::Vlan => (18, 16, AF_BRIDGE, 16),
        Noun::Fdb => (30, 12, AF_BRIDGE, 28),
        Noun::Nexthop => (106, 8, 0, 104),
        Noun::Address => (22, 8, 0, 20),
        Noun::Route => (26, 12, 0, 24),
        Noun::Rule => (34, 12, 0, 32),
        Noun::Netns | Noun::Sysctl | Noun::Record | Noun::Allowed => return None,
    })
}

/// The parts of a link that a request asks for (`IFLA_EXT_MASK`): no statistics.
const IFLA_EXT_MASK: u16 = 29;
const RTEXT_FILTER_SKIP_STATS: u32 = 8;
/// The VLANs as ranges.
const RTEXT_FILTER_BRVLAN_COMPRESSED: u32 = 4;

/// The objects of a kind that are saved, as the kernel shows them.
fn dump(channel: &mut RawChannel, noun: Noun) -> Result<Vec<Vec<u8>>, Refusal> {
    let Some((number, header, family, answer_number)) = request(noun) else { return Ok(Vec::new()) };
    let mut query = Object { header: vec![0; header], attributes: Attributes::default() };
    query.header[0] = family;
    match noun {
        Noun::Link => query.attributes.push(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS.to_ne_bytes()),
        Noun::Vlan => query.attributes.push(IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED.to_ne_bytes()),
        _ => {}
    }
    let message = RawMessage { number, payload: query.bytes() };
    // Of all families, the kernel also shows routes and rules of multicast and MPLS.
    let is_ip = |bytes: &[u8]| matches!(bytes.first(), Some(&(AF_INET | AF_INET6)));
    let is_kept = |bytes: &[u8]| match noun {
        Noun::Route => is_ip(bytes) && !is_cloned(bytes),
        Noun::Rule => is_ip(bytes),
        Noun::Fdb => is_static(bytes),
        _ => true,
    };
    let answers = channel.dump(&message, |answer| {
        let is_kept = answer.number == answer_number && is_kept(&answer.payload);
        is_kept.then_some(answer.payload)
    });
    match answers {
        // The kernel has no such family, or no such objects.
        Err(Refusal { errno: Some(Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP), .. }) => Ok(Vec::new()),
        answers => answers,
    }
}

/// Whether a route is only a cached result of a lookup (`RTM_F_CLONED`).
fn is_cloned(route: &[u8]) -> bool {
    route.get(8..).and_then(number).is_some_and(|flags| flags & 0x200 != 0)
}

/// Whether a bridge has an entry of its forwarding database from outside: it has a master (`NDA_MASTER`), and is
/// permanent, static (`NUD_NOARP`) or learned by another program (`NTF_EXT_LEARNED`).
fn is_static(entry: &[u8]) -> bool {
    let Some(entry) = Object::parse(entry, 12) else { return false };
    let (state, flags) = (entry.short_number(8), entry.byte(10));
    entry.attributes.get(9).is_some() && (state & 0xc0 != 0 || flags & 0x10 != 0)
}

/// Everything of a namespace that a restoration needs. The rules only on request: nothing else changes them.
///
/// # Errors
/// The kernel does not answer.
pub fn save(channel: &mut RawChannel, with_rules: bool) -> Result<BTreeMap<Noun, Vec<Vec<u8>>>, Refusal> {
    let mut messages = BTreeMap::new();
    let mut has_bridges = false;
    for noun in Noun::MESSAGES {
        match noun {
            Noun::Vlan | Noun::Fdb if !has_bridges => continue,
            Noun::Rule if !with_rules => continue,
            _ => {}
        }
        let found = dump(channel, noun)?;
        if noun == Noun::Link {
            has_bridges = link::parse(&found).iter().any(link::Link::is_bridge_or_port);
        }
        if !found.is_empty() {
            messages.insert(noun, found);
        }
    }
    Ok(messages)
}

/// The links that a change of some links can affect: the links on top of them, those that have one of them as their
/// master, and the other ends of veth pairs. The kernel sets down a VLAN with its lower link, and deletes both ends of
/// a pair.
pub fn affected(Saved { places }: &Saved, links: &Links) -> Links {
    let saved: BTreeMap<&Place, Vec<link::Link>> =
        places.iter().map(|(place, of)| (place, link::parse(of.messages(Noun::Link)))).collect();
    let names: BTreeMap<(&Place, u32), &IfName> = saved
        .iter()
        .flat_map(|(place, all)| all.iter().map(move |link| ((*place, link.index), &link.name)))
        .collect();
    let mut affected = links.clone();
    loop {
        let mut more = Vec::new();
        for (place, all) in &saved {
            let has = |place: &Place, index: Option<u32>| {
                let name = index.and_then(|index| names.get(&(place, index)));
                name.is_some_and(|name| affected.get(place).is_some_and(|names| names.contains(*name)))
            };
            for link in all {
                let below = match link.nsid() {
                    None => Some(*place),
                    Some(nsid) => places.get(*place).and_then(|of| of.nsids.get(&nsid)),
                };
                let is_affected =
                    has(place, link.master()) || below.is_some_and(|below| has(below, link.lower()));
                if is_affected && !affected.get(*place).is_some_and(|names| names.contains(&link.name)) {
                    more.push(((*place).clone(), link.name.clone()));
                }
            }
        }
        if more.is_empty() {
            return affected;
        }
        for (place, name) in more {
            affected.entry(place).or_default().insert(name);
        }
    }
}

/// The ids of other namespaces (nsid) that saved links lead to.
pub fn nsids(links: &[Vec<u8>]) -> BTreeSet<i32> {
    link::parse(links).iter().filter_map(link::Link::nsid).collect()
}

/// A namespace that is restored.
pub struct Site {
    place: Place,
    file: Rc<File>,
    channel: RawChannel,
    saved: SavedPlace,
    /// The links of the saved state.
    links: Vec<link::Link>,
    /// The names of the links that are restored.
    touched: BTreeSet<IfName>,
    /// The sites of other namespaces, by their saved ids (nsid).
    others: BTreeMap<i32, usize>,
}

impl Site {
    /// A namespace by an open file and a channel into it. `saved` is its saved state, empty for a namespace that did
    /// not exist then.
    pub fn new(place: Place, file: Rc<File>, channel: RawChannel, saved: SavedPlace) -> Self {
        let links = link::parse(saved.messages(Noun::Link));
        Self { place, file, channel, saved, links, touched: BTreeSet::new(), others: BTreeMap::new() }
    }

    /// Adds links that are restored.
    pub fn touch(&mut self, names: impl IntoIterator<Item = IfName>) {
        self.touched.extend(names);
    }

    /// Notes which of the sites a saved id (nsid) means.
    pub fn note_nsid(&mut self, nsid: i32, site: usize) {
        self.others.insert(nsid, site);
    }

    /// The saved state.
    pub fn saved(&self) -> &SavedPlace {
        &self.saved
    }
}

/// How often what exists is compared with the saved state, at most. A second time is usually the last.
const ROUNDS: usize = 12;

/// A restoration of several namespaces.
pub struct Restoration {
    sites: Vec<Site>,
    /// What was changed in this round.
    done: Vec<(Place, Subject)>,
    failures: Vec<Failure>,
    rounds: usize,
}

impl Restoration {
    /// A restoration of these namespaces.
    pub fn new(sites: Vec<Site>) -> Self {
        Self { sites, done: Vec::new(), failures: Vec::new(), rounds: 0 }
    }

    /// The namespaces, by their number.
    pub fn sites(&self) -> impl Iterator<Item = (usize, &Site)> {
        self.sites.iter().enumerate()
    }

    /// The open file of a namespace.
    pub fn file(&self, site: usize) -> Option<Rc<File>> {
        self.sites.get(site).map(|site| Rc::clone(&site.file))
    }

    /// Begins another round. Returns false if the last one changed nothing, or if there were too many.
    pub fn begin_round(&mut self) -> bool {
        if self.rounds > 0 && self.done.is_empty() {
            return false;
        }
        if self.rounds == ROUNDS {
            let kept = std::mem::take(&mut self.done).into_iter().map(|(place, subject)| Failure {
                place,
                subject,
                refusal: Refusal::text("the kernel accepts this and does not keep it"),
            });
            self.failures.extend(kept);
            return false;
        }
        self.rounds += 1;
        self.done.clear();
        self.failures.clear();
        true
    }

    /// What could not be restored.
    pub fn into_failures(self) -> Vec<Failure> {
        self.failures
    }

    /// Notes the outcome of a change. Returns whether it was made.
    pub fn note(&mut self, site: usize, subject: Subject, outcome: Result<(), Refusal>) -> bool {
        let Some(place) = self.sites.get(site).map(|site| site.place.clone()) else { return false };
        match outcome {
            Ok(()) => {
                self.done.push((place, subject));
                true
            }
            Err(refusal) => {
                let failure = Failure { place, subject, refusal };
                if !self.failures.contains(&failure) {
                    self.failures.push(failure);
                }
                false
            }
        }
    }

    /// Sends a change to a namespace, and notes its outcome. Returns whether it was made.
    fn change(&mut self, site: usize, subject: Subject, message: Change) -> bool {
        let outcome = self.send(site, message);
        self.note(site, subject, outcome)
    }

    /// The same for a deletion, which is made too if the object does not exist.
    fn delete(&mut self, site: usize, subject: Subject, message: Change) -> bool {
        match self.send(site, message) {
            Err(refusal) if refusal.is_gone() => false,
            outcome => self.note(site, subject, outcome),
        }
    }

    fn send(&mut self, site: usize, Change { number, flags, object }: Change) -> Result<(), Refusal> {
        let message = RawMessage { number, payload: object.bytes() };
        let Some(site) = self.sites.get_mut(site) else { return Ok(()) };
        site.channel.change(message, flags)
    }

    /// The objects of a kind that exist in a namespace, if the kernel shows them.
    fn now(&mut self, site: usize, noun: Noun) -> Option<Vec<Vec<u8>>> {
        let outcome = dump(&mut self.sites.get_mut(site)?.channel, noun);
        outcome.map_err(|refusal| self.note(site, Subject::all(noun), Err(refusal))).ok()
    }

    /// The saved objects of a kind.
    fn saved(&self, site: usize, noun: Noun) -> Vec<Vec<u8>> {
        self.sites.get(site).map(|site| site.saved.messages(noun).to_vec()).unwrap_or_default()
    }
}

/// A request that changes something.
struct Change {
    number: u16,
    flags: u16,
    object: Object,
}

/// Reads a message in every way in which saved messages are read.
#[cfg(any(test, fuzzing))]
pub(super) fn read_any(message: &[u8]) {
    use crate::kernel::netlink::raw::ip;
    let _ = (is_cloned(message), is_static(message), number(message), ip(message));
    for link in link::parse(&[message.to_vec()]) {
        let _ = (link.settings(), link.port_settings(), link.creation_data(), link.creation(true));
        let _ = (link.table(), link.alternative_names(), link.addr_gen_mode(), link.is_alike(&link));
    }
    bridge::parse_any(message);
    address::parse_any(message);
    nexthop::parse_any(message);
    route::parse_any(message);
    rule::parse_any(message);
    let messages = Noun::MESSAGES.into_iter().map(|noun| (noun, vec![message.to_vec()])).collect();
    let saved = Saved { places: [(Place::Here, SavedPlace { messages, ..SavedPlace::default() })].into() };
    let names = "eth0".parse().into_iter().collect();
    let _ = affected(&saved, &Links::from([(Place::Here, names)]));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
