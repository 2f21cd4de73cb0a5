//! Saves the state of namespaces, and restores it.

use crate::kernel::live::Live;
use crate::kernel::netlink::Channel;
use crate::kernel::netlink::saved::{Failure, RawChannel, Restoration, Site, nsids, save};
use crate::kernel::netns;
use crate::kernel::run_dir::RunDir;
use crate::kernel::{Refusal, sysctls};
use crate::plan::op::{BridgeOp, Op};
use crate::state::{
    AllowTable, BridgingWants, Kept, Links, NetnsId, Noun, Place, Saved, SavedPlace, Snapshot, State,
    Stations, Subject, Wants,
};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::rc::Rc;

impl Live {
    /// The state of some namespaces, with some sysctls and records, and with the rules where that is asked for. A
    /// namespace that does not exist is left out. `found` is what was read under the same lock.
    ///
    /// # Errors
    /// The kernel does not show it.
    pub fn save(&mut self, places: &BTreeMap<Place, Kept>, found: &Snapshot) -> Result<Saved, Refusal> {
        let mut saved = Saved::default();
        for (place, kept) in places {
            let Some((place, _)) = self.existing(place)? else { continue };
            let id = match &place {
                Place::Here => netns::own_id()?,
                Place::In(netns) => self.references.resolve(netns)?.id,
            };
            let mut of = SavedPlace { id, ..SavedPlace::default() };
            let mut channel = self.within(&place, || {
                save_files(kept, &mut of)?;
                save_allowed(kept, &mut of)?;
                RawChannel::open()
            })??;
            of.messages = save(&mut channel, kept.rules)?;
            // The same namespace may be named twice.
            let known = saved.places.entry(place).or_insert_with(|| of.clone());
            known.messages.extend(of.messages);
            known.sysctls.extend(of.sysctls);
            known.records.extend(of.records);
            known.allowed.extend(of.allowed);
        }
        // After the links: the kernel gives a namespace an id when it first shows a link that leads there.
        let all: Vec<Place> = saved.places.keys().cloned().collect();
        for (place, of) in &mut saved.places {
            let mut shown = nsids(of.messages(Noun::Link));
            for other in all.iter().filter(|other| *other != place) {
                if shown.is_empty() {
                    break;
                }
                let nsid = match known_nsid(found, place, other) {
                    None => {
                        let file = self.open(other)?;
                        self.channel(place)?.nsid(file.as_fd())?
                    }
                    known => known,
                };
                if let Some(nsid) = nsid.filter(|nsid| shown.remove(nsid)) {
                    of.nsids.insert(nsid, other.clone());
                }
            }
        }
        Ok(saved)
    }

    /// Restores what belongs to these links, given by their saved names or by those that they have now, and the routing
    /// rules. Returns what could not be restored.
    ///
    /// What belongs to a link is restored completely, whichever program has changed it: its namespace, name, settings,
    /// VLANs, entries of its forwarding database, addresses and routes; and all routes in the table of a VRF. A link of
    /// these names that did not exist is deleted, unless it is hardware. Of links that are not named, nothing is
    /// changed; [`crate::kernel::netlink::saved::affected`] finds those that a change of others can affect. A rule with
    /// our protocol that did not exist is deleted, and any other one stays.
    ///
    /// It can be interrupted at any point, and started again by any process.
    pub fn restore(&mut self, saved: &Saved, links: &Links) -> Vec<Failure> {
        let mut failures = Vec::new();
        let mut restoration = match self.begin(saved, links, &mut failures) {
            Ok(restoration) => restoration,
            Err(refusal) => {
                let subject = Subject::all(Noun::Netns);
                failures.push(Failure { place: Place::Here, subject, refusal });
                return failures;
            }
        };
        while restoration.begin_round() {
            restoration.restore_links();
            // Before the links are up: some of these decide which addresses a link keeps.
            restore_sysctls(&mut restoration);
            // Before a port joins, and after it has left.
            restore_allowed(&mut restoration, |stations| !stations.is_empty());
            restoration.restore_settings();
            restore_allowed(&mut restoration, Stations::is_empty);
            restoration.restore_bridging();
            restoration.restore_addresses();
            restoration.restore_nexthops();
            restoration.restore_routes();
            restoration.restore_rules();
            restore_records(&mut restoration);
        }
        failures.extend(restoration.into_failures());
        // It may have changed our records.
        self.forget_records();
        failures
    }

