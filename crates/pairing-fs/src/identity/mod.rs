//! A client's own identity, and the device tokens it was given.

mod tokens;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pairing_core::{DeviceId, DeviceKey, Entropy, EntropyError, Identity, StoreError, Timestamp};
use zeroize::Zeroizing;

use crate::cache::utf8;
use crate::disk::{self, Disk, Probe};
use crate::docs::versioned;
use crate::error::{FileError, unreadable};
use crate::json::{self, Members};
use crate::lock::{OurLock, Patience};
use crate::paths::StateDir;

pub use tokens::HeldToken;

/// `identity/` of a state directory: `device.json`, the key pair, and `device-auth.json`, the tokens.
///
/// - Both are read and written as OpenClaw has them, mode 0600 in a directory 0700.
/// - Missing is the one thing that means there is none. A file that cannot be read is an error that names
///   it, and stays as it is: a client that made itself a new identity would have to be paired anew.
/// - Reading writes nothing, takes no lock and makes nothing.
#[derive(Clone)]
pub struct IdentityDir {
    dir: PathBuf,
    lock_wait: Duration,
    disk: Disk,
}

/// No identity could be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Its file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is none yet, and no randomness to make one.
    #[error("cannot make an identity")]
    Entropy(#[from] EntropyError),
}

const DEVICE: &str = "device.json";
const TOKENS: &str = "device-auth.json";
const LOCK: &str = ".identity.oslock";

/// How long a change waits for the lock.
const LOCK_WAIT: Duration = Duration::from_secs(10);

impl IdentityDir {
    /// The identity of an install. Touches no file.
    pub fn new(state: &StateDir) -> Self {
        Self {
            dir: state.identity(),
            lock_wait: LOCK_WAIT,
            disk: Disk::default(),
        }
    }

    /// The identity, or `None` where none was made yet.
    pub fn load(&self) -> Result<Option<Identity>, StoreError> {
        read(&self.dir.join(DEVICE), parse)
    }

    /// The identity, made and kept where there is none yet.
    ///
    /// Of several processes that make one at the same time one succeeds, and all get that one.
    pub fn load_or_create(
        &self,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Identity, IdentityError> {
        if let Some(identity) = self.load()? {
            return Ok(identity);
        }
        let identity = Identity::generate(entropy)?;
        let file = render(&identity, now);
        self.disk.create_dir(&self.dir)?;
        if self.disk.publish_new(&self.dir.join(DEVICE), &file)? {
            return Ok(identity);
        }
        // Somebody else was first.
        Ok(self.load()?.ok_or(StoreError::Conflict)?)
    }

    /// Sets how long a change of the tokens waits for somebody else's; 10 seconds otherwise.
    pub fn lock_wait(self, lock_wait: Duration) -> Self {
        Self { lock_wait, ..self }
    }

    /// One whose every step that changes the disk is asked for first: for tests.
    #[doc(hidden)]
    pub fn probed(self, probe: Arc<dyn Probe>) -> Self {
        let disk = Disk::probed(probe);
        Self { disk, ..self }
    }

    /// Holds others off for as long as it lives.
    fn lock(&self) -> Result<OurLock, StoreError> {
        self.disk.create_dir(&self.dir)?;
        OurLock::take(&self.dir.join(LOCK), &mut Patience::new(self.lock_wait))
    }
}

/// What a file says; its bytes are wiped. Missing is `None`.
fn read<T>(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, FileError>,
) -> Result<Option<T>, StoreError> {
    let parsed = || {
        let bytes = disk::read(path)?.map(|(_, bytes)| Zeroizing::new(bytes));
        bytes.map(|bytes| parse(utf8(&bytes)?)).transpose()
    };
    parsed().map_err(|error| unreadable(path, error))
}

fn parse(text: &str) -> Result<Identity, FileError> {
    let members = versioned(text)?;
    let private = Member::of(text, &members, "privateKeyPem")?;
    let identity = Identity::from_pem(&private.text()?);
    let identity = identity.map_err(|error| private.refused(error.to_string()))?;
    // A file that contradicts itself was put together from two.
    let public = Member::of(text, &members, "publicKeyPem")?;
    if DeviceKey::parse(&public.text()?) != Ok(identity.key()) {
        return Err(public.refused("not the public key of the private key"));
    }
    let id = Member::of(text, &members, "deviceId")?;
    if DeviceId::parse(&id.text()?) != Ok(identity.id()) {
        return Err(id.refused("not the fingerprint of the key"));
    }
    Ok(identity)
}

fn render(identity: &Identity, now: Timestamp) -> Zeroizing<String> {
    let members = [
        ("version", "1".to_owned()),
        ("deviceId", json::quoted(&identity.id().to_string())),
        ("publicKeyPem", json::quoted(&identity.public_key_pem())),
        ("privateKeyPem", json::quoted(&identity.private_key_pem())),
        ("createdAtMs", now.as_millis().to_string()),
    ];
    let members = members.map(|(name, value)| (name, Zeroizing::new(value)));
    let lines = members.iter().map(|(name, value)| (*name, value.as_str()));
    Zeroizing::new(json::object(lines, 0) + "\n")
}

/// A member that must be there and be a string.
struct Member<'t> {
    file: &'t str,
    value: &'t str,
}

impl<'t> Member<'t> {
    fn of(file: &'t str, members: &Members<'t>, name: &str) -> Result<Self, FileError> {
        let value = members
            .get(name)
            .ok_or_else(|| json::malformed_at(file, file, format!("`{name}` is missing")))?;
        Ok(Self { file, value })
    }

    fn text(&self) -> Result<Zeroizing<String>, FileError> {
        let text = Some(self.value).filter(|value| value.starts_with('"'));
        let text = text.and_then(json::text_of).map(Zeroizing::new);
        text.ok_or_else(|| self.refused("not a string"))
    }

    fn refused(&self, reason: impl Into<String>) -> FileError {
        json::malformed_at(self.file, self.value, reason)
    }
}
