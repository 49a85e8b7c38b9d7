//! Captures what is logged, for tests of what must and must not be in it.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// Captures every event of the current thread, at any level and of any crate.
#[derive(Clone, Default)]
pub struct Logs(Arc<Said>);

/// Listens to nothing. While one subscriber alone is registered, `tracing` asks whichever thread comes to an event first
/// whether it is wanted, and keeps a no for all threads: the logs of a test would lack what another test met first. With a
/// second one it asks both.
static SECOND: OnceLock<Dispatch> = OnceLock::new();

#[derive(Default)]
struct Said {
    text: Mutex<String>,
    more: Notify,
}

impl Logs {
    /// Captures until the guard is dropped.
    pub fn listen(&self) -> DefaultGuard {
        SECOND.get_or_init(|| Dispatch::new(Self::default()));
        set_default(self.clone())
    }

    /// Captures while `act` runs.
    pub fn during<T>(&self, act: impl FnOnce() -> T) -> T {
        let _guard = self.listen();
        act()
    }

    /// The captured events, a line for each.
    pub fn text(&self) -> String {
        self.0.text.lock().unwrap().clone()
    }

    /// Waits until `count` lines contain `what`.
    pub async fn until(&self, what: &str, count: usize) {
        const NEVER: Duration = Duration::from_secs(60);
        let wait = async {
            loop {
                let more = self.0.more.notified();
                tokio::pin!(more);
                more.as_mut().enable();
                if self.count(what) >= count {
                    return;
                }
                more.await;
            }
        };
        let found = tokio::time::timeout(NEVER, wait).await;
        assert!(found.is_ok(), "never logged: {what} in {}", self.text());
    }

    /// Number of lines that contain `what`.
    pub fn count(&self, what: &str) -> usize {
        self.text()
            .lines()
            .filter(|line| line.contains(what))
            .count()
    }
}

impl Subscriber for Logs {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = event.metadata().level().to_string();
        event.record(&mut Line(&mut line));
        self.0.text.lock().unwrap().push_str(&(line + "\n"));
        self.0.more.notify_waiters();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line<'l>(&'l mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}
