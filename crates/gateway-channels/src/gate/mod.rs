//! The gate: what becomes of everything that an adapter takes in.
//!
//! It stands between every adapter and the rest of the program. Whoever may not talk to the bot costs a
//! lookup, and at most a request and one reply; nothing else of theirs is looked at or kept, but where the
//! owner wants a stranger's first message handed over later.

mod away;
mod bind;
mod held;
mod known_as;
mod pauses;
mod rules;
mod settle;
mod untold;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use channel_kit::{Adapter, Inbound, Incoming, Outgoing, Pressed, SendError, Target};
use pairing_core::store::PendingRequest;
use pairing_core::{
    Account, ApprovedSender, Basis, Chain, Channel, ChannelError, Created, DmPolicy, GroupSender,
    PairingCode, Requested, SenderId, Timestamp,
};

use crate::sift::{Dropped, Letter, is_target};
use crate::{By, Channels, Host, Message, OwnerCommands, OwnerMessage};
use away::Away;
use held::Held;
use pauses::Pauses;
use rules::{Present, Rules};
use untold::UndeliveredCodes;

/// So many messages from before the start, and none from after it, are said.
const MANY_OLD: u64 = 20;

/// What became of a message that waits for the store.
const KEPT: &str = "kept";

/// The gate before one account.
pub(crate) struct Gate {
    host: Arc<dyn Host>,
    channels: Arc<Channels>,
    adapter: Arc<dyn Adapter>,
    channel: Channel,
    account: Account,
    rules: Present,
    pauses: Pauses,
    held: Held,
    untold: UndeliveredCodes,
    away: Away,
    /// Whether the last attempt to read the store succeeded.
    store_is_well: AtomicBool,
    /// Messages in a row that were dropped as older than the start.
    old: AtomicU64,
}

/// What was decided about a message.
enum Verdict {
    Direct(ApprovedSender),
    Group(GroupSender),
    /// A stranger's request was created.
    Asked(Created),
    /// It was made before, and its sender could not be told.
    UndeliveredCodes(PairingCode),
    /// Nothing is done, and why.
    Nothing(&'static str),
    /// The store failed, which admits nobody.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl Gate {
    /// The gate before an adapter. An error where nobody knows the rules of its channel.
    pub(crate) fn new(
        host: Arc<dyn Host>,
        channels: Arc<Channels>,
        adapter: Arc<dyn Adapter>,
    ) -> Result<Self, ChannelError> {
        let channel = host.pairing().channel_of(adapter.channel())?;
        let account = channel.account_of(adapter.account().clone());
        Ok(Self {
            host,
            channels,
            adapter,
            channel,
            account,
            rules: Present::default(),
            pauses: Pauses::default(),
            held: Held::default(),
            untold: UndeliveredCodes::default(),
            away: Away::default(),
            store_is_well: AtomicBool::new(true),
            old: AtomicU64::new(0),
        })
    }

    /// Whether the account is enabled in the current configuration.
    pub(crate) fn is_enabled(&self) -> bool {
        self.rules().is_enabled
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    pub(crate) fn channels(&self) -> &Channels {
        &self.channels
    }

    /// Does what is to be done about something that came in.
    pub(crate) async fn take(&self, incoming: Incoming) {
        let outcome = match incoming {
            Incoming::Message(message) => self.message(message).await,
            Incoming::Pressed(pressed) => self.pressed(&pressed).await,
        };
        self.count(outcome);
    }

    /// What became of it, in a word.
    async fn message(&self, inbound: Inbound) -> &'static str {
        let rules = self.rules();
        if !rules.is_enabled {
            return "disabled";
        }
        let letter = match Letter::new(self.channel.rules(), inbound) {
            Ok(letter) => {
                self.old.store(0, Ordering::Relaxed);
                self.known_as(&rules, letter).await
            }
            Err(dropped) => {
                if dropped == Dropped::Historical {
                    self.note_old();
                }
                return dropped.label();
            }
        };
        if rules.is_blocked(&letter.sender) {
            return "blocked";
        }
        // What another bot has made is nobody's command.
        let may_command = letter.is_direct && !letter.via_bot && rules.policy != DmPolicy::Disabled;
        if may_command && let Some(commands) = self.commands_for(&rules, &letter.sender) {
            let owner = self.owner(&letter.sender, &letter.chat);
            if commands.message(&owner, &letter.text).await {
                return "command";
            }
        }
        // What another bot has made is nobody's claim.
        if letter.is_direct
            && !letter.via_bot
            && let Some(code) = bind::presented(&letter.text)
            && let Some(outcome) = self.bind(&rules, &letter, code).await
        {
            return outcome;
        }
        let now = self.host.pairing().now();
        // What they said while the store was away comes first.
        if letter.is_direct && !self.make_good(Some(&letter.sender)).await {
            return self.keep(letter, now);
        }
        self.judge(&rules, letter, now).await
    }

    /// Decides about messages that came while the store was away: those of one sender, or all. Returns whether none is
    /// left for that the store is still away, which is asked once.
    pub(crate) async fn make_good(&self, sender: Option<&SenderId>) -> bool {
        if self.away.is_empty() {
            return true;
        }
        let now = self.host.pairing().now();
        let mut letters = self.away.take(sender, now).into_iter();
        while let Some((came, letter)) = letters.next() {
            // What is configured now counts.
            let rules = self.rules();
            if !rules.is_enabled || rules.is_blocked(&letter.sender) {
                continue;
            }
            let outcome = self.judge(&rules, letter, came).await;
            if outcome == KEPT {
                for (came, letter) in letters {
                    self.away.keep(letter, came);
                }
                return false;
            }
            self.count(outcome);
        }
        true
    }

    /// Keeps a message until the store can be read.
    fn keep(&self, letter: Letter, came: Timestamp) -> &'static str {
        if self.away.keep(letter, came) {
            KEPT
        } else {
            "failed"
        }
    }

