//! Announcing this gateway, and following the others.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use pairing_core::device::Role;
use pairing_core::{DeviceId, Pairing};
use tokio::time::{sleep, timeout};

use super::published::{At, Connected, Published};
use super::{DirectoryError, Peers, View};
use crate::following::Beat;
use crate::sessions::{Session, Sessions};
use crate::settings::LiveSettings;
use channel_kit::Stop;
use pairing_core::Chain;

/// Interval after which the values are published again.
const AGAIN: Duration = Duration::from_secs(10);

/// Minimum time between two publications or readings, so that many clients that come at once are one change.
const PAUSE: Duration = Duration::from_millis(100);

/// Maximum time of one wait for a change.
const WAIT: Duration = Duration::from_secs(1);

/// Time for which the last contents are used while the directory cannot be read. Other gateways may have gone
/// meanwhile.
const BELIEVED: Duration = Duration::from_secs(30);

/// Publishes this gateway and the nodes that are connected to it. At the end, it publishes that there is
/// nothing.
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
        peers.trouble().written = published
            .as_ref()
            .err()
            .map(|error| Chain(error).to_string());
        if let Some(error) = new_failure(&published, &mut is_well) {
            tracing::error!(error = %Chain(error), "directory of gateways cannot be written");
        }
        let next = async {
            sleep(PAUSE).await;
            // Changes during the pause are remembered until the next wait.
            let _ = timeout(AGAIN, sessions.nodes.notified()).await;
        };
        tokio::select! {
            biased;
            () = stop.wait() => break,
            () = next => {}
        }
    }
    // If this takes too long, the lease ends the announcement.
    let drain = settings.load().limits.drain;
    let _ = timeout(drain, blocking(&peers, Peers::withdraw)).await;
}

/// Runs an operation of the directory on the blocking pool.
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

    /// Removes everything that was published; nothing is published afterwards.
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

/// The values: the gateway under its id, and each node under both ids.
fn values(sessions: &Sessions, peers: &Peers) -> BTreeMap<String, Vec<u8>> {
    let own = peers.id();
    let sessions = sessions.all();
    let is_node = |session: &&Arc<Session>| session.role() == Role::Node && session.is_live();
    let nodes = sessions.iter().filter(is_node);
    // Oldest first, so that the newest connection of a node is kept.
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

/// Follows what other gateways publish, until it is stopped. Blocks, and has a thread of its own.
pub(crate) fn follow(
    peers: &Peers,
    sessions: &Sessions,
    pairing: &Pairing,
    (stop, beat): (&AtomicBool, &Beat),
) {
    let (mut known, mut is_well) = (None, true);
    let mut vouched = pairing.now();
    while !stop.load(Ordering::Relaxed) {
        beat.beat();
        let read = peers.directory.read(known, WAIT);
        peers.trouble().read = read.as_ref().err().map(|error| Chain(error).to_string());
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
            // Most directories wait by themselves; this keeps the loop from spinning with one that does not.
            std::thread::park_timeout(WAIT);
            let is_old = now.since(vouched).is_some_and(|since| since > BELIEVED);
            (is_old && known.take().is_some()).then(View::default)
        };
        let before = peers.view.load();
        // This gateway's own values are not news.
        if let Some(view) = view.filter(|view| *view != **before) {
            view.log_changes_since(&before);
            peers.view.store(Arc::new(view));
            sessions.note_elsewhere();
            std::thread::park_timeout(PAUSE);
        }
    }
    // A gateway that was dropped has not withdrawn its values, and its last sessions may go on for a while.
    if let Err(error) = peers.withdraw() {
        tracing::warn!(error = %Chain(&error), "this gateway not removed from the directory: the others notice later that it stopped");
    }
}

/// Returns the error, if the operation succeeded the time before. Logs when it succeeds again.
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
