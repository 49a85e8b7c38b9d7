#![doc = include_str!("../README.md")]

mod channels;
mod error;
mod gateway;
mod limits;
mod outline;
mod read;
mod secret;
mod slip;
mod state;
mod tree;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use pairing_core::{Access, AccountId, ChannelId, ChannelRules, DmPolicy, escape};
use serde::de::{DeserializeSeed as _, IgnoredAny};
use zeroize::Zeroizing;

pub use channels::{Account, PairingReply};
pub use error::{ConfigError, Fault, LoadError, Position};
pub use gateway::{Auth, AuthMode, AutoApprove, Bind, ControlUi, Gateway, Mode, Remote, Tls};
pub use limits::GatewayLimits;
pub use secret::Secret;
pub use slip::Slip;
pub use state::{Etcd, EtcdTls, State, Store};

use channels::Channels;
use outline::{Outline, TooDeep, after};
use read::{Reader, Section};
use tree::Root;

/// The longest file that is read, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// The configuration of an install.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The gateway.
    pub gateway: Gateway,
    /// Where the records of pairing are kept.
    pub state: State,
    /// The plugin that issues setup codes.
    pub device_pair: DevicePair,
    /// Owners in chats: who may give the bot commands, as it is written (`telegram:12345`).
    pub owner_allow_from: Vec<String>,
    /// Whether owners are notified of every request in their chats.
    pub notify_owners: bool,
    channels: Channels,
    slips: Vec<Slip>,
    places: BTreeMap<String, Option<Position>>,
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
    /// What goes where nothing is configured.
    fn default() -> Self {
        Self::of(None, &mut Reader::new("", &|_| None))
    }
}

impl Config {
    /// Reads the file, and what the environment says over it.
    ///
    /// `OPENCLAW_GATEWAY_TOKEN`, `OPENCLAW_GATEWAY_PASSWORD` and `OPENCLAW_GATEWAY_PORT` win over the
    /// file; what is blank counts as not set. A secret that is written `${NAME}` is that variable; where
    /// it is not set, neither is the secret, and [`slips`](Self::slips) tells.
    pub fn load(path: &Path, var: impl Fn(&str) -> Option<OsString>) -> Result<Self, LoadError> {
        let read = |source| LoadError::Read {
            path: path.to_owned(),
            source,
        };
        let config = match bytes(path) {
            Ok(bytes) => Self::from_bytes(&bytes, &var).map_err(|source| LoadError::Invalid {
                path: path.to_owned(),
                source,
            })?,
            // A link that leads nowhere is a mistake, not a missing file.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
                Self::default()
            }
            Err(error) => return Err(read(error)),
        };
        config.under(var).map_err(LoadError::Environment)
    }

    /// Reads a text that refers to no variables.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::read(text, &|_| None)
    }

    fn read(text: &str, var: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        if text.len() > MAX_BYTES {
            return Err(fault(
                format!("the file is larger than {} MiB", MAX_BYTES >> 20),
                None,
            ));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let outline = Outline::of(text).map_err(|TooDeep(at)| {
            let detail = "brackets are nested more than 64 deep";
            fault(detail, Some(at))
        })?;
        let root = Root {
            cursor: &mut outline.cursor(),
            sections: &[
                "gateway", "channels", "plugins", "commands", "pairing", "state",
            ],
        };
        // The first time over looks at what comes after the value, too.
        let root = json5::from_str::<IgnoredAny>(text)
            .and_then(|_| root.deserialize(&mut json5::Deserializer::from_str(text)))
            .map_err(|error| malformed(text, &error))?;
        let mut reader = Reader::new(text, var);
        let config = Self::of(Some(&root), &mut reader);
        ConfigError::check(reader.faults)?;
        Ok(config)
    }

    /// The same under the variables that win over the file.
    pub fn under(mut self, var: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let auth = &mut self.gateway.auth;
        if let Some(token) = secret_of("OPENCLAW_GATEWAY_TOKEN", &var)? {
            auth.token = Some(token);
        }
        if let Some(password) = secret_of("OPENCLAW_GATEWAY_PASSWORD", &var)? {
            auth.password = Some(password);
        }
        if let Some(text) = set("OPENCLAW_GATEWAY_PORT", &var)? {
            let port = read::integer(text.trim()).and_then(read::port_of);
            self.gateway.port = port.ok_or_else(|| {
                let detail = format!("{} is not a port", escape(&text).limit(32));
                of_variable("OPENCLAW_GATEWAY_PORT", detail)
            })?;
        }
        Ok(self)
    }

    /// What goes for direct messages of an account: its own policy and list, else its channel's.
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
        let channel = self.channels.get(channel);
        channel.map_or_else(Account::default, |channel| channel.account(account))
    }

    /// The channels that are configured.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelId> {
        self.channels.keys()
    }

    /// The accounts that are configured by name.
    pub fn accounts(&self, channel: &ChannelId) -> impl Iterator<Item = &AccountId> {
        let channel = self.channels.get(channel);
        channel.into_iter().flat_map(channels::Channel::accounts)
    }

    /// What looks like a slip: keys that are ignored but close to one of ours, keys that are written
    /// twice, references to variables that are not set.
    pub fn slips(&self) -> &[Slip] {
        &self.slips
    }

    /// Where the value of a key is written: `gateway.nodes.pairing.autoApproveCidrs[1]`. For errors of
    /// who understands more of a value than its type.
    pub fn place(&self, key: &str) -> Option<Position> {
        self.places.get(key).copied().flatten()
    }

    /// The keys that were looked for, there or not; for the test of the documentation.
    #[doc(hidden)]
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    fn from_bytes(
        bytes: &[u8],
        var: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let before = String::from_utf8_lossy(before);
            fault(
                "this is not UTF-8",
                Some(after(Position::default(), &before)),
            )
        })?;
        Self::read(text, var)
    }

    fn of(root: Option<&tree::Node>, reader: &mut Reader<'_>) -> Self {
        let mut root = Section::new(String::new(), root, reader);
        let gateway = root.child("gateway", reader);
        let gateway = Gateway::read(gateway, reader);
        let channels = root.child("channels", reader);
        let channels = channels::read(&channels, reader);
        let device_pair = DevicePair::read(root.child("plugins", reader), reader);
        let mut commands = root.child("commands", reader);
        let owner_allow_from = commands
            .senders("ownerAllowFrom", reader)
            .unwrap_or_default();
        commands.finish(reader);
        let mut pairing = root.child("pairing", reader);
        let notify_owners = pairing.flag("notify", reader).unwrap_or(false);
        pairing.finish(reader);
        let state = State::read(root.child("state", reader), reader);
        root.finish(reader);
        reader.slips.sort_by_key(|slip| slip.at);
        Self {
            gateway,
            state,
            channels,
            device_pair,
            owner_allow_from,
            notify_owners,
            slips: std::mem::take(&mut reader.slips),
            places: std::mem::take(&mut reader.asked),
        }
    }
}

