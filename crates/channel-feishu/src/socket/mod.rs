//! Receiving: one part keeps a connection and acknowledges what comes; the other hands on what is new.

mod line;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::{Connection, Inbox, Incoming, Recent, Seen, Slot, Stop};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Feishu;
use crate::event::{Content, Event};
use crate::trouble::Noting;
use line::Line;

/// Maximum number of events that are acknowledged and wait for room in the inbox. When there are more, nothing is read.
const QUEUE: usize = 128;

/// Ids of events are remembered for a day, and at most so many: Feishu sends an event again for about seven hours.
const RECENT: (Duration, usize) = (Duration::from_secs(24 * 3600), 10_000);

/// How long an event is remembered across restarts, and how many at most.
const SEEN: (Duration, usize) = (Duration::from_secs(24 * 3600), 256);

pub(crate) async fn run(bot: Arc<Feishu>, inbox: Inbox, stop: Stop) {
    bot.status.set(Connection::Connecting, bot.clock.now());
    let (events, received) = mpsc::channel(QUEUE);
    let nothing_seen = || Seen::new(SEEN.0, SEEN.1);
    let seen = {
        let bot = Arc::clone(&bot);
        let load = move || nothing_seen().load(&*bot.saved, &bot.mark());
        let loaded = tokio::task::spawn_blocking(load).await;
        loaded.unwrap_or_else(|_| nothing_seen())
    };
    let mut recent = Recent::new(RECENT.0, RECENT.1);
    for (id, at) in seen.iter() {
        recent.is_new(id, at);
    }
    let line = Line::new(Arc::clone(&bot), events, stop.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(line.run());
    let mut hands = Hands {
        bot: Arc::clone(&bot),
        inbox,
        received,
        next: VecDeque::new(),
        recent,
        seen,
        noting: Noting::new(&bot.account),
    };
    hands.work(stop, &mut tasks).await;
    hands.goodbye(&mut tasks).await;
    bot.status.set(Connection::Stopped, bot.clock.now());
}

/// Something new that waits for room in the inbox.
struct Next {
    /// The id by which it is recognised when it comes again.
    id: Box<str>,
    what: Incoming,
}

struct Hands {
    bot: Arc<Feishu>,
    inbox: Inbox,
    received: mpsc::Receiver<Event>,
    /// At most one.
    next: VecDeque<Next>,
    recent: Recent,
    seen: Seen,
    noting: Noting,
}

impl Hands {
    /// Hands on what comes, until it is time to stop, nobody listens, or the connection has ended for good.
    async fn work(&mut self, mut stop: Stop, tasks: &mut JoinSet<()>) {
        loop {
            let has_next = !self.next.is_empty();
            tokio::select! {
                biased;
                () = stop.wait() => return,
                slot = self.inbox.reserve(), if has_next => match slot {
                    Some(slot) => self.hand_over(slot).await,
                    None => return,
                },
                event = self.received.recv(), if !has_next => match event {
                    Some(event) => self.take(event),
                    None => return,
                },
                // A panic ends it, too.
                Some(_) = tasks.join_next() => {}
            }
        }
    }

    /// Looks into an event.
    fn take(&mut self, event: Event) {
        let now = self.bot.clock.now();
        let what = match event.content {
            Content::Message(message) => match message.inbound(now) {
                Some(inbound) => Incoming::Message(inbound),
                None => return,
            },
            Content::Pressed(press) => Incoming::Pressed(press.pressed()),
        };
        if self.recent.is_new(&event.id, now) {
            let id = event.id;
            self.next.push_back(Next { id, what });
        }
    }

    /// Moves what waits into the inbox. It is noted before: better a message that has to be repeated than a command that
    /// is carried out twice.
    async fn hand_over(&mut self, slot: Slot) {
        let Some(next) = self.next.pop_front() else {
            return;
        };
        let now = self.bot.clock.now();
        self.seen.add(&next.id, now);
        let text = self.seen.text(&self.bot.mark());
        let bot = Arc::clone(&self.bot);
        // Saving blocks on a disk.
        if let Ok(saved) = tokio::task::spawn_blocking(move || bot.saved.save(&text)).await {
            self.bot.status.saved(&saved);
            match saved {
                Ok(()) => self.noting.done(),
                Err(error) => self.noting.failed(&error),
            }
        }
        slot.put(next.what);
        self.bot.status.received(now);
    }

    /// Waits for the connection to close, and hands on what is acknowledged, as far as somebody takes it.
    async fn goodbye(&mut self, tasks: &mut JoinSet<()>) {
        let within = self.bot.pace.goodbye;
        let _ = timeout(within, async { while tasks.join_next().await.is_some() {} }).await;
        tasks.abort_all();
        let _ = timeout(within, async {
            loop {
                while self.next.is_empty() {
                    match self.received.try_recv() {
                        Ok(event) => self.take(event),
                        Err(_) => return,
                    }
                }
                let Some(slot) = self.inbox.reserve().await else {
                    return;
                };
                self.hand_over(slot).await;
            }
        })
        .await;
    }
}
