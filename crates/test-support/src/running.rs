//! An adapter that runs, as a test sees it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel_kit::{Adapter, Inbound, Inbox, Incoming, Pressed, Received, Stop, StopSender};
use pairing_core::{Entropy, EntropyError};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing takes this long; a test that waits for it has failed.
const NEVER: Duration = Duration::from_secs(20);

/// An adapter that runs, and the inbox that it fills.
#[derive(Debug)]
pub struct RunningAdapter<A> {
    /// The adapter.
    pub adapter: Arc<A>,
    /// What it has received.
    pub inbox: Received,
    stop: StopSender,
    task: JoinHandle<()>,
}

impl<A: Adapter> RunningAdapter<A> {
    /// Runs an adapter, with so many places in its inbox.
    pub fn run(adapter: A, places: usize) -> Self {
        let adapter = Arc::new(adapter);
        let (sender, inbox) = Inbox::new(places);
        let (stop, stopped) = Stop::new();
        let task = tokio::spawn(Arc::clone(&adapter).run(sender, stopped));
        Self {
            adapter,
            inbox,
            stop,
            task,
        }
    }

    /// What comes in next.
    pub async fn next(&mut self) -> Incoming {
        let Ok(next) = timeout(NEVER, self.inbox.recv()).await else {
            panic!("nothing comes in");
        };
        let Some(next) = next else {
            panic!("the adapter has ended");
        };
        next
    }

    /// The next message. A button that is pressed first is a failure.
    pub async fn message(&mut self) -> Inbound {
        match self.next().await {
            Incoming::Message(inbound) => inbound,
            Incoming::Pressed(pressed) => panic!("{pressed:?}"),
        }
    }

    /// The text of the next message.
    pub async fn text(&mut self) -> String {
        self.message().await.text
    }

    /// The next button that is pressed. A message that comes first is a failure.
    pub async fn pressed(&mut self) -> Pressed {
        match self.next().await {
            Incoming::Pressed(pressed) => pressed,
            Incoming::Message(inbound) => panic!("{inbound:?}"),
        }
    }

    /// Nothing waits to be looked at.
    pub fn is_quiet(&mut self) -> bool {
        self.inbox.try_recv().is_none()
    }

    /// Tells it to stop, and does not wait.
    pub fn tell_to_stop(&self) {
        self.stop.stop();
    }

    /// Stops it.
    pub async fn stop(self) {
        self.stop.stop();
        self.ended().await;
    }

    /// Waits until it ends.
    pub async fn ended(self) {
        let Ok(ended) = timeout(NEVER, self.task).await else {
            panic!("it does not end");
        };
        ended.unwrap();
    }
}

/// Randomness that is different each time, and the same in each run.
#[derive(Debug, Default)]
pub struct Counting(Mutex<u64>);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let mut state = self.0.lock().unwrap();
        for byte in bytes {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = state.to_be_bytes()[0];
        }
        Ok(())
    }
}