    /// The namespaces in question, opened.
    fn begin(
        &mut self,
        saved: &Saved,
        links: &Links,
        failures: &mut Vec<Failure>,
    ) -> Result<Restoration, Refusal> {
        let mut sites: Vec<Site> = Vec::new();
        // The numbers of the sites, by the place that was saved or named, and by the reference that leads there now.
        let (mut numbers, mut found_at) = (BTreeMap::new(), BTreeMap::new());
        for (place, of) in &saved.places {
            let Some((found, file)) = self.found_again(place, of)? else {
                failures.push(Failure {
                    place: place.clone(),
                    subject: Subject::all(Noun::Netns),
                    refusal: Refusal::text("this namespace does not exist any more"),
                });
                continue;
            };
            let channel = self.within(&found, RawChannel::open)??;
            numbers.insert(place.clone(), sites.len());
            found_at.insert(found, sites.len());
            sites.push(Site::new(place.clone(), file, channel, of.clone()));
        }
        for (place, names) in links {
            let mut number = numbers.get(place).copied();
            if number.is_none() && !saved.places.contains_key(place) {
                // It is one of the others by another reference, or it did not exist.
                let Some((found, file)) = self.existing(place)? else { continue };
                if !found_at.contains_key(&found) {
                    let channel = self.within(&found, RawChannel::open)??;
                    found_at.insert(found.clone(), sites.len());
                    sites.push(Site::new(place.clone(), file, channel, SavedPlace::default()));
                }
                number = found_at.get(&found).copied();
            }
            if let Some(site) = number.and_then(|number| sites.get_mut(number)) {
                site.touch(names.iter().cloned());
            }
        }
        for (place, of) in &saved.places {
            let Some(site) = numbers.get(place).and_then(|number| sites.get_mut(*number)) else { continue };
            let others = of.nsids.iter().filter_map(|(nsid, other)| Some((*nsid, *numbers.get(other)?)));
            others.for_each(|(nsid, number)| site.note_nsid(nsid, number));
        }
        Ok(Restoration::new(sites))
    }

