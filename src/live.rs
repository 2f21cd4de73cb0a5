//! The running kernel: what [`crate::netlink`] shows and does, and the little that is in files.

use crate::{
    apply::{Kernel, Refusal},
    netlink::Channel,
    op::{Act, Op, Place},
    rt_tables,
    run_dir::RunDir,
    snapshot::{Query, Snapshot, State, TableRef, Until, Wait, Wants},
    stanzas::Stanzas,
};
use std::{
    collections::BTreeSet,
    fs,
    io::ErrorKind,
    path::PathBuf,
    time::{Duration, Instant},
};

/// The running kernel. Sockets are opened when they are first needed.
#[derive(Debug, Default)]
pub struct Live {
    here: Option<Channel>,
    /// The interfaces file in use.
    interfaces_file: Option<PathBuf>,
}

/// How often to look whether something has come about.
const INTERVAL: Duration = Duration::from_millis(100);

impl Live {
    /// The kernel, for a stanza of this interfaces file.
    pub fn new(interfaces_file: Option<PathBuf>) -> Self {
        Self { here: None, interfaces_file }
    }

    /// Waits for something to come about, and no longer than it says. Whether it did is for the reading
    /// afterwards to find out.
    ///
    /// # Errors
    /// When the kernel does not answer.
    pub fn wait(&mut self, wait: &Wait) -> Result<(), Refusal> {
        let deadline = Instant::now() + Duration::from_secs(wait.seconds.into());
        let wants = Wants { links: wait.links.clone(), ..Wants::default() };
        loop {
            let mut state = State::default();
            self.channel(&Place::Here)?.read(&wants, &mut state)?;
            let done = match wait.until {
                Until::Exist => wait.links.iter().all(|link| state.links.contains_key(link)),
                Until::Settled => !state
                    .bridging
                    .ports
                    .iter()
                    .any(|(name, port)| port.undecided || (port.unnoticed && state.master_is_up(name))),
            };
            if done || Instant::now() >= deadline {
                return Ok(());
            }
            std::thread::sleep(INTERVAL);
        }
    }

    fn channel(&mut self, place: &Place) -> Result<&mut Channel, Refusal> {
        match place {
            Place::Here => {
                if self.here.is_none() {
                    self.here = Some(Channel::open()?);
                }
                self.here.as_mut().ok_or_else(|| Refusal::text("no channel"))
            }
            Place::In(netns) => Err(Refusal::text(format!("namespace {netns}: not supported"))),
        }
    }

    fn read_place(&mut self, place: &Place, wants: &Wants, found: &Snapshot) -> Result<State, Refusal> {
        let mut state = State::default();
        let channel = self.channel(place)?;
        channel.read(wants, &mut state)?;
        let tables: BTreeSet<_> = wants
            .routes
            .iter()
            .filter_map(|table| match table {
                TableRef::Name(name) => found.table_names.get(name).copied(),
                known => state.table(known),
            })
            .collect();
        for table in tables {
            channel.read_routes(table, &mut state)?;
        }
        for key in &wants.sysctls {
            match fs::read_to_string(key.path()) {
                Ok(value) => drop(state.sysctls.insert(key.clone(), value.trim_end().to_owned())),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Refusal::io(&error, key)),
            }
        }
        for record in &wants.records {
            if let Some(value) = RunDir::read(record)? {
                state.records.insert(record.clone(), value);
            }
        }
        Ok(state)
    }
}

impl Kernel for Live {
    fn read(&mut self, query: &Query) -> Result<Snapshot, Refusal> {
        let mut found = Snapshot::default();
        if query.table_names {
            found.table_names = rt_tables::read();
        }
        if let (true, Some(file)) = (query.stanzas, &self.interfaces_file) {
            found.stanzas = Some(Stanzas::read(file)?);
        }
        for (place, wants) in &query.places {
            let state = self.read_place(place, wants, &found)?;
            found.places.insert(place.clone(), state);
        }
        Ok(found)
    }

    fn apply(&mut self, act: &Act) -> Result<(), Refusal> {
        match &act.op {
            Op::SysctlSet { key, value } => {
                fs::write(key.path(), value).map_err(|error| Refusal::io(&error, key.path().display()))
            }
            Op::RecordSet { key, value } => RunDir::open()?.write(key, value),
            Op::RecordDel(key) => RunDir::open()?.remove(key),
            op => self.channel(&act.at)?.apply(op),
        }
    }
}
