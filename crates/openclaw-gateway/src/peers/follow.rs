//! Saying who is here, and hearing who is elsewhere.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use pairing_core::device::Role;
use pairing_core::{DeviceId, Pairing};
use tokio::time::{sleep, timeout};

use super::published::{At, Connected, Published};
use super::{DirectoryError, Peers, View};
use crate::sessions::{Session, Sessions};
use crate::settings::LiveSettings;
use channel_kit::Stop;
use pairing_core::Chain;

/// What is published is published again after so long.
const AGAIN: Duration = Duration::from_secs(10);

/// At least so long lies between two publications, and two readings: a crowd that comes at once is one.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a wait for news lasts at most.
const WAIT: Duration = Duration::from_secs(1);

/// So long what the directory said last is believed while it cannot be read: gateways may have gone meanwhile.
const BELIEVED: Duration = Duration::from_secs(30);

/// Publishes that this gateway is there and which nodes are connected to it; when it stops, that nothing is.
pub(crate) async fn announce(
    peers: Arc<Peers>,
    sessions: Arc<Sessions>,
    settings: LiveSettings,
    mut stop: Stop,
) {
    let mut is_well = true;
    loop {
        let published = {
            let sessions = sessions.clone();
            blocking(&peers, move |peers| peers.publish(&sessions)).await
        };
        if let Some(error) = new_failure(&published, &mut is_well) {
            tracing::error!(error = %Chain(error), "directory of gateways cannot be written");
        }
        let next = async {
            sleep(PAUSE).await;
            // Nothing is lost meanwhile: who comes is remembered until somebody asks.
            let _ = timeout(AGAIN, sessions.nodes.notified()).await;
        };
        tokio::select! {
            biased;
            () = stop.wait() => break,
            () = next => {}
        }
    }
    // Where that takes too long, the lease will end it.
    let drain = settings.load().limits.drain;
    let _ = timeout(drain, blocking(&peers, Peers::withdraw)).await;
}

/// Runs a call of the directory where waiting is allowed.
async fn blocking(
    peers: &Arc<Peers>,
    publish: impl FnOnce(&Peers) -> Result<(), DirectoryError> + Send + 'static,
) -> Result<(), DirectoryError> {
    let peers = peers.clone();
    let publishing = tokio::task::spawn_blocking(move || publish(&peers));
    publishing
        .await
        .unwrap_or_else(|error| Err(DirectoryError::new(error)))
}

impl Peers {
    fn publish(&self, sessions: &Sessions) -> Result<(), DirectoryError> {
        let withdrawn = self.withdrawn();
        if *withdrawn {
            return Ok(());
        }
        self.directory.publish(&values(sessions, self))
    }

    /// Nothing is published any more from now on.
    fn withdraw(&self) -> Result<(), DirectoryError> {
        let mut withdrawn = self.withdrawn();
        if std::mem::replace(&mut *withdrawn, true) {
            return Ok(());
        }
        self.directory.publish(&BTreeMap::new())
    }

    fn withdrawn(&self) -> MutexGuard<'_, bool> {
        self.withdrawn
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The gateway under its id; each node under the gateway's and its own.
fn values(sessions: &Sessions, peers: &Peers) -> BTreeMap<String, Vec<u8>> {
    let own = peers.id();
    let sessions = sessions.all();
    let is_node = |session: &&Arc<Session>| session.role() == Role::Node && session.is_live();
    let nodes = sessions.iter().filter(is_node);
    // Oldest first: the newest connection of a node is the one that stays.
    let nodes: BTreeMap<DeviceId, &Session> = nodes
        .filter_map(|session| Some((session.device()?.id(), session.as_ref())))
        .collect();
    let nodes = nodes.into_iter().map(|(id, session)| {
        let node = Connected::of(id, session);
        let value = Published::Node(At { gateway: own, node }).to_value();
        (format!("{own}/{id}"), value)
    });
    let gateway = Published::Gateway(peers.own.clone()).to_value();
    std::iter::once((own.to_string(), gateway))
        .chain(nodes)
        .collect()
}

/// Follows what the others publish until told to stop. Blocks: it has a thread of its own.
pub(crate) fn follow(peers: &Peers, sessions: &Sessions, pairing: &Pairing, stop: &AtomicBool) {
    let (mut known, mut is_well) = (None, true);
    let mut vouched = pairing.now();
    while !stop.load(Ordering::Relaxed) {
        let read = peers.directory.read(known, WAIT);
        if let Some(error) = new_failure(&read, &mut is_well) {
            tracing::error!(error = %Chain(error), "directory of gateways cannot be read");
        }
        let now = pairing.now();
        let view = if let Ok(contents) = read {
            vouched = now;
            contents.map(|contents| {
                known = Some(contents.version);
                View::read(&contents.values, peers.id())
            })
        } else {
            // The directory waits where it can; where it cannot, neither must this turn hot.
            std::thread::park_timeout(WAIT);
            let is_old = now.since(vouched).is_some_and(|since| since > BELIEVED);
            (is_old && known.take().is_some()).then(View::default)
        };
        let before = peers.view.load();
        // What this gateway published itself is no news.
        if let Some(view) = view.filter(|view| *view != **before) {
            view.log_changes_since(&before);
            peers.view.store(Arc::new(view));
            sessions.note_elsewhere();
            std::thread::park_timeout(PAUSE);
        }
    }
    // A gateway that was dropped has not said so itself, and its last sessions may go on for a while.
    if let Err(error) = peers.withdraw() {
        tracing::warn!(error = %Chain(&error), "this gateway not removed from the directory: the others notice later that it stopped");
    }
}

/// The error, if the operation succeeded before. Logs that it succeeds again.
fn new_failure<'a, T>(
    result: &'a Result<T, DirectoryError>,
    was_well: &mut bool,
) -> Option<&'a DirectoryError> {
    let was_well = std::mem::replace(was_well, result.is_ok());
    if result.is_ok() && !was_well {
        tracing::info!("directory of gateways available again");
    }
    result.as_ref().err().filter(|_| was_well)
}
