//! [`OpenClawStore`]: the four operations of a pairing store, on OpenClaw's own database.

mod beside;
mod feed;
pub(crate) mod fuzzing;
mod load;
mod rows;
mod tables;
mod write;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pairing_core::store::{
    Batch, Changes, Condition, Cursor, Group, Page, PageRequest, Position, Read,
};
use pairing_core::{
    ChannelId, Channels, Clock, Entropy, EntropyError, Key, PairingStore, Range, StoreError,
};
use rusqlite::Connection;

use crate::database::{self, BUSY_WAIT, Database, Waiting};
use crate::error::Operation;
use crate::file;
use crate::signal::{Signal, Watch};
use feed::Feed;
use load::{LoadError, Loader, Spellings};
use rows::device;
pub(crate) use tables::{KNOWN_VERSION, Table, Tables};
use write::Writer;

/// What a store on OpenClaw's database goes by.
#[derive(Clone)]
pub struct Settings {
    channels: Channels,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    keep_clear_tokens: bool,
    busy_wait: Duration,
}

impl Settings {
    /// Settings with the rules of these channels. The clock dates new rows of allowlists; the randomness
    /// fills columns in which the other program needs a text.
    pub fn new(
        channels: Channels,
        clock: impl Clock + 'static,
        entropy: impl Entropy + 'static,
    ) -> Self {
        Self {
            channels,
            clock: Arc::new(clock),
            entropy: Arc::new(entropy),
            keep_clear_tokens: false,
            busy_wait: BUSY_WAIT,
        }
    }

    /// Whether device tokens in clear that the other program wrote stay in clear, so that it goes on
    /// accepting them. They are replaced by their hashes otherwise, as soon as their device is written.
    pub fn keep_clear_tokens(self, keep_clear_tokens: bool) -> Self {
        Self {
            keep_clear_tokens,
            ..self
        }
    }

    /// How long a write waits for other writers; the default is 10 seconds.
    pub fn busy_wait(self, busy_wait: Duration) -> Self {
        Self { busy_wait, ..self }
    }
}

/// A [`PairingStore`] on the database of an OpenClaw install, `state/openclaw.sqlite`.
///
/// - Records are rows of the tables that OpenClaw itself reads and writes, in its form. Rows and columns
///   that are not understood stay as they are; one bad row costs that row, and is reported.
/// - What those tables have no place for (who granted what, attempts, senders turned away, legacy nodes,
///   setup codes of ours) is in `pairing/beside.sqlite`. Losing that file loses no grant.
/// - A batch is one immediate transaction, on condition that all it rests on is unchanged. For senders both
///   programs may run at once. For devices only one gateway may, since OpenClaw's writes them from memory.
/// - No device token is written in clear. One that is found in clear counts, and is replaced by its hash
///   at the next write of its device, unless [told otherwise](Settings::keep_clear_tokens). The other
///   program then asks that device to pair again.
/// - Where a table has not the columns that are known, it is read as far as they go, and writes to it are
///   refused with a text that says so.
///
/// Reading a record is a query by its key. Entries of an allowlist in another than the normal form
/// (`telegram:42`) are looked for once after each change that somebody else made to the database, in the whole
/// list; lists are read whole for each page.
///
/// Shared between threads and cheap to clone.
#[derive(Clone)]
pub struct OpenClawStore {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    name: String,
    beside: PathBuf,
    settings: Settings,
    tables: Mutex<Arc<Tables>>,
    spellings: Mutex<HashMap<(ChannelId, String), (i64, Spellings)>>,
    feed: Feed,
    signal: Arc<Signal>,
    watches: [Watch; 2],
}

impl OpenClawStore {
    /// Opens OpenClaw's database at `path`, which must exist, with what only this project knows in
    /// `beside`, which is made if it is missing.
    pub fn open(path: &Path, beside: &Path, settings: Settings) -> Result<Self, StoreError> {
        make_beside(beside, settings.busy_wait)?;
        let database = Database::open(path, settings.busy_wait, |connection| {
            beside::attach(connection, beside)
        })?;
        let operation = Operation::read(path);
        let tables = Tables::read(&database.reader()).map_err(|error| operation.failed(error))?;
        Ok(Self {
            inner: Arc::new(Inner {
                name: path.display().to_string(),
                beside: beside.to_owned(),
                settings,
                tables: Mutex::new(Arc::new(tables)),
                spellings: Mutex::default(),
                feed: Feed::default(),
                signal: Arc::default(),
                watches: Default::default(),
                database,
            }),
        })
    }

    /// Returns the channels that have rows.
    pub fn channels(&self) -> Result<BTreeSet<ChannelId>, StoreError> {
        self.inner.reading(|loader| Ok(Inner::channels_in(loader)?))
    }

