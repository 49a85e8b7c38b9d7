//! `openclaw config`: reads and changes single keys of `openclaw.json`.

use std::fs;
use std::io;

use gateway_protocol::Advise as _;
use openclaw_config::{Config, ConfigError, Document, EditError, Fault, KeyPart, KeyPath};
use pairing_core::{StoreError, escape};
use pairing_fs::{StateDir, owned};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::args::ConfigCommand;
use crate::console::Screen;
use crate::{Environment, Exit, Failure};

/// Maximum size of a value, in bytes.
const LONGEST: u64 = 1 << 20;

/// The text that is shown instead of a secret.
const HIDDEN: &str = "***";

/// The file cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigCommandError {
    #[error("cannot read {path}")]
    Read { path: String, source: io::Error },
    #[error("cannot use {path}")]
    Invalid { path: String, source: ConfigError },
    #[error("the value cannot be read")]
    Value(#[source] io::Error),
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The changed file could not be understood.
    #[error("the file stays as it is, because {0}")]
    Fault(Fault),
    /// The key would be ignored.
    #[error("the file stays as it is, because {0}")]
    Ignored(String),
    #[error("a secret on the command line can be seen by others on this machine")]
    Bare,
    #[error("{0} has changed meanwhile")]
    Changed(String),
    #[error("the file cannot be written")]
    Write(#[from] StoreError),
}

impl ConfigCommandError {
    pub(crate) fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Bare => "hand it in by --stdin, or set a reference: '${NAME}'".to_owned(),
            Self::Changed(_) => "run the command again".to_owned(),
            Self::Invalid { .. } => {
                "mend it by hand: `openclaw doctor` finds what is wrong".to_owned()
            }
            Self::Write(error) => return error.advice(),
            _ => return None,
        })
    }
}

pub(crate) fn run(
    command: ConfigCommand,
    state: &StateDir,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let file = File::read(state, environment)?;
    match command {
        ConfigCommand::Get(key) => {
            let Some(text) = file.document.get(&key) else {
                screen.note(format_args!("{} is not set.", shown(&key)));
                return Ok(Exit::Refused);
            };
            let mut value = parsed(text);
            if let Some(value) = &mut value {
                hide(key.name(), value);
            }
            screen.json(&value)?;
            Ok(Exit::Done)
        }
        ConfigCommand::Set { key, value } => {
            let is_given = value.is_some();
            let value = match value {
                Some(value) => Zeroizing::new(value),
                None => (environment.stdin)(LONGEST).map_err(ConfigCommandError::Value)?,
            };
            let value = literal(value.trim_end_matches(['\n', '\r']), !is_given);
            if is_given && is_bare_secret(&key, &value) {
                return Err(ConfigCommandError::Bare.into());
            }
            file.set([(&key, value.as_str())])?;
            screen.note(format_args!("{} is set, in {}.", shown(&key), file.path()));
            Ok(Exit::Done)
        }
        ConfigCommand::Unset(key) => {
            let mut changed = file.document.clone();
            if !changed.unset(&key) {
                screen.note(format_args!("{} is not set.", shown(&key)));
                return Ok(Exit::Refused);
            }
            file.replace(&changed)?;
            screen.note(format_args!(
                "{} is not set any more, in {}.",
                shown(&key),
                file.path()
            ));
            Ok(Exit::Done)
        }
    }
}

/// Sets several keys at once, each to a JSON5 text; all of them or none. Without any, the file is made if it is missing.
/// Returns the file's path, escaped.
pub(crate) fn set(
    state: &StateDir,
    environment: &Environment<'_>,
    changes: &[(KeyPath, String)],
) -> Result<String, ConfigCommandError> {
    let file = File::read(state, environment)?;
    if !changes.is_empty() || file.text.is_none() {
        file.set(changes.iter().map(|(key, value)| (key, value.as_str())))?;
    }
    Ok(file.path())
}

/// Returns what the file says at a key. For keys that hold no secret.
pub(crate) fn get(
    state: &StateDir,
    environment: &Environment<'_>,
    key: &KeyPath,
) -> Result<Option<Value>, ConfigCommandError> {
    let file = File::read(state, environment)?;
    Ok(file.document.get(key).and_then(parsed))
}

/// Parses a key that this program names.
pub(crate) fn key(name: &str) -> Option<KeyPath> {
    name.parse().ok()
}

/// The configuration file.
struct File<'a> {
    state: &'a StateDir,
    environment: &'a Environment<'a>,
    /// The file's text; `None` if it does not exist.
    text: Option<Zeroizing<String>>,
    document: Document,
}

impl<'a> File<'a> {
    fn read(
        state: &'a StateDir,
        environment: &'a Environment<'a>,
    ) -> Result<Self, ConfigCommandError> {
        let text = read(state)?;
        let document = Document::parse(text.as_ref().map_or("{\n}\n", |text| text));
        let document = document.map_err(|source| ConfigCommandError::Invalid {
            path: state.config().display().to_string(),
            source,
        })?;
        Ok(Self {
            state,
            environment,
            text,
            document,
        })
    }

    fn path(&self) -> String {
        let path = self.state.config().display().to_string();
        escape(&path).limit(4096).to_string()
    }

