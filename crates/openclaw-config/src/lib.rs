#![doc = include_str!("../README.md")]

mod channels;
mod compose;
mod edit;
mod error;
mod gateway;
mod limits;
mod outline;
mod part;
mod providers;
mod read;
mod secret;
mod slip;
mod state;
mod tree;
mod unheeded;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairing_core::{Access, AccountId, ChannelId, ChannelRules, DmPolicy, escape};
use zeroize::Zeroizing;

pub use channels::{Account, Cloud, Daemon, Messages, PairingReply, Server, Web};
pub use edit::{Document, EditError, KeyPart, KeyPath, KeyPathError};
pub use error::{ConfigError, Fault, LoadError, Position};
pub use gateway::{
    Auth, AuthMode, AutoApprove, Bind, ControlUi, Gateway, Mode, NodeCommands, Remote, Tailscale,
    Tls, TrustedProxy,
};
pub use limits::GatewayLimits;
pub use part::Part;
pub use secret::Secret;
pub use slip::{Slip, did_you_mean};
pub use state::{Etcd, EtcdTls, State, Store};

use channels::{Channels, Groups};
use compose::{Composed, Dotenv, Surroundings, compose};
use outline::after;
use providers::{Providers, Sources};
use read::{Reader, Section};
use tree::{Node, Value};

/// The longest file that is read, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// The configuration of an install.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The gateway.
    pub gateway: Gateway,
    /// The store for the records of pairing.
    pub state: State,
    /// The plugin that issues setup codes.
    pub device_pair: DevicePair,
    /// Owners in chats, who may give the bot commands; each as it is written (`telegram:12345`).
    pub owner_allow_from: Vec<String>,
    /// Whether owners are notified of every request in their chats.
    pub notify_owners: bool,
    /// Whether owners are told in their chats when a part of the gateway does not work, and when it works again.
    pub notify_faults: bool,
    channels: Channels,
    slips: Vec<Slip>,
    unheeded: Vec<Slip>,
    faults: Vec<Arc<Fault>>,
    closed: BTreeMap<Part, Vec<Arc<Fault>>>,
    accounts_closed: BTreeMap<Part, Arc<Fault>>,
    places: BTreeMap<String, Option<error::Place>>,
    files: Vec<PathBuf>,
    dotenv: Dotenv,
}

/// `plugins.entries.device-pair`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DevicePair {
    /// Whether setup codes may be issued.
    pub enabled: bool,
    /// The address that setup codes carry, where it is not the gateway's own.
    pub public_url: Option<String>,
}

impl Default for Config {
    /// The defaults.
    fn default() -> Self {
        let root = Node::new(error::Place::default(), Value::Table(Vec::new()));
        let composed = Composed {
            root,
            faults: Vec::new(),
            files: Vec::new(),
            inline: Vec::new(),
        };
        Self::of(composed, &nothing_around())
    }
}

impl Config {
    /// Reads the file, what it includes, the `.env` beside it, and what the environment says over it.
    ///
    /// See [`load_in`](Self::load_in), for a configuration that is not in the state directory.
    pub fn load(path: &Path, var: impl Fn(&str) -> Option<OsString>) -> Result<Self, LoadError> {
        Self::load_in(path.parent().unwrap_or(Path::new(".")), path, var)
    }

