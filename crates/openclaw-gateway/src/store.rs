//! The store that is configured or found: files or a database of the state directory, or a cluster.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gateway_protocol::Advise as _;
use openclaw_config::{Config, Fault, Part, Store};
use pairing_core::{ChannelId, ChannelRules, Channels, Limits, PairingStore, StoreError};
use pairing_fs::trust::{self, Untrusted};
use pairing_fs::{FsStore, StateDir, SystemClock, SystemEntropy, discovered_channels};
use pairing_sqlite::{Description, OpenClawStore, OwnStore, Paths};

use crate::peers::Directory;

/// A store, and what the service on it has to go by.
#[derive(Clone)]
pub struct Opened {
    /// The store.
    pub store: Arc<dyn PairingStore>,
    /// The channels it goes by: the built-in ones, and others that it has something of.
    pub channels: Channels,
    /// The usual limits; with several machines those for clocks that are apart.
    pub limits: Limits,
    /// What goes for gateways that share it; nothing where it is this machine's own.
    pub shared: Option<SharedState>,
}

/// What goes for gateways that share a store.
#[derive(Clone)]
pub struct SharedState {
    /// Where they find each other.
    pub directory: Arc<dyn Directory>,
    /// How long approvals count while it cannot be reached.
    pub grace: Duration,
}

/// What keeps the records of an install.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kept {
    /// The files of the state directory.
    Files,
    /// OpenClaw's own database.
    OpenClaw(Description),
    /// A database of ours: this file.
    Sqlite(PathBuf),
    /// A cluster.
    Etcd,
}

impl Kept {
    /// Returns what is configured or, where nothing is, what is found: OpenClaw's database if it has the
    /// tables, otherwise files.
    ///
    /// A database that is there and cannot be used is an error: the install is not an empty one. So is a state
    /// directory that is not this user's alone, wherever the records are: the configuration, the identity and the
    /// audit log are in it.
    pub fn of(state: &StateDir, config: &Config) -> Result<Self, OpenError> {
        trust::check(state.root())?;
        check(config)?;
        Ok(match config.state.store {
            Store::Files => Self::Files,
            Store::Etcd => Self::Etcd,
            Store::Sqlite => Self::Sqlite(Paths::of(state.root()).own),
            Store::Found => pairing_sqlite::find(state.root())?.map_or(Self::Files, Self::OpenClaw),
            Store::OpenClaw => match pairing_sqlite::find(state.root())? {
                Some(found) => Self::OpenClaw(found),
                None => return Err(OpenError::NoDatabase(Paths::of(state.root()).openclaw)),
            },
        })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::OpenClaw(_) => "openclaw",
            Self::Sqlite(_) => "sqlite",
            Self::Etcd => "etcd",
        }
    }

    /// Returns the file of the database, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::OpenClaw(found) => Some(&found.path),
            Self::Sqlite(path) => Some(path),
            Self::Files | Self::Etcd => None,
        }
    }

    /// Returns the release of OpenClaw that wrote the schema of its database, if known.
    pub fn release(&self) -> Option<&str> {
        match self {
            Self::OpenClaw(found) => found.release.as_deref(),
            _ => None,
        }
    }
}

/// For how long a store is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// By a gateway: it follows what changes, and starts whether a cluster answers or not.
    Serving,
    /// By a command that runs once: every read asks, and the first one here.
    Once,
}

/// The configured store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It takes another build.
    #[error("state.store is \"etcd\", and this build has no etcd")]
    NoEtcd,
    /// OpenClaw's database is asked for, and there is none with records of pairing.
    #[error("there is no database of OpenClaw's with records of pairing at {}", .0.display())]
    NoDatabase(PathBuf),
    /// A value that cannot be used, by its key.
    #[error("{0}")]
    Value(Fault),
    /// A file of `state.tls` cannot be read.
    #[error("cannot read {}, which {key} names", .path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// The key that names it.
        key: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The operating system grants no thread for the connections.
    #[error("cannot start what connects to the cluster")]
    Thread(#[source] io::Error),
    /// The state directory is somebody else's, or could be.
    #[error(transparent)]
    Directory(#[from] Untrusted),
    /// The cluster has been asked, and this came of it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OpenError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::NoEtcd => {
                "build with `--features etcd`, or set state.store to \"files\"".to_owned()
            }
            Self::NoDatabase(_) => {
                "set state.store to \"files\", or leave it out: what there is is then found"
                    .to_owned()
            }
            Self::Value(_) => {
                "mend it by hand: `openclaw doctor` finds what else is wrong".to_owned()
            }
            Self::Pem { .. } => "check that it is there and who may read it".to_owned(),
            Self::Thread(_) => return None,
            Self::Directory(error) => error.advice(),
            Self::Store(error) => return error.advice(),
        })
    }
}

