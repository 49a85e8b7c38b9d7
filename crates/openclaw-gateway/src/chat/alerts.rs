//! Notices to owners about requests, and the updates of these messages.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use gateway_protocol::event::Decision;
use openclaw_config::Config;
use pairing_core::{Approver, ApproverId, ScopeSet, StoreError, Timestamp};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::asking::{PendingSubject, RequestRef};
use super::decide::{GONE, button, described};
use super::notify::{Mode, Notices, Subscriber};
use super::{Commands, direct, tell};
use crate::feed::outcome;
use crate::requests::News;
use channel_kit::{Adapter, Button, Outgoing, Stop, Target};
use gateway_channels::Owners;

/// Maximum delay until a change that no event reports is noticed: a code that has expired, or a chat that can
/// be written to again.
pub(super) const EVERY: Duration = Duration::from_secs(15);

/// Maximum number of requests announced at a time.
const AT_ONCE: usize = 20;

/// A chat that gets notices.
pub(super) struct Recipient {
    pub(super) adapter: Arc<dyn Adapter>,
    pub(super) chat: Target,
    /// Whether an owner subscribed it with `/pair notify`.
    subscriber: Option<Subscriber>,
}

impl Commands {
    /// Sends notices, shows decisions in them, and deletes codes that have expired, until it is stopped. It
    /// catches up with what happened while it did not run.
    pub(crate) async fn run(self, mut stop: Stop) {
        let mut news = self.0.parts.requests.listen();
        // A pass that has begun is finished before the stop, because each notice that was sent has to be
        // recorded.
        self.look(true).await;
        let mut due = interval_at(Instant::now() + EVERY, EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next = tokio::select! {
                biased;
                () = stop.wait() => return,
                next = news.recv() => next,
                _ = due.tick() => {
                    self.look(false).await;
                    self.show_again().await;
                    self.tell_faults().await;
                    continue;
                }
                () = self.0.parts.health.changed() => {
                    self.tell_faults().await;
                    continue;
                }
                // After the news, which say more. Without an open notice there is nothing to correct.
                () = self.0.parts.requests.have_been_read() => {
                    if self.has_open() {
                        self.look(false).await;
                    }
                    continue;
                }
            };
            let missed = matches!(next, Err(RecvError::Lagged(_)));
            match next {
                Ok(news) => self.hear(news).await,
                // The store shows what the queue has lost.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
            self.look(missed).await;
        }
    }

    /// Handles what is pending and what has expired. If news may have been `missed`, it also looks for
    /// requests that are no longer pending.
    pub(super) async fn look(&self, missed: bool) {
        self.delete_codes().await;
        let Some((waiting, failed)) = self.at_store(Self::waiting).await else {
            return;
        };
        if failed.is_none() {
            self.settle_ended(&waiting).await;
        }
        self.alert(&waiting, failed.is_none()).await;
        // If something could not be read, nothing is known to be gone.
        if missed && failed.is_none() {
            let waits: HashSet<_> = waiting.iter().map(PendingSubject::about).collect();
            self.settle_gone(|about| waits.contains(about)).await;
        }
    }

    async fn hear(&self, news: News) {
        let (asking, decision) = match news {
            News::Asks => return,
            News::Device(request, decision) => (PendingSubject::Device(request), decision),
            News::Sender(request, decision) => (PendingSubject::Sender(request), decision),
        };
        self.show_end(&asking, decision).await;
    }

    /// Shows in the notices about a request how it has ended, unless they show it already: after a button was
    /// pressed, its message has the name of the owner who pressed it.
    async fn show_end(&self, asking: &PendingSubject, decision: Decision) {
        let about = asking.about();
        if self.settled_text(&about).is_some() {
            return;
        }
        let text = match decision {
            Decision::Approved | Decision::Rejected => {
                let (granted, approved) = (asking.clone(), decision == Decision::Approved);
                let by = self
                    .at_store(move |commands| commands.granted_by(&granted).filter(|_| approved));
                let by = by.await.flatten();
                asking.decided(approved, by.as_ref())
            }
            Decision::Expired => format!("Expired: {}.", asking.title()),
            Decision::Superseded => {
                format!("Replaced: {} asks for something else now.", asking.title())
            }
            _ => format!("{}: {GONE}", asking.title()),
        };
        self.settle(&about, &text, None).await;
    }

    /// Updates open notices whose requests are no longer pending. The feed reports most of these; it does not
    /// see a request that was made and decided between two of its readings.
    async fn settle_ended(&self, waiting: &[PendingSubject]) {
        let waits: HashSet<_> = waiting.iter().map(PendingSubject::about).collect();
        let ended: Vec<PendingSubject> = match self.0.open.lock() {
            Ok(mut open) => open
                .extract_if(|about, _| !waits.contains(about))
                .map(|(_, asking)| asking)
                .collect(),
            Err(_) => return,
        };
        for asking in ended {
            let (gone, others) = (asking.clone(), waiting.to_vec());
            let decision = self.at_store(move |commands| commands.outcome(&gone, &others));
            if let Some(Ok(decision)) = decision.await {
                self.show_end(&asking, decision).await;
            } else if let Ok(mut open) = self.0.open.lock() {
                // The next pass looks again.
                open.entry(asking.about()).or_insert(asking);
            }
        }
    }

    fn outcome(
        &self,
        gone: &PendingSubject,
        waiting: &[PendingSubject],
    ) -> Result<Decision, StoreError> {
        match gone {
            PendingSubject::Sender(request) => outcome::of_sender(self.pairing(), request),
            PendingSubject::Device(request) => {
                let devices = waiting.iter().filter_map(|asking| match asking {
                    PendingSubject::Device(request) => Some(&**request),
                    PendingSubject::Sender(_) => None,
                });
                let viewer = Approver::operator("gateway", ScopeSet::admin());
                outcome::of_device(self.pairing(), &viewer, devices, request)
            }
        }
    }

    fn has_open(&self) -> bool {
        self.0.open.lock().is_ok_and(|open| !open.is_empty())
    }

    /// The approver, as the grant records it.
    fn granted_by(&self, asking: &PendingSubject) -> Option<ApproverId> {
        let pairing = self.pairing();
        match asking {
            PendingSubject::Device(request) => {
                let viewer = Approver::operator("gateway", ScopeSet::admin());
                let device = pairing.devices().get(request.device, &viewer).ok()??;
                let grants = device.roles.into_values().filter_map(|role| role.grant);
                let mut grants =
                    grants.filter(|grant| grant.requested_at == Some(request.asked_at));
                grants.next().map(|grant| grant.by)
            }
            PendingSubject::Sender(request) => {
                let channel = pairing.channel_of(&request.channel).ok()?;
                let account = channel.account_of(request.account.clone());
                let entry = account.entry(request.sender.as_str()).ok()??;
                entry.grant.map(|grant| grant.by)
            }
        }
    }

    /// Sends notices about requests that have had none. If `requests` are all that are pending, it also
    /// forgets the others.
    pub(super) async fn alert(&self, waiting: &[PendingSubject], is_all: bool) {
        let notices = self.0.notices.get().await;
        let places = self.places(&notices).await;
        let key = |asking: &PendingSubject| match asking {
            PendingSubject::Device(request) => request.id.as_str().to_owned(),
            PendingSubject::Sender(_) => asking.about().to_string(),
        };
        let told = &notices.notified_request_ids;
        let new = waiting
            .iter()
            .rev()
            .filter(|asking| !told.contains_key(&key(asking)));
        let mut new: Vec<_> = new.filter(|_| !places.is_empty()).collect();
        let (now, gathering) = (self.pairing().now(), &self.0.gathering);
        let single = new.iter().take(AT_ONCE);
        let single = single.take_while(|_| gathering.may_tell(now)).count();
        let more = new.split_off(single);
        let (mut delivered, mut served) = (Vec::new(), Vec::new());
        for asking in new {
            let mut any = false;
            for place in &places {
                let once = place.subscriber.as_ref().filter(|of| of.mode == Mode::Once);
                let is_over = once.is_some_and(|once| served.contains(once));
                // A subscription for one request: the next new one.
                let asked_at = asking.asked_at().map(Timestamp::as_millis);
                let is_next =
                    once.is_none_or(|once| asked_at.is_some_and(|at| at >= once.added_at_ms));
                if is_over || !is_next || !self.tell_of(asking, place).await {
                    continue;
                }
                any = true;
                served.extend(once.cloned());
            }
            if any {
                delivered.push(key(asking));
            } else {
                gathering.was_not_told();
            }
        }
        if !more.is_empty() && gathering.may_gather(now) && self.tell_of_more(&more, &places).await
        {
            delivered.extend(more.into_iter().map(key));
        }
        let waits: HashSet<_> = waiting.iter().map(key).collect();
        let now = self.pairing().now().as_millis();
        let change = |notices: &mut Notices| {
            notices
                .notified_request_ids
                .retain(|id, _| !is_all || waits.contains(id));
            let told = delivered.into_iter().map(|id| (id, now));
            notices.notified_request_ids.extend(told);
            notices
                .subscribers
                .retain(|subscriber| !served.contains(subscriber));
        };
        // A notice that is not recorded is sent again after a restart.
        let _ = self.0.notices.change(change).await;
    }

    /// Tells of several requests in one message. Those for whom one request was enough are not told of them.
    async fn tell_of_more(&self, more: &[&PendingSubject], places: &[Recipient]) -> bool {
        let text = match more.len() {
            1 => "1 more request waits. See it with /pair pending".to_owned(),
            many => format!("{many} more requests wait. See them with /pair pending"),
        };
        let what = Outgoing::text(text);
        let is_persistent = |place: &&Recipient| {
            let subscriber = place.subscriber.as_ref();
            subscriber.is_none_or(|of| of.mode == Mode::Persistent)
        };
        let mut any = false;
        for place in places.iter().filter(is_persistent) {
            any |= tell(&*place.adapter, &place.chat, &what).await.is_ok();
        }
        any
    }

    async fn tell_of(&self, asking: &PendingSubject, place: &Recipient) -> bool {
        let about = asking.about();
        let what = notice(asking, &about, &*place.adapter);
        match tell(&*place.adapter, &place.chat, &what).await {
            Ok(message) => {
                if let Ok(mut open) = self.0.open.lock() {
                    open.insert(about.clone(), asking.clone());
                }
                let title = asking.title();
                self.remember_at(&*place.adapter, &place.chat, about, title, message)
                    .await;
                self.is_unreached(place, false);
                true
            }
            Err(error) => {
                // It is tried again and again; only the first failure is logged.
                if !self.is_unreached(place, true) {
                    let channel = place.adapter.channel();
                    tracing::warn!(%channel, %error, "an owner cannot be told of a request: retrying");
                }
                false
            }
        }
    }

    /// Notes whether a message to a chat has failed. Returns whether the one before had failed, too.
    fn is_unreached(&self, place: &Recipient, is_now: bool) -> bool {
        let Ok(mut unreached) = self.0.unreached.lock() else {
            return false;
        };
        let adapter = &place.adapter;
        let key = (
            adapter.channel().clone(),
            adapter.account().clone(),
            place.chat.chat.clone(),
        );
        if is_now {
            !unreached.insert(key)
        } else {
            unreached.remove(&key)
        }
    }

    /// The chats of all owners, each once, by the accounts that are enabled and may be used for it.
    pub(super) async fn owners(
        &self,
        config: &Config,
        may_use: impl Fn(&dyn Adapter) -> bool,
    ) -> Vec<Recipient> {
        let mut places = Vec::new();
        let mut adapters: Vec<_> = self.0.parts.channels.adapters().iter().cloned().collect();
        adapters.retain(|adapter| {
            let set = config.account(adapter.channel(), adapter.account());
            set.is_enabled() && may_use(&**adapter)
        });
        adapters.sort_by_key(|adapter| !adapter.account().is_default());
        for adapter in adapters {
            let Some(rules) = self.pairing().channels().get(adapter.channel()) else {
                continue;
            };
            for owner in Owners::of(config, rules).senders() {
                match direct(&*adapter, owner).await {
                    Ok(chat) => add(&mut places, adapter.clone(), chat, None),
                    // The next pass tries again.
                    Err(error) => tracing::debug!(
                        channel = %adapter.channel(), %error, "an owner's chat cannot be opened"
                    ),
                }
            }
        }
        places
    }

    /// The chats that get notices, each once: those of all owners if the configuration says so, and those
    /// that have subscribed.
    async fn places(&self, notices: &Notices) -> Vec<Recipient> {
        let config = &self.0.parts.settings.load().config.clone();
        let mut places: Vec<Recipient> = Vec::new();
        if config.notify_owners {
            places = self.owners(config, |_| true).await;
        }
        for subscriber in &notices.subscribers {
            let place = subscriber.channel().zip(subscriber.account());
            let Some((channel, account)) = place else {
                continue;
            };
            let adapter = self.adapter(&channel, &account);
            let rules = self.pairing().channels().get(&channel);
            let by = rules.and_then(|rules| rules.sender(subscriber.by()).ok());
            // A subscriber who is no longer an owner gets no notices.
            let is_owner = by.is_some_and(|by| self.is_owner(&channel, &by));
            if let Some(adapter) = adapter.filter(|_| is_owner) {
                let chat = Target::chat(subscriber.chat()).thread(subscriber.thread());
                add(&mut places, adapter, chat, Some(subscriber.clone()));
            }
        }
        places
    }
}

fn add(
    places: &mut Vec<Recipient>,
    adapter: Arc<dyn Adapter>,
    chat: Target,
    subscriber: Option<Subscriber>,
) {
    let is_same = |place: &Recipient| {
        place.adapter.channel() == adapter.channel() && place.chat.chat == chat.chat
    };
    if !places.iter().any(is_same) {
        places.push(Recipient {
            adapter,
            chat,
            subscriber,
        });
    }
}

/// The text about a request. It has buttons only if it shows everything that they would grant.
fn notice(asking: &PendingSubject, about: &RequestRef, adapter: &dyn Adapter) -> Outgoing {
    let text = format!("New request: {}\nId: {}", described(asking), asking.name());
    let is_whole = adapter.longest_text().fits(&text);
    let data = button(true, about).zip(button(false, about));
    let (text, data) = match data.filter(|_| is_whole && adapter.can().buttons) {
        Some(data) => (text, Some(data)),
        None if is_whole => {
            let name = asking.name();
            let text = format!("{text}\n\nDecide with /pair approve {name} or /pair reject {name}");
            (text, None)
        }
        None => {
            let title = asking.title();
            let text = format!(
                "New request: {title}\nIt asks for more than fits here: see `openclaw devices list` on the \
                 gateway's machine.\nId: {}",
                asking.name()
            );
            (text, None)
        }
    };
    let buttons = data.map(|(approve, reject)| {
        let button = |label: &str, data| Button::new(label, data);
        vec![button("Approve", approve), button("Reject", reject)]
    });
    Outgoing::text(text).buttons(buttons.unwrap_or_default())
}