    /// Reads the configuration of the install in a state directory, which has the `.env` file.
    ///
    /// - `OPENCLAW_GATEWAY_TOKEN`, `OPENCLAW_GATEWAY_PASSWORD` and `OPENCLAW_GATEWAY_PORT` win over the file;
    ///   what is blank counts as not set.
    /// - `${NAME}` in a text is that variable: of the environment, else of `.env`, else of `env.vars`.
    /// - A missing file is the default configuration. A file that exists and is no configuration is an
    ///   error; a fault of one key is not ([`faults`](Self::faults)).
    ///
    /// Blocks: it reads files.
    pub fn load_in(
        state_dir: &Path,
        path: &Path,
        var: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, LoadError> {
        let read = |surroundings: &Surroundings<'_>| match bytes(path) {
            Ok(bytes) => {
                let path = path.to_owned();
                let config = Self::from_bytes(&bytes, surroundings);
                config.map_err(|source| LoadError::Invalid { path, source })
            }
            // A link that leads nowhere is a mistake, not a missing file.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
                Ok(Self::default())
            }
            Err(source) => {
                let path = path.to_owned();
                Err(LoadError::Read { path, source })
            }
        };
        Self::in_place(state_dir, path, &var, read)
    }

    /// The configuration that a text would be in the place of the file: see [`load_in`](Self::load_in).
    pub fn of_text(
        text: &str,
        state_dir: &Path,
        path: &Path,
        var: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        Self::in_place(state_dir, path, &var, |surroundings| {
            Self::read(text, surroundings)
        })
    }

    fn in_place<E>(
        state_dir: &Path,
        path: &Path,
        var: &dyn Fn(&str) -> Option<OsString>,
        read: impl FnOnce(&Surroundings<'_>) -> Result<Self, E>,
    ) -> Result<Self, E> {
        let dotenv = Dotenv::read(&state_dir.join(".env"));
        let (dotenv, unreadable) = match dotenv {
            Ok(dotenv) => (dotenv, None),
            Err(error) => (Dotenv::default(), Some(error)),
        };
        let surroundings = Surroundings {
            path: Some(path),
            var,
            dotenv,
        };
        let mut config = read(&surroundings)?.overridden(&surroundings);
        if let Some(error) = unreadable {
            let detail = format!("cannot be read, and its variables are not set: {error}");
            config.faults.push(Arc::new(Fault::new(".env", detail)));
        }
        config.files.push(state_dir.join(".env"));
        config.dotenv = surroundings.dotenv;
        Ok(config)
    }

    /// Reads a text that refers to no variables and no files.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::read(text, &nothing_around())
    }

    fn read(text: &str, surroundings: &Surroundings<'_>) -> Result<Self, ConfigError> {
        if text.len() > MAX_BYTES {
            let detail = format!("the file is larger than {} MiB", MAX_BYTES >> 20);
            return Err(ConfigError::new(detail, None));
        }
        let composed = compose(text, surroundings)?;
        if !matches!(composed.root.value, Value::Table(_)) {
            let detail = format!("{} is not an object", composed.root.kind());
            return Err(ConfigError::new(detail, Some(composed.root.place.at)));
        }
        Ok(Self::of(composed, surroundings))
    }

    /// The same under the variables that win over the file.
    #[must_use]
    pub fn under(self, var: impl Fn(&str) -> Option<OsString>) -> Self {
        let dotenv = self.dotenv.clone();
        self.overridden(&Surroundings {
            path: None,
            var: &var,
            dotenv,
        })
    }

    fn overridden(mut self, surroundings: &Surroundings<'_>) -> Self {
        let set = |name| surroundings.variable(name, &[]);
        let is_garbled =
            |name| (surroundings.var)(name).is_some_and(|value| value.to_str().is_none());
        for (name, key) in [
            ("OPENCLAW_GATEWAY_TOKEN", "gateway.auth.token"),
            ("OPENCLAW_GATEWAY_PASSWORD", "gateway.auth.password"),
        ] {
            let text = match set(name) {
                Some(text) => Secret::new(text),
                None if is_garbled(name) => Err("is not UTF-8"),
                None => continue,
            };
            let auth = &mut self.gateway.auth;
            let is_token = key == "gateway.auth.token";
            let place = if is_token {
                &mut auth.token
            } else {
                &mut auth.password
            };
            match text {
                Ok(secret) => *place = Some(secret),
                Err(detail) => {
                    // Not the file's instead: somebody meant to replace that.
                    *place = None;
                    let fault = Arc::new(Fault::new(name, detail));
                    self.faults.push(fault.clone());
                    self.closed.entry(Part::Secret).or_default().push(fault);
                    continue;
                }
            }
            let is_alone = is_token && auth.mode.is_none();
            self.reopen(&Part::Secret, |fault| {
                fault == key || (is_alone && fault == "gateway.auth.password")
            });
        }
        if let Some(text) = set("OPENCLAW_GATEWAY_PORT") {
            let name = "OPENCLAW_GATEWAY_PORT";
            let parts = [Part::Gateway, Part::Remote];
            if let Some(port) = read::integer(text.trim()).and_then(read::port_of) {
                self.gateway.port = port;
                for part in parts {
                    self.reopen(&part, |key| key == "gateway.port");
                }
            } else {
                let detail = format!("{} is not a port", escape(&text).limit(32));
                let fault = Arc::new(Fault::new(name, detail));
                self.faults.push(fault.clone());
                for part in parts {
                    self.closed.entry(part).or_default().push(fault.clone());
                }
            }
        }
        self
    }

    /// Takes back what faults of these keys closed.
    fn reopen(&mut self, part: &Part, is_meant: impl Fn(&str) -> bool) {
        if let Some(faults) = self.closed.get_mut(part) {
            faults.retain(|fault| !fault.key.as_deref().is_some_and(&is_meant));
            if faults.is_empty() {
                self.closed.remove(part);
            }
        }
    }

    /// What is wrong, a key at a time; after twenty faults of the file, others are not listed.
    ///
    /// A key that cannot be understood counts as not set, where that lets nobody in. Where it restricts
    /// access, the part that depends on it is closed: see [`closed`](Self::closed).
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter().map(AsRef::as_ref)
    }

    /// The parts that faults close, each with the first fault that does.
    pub fn closed(&self) -> Vec<(Part, &Fault)> {
        let parts = self.closed.iter();
        let parts =
            parts.filter_map(|(part, faults)| Some((part.clone(), faults.first()?.as_ref())));
        let accounts = self.accounts_closed.iter();
        let accounts = accounts.map(|(part, fault)| (part.clone(), fault.as_ref()));
        parts.chain(accounts).collect()
    }

    /// Closes a part by a fault of something that belongs to the configuration and stands in a file of its own.
    pub fn close(&mut self, part: Part, fault: Fault) {
        let fault = Arc::new(fault);
        self.faults.push(fault.clone());
        self.closed.entry(part).or_default().push(fault);
    }

    /// The first fault that closes a part.
    pub fn closed_by(&self, part: &Part) -> Option<&Fault> {
        self.closing(part).next()
    }

    /// All faults that close a part.
    pub fn closing(&self, part: &Part) -> impl Iterator<Item = &Fault> {
        let account = self.accounts_closed.get(part);
        let faults = self.closed.get(part).into_iter().flatten();
        faults.chain(account).map(AsRef::as_ref)
    }

    /// The policy and the list for direct messages of an account: its own, else its channel's. An account that
    /// a fault closes admits nobody.
    pub fn access(&self, rules: &ChannelRules, account: &AccountId) -> Access {
        let Account {
            dm_policy,
            allow_from,
            ..
        } = self.account(rules.id(), account);
        Access::new(
            rules,
            dm_policy.unwrap_or_default(),
            allow_from.unwrap_or_default(),
        )
    }

    /// The policy of an account, or of its channel; `pairing` where neither says.
    pub fn dm_policy(&self, channel: &ChannelId, account: &AccountId) -> DmPolicy {
        self.account(channel, account).dm_policy.unwrap_or_default()
    }

    /// What is set for an account, by itself or by its channel.
    ///
    /// A bot's token is never shared: the channel's goes for the account `default` only.
    pub fn account(&self, channel: &ChannelId, account: &AccountId) -> Account {
        self.channels.account(channel, account)
    }

    /// The channels that are configured.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelId> {
        self.channels.ids()
    }

    /// The accounts that are configured by name.
    pub fn accounts(&self, channel: &ChannelId) -> impl Iterator<Item = &AccountId> {
        self.channels.accounts(channel)
    }

    /// What looks like a slip: keys that are ignored but close to one of ours, and keys that are written
    /// twice.
    pub fn slips(&self) -> &[Slip] {
        &self.slips
    }

    /// Keys of OpenClaw that restrict access, or lead elsewhere, and are not obeyed here yet.
    pub fn unheeded(&self) -> &[Slip] {
        &self.unheeded
    }

    /// The patterns of the keys that [`unheeded`](Self::unheeded) looks for; for the test of the documentation.
    #[doc(hidden)]
    pub fn unheeded_patterns() -> impl Iterator<Item = &'static str> {
        unheeded::UNHEEDED.iter().map(|(pattern, _)| *pattern)
    }

    /// A fault of a key, at the position where it is written (`gateway.nodes.pairing.autoApproveCidrs[1]`). For
    /// code that checks more of a value than this crate does.
    pub fn fault(&self, key: &str, detail: impl Into<String>) -> Fault {
        let place = self.places.get(key).and_then(Option::as_ref);
        Fault::new(key, detail).at(place)
    }

    /// Where the value of a key is written.
    pub fn place(&self, key: &str) -> Option<Position> {
        let place = self.places.get(key)?.as_ref();
        place.map(|place| place.at)
    }

    /// The files that the configuration is composed of, beside `openclaw.json`: those that it includes, whether
    /// or not they can be read, and `.env`. A change of any of them may change the configuration.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// A variable: what the environment says, else what `.env` does. Blank counts as not set.
    pub fn variable(&self, name: &str, var: impl Fn(&str) -> Option<OsString>) -> Option<OsString> {
        let is_set = |value: &OsString| !value.to_string_lossy().trim().is_empty();
        let in_file = || self.dotenv.get(name).map(|value| value.as_str().into());
        var(name)
            .filter(is_set)
            .or_else(|| in_file().filter(is_set))
    }

    /// The keys that were looked for, there or not; for the test of the documentation.
    #[doc(hidden)]
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    fn from_bytes(bytes: &[u8], surroundings: &Surroundings<'_>) -> Result<Self, ConfigError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let before = String::from_utf8_lossy(before);
            let at = after(Position::default(), &before);
            ConfigError::new("this is not UTF-8", Some(at))
        })?;
        Self::read(text, surroundings)
    }

    fn of(composed: Composed, surroundings: &Surroundings<'_>) -> Self {
        let Composed {
            root,
            faults,
            files,
            inline,
        } = composed;
        let variable = |name: &str| surroundings.variable(name, &inline);
        let sources = Sources {
            variable: &variable,
            var: surroundings.var,
            dir: surroundings.path.and_then(Path::parent),
        };
        let providers = Providers::read(root.member("secrets"));
        let mut reader = Reader::new(&sources, providers, faults);
        let mut config = Self::of_sections(&root, &mut reader);
        config.files = files;
        config
    }

    fn of_sections(root: &Node, reader: &mut Reader<'_>) -> Self {
        unheeded::note(root, reader);
        // The other program notes there when it wrote the file; this one never makes it.
        let is_adopted = root.member("meta").is_some();
        let mut root = Section::new(String::new(), Some(root), reader);
        let gateway = root.child("gateway", reader);
        let gateway = Gateway::read(gateway, is_adopted, reader);
        let groups = Groups::read(&root.child("accessGroups", reader), reader);
        let channels = root.child("channels", reader);
        let channels = Channels::read(&channels, groups.clone(), reader);
        let device_pair = DevicePair::read(root.child("plugins", reader), reader);
        let owner_allow_from = owners(root.child("commands", reader), &groups, reader);
        let mut pairing = root.child("pairing", reader);
        let notify_owners = pairing.flag("notify", reader);
        let notify_faults = pairing.flag("notifyFaults", reader);
        pairing.finish(reader);
        let state = State::read(root.child("state", reader), reader);
        root.finish(reader);
        reader
            .slips
            .sort_by(|one, other| (&one.file, one.at).cmp(&(&other.file, other.at)));
        let mut config = Self {
            gateway,
            state,
            channels,
            device_pair,
            owner_allow_from,
            notify_owners: notify_owners.unwrap_or(None).unwrap_or(false),
            notify_faults: notify_faults.unwrap_or(None).unwrap_or(false),
            slips: std::mem::take(&mut reader.slips),
            unheeded: std::mem::take(&mut reader.unheeded),
            faults: std::mem::take(&mut reader.faults),
            closed: std::mem::take(&mut reader.closed),
            accounts_closed: BTreeMap::new(),
            places: std::mem::take(&mut reader.asked),
            files: Vec::new(),
            dotenv: Dotenv::default(),
        };
        config.accounts_closed = config.closed_accounts();
        config
    }

    fn closed_accounts(&self) -> BTreeMap<Part, Arc<Fault>> {
        let mut closed = BTreeMap::new();
        let default = AccountId::default();
        for channel in self.channels() {
            for account in self.accounts(channel).chain([&default]) {
                if let Some(fault) = self.channels.closing(channel, account) {
                    closed.insert(Part::Account(channel.clone(), account.clone()), fault);
                }
            }
        }
        closed
    }
}

