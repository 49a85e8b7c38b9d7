//! Running adapters: started, started anew, stopped; and what they take in, brought to the gate.

use std::hash::{BuildHasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::{Adapter, Gate, Inbox, Incoming, Stop};

/// What waits at an adapter.
const PLACES: usize = 64;

/// Chats are spread over so many lanes. Each is gone through in its order, so that the messages of a chat
/// stay in theirs, and one that takes long holds up no more than its lane.
const LANES: usize = 16;

/// What waits in a lane before the adapter has to wait.
const LANE_PLACES: usize = 32;

/// The first and the longest pause before an adapter that failed is started anew.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// Why an adapter does not run any more.
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
/// One that gave up (its token is none) is started anew when the configuration changes; one that panicked,
/// after a pause. At the end, what it has taken in is still handled, for as long as `limits.drain`.
pub(crate) async fn run(adapter: Arc<dyn Adapter>, gate: Arc<Gate>, mut stop: Stop) {
    let mut reloaded = gate.shared().channels.followed.subscribe();
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
            End::Disabled => tracing::info!(%channel, account, "turned off"),
            End::GaveUp => {
                tracing::error!(
                    %channel, account,
                    "the channel has ended: it is tried again when the configuration changes"
                );
                if !changed(&mut reloaded, &mut stop).await {
                    return;
                }
            }
            End::Failed => {
                if began.elapsed() > PAUSES.1 {
                    pause = PAUSES.0;
                }
                tracing::error!(%channel, account, ?pause, "the channel has failed");
                tokio::select! {
                    () = stop.wait() => return,
                    () = sleep(pause) => pause = (pause * 2).min(PAUSES.1),
                }
            }
        }
    }
}

/// Waits for another configuration. False where it is time to stop.
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
    // Whatever is left of them ends with these.
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
    tell.send_replace(true);
    let drain = gate.shared().settings.load().limits.drain;
    let all_done = async {
        while running.join_next().await.is_some() {}
        while handling.join_next().await.is_some() {}
    };
    if timeout(drain, all_done).await.is_err() {
        let channel = adapter.channel();
        tracing::warn!(%channel, "what the channel took in was not handled in time");
    }
    end
}

/// Brings everything to the lane of its chat.
async fn sort(gate: Arc<Gate>, mut incoming: mpsc::Receiver<Incoming>) {
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

/// Handles what is in a lane. What panics over one message leaves the others to be handled.
async fn work(gate: Arc<Gate>, mut waiting: mpsc::Receiver<Incoming>) {
    while let Some(next) = waiting.recv().await {
        if AssertUnwindSafe(gate.take(next))
            .catch_unwind()
            .await
            .is_err()
        {
            tracing::error!("a message could not be handled");
        }
    }
}
