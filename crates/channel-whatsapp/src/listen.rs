//! Receiving: what the webhook delivers is handed on, while Meta is asked now and then whether it accepts the number.

use std::sync::Arc;

use channel_kit::{Backoff, Connection, Inbox, Incoming, Stop};
use pairing_core::Clock as _;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::WhatsApp;
use crate::event::Event;
use crate::hook::Waiting;
use crate::progress::Progress;
use crate::trouble::{Noting, Telling, Troubles};

pub(crate) async fn run(account: Arc<WhatsApp>, inbox: Inbox, stop: Stop) {
    account
        .status
        .set(Connection::Connecting, account.clock.now());
    let loading = Arc::clone(&account);
    let load = move || Progress::load(&*loading.saved, &loading.mark());
    let progress = tokio::task::spawn_blocking(load).await;
    account.deliveries.open(progress.unwrap_or_default());
    let mut hands = Hands {
        noting: Noting::new(&account.account),
        telling: Telling::new(&account.account),
        account: Arc::clone(&account),
        inbox,
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(check(Arc::clone(&account)));
    hands.work(stop, &mut tasks).await;
    tasks.abort_all();
    hands.goodbye().await;
    account.status.set(Connection::Stopped, account.clock.now());
}

struct Hands {
    account: Arc<WhatsApp>,
    inbox: Inbox,
    noting: Noting,
    telling: Telling,
}

impl Hands {
    /// Hands on what comes, until it is time to stop, nobody listens, or the number is not accepted. A message that was
    /// begun is finished.
    async fn work(&mut self, mut stop: Stop, tasks: &mut JoinSet<()>) {
        let account = Arc::clone(&self.account);
        let mut place = None;
        loop {
            let waiting = tokio::select! {
                biased;
                () = stop.wait() => return,
                // A panic ends it, too.
                _ = tasks.join_next() => return,
                slot = self.inbox.reserve(), if place.is_none() => match slot {
                    Some(slot) => {
                        place = Some(slot);
                        continue;
                    }
                    None => return,
                },
                // Nothing is taken out of the queue before there is a place for it.
                waiting = account.deliveries.next(), if place.is_some() => waiting,
            };
            match waiting {
                Some(Waiting::Event(event)) => {
                    let what = self.noted(event).await;
                    if let Some(slot) = place.take() {
                        slot.put(what);
                    }
                }
                Some(told) => self.tell(told),
                None => return,
            }
        }
    }

    /// Notes a message before it is handed on: better a message that has to be repeated than a command that is carried out
    /// twice.
    async fn noted(&mut self, event: Event) -> Incoming {
        let account = Arc::clone(&self.account);
        let now = account.clock.now();
        let text = account
            .deliveries
            .note(&event, now.as_millis() / 1000, &account.mark());
        if let Some(text) = text {
            let saving = Arc::clone(&account);
            // Saving blocks on a disk.
            if let Ok(saved) = tokio::task::spawn_blocking(move || saving.saved.save(&text)).await {
                account.status.saved(&saved);
                match saved {
                    Ok(()) => self.noting.done(),
                    Err(error) => self.noting.failed(&error),
                }
            }
        }
        account.status.received(now);
        event.what
    }

    fn tell(&mut self, what: Waiting) {
        let now = self.account.clock.now();
        match what {
            Waiting::Failure(failure) => {
                self.account.status.noted(failure.to_string());
                self.telling.not_delivered(&failure, now);
            }
            Waiting::Nameless => self.telling.nameless(now),
            Waiting::Event(_) => {}
        }
    }

    /// Hands on what was taken, as far as somebody takes it.
    async fn goodbye(&mut self) {
        let account = Arc::clone(&self.account);
        let within = account.pace.goodbye;
        let _ = timeout(within, async {
            loop {
                let Some(slot) = self.inbox.reserve().await else {
                    return;
                };
                match account.deliveries.waiting() {
                    Some(Waiting::Event(event)) => slot.put(self.noted(event).await),
                    Some(told) => self.tell(told),
                    None => return,
                }
            }
        })
        .await;
        account.deliveries.close();
        account.deliveries.forget();
    }
}

/// Asks Meta for the number, again and again, until it is not accepted.
async fn check(account: Arc<WhatsApp>) {
    let mut backoff = Backoff::new(Arc::clone(&account.entropy), account.pace.backoff);
    let mut troubles = Troubles::new(&account.account);
    loop {
        let found = account.api.found(account.pace.call).await;
        let now = account.clock.now();
        let wait = match found {
            Ok(_) => {
                account.status.set(Connection::Connected, now);
                troubles.over();
                backoff.reset();
                account.pace.check
            }
            Err(error) => {
                account.status.failed(error.to_string(), now);
                if error.is_final() {
                    troubles.final_error(&error);
                    return;
                }
                let wait = backoff.failed(None);
                troubles.met(&error, wait);
                wait
            }
        };
        tokio::select! {
            () = sleep(wait) => {}
            // Sending has found that the token is not accepted.
            () = account.doubts.notified() => {}
        }
    }
}
