//! The running kernel: [`crate::kernel::netlink`], and the state that is in files.

mod moved_links;
mod saved;

use crate::kernel::lock::Lock;
use crate::kernel::netlink::Channel;
use crate::kernel::netns::named::Made;
use crate::kernel::netns::resolved::References;
use crate::kernel::run_dir::{Records, RunDir};
use crate::kernel::{Kernel, Refusal, interfaces_file, lock, netns, rt_tables, sysctls, trust};
use crate::plan::op::{Act, Move, Nested, Op};
use crate::stanza::Stanzas;
use crate::state::{
    Link, LinkKind, Map, NestedRecord, Netns, NetnsLink, NetnsLinkRecord, NetnsLinks, ORIGINAL, Place, Query,
    Record, Role, Route, Shared, Snapshot, State, Sysctl, Until, Wait, Wants,
};
use crate::values::{IfName, NetnsRef};
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The running kernel. Sockets are opened when they are first needed.
#[derive(Debug, Default)]
pub struct Live {
    /// By the canonical reference to the namespace.
    channels: BTreeMap<Place, Channel>,
    references: References,
    /// The namespace that this run was started in, once it is needed.
    own: Option<Rc<File>>,
    /// The processes by namespace, once a query has needed them.
    processes: Option<BTreeMap<u64, BTreeSet<u32>>>,
    lock: Option<Lock>,
    /// Our links in other namespaces, by their records, once they are read under the lock.
    moved_links: Option<NetnsLinks>,
    /// The interfaces file in use.
    interfaces_file: Option<PathBuf>,
    /// The stanzas of that file, once they have been read.
    stanzas: Option<Shared<Stanzas>>,
    /// The directory of the executors that ifup runs inside a namespace, if it is not the usual one.
    executors: Option<PathBuf>,
}

/// How often to check during a wait.
const INTERVAL: Duration = Duration::from_millis(100);

impl Live {
    /// The kernel, for a stanza of this interfaces file.
    pub fn new(interfaces_file: Option<PathBuf>, executors: Option<PathBuf>) -> Self {
        Self { interfaces_file, executors, ..Self::default() }
    }

