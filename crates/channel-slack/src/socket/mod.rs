//! Receiving: connections to Slack, usually one, and two while one takes the place of the other.

mod handing;
mod line;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::{Backoff, Connection, Inbox, Recent, Seen, Slot, Stop};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id as TaskId, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use crate::Slack;
use crate::envelope::Envelope;
use crate::trouble::{SocketError, Troubles};
use handing::Next;
use line::{Closing, Line, Number, Sign};

/// Maximum number of envelopes that are acknowledged and wait for room in the inbox. When there are more, nothing is
/// read.
const QUEUE: usize = 128;

/// Ids of events are remembered for an hour, and at most so many.
const RECENT: (Duration, usize) = (Duration::from_secs(3600), 10_000);

/// How long an event is remembered across restarts, and how many at most. Slack sends an event again at once, after a
/// minute and after five.
const SEEN: (Duration, usize) = (Duration::from_secs(3600), 128);

/// The longest wait for what the server asks for.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// There is no more to do: it is time to stop, nobody listens, or the app is not accepted.
struct Over;

pub(crate) async fn run(bot: Arc<Slack>, inbox: Inbox, stop: Stop) {
    bot.status.set(Connection::Connecting, bot.clock.now());
    let (signs, signed) = mpsc::unbounded_channel();
    let (envelopes, received) = mpsc::channel(QUEUE);
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
    let mut keeper = Keeper {
        troubles: Troubles::new(&bot.account),
        backoff: Backoff::new(Arc::clone(&bot.entropy), bot.pace.backoff),
        tasks: JoinSet::new(),
        lines: BTreeMap::new(),
        last: 0,
        open_at: Some(Instant::now()),
        signs,
        signed,
        envelopes,
        received,
        next: None,
        recent,
        seen,
        names: crate::names::Names::default(),
        bot: Arc::clone(&bot),
        inbox,
        stop,
    };
    let Over = keeper.forever().await;
    keeper.goodbye().await;
    bot.status.set(Connection::Stopped, bot.clock.now());
}

/// A connection, as the keeper knows it.
struct Known {
    task: TaskId,
    closing: watch::Sender<Closing>,
    /// When it became ready.
    up_since: Option<Instant>,
    /// The server has announced its end.
    is_leaving: bool,
}

struct Keeper {
    bot: Arc<Slack>,
    inbox: Inbox,
    stop: Stop,
    troubles: Troubles,
    backoff: Backoff,
    tasks: JoinSet<Result<(), SocketError>>,
    lines: BTreeMap<Number, Known>,
    last: Number,
    /// When to open another connection.
    open_at: Option<Instant>,
    signs: mpsc::UnboundedSender<(Number, Sign)>,
    signed: mpsc::UnboundedReceiver<(Number, Sign)>,
    envelopes: mpsc::Sender<Envelope>,
    received: mpsc::Receiver<Envelope>,
    /// What waits for room in the inbox.
    next: Option<Next>,
    recent: Recent,
    seen: Seen,
    names: crate::names::Names,
}

