//! Receiving: one connection after another, while the account is linked.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::{Backoff, Connection, Inbox, Seen, Stop, mark};
use pairing_core::escape;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use whatsapp_rust::TokioRuntime;
use whatsapp_rust::bot::{Bot, BotBuilder, BotHandle, EventDelivery, Provided};
use whatsapp_rust::types::events::{ConnectFailureReason, Event, EventKind};

use super::WhatsAppWeb;
use super::backend::linked_as;
use super::hook::Hook;
use super::store::{Keys, KeysError, Store};
use super::trouble::{SessionError, Troubles};

/// How long a message is remembered, and how many at most.
const SEEN: (Duration, usize) = (Duration::from_secs(14 * 24 * 3600), 1024);

/// How many events wait to be looked at.
const EVENTS: usize = 64;

/// The longest time for which a ban is waited out without a look.
const BAN: Duration = Duration::from_secs(24 * 3600);

/// The longest reason of WhatsApp's that is passed on, in characters.
const REASON: usize = 200;

/// The events that say what became of a connection.
pub(crate) const KINDS: [EventKind; 15] = [
    EventKind::Connected,
    EventKind::Disconnected,
    EventKind::LoggedOut,
    EventKind::StreamReplaced,
    EventKind::TemporaryBan,
    EventKind::ConnectFailure,
    EventKind::ClientOutdated,
    EventKind::PairSuccess,
    EventKind::PairError,
    EventKind::PairingQrCode,
    EventKind::PairingCode,
    EventKind::PairingCodeError,
    EventKind::PairingQrCodesExhausted,
    EventKind::QrScannedWithoutMultidevice,
    EventKind::PairPasskeyRequest,
];

impl WhatsAppWeb {
    /// The mark of this account in what it saves.
    pub(crate) fn mark(&self) -> String {
        mark(&self.identity())
    }

    /// Opens the keys.
    pub(crate) async fn open(&self) -> Result<Keys, KeysError> {
        let (dir, clock) = (self.keys.clone(), Arc::clone(&self.clock));
        let opened = tokio::task::spawn_blocking(move || Store::open(&dir, clock)).await;
        opened.map_err(|_| KeysError::GivenUp)?.map(Keys::new)
    }
}