    /// Returns the number of devices with a token in clear. Reads all devices.
    pub fn clear_tokens(&self) -> Result<usize, StoreError> {
        self.inner.reading(|loader| {
            let selected = loader.selected(Table::Devices)?;
            let mut count = 0;
            device::each(loader.connection, &selected, None, |row| {
                count += usize::from(row.has_clear_token());
            })?;
            Ok(count)
        })
    }
}

/// Makes the database beside, or checks that it is one.
fn make_beside(path: &Path, busy_wait: Duration) -> Result<(), StoreError> {
    let operation = Operation::write(path);
    file::make(path).map_err(|error| operation.because(error))?;
    let operation = Operation::read(path);
    let mut connection =
        database::connect(path, busy_wait).map_err(|error| operation.failed(error))?;
    let checked = beside::prepare(&mut connection).map_err(|error| operation.failed(error))?;
    checked.map_err(|error| operation.because(error))
}

impl Inner {
    fn tables(&self, connection: &Connection) -> rusqlite::Result<Arc<Tables>> {
        let mut known = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        // The other program may be upgrading its schema meanwhile.
        if tables::cookie(connection)? != known.cookie {
            *known = Arc::new(Tables::read(connection)?);
        }
        Ok(known.clone())
    }

    fn spellings(&self) -> MutexGuard<'_, HashMap<(ChannelId, String), (i64, Spellings)>> {
        self.spellings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the spellings that hold as of the last commit.
    fn current_spellings(&self) -> rusqlite::Result<HashMap<(ChannelId, String), Spellings>> {
        let stamp = data_version(&self.database.reader(), "main")?;
        let known = self.spellings();
        let current = known.iter().filter(|(_, (at, _))| *at == stamp);
        Ok(current
            .map(|(key, (_, found))| (key.clone(), found.clone()))
            .collect())
    }

    /// Keeps the spellings that hold after a commit of this store's own, unless somebody else has committed since
    /// `others` was the writing connection's version.
    ///
    /// Without this, every decision would read the whole list that the one before it left.
    fn carry_over(
        &self,
        writer: &Connection,
        others: i64,
        found: HashMap<(ChannelId, String), Spellings>,
    ) {
        // In this order: what the first has seen of others, the second has, too.
        let stamp = data_version(&self.database.reader(), "main");
        let Ok(stamp) = stamp else { return };
        if data_version(writer, "main").is_ok_and(|now| now == others) {
            let found = found.into_iter().map(|(key, found)| (key, (stamp, found)));
            self.spellings().extend(found);
        }
    }

    /// Reads in one transaction.
    fn reading<T>(
        &self,
        work: impl FnOnce(&Loader<'_>) -> Result<T, LoadError>,
    ) -> Result<T, StoreError> {
        let operation = Operation::read(self.database.path());
        let run = || -> Result<T, LoadError> {
            self.database
                .check()
                .map_err(|error| operation.because(error))?;
            let mut reader = self.database.reader();
            let transaction = reader.transaction()?;
            let stamp = data_version(&transaction, "main")?;
            let tables = self.tables(&transaction)?;
            work(&Loader {
                connection: &transaction,
                tables: &tables,
                channels: &self.settings.channels,
                name: &self.name,
                spellings: &|channel, account| {
                    let known = self.spellings();
                    let known = known.get(&(channel.clone(), account.to_owned()));
                    known
                        .filter(|(at, _)| *at == stamp)
                        .map(|(_, found)| found.clone())
                },
                keep: &|channel, account, found| {
                    let key = (channel.clone(), account.to_owned());
                    self.spellings().insert(key, (stamp, found.clone()));
                },
            })
        };
        run().map_err(|error| failed(operation, error))
    }

    fn channels_in(loader: &Loader<'_>) -> rusqlite::Result<BTreeSet<ChannelId>> {
        let mut names = beside::channels(loader.connection)?;
        for table in [Table::Requests, Table::Allowed] {
            if loader.tables.has(table) {
                // One look-up in the index for each channel.
                let sql = format!(
                    "WITH RECURSIVE found (name) AS (
                        SELECT min(channel_key) FROM main.{table}
                        UNION ALL
                        SELECT (SELECT min(channel_key) FROM main.{table} WHERE channel_key > name)
                        FROM found WHERE name IS NOT NULL
                    ) SELECT name FROM found WHERE name IS NOT NULL",
                    table = table.name()
                );
                let mut statement = loader.connection.prepare_cached(&sql)?;
                let found = statement.query_map([], |row| {
                    // What is no text names no channel.
                    Ok(row.get_ref(0)?.as_str().ok().map(str::to_owned))
                })?;
                names.extend(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten());
            }
        }
        let channels = names.iter().filter_map(|name| {
            let channel = ChannelId::parse(name).ok()?;
            (channel.as_str() == name).then_some(channel)
        });
        Ok(channels.collect())
    }