    /// Sets keys.
    fn set<'c>(
        &self,
        changes: impl IntoIterator<Item = (&'c KeyPath, &'c str)>,
    ) -> Result<(), ConfigCommandError> {
        let mut changed = self.document.clone();
        for (key, value) in changes {
            changed.set(key, value)?;
        }
        self.replace(&changed)
    }

    /// Writes a new text, unless it has faults that the old one did not have.
    fn replace(&self, changed: &Document) -> Result<(), ConfigCommandError> {
        let config = |document: &Document| {
            let (root, path) = (self.state.root(), self.state.config());
            let config = Config::of_text(document.as_str(), root, path, |name| {
                (self.environment.var)(name)
            });
            config.map_err(|source| ConfigCommandError::Invalid {
                path: self.path(),
                source,
            })
        };
        let (before, after) = (config(&self.document)?, config(changed)?);
        let is_new = |fault: &&Fault| {
            let is_same = |known: &Fault| known.key == fault.key && known.detail == fault.detail;
            !before.faults().any(is_same)
        };
        if let Some(fault) = after.faults().find(is_new) {
            return Err(ConfigCommandError::Fault(fault.clone()));
        }
        let mut slips = after.slips().iter();
        let slip = slips.find(|slip| {
            let is_same = |known: &&openclaw_config::Slip| {
                known.key == slip.key && known.detail == slip.detail
            };
            !before.slips().iter().any(|known| is_same(&known))
        });
        if let Some(slip) = slip {
            return Err(ConfigCommandError::Ignored(slip.to_string()));
        }
        let has_changed = || ConfigCommandError::Changed(self.path());
        if read(self.state)? != self.text {
            return Err(has_changed());
        }
        if self.text.is_some() {
            owned::replace_file(self.state.config(), changed.as_str())?;
            return Ok(());
        }
        owned::create_dir(self.state.root())?;
        if !owned::create_file(self.state.config(), changed.as_str())? {
            return Err(has_changed());
        }
        Ok(())
    }
}

fn read(state: &StateDir) -> Result<Option<Zeroizing<String>>, ConfigCommandError> {
    match fs::read_to_string(state.config()) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !state.config().is_symlink() => {
            Ok(None)
        }
        Err(source) => Err(ConfigCommandError::Read {
            path: state.config().display().to_string(),
            source,
        }),
    }
}

/// Converts an argument to JSON5. Text that is valid JSON5 is kept; other text becomes a string. Standard input,
/// which is for secrets, becomes a string unless it is an object or a list.
///
/// What begins with `+` becomes a string, too: JSON5 has such numbers, but people write phone numbers so.
fn literal(text: &str, is_secret: bool) -> Zeroizing<String> {
    let is_phone_number = text.trim_start().starts_with('+');
    let meant = parsed(text)
        .filter(|value| !is_phone_number && (!is_secret || value.is_object() || value.is_array()));
    Zeroizing::new(match meant {
        Some(_) => text.to_owned(),
        None => Value::String(text.to_owned()).to_string(),
    })
}

/// Parses JSON5.
fn parsed(text: &str) -> Option<Value> {
    // The parser recurses without a limit, so deep nesting is refused before.
    let within = Zeroizing::new(format!("{{\"value\": {text}\n}}"));
    Document::parse(&within).ok()?;
    json5::from_str(text).ok()
}

/// Whether a value is a secret in clear text, and not a reference to one.
fn is_bare_secret(key: &KeyPath, value: &str) -> bool {
    parsed(value).is_some_and(|value| holds_secret(key.name(), &value))
}

fn holds_secret(name: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => is_secret(name) && !text.starts_with('$') && !text.trim().is_empty(),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| holds_secret(name, value)),
        Value::Array(values) => values.iter().any(|value| holds_secret(name, value)),
        _ => false,
    }
}

/// Hides secrets in clear text. References to secrets are kept.
fn hide(name: &str, value: &mut Value) {
    match value {
        Value::String(text) if is_secret(name) && !text.starts_with('$') => HIDDEN.clone_into(text),
        Value::Number(_) if is_secret(name) => *value = HIDDEN.into(),
        Value::Object(members) => {
            for (name, value) in members {
                hide(name, value);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| hide(name, value)),
        _ => {}
    }
}

/// Whether a key has a name that secrets have.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "token",
        "password",
        "secret",
        "apikey",
        "privatekey",
        "encryptkey",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

fn shown(key: &KeyPath) -> String {
    let parts = key.parts().iter().enumerate().map(|(at, part)| match part {
        KeyPart::Key(key) if at == 0 => escape(key).limit(64).to_string(),
        KeyPart::Key(key) => format!(".{}", escape(key).limit(64)),
        KeyPart::Index(index) => format!("[{index}]"),
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_is_a_text() {
        for (text, written) in [
            ("+15550001111", "\"+15550001111\""),
            ("-1", "-1"),
            ("18789", "18789"),
            ("\"+15550001111\"", "\"+15550001111\""),
            ("['+15550001111']", "['+15550001111']"),
            ("ann", "\"ann\""),
        ] {
            assert_eq!(&*literal(text, false), written);
        }
    }
}