pub(crate) async fn run(web: Arc<WhatsAppWeb>, inbox: Inbox, mut stop: Stop) {
    web.status.set(Connection::Connecting, web.clock.now());
    let troubles = Arc::new(Troubles::new(channel_kit::Adapter::account(&*web)));
    let mut backoff = Backoff::new(Arc::clone(&web.entropy), web.pace.backoff);
    loop {
        let session = session(&web, &inbox, &troubles, &mut backoff, stop.clone());
        let Some(error) = session.await else { break };
        web.status
            .failed(pairing_core::Chain(&error).to_string(), web.clock.now());
        troubles.met(&error);
        let wait = match &error {
            error if error.is_lasting() => None,
            SessionError::Banned { after } => Some((*after).min(BAN)),
            _ => Some(backoff.failed(None)),
        };
        let waiting = async {
            match wait {
                Some(wait) => sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.wait() => break,
            () = web.linked.notified() => backoff.reset(),
            () = waiting => {}
        }
    }
    web.status.set(Connection::Stopped, web.clock.now());
}

/// One session, until it fails; `None` when it is time to stop.
async fn session(
    web: &Arc<WhatsAppWeb>,
    inbox: &Inbox,
    troubles: &Arc<Troubles>,
    backoff: &mut Backoff,
    mut stop: Stop,
) -> Option<SessionError> {
    let _in_use = tokio::select! {
        biased;
        () = stop.wait() => return None,
        in_use = web.in_use.lock() => in_use,
    };
    let keys = match web.open().await {
        Ok(keys) => keys,
        Err(error) => return Some(error.into()),
    };
    let mut running = match begin(web, inbox, troubles, &keys).await {
        Ok(running) => running,
        Err(error) => return Some(error),
    };
    web.set_live(Some(running.handle.client()));
    let ended = tokio::select! {
        biased;
        () = stop.wait() => None,
        ended = follow(web, &mut running, troubles, backoff) => Some(ended),
    };
    web.set_live(None);
    running.end(web.pace.call).await;
    if let Some(SessionError::LoggedOut) = ended
        && let Err(error) = keys.store().clear().await
    {
        return Some(error.into());
    }
    ended
}

async fn begin(
    web: &Arc<WhatsAppWeb>,
    inbox: &Inbox,
    troubles: &Arc<Troubles>,
    keys: &Keys,
) -> Result<Running, SessionError> {
    if linked_as(keys.store()).await?.is_none() {
        return Err(SessionError::NotLinked);
    }
    let seen = {
        let web = Arc::clone(web);
        let load = move || Seen::new(SEEN.0, SEEN.1).load(&*web.seen, &web.mark());
        let loaded = tokio::task::spawn_blocking(load).await;
        loaded.unwrap_or_else(|_| Seen::new(SEEN.0, SEEN.1))
    };
    let hook = Hook::new(Arc::clone(web), inbox.clone(), seen, Arc::clone(troubles));
    Running::start(web, keys, |bot| bot.with_inbound_durability_hook(hook)).await
}

/// Follows a connection to its end. What passes is only noted: the library connects again.
async fn follow(
    web: &WhatsAppWeb,
    running: &mut Running,
    troubles: &Troubles,
    backoff: &mut Backoff,
) -> SessionError {
    loop {
        match running.next().await {
            Happened::Event(event) => {
                if matches!(&*event, Event::Connected(_)) {
                    web.status.set(Connection::Connected, web.clock.now());
                    troubles.over();
                    backoff.reset();
                } else if let Some(error) = fatal(&event) {
                    return error;
                }
            }
            Happened::Failure(reason) => {
                let error = SessionError::Lost { reason };
                web.status.failed(error.to_string(), web.clock.now());
                troubles.met(&error);
            }
            Happened::End => {
                let reason = "it has ended by itself".to_owned();
                return SessionError::Lost { reason };
            }
        }
    }
}

/// What an event says of the end of a session; `None` for every other event.
pub(crate) fn fatal(event: &Event) -> Option<SessionError> {
    let refused = |reason: &ConnectFailureReason, message: Option<&str>| {
        let text = message.map_or_else(|| format!("{reason:?}"), str::to_owned);
        let reason = escape(&text).limit(REASON).to_string();
        SessionError::Refused { reason }
    };
    Some(match event {
        Event::LoggedOut(info) => match info.reason {
            ConnectFailureReason::LoggedOut | ConnectFailureReason::UnknownLogout => {
                SessionError::LoggedOut
            }
            ConnectFailureReason::AccountLocked => SessionError::Locked,
            ref other => refused(other, None),
        },
        Event::StreamReplaced(_) => SessionError::Replaced,
        Event::TemporaryBan(ban) => SessionError::Banned {
            after: ban.expire.to_std().unwrap_or_default(),
        },
        Event::ClientOutdated(_) => SessionError::Outdated,
        Event::ConnectFailure(failure) => refused(&failure.reason, failure.message.as_deref()),
        _ => return None,
    })
}

/// A connection of the library, which runs.
pub(crate) struct Running {
    handle: BotHandle,
    events: mpsc::Receiver<Arc<Event>>,
    failures: mpsc::Receiver<String>,
    has_ended: bool,
}

/// Something that happened to a connection.
pub(crate) enum Happened {
    Event(Arc<Event>),
    /// It failed, and the library connects again.
    Failure(String),
    End,
}

/// Tells what happens to a connection: the library's, or in tests a list.
pub(crate) trait Happenings: Send {
    fn next(&mut self) -> impl Future<Output = Happened> + Send;
}

/// A builder that lacks nothing.
pub(crate) type Complete = BotBuilder<Provided, Provided, Provided, Provided>;

impl Running {
    pub(crate) async fn start(
        web: &WhatsAppWeb,
        keys: &Keys,
        more: impl FnOnce(Complete) -> Complete,
    ) -> Result<Self, SessionError> {
        let (heard, events) = mpsc::channel(EVENTS);
        let (failed, failures) = mpsc::channel(EVENTS);
        let network = web.network.telling(failed);
        let mut bot = Bot::builder()
            .with_backend(keys.store().clone())
            .with_transport_factory(network.clone())
            .with_http_client(network)
            .with_runtime(TokioRuntime)
            .skip_history_sync()
            .with_event_delivery(EventDelivery::Ordered { capacity: EVENTS })
            .on_event_for(&KINDS, move |event, _| {
                let heard = heard.clone();
                async move {
                    // Nobody may follow it any more.
                    let _ = heard.send(event).await;
                }
            });
        if let Some(version) = web.network.version {
            bot = bot.with_version(version);
        }
        let bot = more(bot).build().await.map_err(|error| {
            let reason = escape(&error.to_string()).limit(REASON).to_string();
            SessionError::Setup { reason }
        })?;
        Ok(Self {
            handle: bot.spawn(),
            events,
            failures,
            has_ended: false,
        })
    }

    /// Ends it, once what it has to write is written.
    pub(crate) async fn end(self, within: Duration) {
        if !self.has_ended {
            // Its task is aborted if it takes longer.
            let _ = timeout(within, self.handle.shutdown()).await;
        }
    }
}

impl Happenings for Running {
    async fn next(&mut self) -> Happened {
        tokio::select! {
            biased;
            Some(event) = self.events.recv() => Happened::Event(event),
            Some(reason) = self.failures.recv() => Happened::Failure(reason),
            () = &mut self.handle, if !self.has_ended => {
                self.has_ended = true;
                // What it said before it ended comes first.
                self.events.try_recv().map_or(Happened::End, Happened::Event)
            }
            else => Happened::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use whatsapp_rust::types::events::{LoggedOut, StreamReplaced, TemporaryBan};
    use whatsapp_rust::wacore::types::events::{Connected, TempBanReason};

    use super::*;

    #[test]
    fn what_ends_a_session_is_named_and_only_a_removed_device_loses_its_keys() {
        let out = |reason| {
            let out = LoggedOut::builder().on_connect(true).reason(reason).build();
            fatal(&Event::LoggedOut(out)).unwrap()
        };
        let removed = out(ConnectFailureReason::LoggedOut);
        assert!(matches!(removed, SessionError::LoggedOut) && removed.is_lasting());
        assert_eq!(removed.to_string(), "the phone has removed this device");
        let locked = out(ConnectFailureReason::AccountLocked);
        assert!(matches!(locked, SessionError::Locked) && locked.is_lasting());
        let replaced = fatal(&Event::StreamReplaced(StreamReplaced::builder().build())).unwrap();
        assert!(matches!(replaced, SessionError::Replaced) && replaced.is_lasting());
        let ban = TemporaryBan::builder()
            .code(TempBanReason::BlockedByUsers)
            .expire(whatsapp_rust::chrono::TimeDelta::seconds(90))
            .build();
        let ban = fatal(&Event::TemporaryBan(ban)).unwrap();
        assert_eq!(ban.to_string(), "WhatsApp has banned the account for 2 min");
        assert!(!ban.is_lasting());
        assert!(fatal(&Event::Connected(Connected::builder().build())).is_none());
    }
}