    /// Writes the first page of both databases as it is: a decision may write to either, and deleting what is not there
    /// writes nothing.
    fn probe_write(&self) -> Result<(), StoreError> {
        let operation = Operation::write(self.database.path());
        self.database
            .check()
            .map_err(|error| operation.because(error))?;
        let mut writer = self.database.writer_within(Waiting::Never)?;
        let mut run = || {
            let transaction = database::immediate_within(&mut writer, Waiting::Never)?;
            for schema in ["main", "beside"] {
                let version: i64 =
                    transaction
                        .pragma_query_value(Some(schema), "user_version", |row| row.get(0))?;
                transaction.pragma_update(Some(schema), "user_version", version)?;
            }
            transaction.commit()
        };
        run().map_err(|error| operation.failed(error))
    }

    fn commit(&self, batch: &Batch, waiting: Waiting) -> Result<(), StoreError> {
        if batch.changes.is_empty() {
            return self.reading(|loader| check(loader, &batch.conditions));
        }
        let operation = Operation::write(self.database.path());
        let run = || -> Result<(), LoadError> {
            self.database
                .check()
                .map_err(|error| operation.because(error))?;
            let mut writer = self.database.writer_within(waiting)?;
            let transaction = database::immediate_within(&mut writer, waiting)?;
            let tables = self.tables(&transaction)?;
            let random = || random(&*self.settings.entropy);
            // Nobody else writes meanwhile, so what was found at the last commit holds, and what is found
            // now holds for the whole batch.
            let found = RefCell::new(self.current_spellings()?);
            let others = data_version(&transaction, "main")?;
            let writing = Writer {
                loader: Loader {
                    connection: &transaction,
                    tables: &tables,
                    channels: &self.settings.channels,
                    name: &self.name,
                    spellings: &|channel, account| {
                        let key = (channel.clone(), account.to_owned());
                        found.borrow().get(&key).cloned()
                    },
                    keep: &|channel, account, spellings| {
                        let key = (channel.clone(), account.to_owned());
                        found.borrow_mut().insert(key, spellings.clone());
                    },
                },
                how: device::How {
                    random: &random,
                    keep_clear: self.settings.keep_clear_tokens,
                    has_labels: tables.has_labels(),
                },
                now: self.settings.clock.now(),
            };
            check(&writing.loader, &batch.conditions)?;
            for change in &batch.changes {
                writing.apply(change)?;
            }
            transaction.commit()?;
            self.carry_over(&writer, others, found.into_inner());
            Ok(())
        };
        run().map_err(|error| failed(operation, error))?;
        let keys = batch.changes.iter().map(pairing_core::store::Change::key);
        self.feed.report(keys.collect());
        self.signal.raise();
        Ok(())
    }
}

fn check(loader: &Loader<'_>, conditions: &[Condition]) -> Result<(), LoadError> {
    for condition in conditions {
        let (found, expected) = match condition {
            Condition::Record(key, version) => (loader.read(key)?.version, version),
            Condition::Range(range, version) => (loader.range(range)?.version(), version),
        };
        if found != *expected {
            return Err(StoreError::Conflict.into());
        }
    }
    Ok(())
}

fn failed(operation: Operation<'_>, error: LoadError) -> StoreError {
    match error {
        LoadError::Sqlite(error) => operation.failed(error),
        LoadError::Store(error) => error,
    }
}

/// Returns a number that changes with every commit of another connection.
fn data_version(connection: &Connection, schema: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA {schema}.data_version"), [], |row| {
        row.get(0)
    })
}

/// Returns a text that nobody knows.
fn random(entropy: &dyn Entropy) -> Result<String, EntropyError> {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl PairingStore for OpenClawStore {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        self.inner.reading(|loader| loader.read(key))
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        let loaded = self.inner.reading(|loader| loader.range(range))?;
        let version = loaded.version();
        let problems = match page.after {
            None => loaded.problems,
            Some(_) => Vec::new(),
        };
        let after = page.after.as_ref().map_or("", Cursor::as_str);
        let mut rest = loaded
            .records
            .into_iter()
            .skip_while(|(path, _)| path.as_str() <= after);
        let here: Vec<_> = rest.by_ref().take(page.limit.max(1)).collect();
        let next = match (rest.next(), here.last()) {
            (Some(_), Some((last, _))) => Some(Cursor::new(last.as_str())),
            _ => None,
        };
        Ok(Page {
            version,
            records: here
                .into_iter()
                .map(|(_, record)| Arc::new(record))
                .collect(),
            next,
            problems,
        })
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.inner.commit(batch, Waiting::AsSet)
    }

    fn commit_at_once(&self, batch: &Batch) -> Result<(), StoreError> {
        self.inner.commit(batch, Waiting::Never)
    }

    fn probe_write(&self, _: Group<'_>) -> Result<(), StoreError> {
        self.inner.probe_write()
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        self.inner.changes(after, timeout)
    }
}

impl fmt::Debug for OpenClawStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenClawStore")
            .field("path", &self.inner.name)
            .finish_non_exhaustive()
    }
}
