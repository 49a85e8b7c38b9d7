//! Runs one adapter, restarts it, and brings what it receives to the gate.

use std::hash::{BuildHasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::{Adapter, Inbox, Incoming, Received, Stop};
use futures_util::FutureExt as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

#[cfg(doc)]
use crate::Host;
use crate::gate::Gate;

/// The size of an adapter's inbox.
const PLACES: usize = 64;

/// Number of lanes that chats are spread over. Each lane is handled in order, so that the messages of a chat stay in
/// order, and a slow one delays its own lane only.
const LANES: usize = 16;

/// The size of a lane's queue. When it is full, the adapter waits.
const LANE_PLACES: usize = 32;

/// The delay before an adapter that returned by itself is restarted.
const GAVE_UP: Duration = Duration::from_secs(15 * 60);

/// The first and the longest delay before an adapter that panicked is restarted.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// The reason why an adapter ended.
enum End {
    /// It was told to.
    Stopped,
    /// The configuration turned it off.
    Disabled,
    /// It sees no way to go on.
    GaveUp,
    /// It panicked.
    Failed,
}

/// Runs an adapter for as long as the configuration wants it, until told to stop.
///
/// An adapter that returned (its token is not accepted, say) is restarted when the configuration changes, and after
/// [`GAVE_UP`] in any case: a refusal may have been an error of the service. One that panicked is restarted after a delay. What it has received is still handled after the stop, for as long as [`Host::drain`].
pub(crate) async fn run(adapter: Arc<dyn Adapter>, gate: Arc<Gate>, mut stop: Stop) {
    let mut reloaded = gate.channels().followed.subscribe();
    let mut pause = PAUSES.0;
    loop {
        while !gate.is_enabled() {
            if !changed(&mut reloaded, &mut stop).await {
                return;
            }
        }
        let began = Instant::now();
        let end = run_once(&adapter, &gate, &mut stop, &mut reloaded).await;
        let (channel, account) = (adapter.channel(), adapter.account().as_str());
        match end {
            End::Stopped => return,
            End::Disabled => tracing::info!(%channel, account, "bot turned off"),
            End::GaveUp => {
                tracing::error!(
                    %channel, account,
                    "bot gave up: it is started again when the configuration changes, and every quarter of an hour"
                );
                tokio::select! {
                    biased;
                    goes_on = changed(&mut reloaded, &mut stop) => if !goes_on { return },
                    () = sleep(GAVE_UP) => {}
                }
            }
            End::Failed => {
                if began.elapsed() > PAUSES.1 {
                    pause = PAUSES.0;
                }
                tracing::error!(%channel, account, ?pause, "bot panicked: it is started again after a pause");
                tokio::select! {
                    () = stop.wait() => return,
                    () = sleep(pause) => pause = (pause * 2).min(PAUSES.1),
                }
            }
        }
    }
}

/// Waits for a change of the configuration. Returns `false` when it is time to stop.
async fn changed(reloaded: &mut watch::Receiver<()>, stop: &mut Stop) -> bool {
    tokio::select! {
        biased;
        () = stop.wait() => false,
        changed = reloaded.changed() => changed.is_ok(),
    }
}

async fn run_once(
    adapter: &Arc<dyn Adapter>,
    gate: &Arc<Gate>,
    stop: &mut Stop,
    reloaded: &mut watch::Receiver<()>,
) -> End {
    let (tell, told) = Stop::new();
    let (inbox, incoming) = Inbox::new(PLACES);
    // Dropping the sets aborts what is left in them.
    let (mut running, mut handling) = (JoinSet::new(), JoinSet::new());
    running.spawn(adapter.clone().run(inbox, told));
    handling.spawn(sort(gate.clone(), incoming));
    let end = loop {
        tokio::select! {
            biased;
            () = stop.wait() => break End::Stopped,
            ended = running.join_next() => break match ended {
                Some(Err(error)) if error.is_panic() => End::Failed,
                _ => End::GaveUp,
            },
            changed = reloaded.changed() => match changed {
                Ok(()) if gate.is_enabled() => {}
                Ok(()) => break End::Disabled,
                Err(_) => break End::Stopped,
            },
        }
    };
    tell.stop();
    let drain = gate.host().drain();
    let all_done = async {
        while running.join_next().await.is_some() {}
        while handling.join_next().await.is_some() {}
    };
    if timeout(drain, all_done).await.is_err() {
        let channel = adapter.channel();
        tracing::warn!(%channel, "bot stopped before all received messages were handled");
    }
    end
}

/// Distributes everything to the lane of its chat.
async fn sort(gate: Arc<Gate>, mut incoming: Received) {
    let hasher = RandomState::new();
    let mut working = JoinSet::new();
    let lanes: Vec<_> = (0..LANES)
        .map(|_| {
            let (lane, waiting) = mpsc::channel(LANE_PLACES);
            working.spawn(work(gate.clone(), waiting));
            lane
        })
        .collect();
    while let Some(next) = incoming.recv().await {
        let chat = match &next {
            Incoming::Message(message) => &message.chat.chat,
            Incoming::Pressed(pressed) => &pressed.chat.chat,
        };
        let number = hasher.hash_one(chat) % LANES as u64;
        let lane = usize::try_from(number).ok().and_then(|n| lanes.get(n));
        if let Some(lane) = lane
            && lane.send(next).await.is_err()
        {
            break;
        }
    }
    drop(lanes);
    while working.join_next().await.is_some() {}
}

/// Handles the entries of a lane. A panic over one message does not affect the next.
async fn work(gate: Arc<Gate>, mut waiting: mpsc::Receiver<Incoming>) {
    while let Some(next) = waiting.recv().await {
        if AssertUnwindSafe(gate.take(next))
            .catch_unwind()
            .await
            .is_err()
        {
            tracing::error!("handling a message panicked: the message is lost");
        }
    }
}
