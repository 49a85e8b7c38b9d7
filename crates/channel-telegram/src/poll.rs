//! Taking updates in, by long polling.
//!
//! An update counts as taken once there is a place for it in the inbox, and that is noted on the disk before
//! it is put there: a crash in between loses that one update, and none comes twice. Better a message that
//! has to be repeated than a command that is carried out twice.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::{Backoff, Connection, Inbox, Slot, Stop};
use pairing_core::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::Telegram;
use crate::api::{self, CallError, Me};
use crate::offset::Taken;
use crate::trouble::Troubles;
use crate::update::{self, Context, Update};

/// Maximum number of optional calls at a time.
const ERRANDS: usize = 32;

/// There is no more to do: it is time to stop, nobody listens, or the token is none.
struct Over;

pub(crate) async fn run(bot: Arc<Telegram>, inbox: Inbox, stop: Stop) {
    let backoff = Backoff::new(Arc::clone(&bot.entropy), bot.pace.backoff);
    let mut poll = Poll {
        troubles: Troubles::new(&bot.account),
        taken: Taken::default(),
        backoff,
        errands: JoinSet::new(),
        bot,
        inbox,
        stop,
    };
    let bot = Arc::clone(&poll.bot);
    bot.status.set(Connection::Connecting, bot.clock.now());
    // Optional calls that are still running end with it.
    let Err(Over) = poll.forever().await;
    bot.status.set(Connection::Stopped, bot.clock.now());
}

struct Poll {
    bot: Arc<Telegram>,
    inbox: Inbox,
    stop: Stop,
    troubles: Troubles,
    backoff: Backoff,
    taken: Taken,
    errands: JoinSet<()>,
}

enum Never {}

impl Poll {
    async fn forever(&mut self) -> Result<Never, Over> {
        let (began, own) = (Instant::now(), self.bot.clock.now());
        let me = self.myself().await?;
        // Telegram dates the messages: by its clock they are old or not. This machine's may be days ahead.
        let start = self
            .bot
            .http
            .server_time()
            .map(|now| earlier(now, began.elapsed()));
        let since = earlier(start.unwrap_or(own), self.bot.pace.history);
        tracing::info!(
            account = self.bot.account.as_str(),
            bot = %pairing_core::quoted(&me.username),
            "telegram: polling"
        );
        let context = Context { me: me.id, since };
        self.taken = self.load().await;
        let mut is_first = true;
        loop {
            // The first one does not hang: what comes after it does not wait long.
            let wait = if is_first {
                Duration::ZERO
            } else {
                self.bot.pace.poll
            };
            let started = Instant::now();
            let Some(updates) = self.poll(context, wait).await? else {
                continue;
            };
            if std::mem::take(&mut is_first) {
                self.tell_commands();
            }
            let answered = Instant::now();
            let is_quick = answered - started < self.bot.pace.gap;
            if !self.take_in(updates).await? && is_quick {
                // A server may answer at once, and with nothing, or with what was taken already.
                self.unless_over(sleep_until(answered + self.bot.pace.gap))
                    .await?;
            }
        }
    }

    /// The bot's own account, once the server has told it.
    async fn myself(&mut self) -> Result<Me, Over> {
        loop {
            let bot = Arc::clone(&self.bot);
            let asked = api::get_me(&bot.http, bot.pace.call);
            match self.unless_over(asked).await? {
                Ok(me) => {
                    self.backoff.reset();
                    return Ok(me);
                }
                Err(error) => self.ride_out(&error).await?,
            }
        }
    }

    /// One poll; nothing where it failed, and the time to wait for that is over.
    async fn poll(
        &mut self,
        context: Context,
        wait: Duration,
    ) -> Result<Option<Vec<Update>>, Over> {
        let bot = Arc::clone(&self.bot);
        let asked = api::get_updates(&bot.http, self.taken.offset(), wait, bot.pace.call);
        let answer = self.unless_over(asked).await?;
        let read = answer.and_then(|result| {
            update::parse(result.get(), context).map_err(|update::Malformed| CallError::Malformed {
                what: "list of updates",
            })
        });
        match read {
            Ok(updates) => {
                self.backoff.reset();
                self.troubles.over();
                let now = self.bot.clock.now();
                self.bot.status.set(Connection::Connected, now);
                Ok(Some(updates))
            }
            Err(error) => {
                self.ride_out(&error).await?;
                Ok(None)
            }
        }
    }

