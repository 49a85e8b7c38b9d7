//! Keeps the view up to date: by a list, then by a watch from where the list ended. Meanwhile it asks a
//! majority, again and again, whether there are newer commits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use etcd_client::{
    Error, EventType, GetOptions, GetResponse, Txn, TxnOp, WatchOptions, WatchStream,
};
use pairing_core::StoreError;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::answer::{self, revision, signed, unsigned};
use crate::cluster::{CallError, Cluster, Kind};
use crate::layout::Layout;
use crate::mirror::{Event, Mirror};
use crate::view::View;

/// The pause between two such questions.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Time without an answer after which the cluster counts as down.
const ASK_FOR: Duration = Duration::from_secs(2);

/// Time without progress, while a majority has newer commits, after which a new watch is made.
const LAG: Duration = Duration::from_millis(500);

/// The pause before a list or a watch is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Number of keys on one page of a list. For each page, a member counts everything that is left, so a few
/// large pages cost less.
const PAGE: i64 = 20_000;

/// Time limit for a page.
const LIST_FOR: Duration = Duration::from_secs(20);

/// Maximum size of a page, in bytes.
const LONGEST_PAGE: usize = 256 << 20;

/// The task that keeps a view up to date.
pub(crate) struct Follower {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) layout: Layout,
    pub(crate) view: Arc<View>,
    /// Signalled when the watch lags behind.
    pub(crate) lagging: Notify,
    pub(crate) grace: Duration,
}

/// Why a watch ended.
enum End {
    /// It broke. Another watch continues from the same revision.
    Broken,
    /// Its revision was compacted, so it cannot continue.
    Compacted,
    /// The cluster was restored to a revision before the one that is known.
    SetBack,
}

