//! Receiving: messages that the webhook delivers, and those that the server is asked for.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::http::Body;
use channel_kit::{Backoff, Connection, Inbox, Incoming, Stop};
use pairing_core::Clock as _;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::BlueBubbles;
use crate::api::CallError;
use crate::message::{Content, Message};
use crate::progress::Progress;
use crate::register;
use crate::trouble::Troubles;

/// Messages that are asked for at a time, and how often at most before webhooks are looked at again.
const PAGE: usize = 100;
const PAGES: usize = 100;

/// How far before the last message the server is asked: some arrive late.
const OVERLAP: Duration = Duration::from_secs(600);

/// How long the gateway may have been away for messages to be handed on.
const AWAY: Duration = Duration::from_secs(24 * 3600);

const QUERY: &str = "message/query";

/// There is no more to do: it is time to stop, or nobody listens.
struct Over;

pub(crate) async fn run(account: Arc<BlueBubbles>, inbox: Inbox, stop: Stop) {
    account
        .status
        .set(Connection::Connecting, account.clock.now());
    account.deliveries.set_behind(true);
    let loading = Arc::clone(&account);
    let load = move || Progress::load(&*loading.seen, loading.api.url().as_str());
    let progress = tokio::task::spawn_blocking(load).await;
    let mut listener = Listener {
        troubles: Troubles::new(&account.account),
        backoff: Backoff::new(Arc::clone(&account.entropy), account.pace.backoff),
        progress: progress.unwrap_or_default(),
        is_registered: false,
        account: Arc::clone(&account),
        inbox,
        stop,
    };
    let Over = listener.forever().await;
    account.deliveries.set_behind(true);
    account.status.set(Connection::Stopped, account.clock.now());
}

struct Listener {
    account: Arc<BlueBubbles>,
    inbox: Inbox,
    stop: Stop,
    troubles: Troubles,
    backoff: Backoff,
    /// `None` before the server was first asked.
    progress: Option<Progress>,
    is_registered: bool,
}

impl Listener {
    async fn forever(&mut self) -> Over {
        loop {
            let account = Arc::clone(&self.account);
            let now = || account.clock.now();
            let asked = match self.ask().await {
                Ok(asked) => asked,
                Err(over) => return over,
            };
            let wait = match asked {
                Ok(()) => {
                    account.status.set(Connection::Connected, now());
                    self.troubles.over();
                    self.backoff.reset();
                    if let Err(over) = self.register().await {
                        return over;
                    }
                    account.pace.poll
                }
                Err(error) => {
                    account.deliveries.ask_again().await;
                    account.status.failed(error.to_string(), now());
                    if error.is_final() {
                        self.troubles.final_error(&error);
                        return Over;
                    }
                    let wait = self.backoff.failed(None);
                    self.troubles.met(&error, wait);
                    wait
                }
            };
            if let Err(over) = self
                .deliver(Instant::now() + wait, asked_again(&account))
                .await
            {
                return over;
            }
        }
    }

