//! A client's own identity, and the device tokens issued to it.

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

/// The directory `identity/` of an install: the key pair in `device.json`, the tokens in `device-auth.json`.
///
/// - Both files are read and written in OpenClaw's format, mode 0600 in a directory of mode 0700.
/// - Only a missing file means that there is no identity. A file that cannot be read is an error that names
///   it, and stays unchanged: a client that created a new identity would have to be paired again.
/// - Reading takes no lock and creates or changes nothing.
#[derive(Clone)]
pub struct IdentityDir {
    dir: PathBuf,
    lock_wait: Duration,
    disk: Disk,
}

/// An identity could not be loaded or created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no identity yet, and no randomness to create one.
    #[error("cannot make an identity")]
    Entropy(#[from] EntropyError),
}

const DEVICE: &str = "device.json";
const TOKENS: &str = "device-auth.json";
const LOCK: &str = ".identity.oslock";

/// Default time that a change waits for the lock.
const LOCK_WAIT: Duration = Duration::from_secs(10);

impl IdentityDir {
    /// Returns the identity directory of an install. Touches no file.
    pub fn new(state: &StateDir) -> Self {
        Self {
            dir: state.identity(),
            lock_wait: LOCK_WAIT,
            disk: Disk::default(),
        }
    }

    /// Returns the identity, or `None` if none was created yet.
    pub fn load(&self) -> Result<Option<Identity>, StoreError> {
        read(&self.dir.join(DEVICE), parse)
    }

    /// Returns the identity, creating and storing it if there is none yet.
    ///
    /// If several processes create one at the same time, one of them succeeds and all get its identity.
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
        // Another process was first.
        Ok(self.load()?.ok_or(StoreError::Conflict)?)
    }

    /// Sets how long a change of the tokens waits for the lock; the default is 10 seconds.
    pub fn lock_wait(self, lock_wait: Duration) -> Self {
        Self { lock_wait, ..self }
    }

    /// Returns an `IdentityDir` that calls `probe` before every step that changes the disk; for tests.
    #[doc(hidden)]
    pub fn probed(self, probe: Arc<dyn Probe>) -> Self {
        let disk = Disk::probed(probe);
        Self { disk, ..self }
    }

    /// Takes the lock that excludes other changes, until the result is dropped.
    fn lock(&self) -> Result<OurLock, StoreError> {
        self.disk.create_dir(&self.dir)?;
        OurLock::take(&self.dir.join(LOCK), &mut Patience::new(self.lock_wait))
    }
}

/// Reads and parses a file; its bytes are wiped afterwards. A missing file is `None`.
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
    // A file whose parts contradict each other was assembled from two.
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

/// A required member that must be a string.
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