impl Follower {
    /// Keeps the view up to date until the runtime ends.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut is_other_history = false;
        loop {
            match self.list().await {
                Ok(mirror) => {
                    tracing::debug!(records = mirror.len(), "the state was listed");
                    self.view.replace(mirror, is_other_history);
                }
                Err(error) => {
                    tracing::debug!(%error, "the state cannot be listed");
                    sleep(pause_after(&error)).await;
                    continue;
                }
            }
            is_other_history = loop {
                match self.watch().await {
                    End::Broken => sleep(PAUSE).await,
                    End::Compacted => break false,
                    End::SetBack => break true,
                }
            };
            tracing::warn!("history of the cluster is lost: listing its state anew");
        }
    }

    /// Lists the whole state at one revision.
    async fn list(&self) -> Result<Mirror, CallError> {
        let prefix = self.layout.state();
        let mut mirror: Option<Mirror> = None;
        let mut start = prefix.clone().into_bytes();
        let mut limit = PAGE;
        loop {
            let revision = mirror.as_ref().map_or(0, |m| signed(m.revision()));
            let options = GetOptions::new()
                .with_range(end_of(&prefix))
                .with_limit(limit)
                .with_revision(revision);
            let (cluster, from) = (&self.cluster, &start);
            let page = cluster
                .call(LIST_FOR, |client, _| {
                    let (from, options) = (from.clone(), options.clone());
                    let mut client = client.kv_client().max_decoding_message_size(LONGEST_PAGE);
                    async move { client.get(from, Some(options)).await }
                })
                .await;
            let page = match page {
                Err(CallError::Refused {
                    kind: Kind::TooLarge,
                    ..
                }) if limit > 1 => {
                    limit = (limit / 4).max(1);
                    continue;
                }
                page => page?,
            };
            let at = unsigned(
                page.header()
                    .map_or(0, etcd_client::ResponseHeader::revision),
            );
            let mirror = mirror.get_or_insert_with(|| Mirror::new(self.layout.clone(), at));
            for kv in page.kvs() {
                mirror.load(Event {
                    key: kv.key(),
                    value: Some(kv.value()),
                    revision: unsigned(kv.mod_revision()),
                });
            }
            match page.kvs().last() {
                Some(last) if page.more() => {
                    // The least key after it.
                    start = [last.key(), b"\0"].concat();
                }
                _ => break,
            }
        }
        Ok(mirror.unwrap_or_else(|| Mirror::new(self.layout.clone(), 0)))
    }

    /// Follows one watch from the mirror's revision.
    async fn watch(&self) -> End {
        let (member, opened) = match timeout(ASK_FOR, self.open()).await {
            Ok(Ok((member, stream))) => (member, Ok(stream)),
            Ok(Err(error)) => (None, Err(error.to_string())),
            Err(_) => (None, Err("no answer".to_owned())),
        };
        let mut stream = match opened {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "the state cannot be watched");
                return End::Broken;
            }
        };
        loop {
            let message = tokio::select! {
                message = stream.message() => message,
                () = self.lagging.notified() => {
                    tracing::debug!("a watch lags behind");
                    self.leave(member).await;
                    // The next list or watch shows which of the two it is.
                    return if self.is_set_back().await { End::SetBack } else { End::Broken };
                }
            };
            match message {
                Ok(Some(message)) if message.compact_revision() > 0 => return End::Compacted,
                Ok(Some(message)) if !message.canceled() => {
                    self.view.apply(message.events().iter().filter_map(event));
                }
                Ok(_) => {
                    // A login that has aged is one of the reasons for which a member ends a watch.
                    self.leave(member).await;
                    return End::Broken;
                }
                Err(error) => {
                    tracing::debug!(%error, "a watch broke");
                    self.leave(member).await;
                    return End::Broken;
                }
            }
        }
    }

    /// Uses another member, and another connection when this one's turn comes again.
    async fn leave(&self, member: Option<usize>) {
        if let Some(member) = member {
            self.cluster.forget(member).await;
            self.cluster.turn_from(member);
        }
    }

    async fn open(&self) -> Result<(Option<usize>, WatchStream), Error> {
        let (member, mut client) = self.cluster.preferred().await?;
        let prefix = self.layout.state();
        let options = WatchOptions::new()
            .with_range(end_of(&prefix))
            .with_start_revision(signed(self.view.revision() + 1));
        let opened = client.watch(prefix, Some(options)).await;
        if opened.is_err() {
            self.leave(Some(member)).await;
        }
        Ok((Some(member), opened?))
    }

    /// Asks a majority, again and again, whether there are commits that the mirror does not know.
    pub(crate) async fn confirm(self: Arc<Self>) {
        let mut trouble: Option<Trouble> = None;
        loop {
            let (asked, known) = (Instant::now(), self.view.head());
            let before = self.view.revision();
            match self.head(ASK_FOR).await {
                Ok(head) => {
                    let knows = head >= known && self.catches_up(head, asked).await;
                    if knows && let Some(trouble) = trouble.take() {
                        let for_ms = trouble.since.elapsed().as_millis();
                        tracing::info!(for_ms, "cluster available again");
                    }
                    // A watch that makes progress will get there.
                    if !knows && before > 0 && self.view.revision() == before {
                        self.lagging.notify_one();
                    }
                }
                Err(error) => {
                    self.view.down();
                    let trouble = trouble.get_or_insert_with(|| Trouble::new(&error, self.grace));
                    trouble.tell_when_over(self.view.confirmed(), self.grace);
                    sleep(pause_after(&error)).await;
                }
            }
            sleep(ASK_EVERY).await;
        }
    }

    /// Waits for a short time until the mirror knows what the majority had.
    async fn catches_up(&self, head: u64, asked: Instant) -> bool {
        let catching_up = async {
            loop {
                let moved = self.view.moved();
                if self.view.confirm(head, asked) {
                    break;
                }
                moved.await;
            }
        };
        timeout(LAG, catching_up).await.is_ok()
    }

    /// Returns the revision of the latest commit, as a majority has it.
    async fn head(&self, patience: Duration) -> Result<u64, CallError> {
        let key = &self.layout.head();
        let head = self
            .cluster
            .call(patience, |mut client, _| {
                let key = key.clone();
                async move { client.get(key, None).await }
            })
            .await?;
        Ok(revision(&head))
    }

    /// Asks a majority for the whole state at one revision. Nothing that is read later is older.
    pub(crate) async fn ask<const N: usize>(
        &self,
        gets: [TxnOp; N],
        patience: Duration,
    ) -> Result<[GetResponse; N], StoreError> {
        let head = TxnOp::get(self.layout.head(), None);
        let all: Vec<_> = gets.into_iter().chain([head]).collect();
        let txn = &Txn::new().and_then(all);
        let answer = self
            .cluster
            .call(patience, |client, _| {
                let txn = txn.clone();
                let mut client = client.kv_client().max_decoding_message_size(LONGEST_PAGE);
                async move { client.txn(txn).await }
            })
            .await
            .map_err(|error| answer::unreachable(&self.cluster, error))?;
        let mut found: Vec<_> = answer::found(&answer).collect();
        self.view.require(found.pop().as_ref().map_or(0, revision));
        found.try_into().map_err(|_| StoreError::Unreadable {
            resource: self.cluster.name(),
            source: "an answer to another question".into(),
        })
    }

    async fn is_set_back(&self) -> bool {
        let known = self.view.head();
        self.head(ASK_FOR).await.is_ok_and(|head| head < known)
    }
}

/// A time without an answer. It is logged when it begins, and when the grace period is over.
struct Trouble {
    since: Instant,
    is_over: bool,
}

impl Trouble {
    fn new(error: &CallError, grace: Duration) -> Self {
        tracing::error!(
            %error, grace_seconds = grace.as_secs(),
            "cluster unavailable: nothing new is granted, approved senders are served from memory for a while"
        );
        Self {
            since: Instant::now(),
            is_over: false,
        }
    }

    fn tell_when_over(&mut self, confirmed: Option<Instant>, grace: Duration) {
        let is_over = confirmed.is_none_or(|at| at.elapsed() > grace);
        if is_over && !std::mem::replace(&mut self.is_over, true) {
            tracing::error!("cluster unavailable for too long: everybody is refused");
        }
    }
}

/// A cluster that refuses will refuse again, and checking a password costs it work.
fn pause_after(error: &CallError) -> Duration {
    match error {
        CallError::NoAnswer { .. } => PAUSE,
        CallError::Refused { .. } => Duration::from_secs(2),
    }
}

fn event(event: &etcd_client::Event) -> Option<Event<'_>> {
    let kv = event.kv()?;
    Some(Event {
        key: kv.key(),
        value: (event.event_type() == EventType::Put).then(|| kv.value()),
        revision: unsigned(kv.mod_revision()),
    })
}

/// The least key after all keys that start with `prefix`, which ends in a slash.
pub(crate) fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}