    /// The stanzas of the interfaces file in use, which is read once; `None` if there is no such file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn stanzas(&mut self) -> Result<Option<&Shared<Stanzas>>, Refusal> {
        if let (None, Some(file)) = (&self.stanzas, &self.interfaces_file) {
            let read = interfaces_file::in_use(&file.to_string_lossy());
            self.stanzas = Some(read.map_err(|problem| Refusal::text(problem.to_string()))?.into());
        }
        Ok(self.stanzas.as_ref())
    }

    /// Keeps other runs in this namespace out until the lock is dropped.
    ///
    /// # Errors
    /// Another run does not end.
    pub fn lock(&mut self) -> Result<(), Refusal> {
        if self.lock.is_none() {
            self.hold(Some(lock::own_namespace()?));
        }
        Ok(())
    }

    /// Takes a lock over, or releases the one that is held. Only with a lock, nothing else changes our records.
    fn hold(&mut self, lock: Option<Lock>) {
        self.lock = lock;
        self.forget_records();
    }

    /// Forgets what was read in our records.
    fn forget_records(&mut self) {
        self.references.made = Made::new(self.records());
        self.moved_links = None;
    }

    /// Our records of the namespace that this run was started in.
    pub fn records(&self) -> Records {
        Records::of(self.lock.as_ref().map(Lock::directory))
    }

    /// Lets other runs in this namespace continue.
    pub fn unlock(&mut self) {
        self.hold(None);
    }

    /// Releases the lock, as the last action: the kernel frees everything else faster at the end of the process.
    pub fn finish(mut self) {
        self.lock.take().into_iter().for_each(Lock::leave);
        std::mem::forget(self);
    }

    /// Waits for an event, at most as long as `wait` says. The caller reads afterwards to find out whether the event
    /// came.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn wait(&mut self, wait: &Wait) -> Result<(), Refusal> {
        let (begun, limit) = (Instant::now(), Duration::from_secs(wait.seconds.into()));
        let wants = Wants { links: wait.links.clone(), ..Wants::default() };
        loop {
            let mut state = State::default();
            self.channel(&Place::Here)?.read(&wants, &BTreeMap::new(), &mut state)?;
            let half = begun.elapsed() >= limit / 2;
            let done = match &wait.until {
                Until::Checked(addresses) => {
                    let carriers = self.channel(&Place::Here)?.unchecked(addresses)?;
                    // A link may have no carrier at first, or never get one.
                    carriers.is_empty() || (half && !carriers.contains(&true))
                }
                Until::Exist => wait.links.iter().all(|link| state.links.contains_key(link)),
                Until::Settled => !state
                    .bridging
                    .ports
                    .iter()
                    .any(|(name, port)| port.undecided || (port.unnoticed && state.master_is_up(name))),
            };
            if done || begun.elapsed() >= limit {
                return Ok(());
            }
            std::thread::sleep(INTERVAL);
        }
    }

    fn channel(&mut self, place: &Place) -> Result<&mut Channel, Refusal> {
        let place = self.canonical(place)?;
        if self.channels.get(&place).is_none_or(Channel::is_broken) {
            let channel = self.within(&place, Channel::open)??;
            self.channels.insert(place.clone(), channel);
        }
        self.channels.get_mut(&place).ok_or_else(|| Refusal::text("no channel"))
    }

    /// Forgets the indexes of links in all namespaces: an end of a pair goes with the other one, wherever that is.
    fn forget_indexes(&mut self) {
        self.channels.values_mut().for_each(Channel::forget_indexes);
    }

    fn canonical(&mut self, place: &Place) -> Result<Place, Refusal> {
        Ok(match place {
            Place::Here => Place::Here,
            Place::In(netns) => Place::In(self.references.resolve(netns)?.canonical),
        })
    }

    /// The namespace of a place.
    fn open(&mut self, place: &Place) -> Result<Rc<File>, Refusal> {
        match place {
            Place::Here => self.own(),
            Place::In(netns) => Ok(self.references.resolve(netns)?.file),
        }
    }

    /// Runs a function in a place.
    fn within<T>(&mut self, place: &Place, work: impl FnOnce() -> T) -> Result<T, Refusal> {
        match place {
            Place::Here => Ok(work()),
            Place::In(_) => {
                let (netns, back) = (self.open(place)?, self.own()?);
                netns::within_and_back(&netns, &back, work)
            }
        }
    }

    /// The namespace that this run was started in.
    fn own(&mut self) -> Result<Rc<File>, Refusal> {
        if let Some(own) = &self.own {
            return Ok(own.clone());
        }
        let own = Rc::new(netns::own()?);
        self.own = Some(own.clone());
        Ok(own)
    }

    /// Opens the socket for nf_tables in its namespace.
    fn open_nftables(&mut self, place: &Place) -> Result<(), Refusal> {
        let place = self.canonical(place)?;
        self.channel(&place)?;
        let Some(mut channel) = self.channels.remove(&place) else { return Ok(()) };
        let opened = self.within(&place, || channel.open_nftables());
        self.channels.insert(place, channel);
        opened
    }

    fn read_place(&mut self, place: &Place, wants: &Wants, found: &Snapshot) -> Result<State, Refusal> {
        let mut state = State::default();
        if wants.bridging.allowed && *place != Place::Here {
            self.open_nftables(place)?;
        }
        self.channel(place)?.read(wants, &found.table_names, &mut state)?;
        if !wants.sysctls.is_empty() || !wants.records.is_empty() || wants.originals {
            let records = if *place == Place::Here { self.records() } else { Records::default() };
            self.within(place, || read_files(wants, &records, &mut state))??;
        }
        Ok(state)
    }

    fn read_netns(&mut self, netns: &NetnsRef, processes: bool) -> Result<Netns, Refusal> {
        let mut found = self.references.look(netns)?;
        if let Netns::Is(existing) = &mut found {
            let file = self.references.resolve(netns)?.file;
            existing.nsid = self.channel(&Place::Here)?.nsid(file.as_fd())?;
            if processes {
                let all = self.processes.get_or_insert_with(netns::processes);
                existing.processes = all.get(&existing.id.inode).cloned().into_iter().flatten().collect();
            }
        }
        Ok(found)
    }

    /// Moves a link, or leaves it in its namespace. The kernel moves the link first and renames it then. If another
    /// program has just taken the new name, the kernel returns an error although it has moved the link
    /// (net/core/rtnetlink.c `do_setlink`).
    fn move_link(&mut self, from: &Place, Move { name, to, new_name }: &Move) -> Result<(), Refusal> {
        let (source, target) = (self.open(from)?, self.open(to)?);
        // Another program's link of that name at the target is not the one that the kernel moved.
        let can_arrive = name != new_name && self.is_at(from, name)? && !self.is_at(to, name)?;
        let moved = self.channel(from)?.link_move(name, target.as_fd(), new_name);
        if moved.is_err() && can_arrive && !self.is_at(from, name)? && self.is_at(to, name)? {
            self.channel(to)?.link_move(name, source.as_fd(), name)?;
        }
        if moved.is_ok() {
            match (from, to) {
                (Place::Here, Place::In(_)) => self.note_index(name, Role::Moved, to, new_name),
                // The index may have changed.
                (_, Place::Here) => self.note_index(new_name, Role::Peer, to, new_name),
                _ => {}
            }
        }
        moved
    }

    fn is_at(&mut self, place: &Place, name: &IfName) -> Result<bool, Refusal> {
        Ok(self.look_for(place, name)?.is_some())
    }

    /// Runs ifup or ifdown inside a namespace. The lock is released meanwhile, so that other runs need not wait.
    fn nested(&mut self, nested: &Nested) -> Result<(), Refusal> {
        let id = self.references.resolve(&nested.netns)?.id;
        let key = Record::nested(&nested.iface);
        if nested.up {
            // The state file of an earlier namespace with the same inode is not valid for this one.
            netns::inside::forget(id);
            let record = NestedRecord { id, file: nested.file.clone() };
            RunDir::open()?.write(&key, &record.to_string())?;
        }
        let held = self.lock.is_some();
        self.hold(None);
        let outcome = netns::inside::run(nested, self.executors.as_deref());
        if !nested.up && outcome.is_ok() {
            RunDir::open()?.remove(&key)?;
        }
        if held {
            self.hold(Some(lock::own_namespace()?));
        }
        outcome
    }
}

