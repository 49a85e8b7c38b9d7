//! [`EtcdStore`]: the four operations of a store, on an etcd cluster.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, mpsc};
use std::time::{Duration, Instant};

use etcd_client::{GetOptions, TxnOp};
use pairing_core::store::{
    Batch, Changed, Changes, Cursor, Page, PageRequest, Position, Read, Version,
};
use pairing_core::{Key, PairingStore, Range, StoreError};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::answer::{self, revision, unsigned};
use crate::cluster::{CallError, Cluster};
use crate::commit::{self, Operations};
use crate::follow::{Follower, end_of};
use crate::layout::{Layout, Place};
use crate::mirror::{self, Kept};
use crate::settings::Settings;
use crate::view::{Currency, View};

/// Time for which an operation is tried while the cluster is known to be down.
const WHILE_DOWN: Duration = Duration::from_millis(250);

/// Time for which a commit waits until this process sees it, or the commit that it conflicts with. Until
/// then, reads go to the cluster.
const SEE_OWN: Duration = Duration::from_millis(500);

/// A [`PairingStore`](pairing_core::PairingStore) on an etcd cluster.
///
/// - A batch is one transaction: it happens whole or not at all, once, on condition that all it rests on is
///   unchanged, deletions included. A lost answer is asked for until it is known what became of it.
/// - Reads are answered from memory while a majority of the members has confirmed within the last second
///   that nothing is newer, otherwise by the cluster; without a majority they fail. Only allowlist entries
///   are then read from memory for a bounded time ([`Settings::grace`]), so that senders who were approved
///   are not turned away by a short outage.
/// - A record is under a key of its own, so that a change costs the same however many others there are.
///   All of them are kept in memory by who follows: about 400 bytes for an allowlist entry.
/// - It decides nothing and expires nothing, and goes by no clock but for how old its view is.
///
/// Making one asks nobody. Shared between threads; cheap to clone. It has a thread of its own for the
/// connections, which ends with the last clone.
#[derive(Clone)]
pub struct EtcdStore {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// Always set, until the drop.
    runtime: Option<Runtime>,
    pub(crate) follower: Arc<Follower>,
    following: Once,
    has_read: AtomicBool,
    operations: Operations,
}

impl EtcdStore {
    /// Opens the store for a process that keeps running: it follows the cluster from now on.
    ///
    /// Fails if the operating system has no thread for it.
    pub fn open(settings: &Settings) -> io::Result<Self> {
        let store = Self::direct(settings)?;
        store.inner.follow();
        Ok(store)
    }

    /// Opens the store for a command that runs once: every read asks the cluster, and nothing is kept in
    /// memory. Waiting for changes makes it follow the cluster.
    pub fn direct(settings: &Settings) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("pairing-etcd")
            .enable_all()
            .build()?;
        let follower = Follower {
            cluster: Cluster::new(settings),
            layout: Layout::new(&settings.prefix),
            view: Arc::new(View::new(settings.grace)),
            lagging: Notify::new(),
            grace: settings.grace,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                runtime: Some(runtime),
                follower: Arc::new(follower),
                following: Once::new(),
                has_read: AtomicBool::new(false),
                operations: Operations::default(),
            }),
        })
    }
}

impl Inner {
    /// Runs a task on the store's own thread.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(work);
        }
    }

    pub(crate) fn follow(&self) {
        self.following.call_once(|| {
            self.spawn(self.follower.clone().follow());
            self.spawn(self.follower.clone().confirm());
        });
    }

    /// Runs a future on the store's own thread, and waits for it. May be called wherever blocking is allowed.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, answer) = mpsc::sync_channel(1);
        self.spawn(async move {
            // The caller waits until it ends.
            let _ = sender.send(work.await);
        });
        answer.recv().unwrap_or_else(|gone| {
            Err(StoreError::Unreachable {
                resource: self.follower.cluster.name(),
                source: gone.into(),
            })
        })
    }

    /// Returns what a read may use. The first read asks the cluster, so that it sees everything that any
    /// process has committed.
    fn currency(&self) -> Currency {
        let currency = self.follower.view.currency(Instant::now());
        let is_first = !self.has_read.swap(true, Ordering::Relaxed);
        match currency {
            Currency::Current if is_first => Currency::Stale { is_down: false },
            currency => currency,
        }
    }

    fn patience(&self, is_down: bool) -> Duration {
        let patience = self.follower.cluster.patience;
        if is_down {
            patience.min(WHILE_DOWN)
        } else {
            patience
        }
    }

    fn ask(&self, key: &Key, patience: Duration) -> Result<Read, StoreError> {
        let (follower, path) = (self.follower.clone(), key.path());
        self.wait(async move {
            let key = TxnOp::get(follower.layout.records(&path), None);
            let [found] = follower.ask([key], patience).await?;
            let kept = found.kvs().first();
            let kept = kept.map(|kv| Kept::new(&path, kv.value(), unsigned(kv.mod_revision())));
            mirror::read(kept.as_ref(), &path, &follower.layout)
        })
    }

    fn ask_range(
        &self,
        range: &Range,
        page: &PageRequest,
        patience: Duration,
    ) -> Result<Page, StoreError> {
        let follower = self.follower.clone();
        let (range, page) = (range.clone(), page.clone());
        self.wait(async move {
            let layout = &follower.layout;
            let records = layout.records(&range.prefix());
            let start = match &page.after {
                // The least key after it.
                Some(cursor) => layout.records(cursor.as_str()) + "\0",
                None => records.clone(),
            };
            let limit = page.limit.clamp(1, MOST);
            let options = GetOptions::new()
                .with_range(end_of(&records))
                .with_limit(i64::try_from(limit + 1).unwrap_or(i64::MAX));
            let version = TxnOp::get(layout.range(&range), None);
            let records = TxnOp::get(start, Some(options));
            let [version, found] = follower.ask([version, records], patience).await?;
            let version = Version::new(revision(&version));
            let kept: Vec<_> = found
                .kvs()
                .iter()
                .filter_map(|kv| match layout.place(kv.key()) {
                    Some(Place::Record(path)) => {
                        let revision = unsigned(kv.mod_revision());
                        Some((path, Kept::new(path, kv.value(), revision)))
                    }
                    _ => None,
                })
                .collect();
            let rest = kept.iter().map(|(path, kept)| (*path, kept));
            let mut page = mirror::collect(rest, version, limit, layout);
            if found.more() && page.next.is_none() {
                // Nothing on the page could be understood.
                page.next = kept.last().map(|(path, _)| Cursor::new(*path));
            }
            Ok(page)
        })
    }
}