/// Opens the store that is configured. `home` is what a leading `~` in paths stands for.
///
/// Files are not touched for it; a database is opened, and asked for its channels; a cluster is asked for
/// them where it is used [`Once`](Use::Once).
pub fn open(
    state: &StateDir,
    config: &Config,
    home: Option<&Path>,
    usage: Use,
) -> Result<Opened, OpenError> {
    match Kept::of(state, config)? {
        Kept::Files => Ok(files(state)),
        Kept::OpenClaw(_) => openclaw(state, config),
        Kept::Sqlite(_) => sqlite(state),
        Kept::Etcd => etcd(state, config, home, usage),
    }
}

/// Refuses a configuration that does not tell where the records are: taking one store for another would make
/// strangers of everybody who is approved.
pub fn check(config: &Config) -> Result<(), OpenError> {
    let fault = config.closed_by(&Part::Store);
    fault.map_or(Ok(()), |fault| Err(OpenError::Value(fault.clone())))
}

/// Opens the store on OpenClaw's database, whatever is configured.
pub fn openclaw(state: &StateDir, config: &Config) -> Result<Opened, OpenError> {
    let paths = Paths::of(state.root());
    if pairing_sqlite::find(state.root())?.is_none() {
        return Err(OpenError::NoDatabase(paths.openclaw));
    }
    let known = Channels::builtin();
    let settings = pairing_sqlite::Settings::new(known.clone(), SystemClock, SystemEntropy)
        .keep_clear_tokens(config.state.keep_clear_tokens);
    let store = OpenClawStore::open(&paths.openclaw, &paths.beside, settings)?;
    let channels = with_channels(known, store.channels()?);
    Ok(Opened {
        store: Arc::new(store),
        channels,
        limits: Limits::default(),
        shared: None,
    })
}

/// Opens the store on our own database, whatever is configured, and makes it if it is missing.
pub fn sqlite(state: &StateDir) -> Result<Opened, OpenError> {
    let store = OwnStore::open(&Paths::of(state.root()).own)?;
    let channels = with_channels(Channels::builtin(), store.channels()?);
    Ok(Opened {
        store: Arc::new(store),
        channels,
        limits: Limits::default(),
        shared: None,
    })
}

/// Adds the channels that have no rules: their ids are compared unchanged.
fn with_channels(known: Channels, found: impl IntoIterator<Item = ChannelId>) -> Channels {
    found.into_iter().fold(known, |channels, channel| {
        if channels.get(&channel).is_some() {
            return channels;
        }
        channels.with(ChannelRules::new(channel))
    })
}

/// Opens the store on the files of a state directory, whatever is configured.
pub fn files(state: &StateDir) -> Opened {
    let channels = discovered_channels(state, &Channels::builtin());
    Opened {
        store: Arc::new(FsStore::new(state, channels.clone())),
        channels,
        limits: Limits::default(),
        shared: None,
    }
}

/// Opens the store on the cluster of `state`, whatever `state.store` says.
#[cfg(feature = "etcd")]
pub fn etcd(
    state: &StateDir,
    config: &Config,
    home: Option<&Path>,
    usage: Use,
) -> Result<Opened, OpenError> {
    cluster::open(state, config, home, usage)
}

/// Opens the store on the cluster of `state`, whatever `state.store` says: not in this build.
#[cfg(not(feature = "etcd"))]
pub fn etcd(_: &StateDir, _: &Config, _: Option<&Path>, _: Use) -> Result<Opened, OpenError> {
    Err(OpenError::NoEtcd)
}

#[cfg(feature = "etcd")]
mod cluster {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use openclaw_config::{Etcd, EtcdTls};
    use pairing_core::ChannelRules;
    use pairing_etcd::{EtcdStore, Settings, SettingsError, Tls};
    use zeroize::Zeroizing;