/// Owners in chats. A list of which nothing is left names nobody, and does not count as empty.
fn owners(mut commands: Section<'_>, groups: &Groups, reader: &mut Reader<'_>) -> Vec<String> {
    let list = commands.senders("ownerAllowFrom", reader);
    let (list, unknown) = groups.checked(&commands, "ownerAllowFrom", list, reader);
    let lost = list.lost().cloned();
    let owners = groups.owners(list.letting_in().unwrap_or_default());
    if let Some(fault) = lost.or(unknown).filter(|_| owners.is_empty()) {
        reader.close(Part::Owners, &fault);
    }
    commands.finish(reader);
    owners
}

/// For a text: no environment, and no files.
fn nothing_around() -> Surroundings<'static> {
    Surroundings {
        path: None,
        var: &|_| None,
        dotenv: Dotenv::default(),
    }
}

impl DevicePair {
    fn read(mut plugins: Section<'_>, reader: &mut Reader<'_>) -> Self {
        const NAME: &str = "device-pair";
        let all = plugins.flag("enabled", reader);
        let all = reader.or_close(Part::SetupCodes, all);
        let allowed = plugins.texts("allow", reader).letting_in();
        let is_allowed = allowed.is_none_or(|names| names.iter().any(|name| name == NAME));
        let denied = plugins.texts("deny", reader).keeping_out();
        let denied = reader.or_close(Part::SetupCodes, denied);
        let is_denied = denied.is_some_and(|names| names.iter().any(|name| name == NAME));
        let is_off = all == Some(false) || !is_allowed || is_denied;
        let mut entries = plugins.child("entries", reader);
        let mut at = entries.child(NAME, reader);
        let mut config = at.child("config", reader);
        let enabled = at.flag("enabled", reader);
        let enabled = reader.or_close(Part::SetupCodes, enabled);
        let public_url = config.text("publicUrl", reader);
        let public_url = reader.or_close(Part::SetupCodes, public_url);
        let is_closed = reader.closed.contains_key(&Part::SetupCodes);
        for section in [config, at, entries, plugins] {
            section.finish(reader);
        }
        Self {
            enabled: enabled.unwrap_or(true) && !is_closed && !is_off,
            public_url,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("gateway", &self.gateway)
            .field("state", &self.state)
            .field("device_pair", &self.device_pair)
            .field("owner_allow_from", &self.owner_allow_from)
            .field("notify_owners", &self.notify_owners)
            .field("notify_faults", &self.notify_faults)
            .field("channels", &self.channels)
            .field("slips", &self.slips)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

fn bytes(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let mut bytes = Zeroizing::new(Vec::new());
    // One more than may be, so that what is too long is seen to be.
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
