//! Shows a service manager that the gateway is alive, so that one that hangs is started again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::parts::Parts;

/// Whom the gateway shows that it is alive, and how often.
///
/// - Each time, a task of the runtime has the blocking pool look at the health of all parts. A runtime that schedules
///   nothing, a pool without a free thread, and a part whose lock is never released are all noticed by the silence.
/// - A part that fails is no reason for silence: a gateway without its store is started again for nothing.
#[derive(Clone)]
pub struct Alive {
    every: Duration,
    tell: Arc<dyn Fn() + Send + Sync>,
}

impl Alive {
    /// Calls `tell` after each of these spans, for as long as the gateway is alive.
    pub fn new(every: Duration, tell: impl Fn() + Send + Sync + 'static) -> Self {
        let tell = Arc::new(tell);
        Self { every, tell }
    }

    pub(crate) async fn show(self, parts: Arc<Parts>) {
        loop {
            let parts = parts.clone();
            let looked = tokio::task::spawn_blocking(move || drop(parts.health.look())).await;
            // A look that panics is a fault of the program, which the gateway survives.
            if looked.is_ok() {
                (self.tell)();
            }
            sleep(self.every).await;
        }
    }
}

impl fmt::Debug for Alive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let every = &self.every;
        f.debug_struct("Alive")
            .field("every", every)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use openclaw_config::Config;
    use pairing_core::{ManualClock, MemoryStore, PairingBuilder, Timestamp};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;
    use tokio::runtime::Builder;

    use super::*;
    use crate::{Gateway, Overrides, Settings};

    #[test]
    fn a_gateway_whose_blocking_pool_hangs_does_not_show_that_it_is_alive() {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            let entropy = std::sync::Mutex::new(ChaCha20Rng::seed_from_u64(7));
            let clock = ManualClock::new(Timestamp::from_millis(0));
            let pairing = PairingBuilder::new(MemoryStore::new(), clock, entropy).build();
            let config = Config::parse("{ gateway: { auth: { token: 'secret' } } }").unwrap();
            let settings = Settings::from_config(&config, &Overrides::default()).unwrap();
            let gateway = Gateway::builder(pairing, settings).build();
            let (release, hang) = mpsc::channel::<()>();
            let hangs = tokio::task::spawn_blocking(move || {
                // It ends with the sender.
                let _ = hang.recv();
            });
            let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
            let alive = Alive::new(Duration::from_millis(1), move || {
                let _ = tell.send(());
            });
            let showing = tokio::spawn(alive.show(gateway.parts()));
            // The look waits for a thread: whatever else the runtime does, nothing is told.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert!(told.try_recv().is_err());
            drop(release);
            hangs.await.unwrap();
            // Again and again.
            for _ in 0..3 {
                told.recv().await.unwrap();
            }
            showing.abort();
        });
    }
}
