//! The first start on a machine: a state directory, and a token that somebody can use.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use gateway_protocol::Advise as _;
use openclaw_config::{Config, Fault, LoadError, Part, Secret};
use pairing_core::{Entropy, EntropyError, SecretToken, StoreError};
use pairing_fs::{StateDir, owned};
use zeroize::Zeroizing;

use crate::{SecretError, SharedSecret};

/// An install that a gateway can start on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Prepared {
    /// The configuration, in which the environment has had its say.
    pub config: Config,
    /// The token that the state directory keeps, for [`Overrides::kept`](crate::Overrides::kept).
    pub kept: Option<Secret>,
    /// Where the token is.
    pub token: TokenPlace,
}

/// Where the token is, to be told to the owner; never the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// Where the owner put it, or whatever else they decided on.
    Set,
    /// There is none, because the configuration asks for none.
    Open,
    /// In a configuration file that was made just now.
    MadeInConfig(PathBuf),
    /// In a file of its own that was made just now.
    Made(PathBuf),
    /// In a file of its own.
    Kept(PathBuf),
}

/// The install cannot be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FreshError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] LoadError),
    /// A fault of the configuration leaves open which secret counts: none is made in its place.
    #[error("{0}")]
    Closed(Fault),
    /// Something cannot be made.
    #[error(transparent)]
    Make(#[from] StoreError),
    /// There is no randomness to make a token of.
    #[error("cannot make a token")]
    Entropy(#[from] EntropyError),
    /// The token that is kept cannot be used.
    #[error(transparent)]
    Kept(#[from] TokenFileError),
    /// The configuration asks for a password, and has none.
    #[error(transparent)]
    Secret(SecretError),
}

/// A file holds no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is empty, or a placeholder, or no text of one line, or longer than 4 KiB.
    #[error("no token in {}", path.display())]
    NoToken {
        /// The file.
        path: PathBuf,
    },
}

impl FreshError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> String {
        match self {
            Self::Config(_) | Self::Closed(_) => {
                "mend it by hand: `openclaw doctor` finds what else is wrong".to_owned()
            }
            Self::Make(error) => error.advice().unwrap_or_default(),
            Self::Entropy(_) => "set OPENCLAW_GATEWAY_TOKEN, or start with --token-file".to_owned(),
            Self::Kept(error) => error.advice().to_owned(),
            Self::Secret(error) => error.advice().to_owned(),
        }
    }
}

impl TokenFileError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check that it is there, its owner and permissions",
            Self::NoToken { .. } => {
                "write the token into it, in one line; where the gateway made the file, remove it and \
                 another is made"
            }
        }
    }
}

impl TokenPlace {
    /// Whether a token was made just now.
    pub fn is_new(&self) -> bool {
        matches!(self, Self::MadeInConfig(_) | Self::Made(_))
    }
}

impl fmt::Display for TokenPlace {
    /// `the token is in /home/ann/.openclaw/openclaw.json, at gateway.auth.token`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("no secret is asked for: gateway.auth.mode is none"),
            Self::Set => f.write_str("the secret is where you set it"),
            Self::MadeInConfig(path) => {
                write!(
                    f,
                    "the token is in {}, at gateway.auth.token",
                    path.display()
                )
            }
            Self::Made(path) | Self::Kept(path) => write!(f, "the token is in {}", path.display()),
        }
    }
}

/// Where the gateway keeps a token that it had to make and the configuration has no place for.
pub fn token_path(state: &StateDir) -> PathBuf {
    state.root().join("gateway-token")
}

/// Makes what is missing: the state directory, 0700; where there is no configuration file, one with a
/// new token, 0600; where there is one without a secret, a token in [`token_path`], 0600.
///
/// - An existing configuration is never written to. Where `has_token`, or the environment, gives a
///   secret, none is made.
/// - Of several processes at once all end with the same token.
pub fn prepare(
    state: &StateDir,
    var: impl Fn(&str) -> Option<OsString>,
    has_token: bool,
    entropy: &dyn Entropy,
) -> Result<Prepared, FreshError> {
    owned::create_dir(state.root())?;
    let load = || Config::load_in(state.root(), state.config(), &var);
    let set = |config, kept| Prepared {
        config,
        kept,
        token: TokenPlace::Set,
    };
    let config = load()?;
    if let Some(fault) = config.closed_by(&Part::Secret).filter(|_| !has_token) {
        return Err(FreshError::Closed(fault.clone()));
    }
    match SharedSecret::from_config(&config.gateway.auth) {
        _ if has_token => return Ok(set(config, None)),
        Ok(secret) if secret.is_open() => {
            return Ok(Prepared {
                token: TokenPlace::Open,
                ..set(config, None)
            });
        }
        Ok(_) => return Ok(set(config, None)),
        Err(SecretError::None | SecretError::NoToken) => {}
        Err(error) => return Err(FreshError::Secret(error)),
    }
    let path = token_path(state);
    if !exists(state.config()) && !exists(&path) && make_config(state.config(), entropy)? {
        let token = TokenPlace::MadeInConfig(state.config().to_owned());
        return Ok(Prepared {
            token,
            ..set(load()?, None)
        });
    }
    // Somebody else may have made it meanwhile.
    let config = load()?;
    if SharedSecret::from_config(&config.gateway.auth).is_ok() {
        return Ok(set(config, None));
    }
    let is_new = !exists(&path) && {
        let token = SecretToken::generate(entropy)?;
        let line = Zeroizing::new(format!("{}\n", token.expose()));
        owned::create_file(&path, &line)?
    };
    let kept = Some(read_token(&path)?);
    let token = if is_new {
        TokenPlace::Made(path)
    } else {
        TokenPlace::Kept(path)
    };
    Ok(Prepared {
        config,
        kept,
        token,
    })
}

/// Reads a token out of a file of its own: `--token-file`, or [`token_path`]. Space around it does not
/// belong to it.
pub fn read_token(path: &Path) -> Result<Secret, TokenFileError> {
    const MOST: u64 = 4096;
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path).and_then(|file| file.take(MOST + 1).read_to_string(&mut text));
    let length = read.map_err(|source| TokenFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    let token = text.trim();
    let is_token = length as u64 <= MOST && !token.contains(char::is_control);
    let token = Some(token).filter(|_| is_token).and_then(Secret::parse);
    token.ok_or_else(|| TokenFileError::NoToken {
        path: path.to_owned(),
    })
}

/// Whether the path exists, even as a dangling link.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// A configuration that OpenClaw's own gateway starts with, too.
fn make_config(path: &Path, entropy: &dyn Entropy) -> Result<bool, FreshError> {
    let token = SecretToken::generate(entropy)?;
    let text = Zeroizing::new(format!(
        "{{\n  \"gateway\": {{\n    \"mode\": \"local\",\n    \"auth\": {{\n      \"mode\": \"token\",\n      \
         \"token\": \"{}\"\n    }}\n  }}\n}}\n",
        token.expose()
    ));
    if let Some(dir) = path.parent() {
        owned::create_dir(dir)?;
    }
    Ok(owned::create_file(path, &text)?)
}

#[cfg(test)]
mod tests;