/// Reads sysctls and records of the calling thread's namespace.
fn read_files(wants: &Wants, records: &Records, state: &mut State) -> Result<(), Refusal> {
    for key in &wants.sysctls {
        if let Some(value) = sysctls::read(key)? {
            state.sysctls.insert(key.clone(), value);
        }
    }
    if wants.originals {
        for (name, text) in records.list(ORIGINAL)? {
            let Some(key) = Record::of(ORIGINAL, &name).sysctl() else { continue };
            state.sysctls.extend(sysctls::read(&key)?.map(|value| (key.clone(), value)));
            state.records.insert(Record::original(&key), text);
        }
    }
    for record in &wants.records {
        if let Some(value) = records.read(record)? {
            state.records.insert(record.clone(), value);
        }
    }
    Ok(())
}

/// Sysctls of a namespace that was just made. Their values depend on the kernel, and some on the first namespace
/// (Documentation/admin-guide/sysctl/net.rst `devconf_inherit_init_net`). Empty if the user may not make a namespace.
fn of_new_namespaces(sysctls: &BTreeSet<&Sysctl>) -> Result<Map<Sysctl, String>, Refusal> {
    let Ok(netns) = netns::named::new() else { return Ok(Map::new()) };
    let read = |key: &&Sysctl| Ok(sysctls::read(key)?.map(|value| ((*key).clone(), value)));
    let values = netns::within(&netns, || sysctls.iter().map(read).collect::<Result<Vec<_>, Refusal>>())??;
    Ok(values.into_iter().flatten().collect())
}

impl Live {
    /// What to read, by the canonical references to the namespaces that exist; and those of [`Query::netns`] that exist.
    fn asked(
        &mut self,
        query: &Query,
        found: &mut Snapshot,
    ) -> Result<(BTreeMap<Place, Wants>, BTreeSet<NetnsRef>), Refusal> {
        let mut asked: BTreeMap<Place, Wants> = BTreeMap::new();
        let places = query.places.keys().filter_map(|place| match place {
            Place::Here => None,
            Place::In(netns) => Some(netns),
        });
        let (mut existing, mut named) = (BTreeSet::new(), BTreeSet::new());
        for netns in places.chain(query.netns.keys()).collect::<BTreeSet<_>>() {
            if matches!(self.references.look(netns)?, Netns::Is(_)) {
                let canonical = self.note_reference(netns, found)?;
                existing.insert(netns);
                named.extend(query.netns.contains_key(netns).then_some(canonical));
            }
        }
        for (place, wants) in &query.places {
            if matches!(place, Place::In(netns) if !existing.contains(netns)) {
                continue;
            }
            asked.entry(found.place(place)).or_default().extend(wants.clone());
        }
        Ok((asked, named))
    }

