//! Receiving: one child after the other.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::{Backoff, Connection, Inbox, Incoming, Seen, Stop};
use pairing_core::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::IMessage;
use crate::calls::{self, CallError};
use crate::child::Child;
use crate::frame::Message;
use crate::trouble::{ListenError, Troubles};

/// How long a message is remembered, and how many at most.
const SEEN: (Duration, usize) = (Duration::from_secs(24 * 3600), 512);

/// How often it is saved that the account still listens, where nobody writes.
const STILL: Duration = Duration::from_secs(3600);

/// How watching came to its end.
enum Watched {
    /// The child writes no more.
    Ended,
    /// The child does not watch.
    Refused(CallError),
}

/// There is no more to do: it is time to stop, or nobody listens.
struct Over;

pub(crate) async fn run(imessage: Arc<IMessage>, inbox: Inbox, stop: Stop) {
    imessage
        .status
        .set(Connection::Connecting, imessage.clock.now());
    let nothing_seen = || Seen::new(SEEN.0, SEEN.1);
    let seen = {
        let imessage = Arc::clone(&imessage);
        let load = move || nothing_seen().load(&*imessage.seen, &imessage.mark());
        let loaded = tokio::task::spawn_blocking(load).await;
        loaded.unwrap_or_else(|_| nothing_seen())
    };
    let mut listener = Listener {
        troubles: Troubles::new(&imessage.account),
        backoff: Backoff::new(Arc::clone(&imessage.entropy), imessage.pace.backoff),
        seen,
        imessage: Arc::clone(&imessage),
        inbox,
        stop,
        alive: None,
        saved: None,
    };
    let Over = listener.forever().await;
    imessage
        .status
        .set(Connection::Stopped, imessage.clock.now());
}

struct Listener {
    imessage: Arc<IMessage>,
    inbox: Inbox,
    stop: Stop,
    troubles: Troubles,
    backoff: Backoff,
    seen: Seen,
    /// When a child that watches was last heard, and when that was last saved.
    alive: Option<Timestamp>,
    saved: Option<Timestamp>,
}

impl Listener {
    async fn forever(&mut self) -> Over {
        loop {
            let began = Instant::now();
            let error = match self.child().await {
                Ok(error) => error,
                Err(over) => return over,
            };
            let imessage = Arc::clone(&self.imessage);
            imessage
                .status
                .failed(error.to_string(), imessage.clock.now());
            if began.elapsed() >= imessage.pace.steady {
                self.backoff.reset();
            }
            let wait = self.backoff.failed(None);
            self.troubles.met(&error, wait);
            if let Err(over) = self.unless_over(sleep(wait)).await {
                return over;
            }
        }
    }

    /// One child, until it ends.
    async fn child(&mut self) -> Result<ListenError, Over> {
        let imessage = Arc::clone(&self.imessage);
        let mut child = match Child::start(&imessage) {
            Ok(child) => child,
            Err(error) => return Ok(error),
        };
        let worked = self.watch(&mut child).await;
        let ended = child.end().await;
        Ok(match worked? {
            Watched::Refused(error) => error.into(),
            Watched::Ended => ended,
        })
    }

    /// Hands on what a child reports, until it reports no more.
    async fn watch(&mut self, child: &mut Child) -> Result<Watched, Over> {
        let imessage = Arc::clone(&self.imessage);
        let within = imessage.pace.call;
        let subscribing = imessage.calls.call("watch.subscribe", self.since(), within);
        tokio::pin!(subscribing);
        let mut early = None;
        let subscribed = tokio::select! {
            biased;
            () = self.stop.wait() => return Err(Over),
            subscribed = &mut subscribing => subscribed,
            // Messages may come before the answer. If the child ends, its output ends, and no answer comes.
            first = child.next() => match first {
                None => return Ok(Watched::Ended),
                Some(message) => {
                    early = Some(message);
                    self.unless_over(subscribing).await?
                }
            },
        };
        if let Err(error) = subscribed {
            return Ok(Watched::Refused(error));
        }
        imessage
            .status
            .set(Connection::Connected, imessage.clock.now());
        self.troubles.over();
        self.alive = Some(imessage.clock.now());
        let watched = self.follow(child, early).await;
        self.note_alive().await;
        watched
    }