/// Maximum number of records on a page that the cluster is asked for.
const MOST: usize = 20_000;

impl PairingStore for EtcdStore {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        let view = &self.inner.follower.view;
        let in_memory = || view.read(|mirror| mirror.read(key));
        let currency = self.inner.currency();
        let is_down = currency.is_down();
        let may_be_old =
            matches!(currency, Currency::Grace { .. }) && matches!(key, Key::Allow { .. });
        if (currency == Currency::Current || (may_be_old && is_down))
            && let Some(read) = in_memory()
        {
            return read;
        }
        match self.inner.ask(key, self.inner.patience(is_down)) {
            // The grace period may have ended in the meantime.
            Err(error @ StoreError::Unreachable { .. })
                if may_be_old
                    && !matches!(view.currency(Instant::now()), Currency::Stale { .. }) =>
            {
                in_memory().unwrap_or(Err(error))
            }
            answer => answer,
        }
    }

    fn read_at_once(&self, key: &Key) -> Option<Read> {
        let view = &self.inner.follower.view;
        let is_current = self.inner.currency() == Currency::Current;
        let in_memory = is_current.then(|| view.read(|mirror| mirror.read(key)));
        in_memory.flatten()?.ok()
    }

    fn range_at_once(&self, range: &Range, page: &PageRequest) -> Option<Page> {
        let view = &self.inner.follower.view;
        let is_current = self.inner.currency() == Currency::Current;
        let in_memory = is_current.then(|| view.read(|mirror| mirror.range(range, page)));
        in_memory.flatten()
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        let view = &self.inner.follower.view;
        let currency = self.inner.currency();
        if currency == Currency::Current
            && let Some(page) = view.read(|mirror| mirror.range(range, page))
        {
            return Ok(page);
        }
        let patience = self.inner.patience(currency.is_down());
        self.inner.ask_range(range, page, patience)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let inner = self.inner.clone();
        let batch = batch.clone();
        let is_down = inner.follower.view.currency(Instant::now()).is_down();
        let patience = inner.patience(is_down);
        let committed = self.inner.wait(async move {
            commit::commit(&inner.follower, &inner.operations, &batch, patience).await
        })?;
        let view = &self.inner.follower.view;
        view.require(committed.head);
        view.wait_for_required(SEE_OWN);
        if committed.conflicts {
            return Err(StoreError::Conflict);
        }
        Ok(())
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        self.inner.follow();
        let view = &self.inner.follower.view;
        let after = after.map(Position::number);
        // There are no changes before the first list.
        view.wait_for_list(self.inner.follower.cluster.patience);
        view.wait_beyond(after, timeout);
        let is_down = view.currency(Instant::now()).is_down();
        let changes = view.read(|mirror| match after {
            Some(after) => mirror.changes_after(after),
            None => Changes {
                position: Position::new(mirror.revision()),
                changed: Changed::Keys(Vec::new()),
            },
        });
        let told =
            changes.filter(|changes| !is_down || changes.changed != Changed::Keys(Vec::new()));
        told.ok_or_else(|| {
            let error = CallError::NoAnswer {
                waited: timeout,
                last: "nobody knows what changed".to_owned(),
            };
            answer::unreachable(&self.inner.follower.cluster, error)
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Does not wait: the last clone may be dropped where blocking is not allowed.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for EtcdStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdStore")
            .field("cluster", &self.inner.follower.cluster.name())
            .finish_non_exhaustive()
    }
}