    /// Notes by which reference the state of a namespace is found.
    fn note_reference(&mut self, netns: &NetnsRef, found: &mut Snapshot) -> Result<NetnsRef, Refusal> {
        let canonical = self.references.resolve(netns)?.canonical;
        if canonical != *netns {
            found.same.insert(netns.clone(), canonical.clone());
        }
        Ok(canonical)
    }

    /// Also asks for the namespaces that links were put into, unless one is the only one that was asked for: the stanza
    /// may name another one by now, or the process that it names has ended. What is read there is what was asked about
    /// these links elsewhere, and what it takes to delete the namespace. Returns these namespaces.
    fn ask_where_recorded(
        &mut self,
        records: &[&NetnsLinkRecord],
        query: &Query,
        asked: &mut BTreeMap<Place, Wants>,
        existing: &BTreeSet<NetnsRef>,
        found: &mut Snapshot,
    ) -> Result<BTreeSet<NetnsRef>, Refusal> {
        let mut recorded = BTreeSet::new();
        for record in records {
            let Some(netns) = self.present(record) else { continue };
            let netns = self.note_reference(&netns, found)?;
            if existing.len() == 1 && existing.contains(&netns) {
                continue;
            }
            let wants = asked.entry(Place::In(netns.clone())).or_default();
            wants.extend(Wants { originals: true, all_links: true, ..Wants::default() });
            wants.records.insert(Record::keep());
            wants.extend(query.wherever(&record.link.iface));
            recorded.insert(netns);
        }
        Ok(recorded)
    }
}

impl Kernel for Live {
    fn read(&mut self, query: &Query) -> Result<Snapshot, Refusal> {
        let mut found = Snapshot::default();
        self.processes = None;
        if query.table_names {
            found.table_names = rt_tables::read().into();
        }
        if query.netns_links {
            found.netns_links = self.moved_links()?;
        } else {
            for iface in &query.located {
                found.netns_links.extend(self.moved_links_of(iface)?);
            }
        }
        let records = found.netns_links.clone();
        let is_asked = |record: &&NetnsLinkRecord| query.located.contains(&record.link.iface);
        let records: Vec<&NetnsLinkRecord> = records.values().filter(is_asked).collect();
        let (mut asked, existing) = self.asked(query, &mut found)?;
        let recorded = self.ask_where_recorded(&records, query, &mut asked, &existing, &mut found)?;
        let sysctls = query.sysctls_of_new_namespaces(|place| asked.contains_key(&found.place(place)));
        if !sysctls.is_empty() {
            found.of_new_namespaces = of_new_namespaces(&sysctls)?;
        }
        if query.allowed_of_ports {
            let allows = self.stanzas()?.is_some_and(|stanzas| stanzas.uses("bridge-allow"));
            asked.entry(Place::Here).or_default().bridging.allowed |= allows;
        }
        for (place, wants) in &asked {
            let state = self.read_place(place, wants, &found)?;
            found.places.insert(place.clone(), state.into());
        }
        let is_bridge = |link: &Link| matches!(link.kind, LinkKind::Bridge(_));
        let beside_bridge = query.stanzas_beside_bridge && found.here().links.values().any(is_bridge);
        if query.stanzas || beside_bridge {
            found.stanzas = self.stanzas()?.cloned();
        }
        // After the links: the kernel gives a namespace an nsid when it first shows a link that leads there.
        let mut references: BTreeMap<NetnsRef, bool> = BTreeMap::new();
        for (netns, processes) in &query.netns {
            *references.entry(found.canonical(netns).clone()).or_default() |= processes;
        }
        references.extend(recorded.into_iter().map(|netns| (netns, true)));
        for (netns, processes) in references {
            let is = self.read_netns(&netns, processes)?;
            found.netns.insert(netns, is);
        }
        for (place, wants) in &asked {
            for other in &wants.nsids {
                let file = self.open(other)?;
                let nsid = self.channel(place)?.nsid(file.as_fd())?;
                let known = &mut found.places.entry(place.clone()).or_default().nsids;
                known.extend(nsid.map(|nsid| (other.clone(), nsid)));
            }
        }
        for record in records {
            let NetnsLink { iface, role, netns, .. } = &record.link;
            match role {
                Role::Moved => {
                    let located = match self.find(record)? {
                        moved_links::Found::At(located) => located,
                        moved_links::Found::Nowhere => continue,
                        moved_links::Found::Uncertain(what) => {
                            found.uncertain.insert(iface.clone(), what);
                            continue;
                        }
                    };
                    // The components that plan the move back need the link, even if none of them asked for that place.
                    let links = &mut found.places.entry(located.place.clone()).or_default().links;
                    let link = Link { kind: located.kind.clone(), master: None, up: false };
                    links.entry(located.name.clone()).or_insert(link);
                    found.located.insert(iface.clone(), located);
                }
                // The recorded namespace of the peer. The stanza may name another one by now.
                Role::Peer if found.netns_at(netns).is_none() => {
                    found.netns.insert(netns.clone(), self.read_netns(netns, false)?);
                }
                Role::Peer => {}
            }
        }
        for file in &query.files {
            if let Err(reason) = trust::file(file) {
                found.untrusted.insert(file.clone(), reason);
            }
        }
        Ok(found)
    }