    use super::{
        Arc, Channels, Config, Directory, Limits, OpenError, Opened, Path, SharedState, StateDir,
        Use, discovered_channels,
    };
    use crate::peers::{Contents, DirectoryError};
    use crate::settings::expand;

    /// How far the clocks of several machines may be apart.
    const CLOCK_SKEW: Duration = Duration::from_secs(120);

    pub(super) fn open(
        state: &StateDir,
        config: &Config,
        home: Option<&Path>,
        usage: Use,
    ) -> Result<Opened, OpenError> {
        let settings = settings(config, home)?;
        let mut channels = discovered_channels(state, &Channels::builtin());
        let store = match usage {
            Use::Serving => EtcdStore::open(&settings).map_err(OpenError::Thread)?,
            Use::Once => {
                let store = EtcdStore::direct(&settings).map_err(OpenError::Thread)?;
                for channel in store.channels()? {
                    if channels.get(&channel).is_none() {
                        channels = channels.with(ChannelRules::new(channel));
                    }
                }
                store
            }
        };
        let shared = match usage {
            Use::Serving => Some(SharedState {
                directory: Arc::new(store.directory()),
                grace: config.state.etcd.grace,
            }),
            Use::Once => None,
        };
        Ok(Opened {
            store: Arc::new(store),
            channels,
            limits: Limits::default().with_clock_skew(CLOCK_SKEW),
            shared,
        })
    }

    impl Directory for pairing_etcd::Directory {
        fn publish(&self, values: &BTreeMap<String, Vec<u8>>) -> Result<(), DirectoryError> {
            self.publish(values).map_err(DirectoryError::new)
        }

        fn read(
            &self,
            known: Option<u64>,
            wait: Duration,
        ) -> Result<Option<Contents>, DirectoryError> {
            let read = self.read(known, wait).map_err(DirectoryError::new)?;
            Ok(read.map(|contents| Contents {
                version: contents.version,
                values: contents.values,
            }))
        }
    }

    fn settings(config: &Config, home: Option<&Path>) -> Result<Settings, OpenError> {
        let etcd = &config.state.etcd;
        let wrong = |error: SettingsError| {
            let key = match &error {
                SettingsError::Endpoint { number } => {
                    format!("state.endpoints[{}]", number.saturating_sub(1))
                }
                SettingsError::Prefix => "state.prefix".to_owned(),
                _ => "state.endpoints".to_owned(),
            };
            value(config, &key, error.to_string())
        };
        let settings = Settings::new(&etcd.endpoints)
            .and_then(|settings| settings.prefix(&etcd.prefix))
            .map_err(wrong)?;
        let settings = settings.grace(etcd.grace).tls(tls(&etcd.tls, home)?);
        with_login(settings, etcd, config)
    }

    fn with_login(settings: Settings, etcd: &Etcd, config: &Config) -> Result<Settings, OpenError> {
        match (&etcd.user, &etcd.password) {
            (None, _) => Ok(settings),
            (Some(user), Some(password)) => {
                Ok(settings.login(user, Zeroizing::new(password.expose().to_owned())))
            }
            (Some(_), None) => {
                let detail = "refers to a variable that is not set";
                Err(value(config, "state.password", detail.to_owned()))
            }
        }
    }

    fn tls(tls: &EtcdTls, home: Option<&Path>) -> Result<Tls, OpenError> {
        let read = |path: &Option<String>, key| {
            let path = path.as_ref().map(|path| expand(path, home));
            path.map(|path| match std::fs::read(&path) {
                Ok(pem) => Ok(pem),
                Err(source) => Err(OpenError::Pem { path, key, source }),
            })
            .transpose()
        };
        let key = read(&tls.key_path, "state.tls.keyPath")?.map(Zeroizing::new);
        Ok(Tls {
            authorities: read(&tls.ca_path, "state.tls.caPath")?,
            identity: read(&tls.cert_path, "state.tls.certPath")?.zip(key),
            server_name: tls.server_name.clone(),
        })
    }

    fn value(config: &Config, key: &str, detail: String) -> OpenError {
        OpenError::Value(config.fault(key, detail))
    }
}

impl fmt::Debug for SharedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SharedState");
        shown.field("grace", &self.grace).finish_non_exhaustive()
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}
