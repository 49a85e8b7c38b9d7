//! `openclaw state`: exports the whole state, imports it, and moves it to another store.

mod told;

use std::fs;
use std::path::{Path, PathBuf};

use openclaw_gateway::store::Opened;
use pairing_core::Record;
use pairing_core::transfer::{self, Held, Terms};
use pairing_fs::export::Export;
use pairing_fs::{StateDir, export, owned};

use crate::args::{StateCommand, StorePlace, Writing};
use crate::console::Screen;
use crate::failure::UsageError;
use crate::{Environment, Exit, Failure, store};

/// Maximum size of a state that is read from standard input, in bytes.
const LONGEST: u64 = 4 << 30;

/// Runs a command about the state as a whole.
pub(crate) fn run(
    command: StateCommand,
    state: StateDir,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let call = Call { state, environment };
    match command {
        StateCommand::Export { to, json } => call.export(to.as_deref(), json, screen),
        StateCommand::Import { from, writing } => call.import(from.as_deref(), writing, screen),
        StateCommand::Migrate { from, to, writing } => call.migrate(&from, &to, writing, screen),
    }
}

struct Call<'e> {
    state: StateDir,
    environment: &'e Environment<'e>,
}

impl Call<'_> {
    fn export(
        &self,
        to: Option<&Path>,
        json: bool,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let held = read(&self.configured()?, screen)?;
        let records = held.records.iter().map(|record| &**record);
        let text = export::write(records, self.environment.clock.now());
        let text = text.map_err(|error| Failure::Output(error.into()))?;
        let Some(to) = to else {
            screen.raw(|out| out.write_all(text.as_bytes()))?;
            return Ok(Exit::Done);
        };
        let cannot = |source| Failure::NewFile {
            path: to.display().to_string(),
            source,
        };
        let path = std::path::absolute(to).map_err(cannot)?;
        if !owned::create_file(&path, &text)? {
            return Err(cannot(std::io::ErrorKind::AlreadyExists.into()));
        }
        told::exported(held.records.len(), to, json, screen)
    }

    fn import(
        &self,
        from: Option<&Path>,
        writing: Writing,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let to = self.configured()?;
        let name = from.map_or_else(|| "-".to_owned(), |path| path.display().to_string());
        let text = match from {
            Some(path) => fs::read_to_string(path).map(Into::into),
            None => (self.environment.stdin)(LONGEST),
        };
        let text = text.map_err(|source| Failure::StateFile {
            path: name.clone(),
            source,
        })?;
        let Export { records, .. } = export::read(&text, &to.channels)
            .map_err(|source| Failure::Export { path: name, source })?;
        self.write(&to, &records, writing, screen)
    }

    fn migrate(
        &self,
        from: &StorePlace,
        to: &StorePlace,
        writing: Writing,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        if self.identity(from) == self.identity(to) {
            return Err(UsageError::SameStore.into());
        }
        let (from, to) = (self.open(from)?, self.open(to)?);
        let held = read(&from, screen)?;
        let records = held.records.iter().map(|record| &**record);
        self.write(&to, records, writing, screen)
    }

    fn write<'r>(
        &self,
        to: &Opened,
        records: impl IntoIterator<Item = &'r Record>,
        writing: Writing,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let terms = Terms {
            limits: &to.limits,
            now: self.environment.clock.now(),
            replace: writing.replace,
            dry_run: writing.dry_run,
        };
        let outcome = transfer::write(&*to.store, records, &terms)?;
        told::written(&outcome, writing, screen)
    }

    fn configured(&self) -> Result<Opened, Failure> {
        let config = store::config(&self.state, self.environment)?;
        Ok(store::open(&self.state, &config, self.environment)?)
    }

    fn open(&self, place: &StorePlace) -> Result<Opened, Failure> {
        let open = self.environment.open;
        Ok(match place {
            StorePlace::Files(None) => open(&self.state),
            StorePlace::Files(Some(dir)) => open(&StateDir::at(dir)),
            StorePlace::OpenClaw(dir) => {
                let config = store::config(&self.state, self.environment)?;
                store::openclaw(&self.dir(dir.as_deref()), &config)?
            }
            StorePlace::Sqlite(dir) => store::sqlite(&self.dir(dir.as_deref()))?,
            StorePlace::Etcd => {
                let config = store::config(&self.state, self.environment)?;
                store::cluster(&self.state, &config, self.environment)?
            }
        })
    }

    fn dir(&self, dir: Option<&Path>) -> StateDir {
        dir.map_or_else(|| self.state.clone(), StateDir::at)
    }

    /// The kind and the directory of a store, by which two names of the same store are recognised. The directory
    /// is `None` for the cluster, because only one is configured.
    fn identity(&self, place: &StorePlace) -> Option<(u8, PathBuf)> {
        let (kind, dir) = match place {
            StorePlace::Files(dir) => (0, dir),
            StorePlace::OpenClaw(dir) => (1, dir),
            StorePlace::Sqlite(dir) => (2, dir),
            StorePlace::Etcd => return None,
        };
        let dir = dir.as_deref().unwrap_or_else(|| self.state.root());
        let real = fs::canonicalize(dir).or_else(|_| std::path::absolute(dir));
        Some((kind, real.unwrap_or_else(|_| dir.to_owned())))
    }
}

/// Reads a state, and warns of records that are not understood.
fn read(from: &Opened, screen: &mut Screen<'_, '_>) -> Result<Held, Failure> {
    let held = transfer::read(&*from.store, &from.channels)?;
    screen.problems(&held.problems);
    Ok(held)
}