    fn apply(&mut self, act: &Act) -> Result<(), Refusal> {
        if matches!(
            act.op,
            Op::LinkDel { .. } | Op::VethAdd(_) | Op::LinkMove(_) | Op::NetnsDel(_) | Op::Nested(_)
        ) {
            self.forget_indexes();
        }
        let outcome = self.make(act);
        if outcome.as_ref().is_err_and(|refusal| refusal.answer_lost) {
            // After a lost answer, the connection cannot be used any more.
            self.canonical(&act.at).map(|place| self.channels.remove(&place)).ok();
        }
        outcome
    }

    fn delete_links(&mut self, at: &Place, names: &[&IfName]) -> bool {
        self.forget_indexes();
        // One by one, they have errors of their own.
        self.channel(at).and_then(|channel| channel.delete_links(names)).unwrap_or(false)
    }
}

/// How long an IPv6 address may be checked for duplicates: the kernel waits for up to a second, then sends a probe and
/// waits for another one (net/ipv6/addrconf.c `addrconf_dad_kick`).
const DAD: Duration = Duration::from_secs(5);

impl Live {
    /// Adds an IPv6 route with a source address. The kernel refuses an address that it still checks for duplicates,
    /// such as one that was added just now. So this waits for the check.
    fn route_from(&mut self, at: &Place, op: &Op, source: Ipv6Addr) -> Result<(), Refusal> {
        let (deadline, sources) = (Instant::now() + DAD, BTreeSet::from([source]));
        let mut is_last = false;
        loop {
            let outcome = self.channel(at)?.apply(op);
            let is_refused = |refusal: &Refusal| refusal.errno == Some(Errno::EINVAL);
            if !outcome.as_ref().is_err_and(is_refused) || is_last {
                return outcome;
            }
            let is_checked = self.channel(at)?.unchecked(&sources)?.is_empty();
            // The check may have ended after the kernel refused.
            is_last = is_checked || Instant::now() >= deadline;
            if !is_last {
                std::thread::sleep(INTERVAL);
            }
        }
    }

    /// Makes one change.
    fn make(&mut self, Act { at, op }: &Act) -> Result<(), Refusal> {
        match op {
            Op::SysctlSet { key, value } => self.within(at, || sysctls::write(key, value))?,
            Op::RecordSet { key, value } => self.within(at, || RunDir::open()?.write(key, value))?,
            Op::RecordDel(key) => self.within(at, || {
                let directory = RunDir::open()?;
                directory.remove(key)?;
                // In the executor's own namespace, the lock file is in this directory. Releasing the lock deletes both.
                if *at != Place::Here {
                    directory.remove_if_empty();
                }
                Ok(())
            })?,
            Op::NetnsLinkSet(link) => self.note(link),
            Op::NetnsLinkDel(link) => self.forget(link),
            Op::NetnsAdd(name) => self.references.add(name),
            Op::NetnsDel(name) => {
                // An open socket would keep the namespace, and all that is in it, alive.
                self.channels.retain(|place, _| *place == Place::Here);
                self.references.close();
                netns::named::delete(name, &mut self.references.made)
            }
            Op::LinkMove(moving) => self.move_link(at, moving),
            Op::VethAdd(new) => {
                let there = match &new.at {
                    Place::Here => None,
                    place @ Place::In(_) => Some(self.open(place)?),
                };
                self.channel(at)?.veth_add(new, there.as_deref().map(File::as_fd))?;
                self.note_index(&new.end.name, Role::Peer, at, &new.end.name);
                Ok(())
            }
            Op::Nested(nested) => self.nested(nested),
            Op::RouteAdd(Route { src: Some(IpAddr::V6(source)), .. })
            | Op::RouteReplace(Route { src: Some(IpAddr::V6(source)), .. }) => {
                self.route_from(at, op, *source)
            }
            op => self.channel(at)?.apply(op),
        }
    }
}