impl Keeper {
    async fn forever(&mut self) -> Over {
        loop {
            let open_at = self.open_at.unwrap_or_else(Instant::now);
            let has_next = self.next.is_some();
            let step = tokio::select! {
                biased;
                () = self.stop.wait() => Err(Over),
                Some((number, sign)) = self.signed.recv() => {
                    self.signed(number, sign);
                    Ok(())
                }
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    self.ended(ended)
                }
                () = sleep_until(open_at), if self.open_at.is_some() => {
                    self.open();
                    Ok(())
                }
                slot = reserve(&self.inbox), if has_next => match slot {
                    Some(slot) => {
                        self.hand_over(slot).await;
                        Ok(())
                    }
                    None => Err(Over),
                },
                Some(envelope) = self.received.recv(), if !has_next => {
                    self.take(envelope);
                    Ok(())
                }
            };
            if let Err(over) = step {
                return over;
            }
        }
    }

    /// Opens another connection.
    fn open(&mut self) {
        self.open_at = None;
        self.last += 1;
        let (closing, told) = watch::channel(Closing::No);
        let line = Line {
            bot: Arc::clone(&self.bot),
            number: self.last,
            signs: self.signs.clone(),
            envelopes: self.envelopes.clone(),
            closing: told,
        };
        let task = self.tasks.spawn(line.run()).id();
        let known = Known {
            task,
            closing,
            up_since: None,
            is_leaving: false,
        };
        self.lines.insert(self.last, known);
    }

    fn signed(&mut self, number: Number, sign: Sign) {
        let Some(line) = self.lines.get_mut(&number) else {
            return;
        };
        match sign {
            Sign::Up => {
                line.up_since = Some(Instant::now());
                for (other, line) in &self.lines {
                    if *other != number && line.up_since.is_some() {
                        line.closing.send_replace(Closing::Soon);
                    }
                }
                tracing::info!(account = self.bot.account.as_str(), "slack: connected");
                self.troubles.over();
                self.bot
                    .status
                    .set(Connection::Connected, self.bot.clock.now());
            }
            Sign::Leaving => {
                line.is_leaving = true;
                let since = line.up_since;
                self.replace(since);
            }
        }
    }

    /// Opens another connection in place of one that ends, unless there is one.
    fn replace(&mut self, up_since: Option<Instant>) -> Duration {
        let is_there = |line: &Known| !line.is_leaving && *line.closing.borrow() == Closing::No;
        if self.open_at.is_some() || self.lines.values().any(is_there) {
            return Duration::ZERO;
        }
        // One that has held for a while is replaced at once.
        let has_held = up_since.is_some_and(|since| since.elapsed() >= self.bot.pace.steady);
        if has_held {
            self.backoff.reset();
        }
        let wait = if has_held {
            Duration::ZERO
        } else {
            self.backoff.failed(None)
        };
        self.open_at = Some(Instant::now() + wait);
        wait
    }

    fn ended(
        &mut self,
        ended: Result<(TaskId, Result<(), SocketError>), JoinError>,
    ) -> Result<(), Over> {
        let (task, result) = match ended {
            Ok((task, result)) => (task, result),
            Err(error) => (error.id(), Ok(())),
        };
        let number = self.lines.iter().find(|(_, line)| line.task == task);
        let Some(line) = number
            .map(|(number, _)| *number)
            .and_then(|n| self.lines.remove(&n))
        else {
            return Ok(());
        };
        let now = self.bot.clock.now();
        if let Err(error) = &result
            && let Some(advice) = error.is_final()
        {
            self.bot.status.failed(error.to_string(), now);
            self.troubles.final_error(error, advice);
            return Err(Over);
        }
        let mut wait = self.replace(line.up_since);
        let asked = result.as_ref().err().and_then(SocketError::retry_after);
        if let (Some(asked), Some(open_at)) = (asked, &mut self.open_at) {
            wait = wait.max(asked.min(DAY));
            *open_at = (*open_at).max(Instant::now() + wait);
        }
        if let Err(error) = result
            && !line.is_leaving
        {
            if self.lines.values().all(|line| line.up_since.is_none()) {
                self.bot.status.failed(error.to_string(), now);
            }
            self.troubles.met(&error, wait);
        }
        Ok(())
    }

    /// Closes the connections, and hands on what is acknowledged, as far as somebody takes it.
    async fn goodbye(&mut self) {
        for line in self.lines.values() {
            line.closing.send_replace(Closing::Now);
        }
        let within = self.bot.pace.goodbye;
        let _ = timeout(within, async {
            while self.tasks.join_next().await.is_some() {}
        })
        .await;
        self.tasks.abort_all();
        let _ = timeout(within, async {
            loop {
                while self.next.is_none() {
                    match self.received.try_recv() {
                        Ok(envelope) => self.take(envelope),
                        Err(_) => return,
                    }
                }
                let Some(slot) = reserve(&self.inbox).await else {
                    return;
                };
                self.hand_over(slot).await;
            }
        })
        .await;
    }
}

async fn reserve(inbox: &Inbox) -> Option<Slot> {
    inbox.reserve().await
}