    /// A place and its open namespace, if it exists.
    fn existing(&mut self, place: &Place) -> Result<Option<(Place, Rc<File>)>, Refusal> {
        match self.canonical(place) {
            Ok(place) => Ok(Some((place.clone(), self.open(&place)?))),
            Err(refusal) if refusal.is_gone() => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// The namespace of a saved state, by its reference or by another one.
    fn found_again(&mut self, place: &Place, of: &SavedPlace) -> Result<Option<(Place, Rc<File>)>, Refusal> {
        if let Some((found, file)) = self.existing(place)? {
            if identity(&found, &file)?.same(of.id) {
                return Ok(Some((found, file)));
            }
        }
        for netns in netns::search(of.id.inode) {
            let Ok(Some((found, file))) = self.existing(&Place::In(netns)) else { continue };
            if identity(&found, &file)?.same(of.id) {
                return Ok(Some((found, file)));
            }
        }
        Ok(None)
    }
}

fn identity(place: &Place, file: &File) -> Result<NetnsId, Refusal> {
    match place {
        Place::Here => netns::own_id(),
        Place::In(netns) => netns::id(netns, file),
    }
}

/// The id (nsid) of a namespace in another one, if that was read. The kernel does not change it.
fn known_nsid(found: &Snapshot, place: &Place, other: &Place) -> Option<i32> {
    match (place, other) {
        (Place::Here, Place::In(netns)) => found.existing(netns)?.nsid,
        _ => None,
    }
}

/// Saves sysctls and records of the calling thread's namespace.
fn save_files(kept: &Kept, of: &mut SavedPlace) -> Result<(), Refusal> {
    for key in &kept.sysctls {
        of.sysctls.insert(key.clone(), sysctls::read(key)?);
    }
    for record in &kept.records {
        of.records.insert(record.clone(), RunDir::read(record)?);
    }
    Ok(())
}

/// Saves what ports may have, in the calling thread's namespace.
fn save_allowed(kept: &Kept, of: &mut SavedPlace) -> Result<(), Refusal> {
    if !kept.allowed.is_empty() {
        let table = read_allowed(&mut Channel::open()?)?;
        of.allowed = kept.allowed.iter().map(|port| (port.clone(), table.of(port))).collect();
    }
    Ok(())
}

fn read_allowed(channel: &mut Channel) -> Result<AllowTable, Refusal> {
    let bridging = BridgingWants { allowed: true, ..BridgingWants::default() };
    let mut state = State::default();
    channel.read(&Wants { bridging, ..Wants::default() }, &BTreeMap::new(), &mut state)?;
    Ok(state.bridging.allowed)
}

/// Runs a function for each namespace, inside it, and notes the outcomes.
fn for_each_site(
    restoration: &mut Restoration,
    noun: Noun,
    work: impl Fn(&SavedPlace) -> Vec<(Subject, Result<(), Refusal>)>,
) {
    let sites: Vec<(usize, SavedPlace)> =
        restoration.sites().map(|(number, site)| (number, site.saved().clone())).collect();
    for (number, saved) in sites {
        let Some(file) = restoration.file(number) else { continue };
        match netns::within(&file, || work(&saved)) {
            Ok(outcomes) => {
                for (subject, outcome) in outcomes {
                    restoration.note(number, subject, outcome);
                }
            }
            Err(refusal) => drop(restoration.note(number, Subject::all(noun), Err(refusal))),
        }
    }
}

fn restore_sysctls(restoration: &mut Restoration) {
    for_each_site(restoration, Noun::Sysctl, |saved| {
        let mut outcomes = Vec::new();
        for (key, wanted) in &saved.sysctls {
            let Some(wanted) = wanted else { continue };
            let outcome = match sysctls::read(key) {
                Ok(Some(has)) if has == *wanted => continue,
                Ok(Some(_)) => sysctls::write(key, wanted),
                Ok(None) => Err(Refusal::errno(nix::errno::Errno::ENOENT)),
                Err(refusal) => Err(refusal),
            };
            outcomes.push((Subject::new(Noun::Sysctl, key.to_string()), outcome));
        }
        outcomes
    });
}

/// Restores what some ports may have.
fn restore_allowed(restoration: &mut Restoration, is_wanted: fn(&Stations) -> bool) {
    for_each_site(restoration, Noun::Allowed, |saved| {
        let wanted: Vec<_> = saved.allowed.iter().filter(|(_, stations)| is_wanted(stations)).collect();
        if wanted.is_empty() {
            return Vec::new();
        }
        let restored = Channel::open().and_then(|mut channel| {
            let table = read_allowed(&mut channel)?;
            let mut outcomes = Vec::new();
            for (port, wanted) in wanted {
                let has = table.of(port);
                if has != *wanted {
                    let change =
                        BridgeOp::Allow { port: port.clone(), add: wanted.clone(), del: has.without(wanted) };
                    let outcome = channel.apply(&Op::Bridge(change));
                    outcomes.push((Subject::of(Noun::Allowed, String::new(), port), outcome));
                }
            }
            Ok(outcomes)
        });
        restored.unwrap_or_else(|refusal| vec![(Subject::all(Noun::Allowed), Err(refusal))])
    });
}

fn restore_records(restoration: &mut Restoration) {
    for_each_site(restoration, Noun::Record, |saved| {
        let mut outcomes = Vec::new();
        for (record, wanted) in &saved.records {
            let outcome = match (RunDir::read(record), wanted) {
                (Ok(has), wanted) if has == *wanted => continue,
                (Ok(_), Some(wanted)) => RunDir::open().and_then(|directory| directory.write(record, wanted)),
                (Ok(_), None) => RunDir::open().and_then(|directory| directory.remove(record)),
                (Err(refusal), _) => Err(refusal),
            };
            outcomes.push((Subject::new(Noun::Record, record.file_name()), outcome));
        }
        outcomes
    });
}