    /// Decides about a message, and does what follows; what became of it, in a word.
    async fn judge(&self, rules: &Arc<Rules>, letter: Letter, came: Timestamp) -> &'static str {
        match self.decide(rules.clone(), &letter).await {
            Verdict::Group(by) => {
                self.deliver(By::Group(by), letter).await;
                "group"
            }
            Verdict::Direct(by) => {
                self.pauses.forget(by.sender());
                // What they said first comes first.
                let first = self.held.take(by.sender());
                if let Some(first) = first.filter(|_| rules.hand_over_first) {
                    self.hand_over(by.clone(), first).await;
                }
                self.deliver(By::Direct(by), letter).await;
                "direct"
            }
            Verdict::Asked(Created {
                request: PendingRequest { code, .. },
                reply,
                ..
            }) => {
                let (sender, chat) = (letter.sender.clone(), letter.chat.clone());
                if rules.hand_over_first {
                    self.held.keep(code, letter);
                    // It may have been decided already, unseen.
                    self.channels.note_decisions();
                }
                self.reply(rules, &sender, &chat, code, reply).await
            }
            Verdict::UndeliveredCodes(code) => {
                let reply = self.channel.rules().pairing_reply(&letter.sender, code);
                self.reply(rules, &letter.sender, &letter.chat, code, reply)
                    .await
            }
            Verdict::Nothing(why) => why,
            Verdict::Failed(error) => {
                if self.store_is_well.swap(false, Ordering::Relaxed) {
                    tracing::error!(
                        channel = %self.channel.id(), account = self.account.id().as_str(),
                        error = %Chain(&*error),
                        "pairing store unavailable: admitting configured senders only"
                    );
                }
                self.keep(letter, came)
            }
        }
    }

    /// Decides about a message, on the blocking pool if it is a direct one, since it then reads the store.
    async fn decide(&self, rules: Arc<Rules>, letter: &Letter) -> Verdict {
        let sender = letter.sender.clone();
        if !letter.is_direct {
            return match rules.account.admit_sender_in_group(&sender) {
                Some(by) => Verdict::Group(by),
                None => Verdict::Nothing("group-stranger"),
            };
        }
        let now = self.host.pairing().now();
        let is_paused = self.pauses.is_waiting(&sender, now);
        // A sender who is approved, and of whom the store need not ask a disk, costs no thread.
        let known_as = (!is_paused).then_some(&letter.meta);
        if let Some(by) = rules.account.admit_at_once(&sender, known_as) {
            self.note_store(&Requested::Allowed(by.clone()));
            return Verdict::Direct(by);
        }
        let (pause, meta) = (rules.backoff, letter.meta.clone());
        let deciding = blocking(move || {
            let meta = (!is_paused).then_some(&meta);
            rules.account.admit_or_request(&sender, meta)
        });
        let requested = match deciding.await {
            Some(Ok(requested)) => requested,
            Some(Err(error)) => return Verdict::Failed(error.into()),
            None => return Verdict::Nothing("failed"),
        };
        self.note_store(&requested);
        match requested {
            Requested::Allowed(by) => Verdict::Direct(by),
            Requested::Created(created) => {
                self.pauses.asked(&letter.sender, pause, now);
                Verdict::Asked(created)
            }
            Requested::Pending(request) => {
                self.pauses.waits(&letter.sender, pause, now);
                if self.untold.take(&letter.sender, request.code) {
                    Verdict::UndeliveredCodes(request.code)
                } else {
                    Verdict::Nothing("waiting")
                }
            }
            Requested::Full => {
                self.pauses.asked(&letter.sender, pause, now);
                Verdict::Nothing("turned-away")
            }
            Requested::NotOffered(refusal) if refusal.policy == DmPolicy::Pairing => {
                Verdict::Nothing("backoff")
            }
            _ => Verdict::Nothing("policy"),
        }
    }

    /// Says once where more is dropped as old than a restart explains.
    fn note_old(&self) {
        if self.old.fetch_add(1, Ordering::Relaxed) + 1 == MANY_OLD {
            tracing::warn!(
                channel = %self.channel.id(), account = self.account.id().as_str(), messages = MANY_OLD,
                advice = "if they were written just now, check this machine's clock",
                "messages from before the start are not handled"
            );
        }
    }

    /// Notes that the store answered, unless the configuration decided without it.
    fn note_store(&self, requested: &Requested) {
        let was_asked = match requested {
            Requested::Allowed(by) => by.basis() == Basis::Paired,
            Requested::NotOffered(refusal) => refusal.policy == DmPolicy::Pairing,
            _ => true,
        };
        if was_asked && !self.store_is_well.swap(true, Ordering::Relaxed) {
            tracing::info!(channel = %self.channel.id(), "pairing store available again");
        }
    }

    /// Tells a stranger their code, once, where they asked. Where that is not possible now, they are told at a
    /// later message of theirs.
    async fn reply(
        &self,
        rules: &Rules,
        sender: &SenderId,
        chat: &Target,
        code: PairingCode,
        standard: String,
    ) -> &'static str {
        let Some(text) = rules.reply(standard, sender, code) else {
            return "silent";
        };
        let what = Outgoing::text(text).secret();
        let mut sent = self.adapter.send(chat, &what).await;
        if matches!(sent, Err(SendError::Chat { .. }))
            && let Ok(direct) = self.adapter.direct(sender).await
            && direct != *chat
        {
            // The place where they wrote is closed, such as a topic; they may still be reached.
            sent = self.adapter.send(&direct, &what).await;
        }
        let Err(error) = sent else {
            return "asked";
        };
        // Whatever the reason: they may have blocked the bot, and want it again now.
        self.untold.note(sender, code);
        tracing::warn!(
            channel = %self.channel.id(), account = self.account.id().as_str(),
            error = %Chain(&error), "pairing code not delivered"
        );
        "asked-untold"
    }

    /// What became of a button, in a word.
    async fn pressed(&self, pressed: &Pressed) -> &'static str {
        let rules = self.rules();
        let Ok(sender) = self.channel.rules().sender(&pressed.sender) else {
            return "no-sender";
        };
        if !is_target(&pressed.chat) {
            return "malformed";
        }
        let is_open = rules.is_enabled && rules.policy != DmPolicy::Disabled;
        if !is_open || rules.is_blocked(&sender) {
            return "blocked";
        }
        let Some(commands) = self.commands_for(&rules, &sender) else {
            return "not-owner";
        };
        let owner = self.owner(&sender, &pressed.chat);
        commands.pressed(&owner, pressed).await;
        "pressed"
    }

    /// Tells operators and the embedder's handler. Takes the proof that the sender may talk to the bot.
    async fn deliver(&self, by: By, letter: Letter) {
        let message = Message::new(&self.adapter, by, letter);
        self.host.deliver(&message);
        if let Some(handler) = &self.channels.handler {
            handler(message).await;
        }
    }

    fn commands_for(&self, rules: &Rules, sender: &SenderId) -> Option<&Arc<dyn OwnerCommands>> {
        let is_owner = rules.owners.is_owner(sender);
        is_owner.then(|| self.channels.commands()).flatten()
    }

    fn owner(&self, sender: &SenderId, chat: &Target) -> OwnerMessage {
        OwnerMessage {
            channel: self.channel.id().clone(),
            account: self.account.id().clone(),
            sender: sender.clone(),
            chat: chat.clone(),
            adapter: self.adapter.clone(),
        }
    }

    fn rules(&self) -> Arc<Rules> {
        let config = self.host.config();
        let read = || Rules::new(&config, &self.channel, &self.account);
        self.rules.get(&config, read)
    }

    fn count(&self, outcome: &'static str) {
        self.host.count(outcome);
    }
}

/// Runs on the blocking pool. `None` if it panicked.
fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = Option<T>> {
    let running = tokio::task::spawn_blocking(run);
    async move { running.await.ok() }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