impl DevicePair {
    fn read(mut plugins: Section<'_>, reader: &mut Reader<'_>) -> Self {
        let mut entries = plugins.child("entries", reader);
        let mut at = entries.child("device-pair", reader);
        let mut config = at.child("config", reader);
        let device_pair = Self {
            enabled: at.flag("enabled", reader).unwrap_or(true),
            public_url: config.text("publicUrl", reader),
        };
        for section in [config, at, entries, plugins] {
            section.finish(reader);
        }
        device_pair
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
            .field("channels", &self.channels)
            .field("slips", &self.slips)
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

/// What the parser says, in the words of this crate.
fn malformed(text: &str, error: &json5::Error) -> ConfigError {
    let at = error.position().map(|at| Position {
        line: at.line + 1,
        column: at.column + 1,
    });
    let detail = match error.code() {
        Some(code) => match code.to_string().strip_prefix("EOF parsing ") {
            Some(what) => format!("the file ends before the {what} does"),
            None => code.to_string(),
        },
        None => "this means nothing in JSON5".to_owned(),
    };
    fault(
        detail,
        Some(at.unwrap_or_else(|| after(Position::default(), text))),
    )
}

fn secret_of(
    name: &str,
    var: &impl Fn(&str) -> Option<OsString>,
) -> Result<Option<Secret>, ConfigError> {
    let Some(text) = set(name, var)? else {
        return Ok(None);
    };
    match Secret::new(text) {
        Some(secret) => Ok(Some(secret)),
        None => Err(of_variable(name, read::PLACEHOLDER)),
    }
}

/// The value of a variable that is not blank.
fn set(
    name: &str,
    var: &impl Fn(&str) -> Option<OsString>,
) -> Result<Option<Zeroizing<String>>, ConfigError> {
    let Some(value) = var(name) else {
        return Ok(None);
    };
    let text = value
        .into_string()
        .map_err(|_| of_variable(name, "is not UTF-8"))?;
    Ok(Some(Zeroizing::new(text)).filter(|text| !text.trim().is_empty()))
}

fn of_variable(name: &str, detail: impl Into<String>) -> ConfigError {
    let key = Some(name.to_owned());
    let detail = detail.into();
    ConfigError::from(Fault {
        key,
        detail,
        at: None,
    })
}

fn fault(detail: impl Into<String>, at: Option<Position>) -> ConfigError {
    let detail = detail.into();
    ConfigError::from(Fault {
        key: None,
        detail,
        at,
    })
}
