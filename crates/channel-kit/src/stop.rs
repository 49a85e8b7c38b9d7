//! The signal that tells an adapter to stop.

use tokio::sync::watch;

/// The receiving end of the signal.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// The sending end. Dropping it stops the adapter as well.
#[derive(Debug)]
pub struct StopSender(watch::Sender<bool>);

impl Stop {
    /// Both ends of a new signal.
    pub fn new() -> (StopSender, Self) {
        let (sender, receiver) = watch::channel(false);
        (StopSender(sender), Self(receiver))
    }

    /// Waits for the signal.
    pub async fn wait(&mut self) {
        // An error means that the sender was dropped, which stops the adapter too.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

impl StopSender {
    /// Gives the signal. It stays given.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Another receiving end.
    pub fn subscribe(&self) -> Stop {
        Stop(self.0.subscribe())
    }
}