    /// Asks the server for what was missed, after what was delivered already.
    async fn ask(&mut self) -> Result<Result<(), CallError>, Over> {
        let account = Arc::clone(&self.account);
        while let Some(message) = account.deliveries.waiting().await {
            self.hand_on(message).await?;
        }
        if self.progress.is_none() {
            let latest = self.unless_over(latest(&account)).await?;
            match latest {
                Ok(latest) => {
                    self.progress = Some(Progress::after(latest));
                    self.note().await;
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        // What comes by webhook from now on waits until this is done.
        account.deliveries.set_behind(false);
        let since = self.since();
        for page in 0..PAGES {
            let asking = page_of(&account, since, page * PAGE);
            let page = match self.unless_over(asking).await? {
                Ok(page) => page,
                Err(error) => return Ok(Err(error)),
            };
            let is_last = page.len() < PAGE;
            for content in page.into_iter().filter_map(Content::read) {
                self.consider(content).await?;
            }
            if is_last {
                break;
            }
        }
        Ok(Ok(()))
    }

    /// The time from which on messages are asked for.
    fn since(&self) -> i64 {
        let earliest = self.account.clock.now().as_millis() - millis(AWAY);
        let last = self.progress.as_ref().map_or(0, Progress::last);
        (last - millis(OVERLAP)).max(earliest).max(0)
    }

    /// Hands a message of the server's list on, if it is one.
    async fn consider(&mut self, content: Content) -> Result<(), Over> {
        let (at, now) = (content.date_created, self.account.clock.now());
        let Some(progress) = &mut self.progress else {
            return Ok(());
        };
        // A message from the future waits for its time: a wrong clock may have written it long ago.
        if progress.is_history(at) || at > now.as_millis() + millis(OVERLAP) {
            return Ok(());
        }
        if let Some(message) = content.message() {
            return self.hand_on(message).await;
        }
        progress.pass(at, now.as_millis());
        Ok(())
    }

    /// Hands on what the webhook delivers, until it is time to ask the server.
    async fn deliver(&mut self, until: Instant, is_missed_heard: bool) -> Result<(), Over> {
        let account = Arc::clone(&self.account);
        loop {
            let next = async {
                tokio::select! {
                    biased;
                    message = account.deliveries.next() => message,
                    () = account.deliveries.missed(), if is_missed_heard => None,
                    () = sleep_until(until) => None,
                }
            };
            match self.unless_over(next).await? {
                Some(message) => self.hand_on(message).await?,
                None => return Ok(()),
            }
        }
    }

    /// Hands a message on, unless it was before. It is noted first: better a message that has to be repeated than a command
    /// that is carried out twice.
    async fn hand_on(&mut self, message: Message) -> Result<(), Over> {
        let knows = |progress: &Progress| progress.knows(&message.guid, message.at);
        if self.progress.as_ref().is_none_or(knows) {
            return Ok(());
        }
        // It waits for its time, and is asked for then.
        let soon = self.account.clock.now().as_millis() + millis(OVERLAP);
        let has_room = |progress: &Progress| progress.has_room(message.at, soon);
        if !self.progress.as_ref().is_some_and(has_room) {
            return Ok(());
        }
        let inbox = self.inbox.clone();
        let slot = self.unless_over(inbox.reserve()).await?.ok_or(Over)?;
        let now = self.account.clock.now();
        if let Some(progress) = &mut self.progress {
            progress.add(&message.guid, message.at, now.as_millis());
        }
        self.note().await;
        slot.put(Incoming::Message(message.inbound(self.account.trusts_sms)));
        self.account.status.received(now);
        Ok(())
    }

    /// Saves what is known now.
    async fn note(&mut self) {
        let account = Arc::clone(&self.account);
        let Some(progress) = &self.progress else {
            return;
        };
        let text = progress.text(account.api.url().as_str());
        // Saving blocks on a disk.
        match tokio::task::spawn_blocking(move || account.seen.save(&text)).await {
            Ok(Ok(())) => self.troubles.noted(),
            Ok(Err(error)) => self.troubles.not_noted(&error),
            Err(_) => {}
        }
    }

    /// Registers the webhook, once in a run.
    async fn register(&mut self) -> Result<(), Over> {
        let account = Arc::clone(&self.account);
        let Some(url) = account
            .webhook_url
            .as_deref()
            .filter(|_| !self.is_registered)
        else {
            return Ok(());
        };
        match self.unless_over(register::register(&account, url)).await? {
            Ok(()) => {
                self.is_registered = true;
                self.troubles.registered();
            }
            Err(error) => self.troubles.not_registered(&error),
        }
        Ok(())
    }

    async fn unless_over<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Over> {
        tokio::select! {
            biased;
            () = self.stop.wait() => Err(Over),
            done = work => Ok(done),
        }
    }
}

/// Whether a message that the webhook could not take is a reason to ask the server before it is time: not while it fails.
fn asked_again(account: &BlueBubbles) -> bool {
    account.status.get().connection == Connection::Connected
}

/// The time of the latest message that the server has; 0 if it has none. A time to come does not count.
async fn latest(account: &BlueBubbles) -> Result<i64, CallError> {
    let body = json!({ "limit": PAGE, "offset": 0, "sort": "DESC", "with": ["chat"] });
    let page = query(account, &body).await?;
    if page.is_empty() {
        return Ok(0);
    }
    let now = account.clock.now().as_millis();
    let times = page.into_iter().filter_map(Content::read);
    let mut times = times.map(|content| content.date_created);
    let latest = times.find(|at| *at <= now + millis(OVERLAP));
    Ok(latest.unwrap_or(now))
}

/// A page of the messages since a time, earliest first.
async fn page_of(
    account: &BlueBubbles,
    since: i64,
    offset: usize,
) -> Result<Vec<Value>, CallError> {
    let body = json!({
        "after": since, "limit": PAGE, "offset": offset, "sort": "ASC", "with": ["chat", "attachment"],
    });
    query(account, &body).await
}

async fn query(account: &BlueBubbles, body: &Value) -> Result<Vec<Value>, CallError> {
    let asked = account.api.post(QUERY, Body::json(body), account.pace.call);
    match asked.await? {
        Value::Array(page) => Ok(page),
        _ => Err(CallError::Malformed { method: QUERY }),
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
