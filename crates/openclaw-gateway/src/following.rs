//! Threads that follow the store, or other gateways.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pairing_core::Chain;

/// A step of such a thread never takes so long, unless what it follows hangs.
const HANGS: Duration = Duration::from_secs(60);

/// A thread that follows something. It ends soon after this is dropped.
pub(crate) struct Following(Arc<AtomicBool>);

/// Whether such a thread still goes on.
#[derive(Debug, Default)]
pub(crate) struct Beat(Mutex<Life>);

#[derive(Debug, Clone, Copy, Default)]
enum Life {
    #[default]
    NotStarted,
    /// Its last step began then.
    Runs(Instant),
    Ended,
}

impl Following {
    /// Starts the thread. `follow` has to return soon after its argument becomes `true`, and has to beat at each step.
    pub(crate) fn start(
        name: &str,
        beat: Arc<Beat>,
        follow: impl FnOnce(&AtomicBool, &Beat) + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name(name.to_owned());
        let ends = Ends(beat);
        let body = move || {
            ends.0.beat();
            follow(&stopped, &ends.0);
        };
        if let Err(error) = thread.spawn(body) {
            tracing::error!(thread = name, error = %Chain(&error), "thread not started: changes are not seen");
        }
        Self(stop)
    }
}

/// Notes the end of a thread, also when it panics or was never started.
struct Ends(Arc<Beat>);

impl Drop for Ends {
    fn drop(&mut self) {
        *self.0.life() = Life::Ended;
    }
}

impl Beat {
    /// A step begins.
    pub(crate) fn beat(&self) {
        *self.life() = Life::Runs(Instant::now());
    }

    /// Why the thread does not go on.
    pub(crate) fn fault(&self, now: Instant) -> Option<String> {
        match *self.life() {
            Life::NotStarted => None,
            Life::Ended => Some("its thread has ended".to_owned()),
            Life::Runs(at) => {
                let silent = now.saturating_duration_since(at);
                (silent > HANGS).then(|| {
                    format!(
                        "it has been waiting for an answer for {} s",
                        silent.as_secs()
                    )
                })
            }
        }
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_hangs_or_has_ended_is_a_fault() {
        let beat = Beat::default();
        let now = Instant::now();
        assert_eq!(beat.fault(now), None);
        beat.beat();
        let later = Instant::now() + HANGS;
        assert_eq!(beat.fault(now), None);
        let fault = beat.fault(later + Duration::from_secs(2)).unwrap();
        assert!(fault.contains("waiting for an answer"), "{fault}");
        drop(Ends(Arc::new(Beat::default())));
        let beat = Arc::new(beat);
        drop(Ends(beat.clone()));
        assert_eq!(beat.fault(now).unwrap(), "its thread has ended");
    }
}
