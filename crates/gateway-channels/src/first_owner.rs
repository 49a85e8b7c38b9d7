//! The first owner, where the configuration names none: made by an approval at the terminal.
//!
//! `openclaw.json` is never rewritten, so it is recorded in `owners.json` beside it. That counts like
//! `commands.ownerAllowFrom`, as long as that is empty: the configuration has the last word.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use openclaw_config::{Config, Fault, Part};
use pairing_core::{Chain, ChannelId, SenderId, StoreError};
use pairing_fs::{StateDir, owned};
use serde::{Deserialize, Serialize};

/// Nobody was made an owner.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FirstOwnerError {
    /// There is one.
    #[error("the bot has an owner already")]
    Present,
    /// What is recorded cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be recorded.
    #[error("the owner cannot be recorded")]
    Write(#[source] StoreError),
}

impl FirstOwnerError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Present => {
                "owners after the first are named in commands.ownerAllowFrom, in openclaw.json"
            }
            _ => "name the owner in commands.ownerAllowFrom, in openclaw.json",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recorded {
    version: u32,
    owner_allow_from: Vec<String>,
}

/// The most that is read, in bytes.
const MOST: u64 = 64 << 10;

/// Where the first owner is recorded.
pub fn owners_path(state: &StateDir) -> PathBuf {
    state.root().join("owners.json")
}

/// Whether a first owner may still be made: not if the configuration names owners, nor if one was made before.
pub fn may_make_owner(state: &StateDir, config: &Config) -> Result<(), FirstOwnerError> {
    let names_one = !config.owner_allow_from.is_empty();
    if names_one
        || !read(&owners_path(state))?.is_empty()
        || config.closed_by(&Part::Owners).is_some()
    {
        return Err(FirstOwnerError::Present);
    }
    Ok(())
}

/// Makes somebody the first owner, if there is none: of several at once, one.
pub fn make_owner(
    state: &StateDir,
    config: &Config,
    channel: &ChannelId,
    sender: &SenderId,
) -> Result<(), FirstOwnerError> {
    may_make_owner(state, config)?;
    let recorded = Recorded {
        version: 1,
        owner_allow_from: vec![format!("{channel}:{sender}")],
    };
    let path = owners_path(state);
    let text = serde_json::to_string_pretty(&recorded).map_err(|error| FirstOwnerError::Read {
        path: path.clone(),
        source: error.into(),
    })?;
    let made = owned::create_file(&path, &format!("{text}\n"));
    if made.map_err(FirstOwnerError::Write)? {
        Ok(())
    } else {
        Err(FirstOwnerError::Present)
    }
}

/// The configuration with the first owner in it, where it names none itself. What cannot be read makes
/// nobody an owner, and is a fault that closes them.
pub fn with_first_owner(mut config: Config, state: &StateDir) -> Config {
    if config.owner_allow_from.is_empty() && config.closed_by(&Part::Owners).is_none() {
        match read(&owners_path(state)) {
            Ok(owners) => config.owner_allow_from = owners,
            Err(error) => {
                tracing::error!(
                    error = %Chain(&error), "owners.json cannot be read: it makes nobody an owner"
                );
                let detail = format!("makes nobody an owner: {}", Chain(&error));
                config.close(Part::Owners, Fault::new("owners.json", detail));
            }
        }
    }
    config
}

fn read(path: &Path) -> Result<Vec<String>, FirstOwnerError> {
    let read = || match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Ok(found) if found.len() > MOST => Err(io::Error::other("it is too large")),
        found => {
            found?;
            let recorded: Recorded = serde_json::from_slice(&fs::read(path)?)?;
            Ok(recorded.owner_allow_from)
        }
    };
    read().map_err(|source| FirstOwnerError::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t38_the_first_owner_is_made_once_and_only_where_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (state, channels) = (StateDir::at(dir.path()), pairing_core::Channels::builtin());
        let telegram = ChannelId::parse("telegram").unwrap();
        let sender = |id: &str| channels.get(&telegram).unwrap().sender(id).unwrap();
        let make = |config: &str, id: &str| {
            let config = Config::parse(config).unwrap();
            make_owner(&state, &config, &telegram, &sender(id))
        };
        let config = "{ commands: { ownerAllowFrom: ['discord:1'] } }";
        assert!(matches!(make(config, "1"), Err(FirstOwnerError::Present)));
        // Who may talk is no owner.
        let config = "{ channels: { telegram: { allowFrom: ['*', 7] } } }";
        make(config, "1").unwrap();
        assert!(matches!(make(config, "2"), Err(FirstOwnerError::Present)));
        let parsed = |text: &str| with_first_owner(Config::parse(text).unwrap(), &state);
        assert_eq!(parsed(config).owner_allow_from, ["telegram:1"]);
        // The configuration has the last word.
        let named = parsed("{ commands: { ownerAllowFrom: ['telegram:9'] } }");
        assert_eq!(named.owner_allow_from, ["telegram:9"]);
    }

    #[test]
    fn t71_what_cannot_be_read_makes_nobody_an_owner_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        fs::write(owners_path(&state), "{").unwrap();
        let config = with_first_owner(Config::default(), &state);
        assert!(config.owner_allow_from.is_empty());
        let fault = config.closed_by(&Part::Owners).unwrap().to_string();
        assert!(fault.contains("owners.json"), "{fault}");
        let refused = may_make_owner(&state, &config);
        assert!(matches!(refused, Err(FirstOwnerError::Read { .. })));
        assert_eq!(fs::read(owners_path(&state)).unwrap(), b"{");
    }
}