    /// Takes in a batch of updates; returns whether any of them was new.
    async fn take_in(&mut self, updates: Vec<Update>) -> Result<bool, Over> {
        let mut any = false;
        let mut to_note = false;
        for update in updates {
            if self.taken.has(update.id) {
                continue;
            }
            any = true;
            if let Some(query) = &update.query {
                self.answer(query);
            }
            let Some(what) = update.what else {
                self.taken.take(update.id);
                to_note = true;
                continue;
            };
            let slot = self.reserve().await?;
            self.taken.take(update.id);
            self.note().await;
            to_note = false;
            slot.put(what);
            self.bot.status.received(self.bot.clock.now());
        }
        if to_note {
            self.note().await;
        }
        Ok(any)
    }

    async fn reserve(&mut self) -> Result<Slot, Over> {
        let inbox = self.inbox.clone();
        self.unless_over(inbox.reserve()).await?.ok_or(Over)
    }

    async fn load(&self) -> Taken {
        let bot = Arc::clone(&self.bot);
        let load = move || Taken::load(&*bot.saved, bot.http.bot());
        tokio::task::spawn_blocking(load).await.unwrap_or_default()
    }

    async fn note(&mut self) {
        let (taken, bot) = (self.taken, Arc::clone(&self.bot));
        let write = move || taken.save(&*bot.saved, bot.http.bot());
        // Saving blocks on a disk.
        if let Ok(saved) = tokio::task::spawn_blocking(write).await {
            self.bot.status.saved(&saved);
            match saved {
                Ok(()) => self.troubles.noted(),
                Err(error) => self.troubles.not_noted(&error),
            }
        }
    }

    /// Waits for what cannot be changed here; the end where the token is none.
    async fn ride_out(&mut self, error: &CallError) -> Result<(), Over> {
        self.bot
            .status
            .failed(error.to_string(), self.bot.clock.now());
        if error.is_wrong_token() {
            self.troubles.wrong_token(error);
            return Err(Over);
        }
        let wait = self.backoff.failed(error.retry_after());
        self.troubles.met(error, wait);
        self.unless_over(sleep(wait)).await
    }

    async fn unless_over<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Over> {
        tokio::select! {
            biased;
            () = self.stop.wait() => Err(Over),
            done = work => Ok(done),
        }
    }

    /// Acknowledges the button press, so that the app stops its spinner. A failure changes nothing.
    fn answer(&mut self, query: &str) {
        let params = json!({ "callback_query_id": query });
        self.errand("answerCallbackQuery", vec![params]);
    }

    /// So that apps complete them. Not every server can.
    fn tell_commands(&mut self) {
        let commands = self.bot.commands.iter();
        let commands: Vec<_> = commands
            .map(|(name, what)| json!({ "command": name, "description": what }))
            .collect();
        let owners = self.bot.owners.iter();
        let params = owners.map(|owner| {
            let scope = json!({ "type": "chat", "chat_id": owner });
            json!({ "commands": commands, "scope": scope })
        });
        let params: Vec<_> = params.collect();
        self.errand("setMyCommands", params);
    }

    /// Calls a method for something that need not be done, as long as that works.
    fn errand(&mut self, method: &'static str, calls: Vec<Value>) {
        while self.errands.try_join_next().is_some() {}
        if calls.is_empty() || self.errands.len() >= ERRANDS {
            return;
        }
        let bot = Arc::clone(&self.bot);
        self.errands.spawn(async move {
            for params in calls {
                if let Err(error) = api::done(&bot.http, method, &params, bot.pace.call).await {
                    tracing::info!(
                        account = bot.account.as_str(), method, error = %error,
                        "telegram: optional call failed"
                    );
                    return;
                }
            }
        });
    }
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.as_millis().saturating_sub(by))
}