    /// Hands on what a child that watches reports, from the message that came `early`.
    async fn follow(&mut self, child: &mut Child, early: Option<Message>) -> Result<Watched, Over> {
        let imessage = Arc::clone(&self.imessage);
        if let Some(message) = early {
            self.hand_on(message).await?;
        }
        loop {
            let next = timeout(imessage.pace.silence, child.next());
            match self.unless_over(next).await? {
                Ok(Some(message)) => {
                    self.alive = Some(imessage.clock.now());
                    self.hand_on(message).await?;
                }
                Ok(None) => return Ok(Watched::Ended),
                Err(_) => {
                    let asking = calls::answers(&imessage.calls, imessage.pace.call);
                    if let Err(error) = self.unless_over(asking).await? {
                        return Ok(Watched::Refused(error));
                    }
                    let now = imessage.clock.now();
                    self.alive = Some(now);
                    if self.saved.is_none_or(|saved| saved + STILL <= now) {
                        self.note_alive().await;
                    }
                }
            }
        }
    }

    /// What is asked for: the messages after the last one that was handed on, if the account listened within a day. An older
    /// number is not used: Messages may have another database by now, with other numbers.
    fn since(&self) -> Value {
        // A crash may have cost the last hour in which nobody wrote.
        let (now, within) = (self.imessage.clock.now(), SEEN.0 + STILL);
        let last = self.seen.iter().filter(|(_, at)| *at + within > now);
        let row = last.filter_map(|(id, _)| row(id)).max();
        row.map_or(json!({}), |row| json!({ "since_rowid": row }))
    }

    /// Saves until when the account has listened: as the time of the last message, after which the next child is asked.
    async fn note_alive(&mut self) {
        let last = self.seen.iter().filter_map(|(id, _)| Some((row(id)?, id)));
        let last = last.max().map(|(_, id)| id.to_owned());
        if let (Some(last), Some(alive)) = (last, self.alive) {
            self.seen.renew(&last, alive);
            self.note().await;
        }
    }

    /// Hands a message on, unless it was before. It is noted first: better a message that has to be repeated than a command
    /// that is carried out twice.
    async fn hand_on(&mut self, message: Message) -> Result<(), Over> {
        if self.seen.iter().any(|(id, _)| guid(id) == message.guid) {
            return Ok(());
        }
        let inbox = self.inbox.clone();
        let slot = self.unless_over(inbox.reserve()).await?.ok_or(Over)?;
        let now = self.imessage.clock.now();
        self.seen.add(&noted(&message), now);
        self.note().await;
        let inbound = message.inbound(now, self.imessage.trusts_sms());
        slot.put(Incoming::Message(inbound));
        self.imessage.status.received(now);
        Ok(())
    }

    /// Saves what is known now.
    async fn note(&mut self) {
        let imessage = Arc::clone(&self.imessage);
        let seen = self.seen.text(&imessage.mark());
        self.saved = Some(imessage.clock.now());
        // Saving blocks on a disk.
        if let Ok(saved) = tokio::task::spawn_blocking(move || imessage.seen.save(&seen)).await {
            self.imessage.status.saved(&saved);
            match saved {
                Ok(()) => self.troubles.noted(),
                Err(error) => self.troubles.not_noted(&error),
            }
        }
    }

    async fn unless_over<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Over> {
        tokio::select! {
            biased;
            () = self.stop.wait() => Err(Over),
            done = work => Ok(done),
        }
    }
}

/// A message as it is noted: its number, if it has one, and its name.
fn noted(message: &Message) -> String {
    let row = message.row.map(|row| row.to_string()).unwrap_or_default();
    format!("{row} {}", message.guid)
}

fn row(noted: &str) -> Option<i64> {
    noted.split_once(' ')?.0.parse().ok()
}

fn guid(noted: &str) -> &str {
    noted.split_once(' ').map_or(noted, |(_, guid)| guid)
}
