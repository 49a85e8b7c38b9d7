//! Receiving: connections to the gateway, one after the other, and the session that they share.
//!
//! A session outlives its connections: on a new one it is resumed, and the gateway sends what was missed. The number of an
//! event is saved before the event is handed on: a crash in between loses that one message, and none comes twice.
//! Better a message that has to be repeated than a command that is carried out twice.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::http::{Method, seconds};
use channel_kit::ws::{Frame, WebSocket, WsError};
use channel_kit::{Backoff, Connection, Inbox, Incoming, Recent, Slot, Stop};
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::Discord;
use crate::errands;
use crate::event::{self, Event, Kind, Payload, Ready};
use crate::rest::{Call, CallError, read};
use crate::root::GatewayAddress;
use crate::saved::Session;
use crate::trouble::{GatewayError, Troubles};

/// Direct messages, with their content, which needs no privileged intent.
const INTENTS: u64 = 1 << 12;

/// Maximum number of events that wait for room in the inbox. When there are more, nothing is read.
const QUEUE: usize = 64;

/// Ids of messages are remembered for an hour, and at most so many.
const RECENT: (Duration, usize) = (Duration::from_secs(3600), 10_000);

/// Maximum number of acknowledgements and optional calls at a time.
const ERRANDS: usize = 64;

/// The close code of our own that leaves the session resumable: 1000 and 1001 end it.
const RESUMABLE: u16 = 4000;

/// There is no more to do: it is time to stop, nobody listens, or the bot is not accepted.
pub(crate) struct Over;

pub(crate) async fn run(bot: Arc<Discord>, inbox: Inbox, stop: Stop) {
    let mut keeper = Keeper {
        troubles: Troubles::new(&bot.account),
        backoff: Backoff::new(Arc::clone(&bot.entropy), bot.pace.backoff),
        session: None,
        queue: VecDeque::new(),
        epoch: 0,
        recent: Recent::new(RECENT.0, RECENT.1),
        errands: JoinSet::new(),
        began_last: None,
        has_registered: false,
        bot: Arc::clone(&bot),
        inbox,
        stop,
    };
    bot.status.set(Connection::Connecting, bot.clock.now());
    let Err(Over) = keeper.forever().await;
    // What waits in the queue comes again at the next start.
    keeper.note().await;
    bot.status.set(Connection::Stopped, bot.clock.now());
}

struct Keeper {
    bot: Arc<Discord>,
    inbox: Inbox,
    stop: Stop,
    troubles: Troubles,
    backoff: Backoff,
    session: Option<Session>,
    queue: VecDeque<Queued>,
    /// The number of the session, to tell what is queued of an earlier one.
    epoch: u64,
    recent: Recent,
    errands: JoinSet<()>,
    /// When a session was last begun.
    began_last: Option<Instant>,
    has_registered: bool,
}

/// An event that waits for room in the inbox.
struct Queued {
    seq: u64,
    epoch: u64,
    what: Incoming,
}

enum Never {}

/// The heartbeats of a connection.
struct Beats {
    interval: Duration,
    next: Instant,
    is_acknowledged: bool,
    /// Frames were left unread since the last beat, perhaps an acknowledgement.
    was_full: bool,
}

impl Keeper {
    async fn forever(&mut self) -> Result<Never, Over> {
        let bot = Arc::clone(&self.bot);
        let load = move || Session::load(&*bot.saved, &bot.mark());
        self.session = tokio::task::spawn_blocking(load).await.unwrap_or_default();
        if let Some(session) = &self.session {
            self.bot.set_application(&session.ready.application);
        }
        loop {
            let ended = self.connection().await;
            let error = match ended? {
                Ok(never) => match never {},
                Err(error) => error,
            };
            self.ride_out(error).await?;
        }
    }

    /// One connection, from its address to its end.
    async fn connection(&mut self) -> Result<Result<Never, GatewayError>, Over> {
        let address = match self.address().await? {
            Ok(address) => address,
            Err(error) => return Ok(Err(error)),
        };
        let bot = Arc::clone(&self.bot);
        let url = address.to_connect();
        let opening = bot.sockets.connect(&url, event::LONGEST, bot.pace.call);
        let mut socket = match self.meanwhile(opening).await? {
            Ok(socket) => socket,
            Err(error) => return Ok(Err(error.into())),
        };
        let ended = self.serve(&mut socket).await;
        // The session is to be resumed, by this process or by the next.
        socket.close(RESUMABLE).await;
        ended
    }

    /// The address to connect to: where the session can be resumed, or where one can be begun, once that is allowed.
    async fn address(&mut self) -> Result<Result<GatewayAddress, GatewayError>, Over> {
        let configured = self.bot.gateway.clone();
        if let Some(session) = &self.session {
            let named = self.bot.checked(&session.ready.resume_at);
            let Some(named) = named else {
                // Not where a token may go. The session cannot be resumed.
                self.session = None;
                return Ok(configured.ok_or(GatewayError::Address));
            };
            // What stands before the gateway is not gone around.
            let address = match configured {
                Some(own) if !own.is_same_host(&named) => own,
                _ => named,
            };
            return Ok(Ok(address));
        }
        if let Some(last) = self.began_last {
            self.meanwhile(sleep_until(last + self.bot.pace.identify))
                .await?;
        }
        let bot = Arc::clone(&self.bot);
        let asked = gateway(&bot);
        let found = match self.meanwhile(asked).await? {
            Ok(found) => found,
            Err(error) => return Ok(Err(error.into())),
        };
        if let Some(after) = found.none_left() {
            return Ok(Err(GatewayError::NoSessionsLeft { after }));
        }
        let address = configured.or_else(|| self.bot.checked(&found.url));
        Ok(address.ok_or(GatewayError::Address))
    }

    /// Serves an open connection until it ends.
    async fn serve(&mut self, socket: &mut WebSocket) -> Result<Result<Never, GatewayError>, Over> {
        let within = self.bot.pace.call;
        let hello = self.meanwhile(timeout(within, hello(socket))).await?;
        let interval = match hello {
            Ok(Ok(interval)) => interval,
            Ok(Err(error)) => return Ok(Err(error)),
            Err(_) => return Ok(Err(GatewayError::NoHello)),
        };
        let first = self.bot.jitter();
        let mut beats = Beats {
            interval,
            next: Instant::now() + interval.mul_f64(first),
            is_acknowledged: true,
            was_full: false,
        };
        let opening = self.opening();
        if let Err(error) = socket.send_text(opening).await {
            return Ok(Err(error.into()));
        }
        let mut session_by = Some(Instant::now() + within);
        loop {
            let by = session_by.unwrap_or(beats.next);
            let has_room = self.queue.len() < QUEUE;
            beats.was_full |= !has_room;
            let step = tokio::select! {
                biased;
                () = self.stop.wait() => return Err(Over),
                slot = reserve(&self.inbox), if !self.queue.is_empty() => {
                    self.hand_over(slot.ok_or(Over)?).await;
                    Ok(())
                }
                frame = socket.next(), if has_room => match frame {
                    Ok(frame) => self.frame(frame, socket, &mut beats, &mut session_by).await,
                    Err(error) => Err(error.into()),
                },
                () = sleep_until(beats.next) => self.beat(socket, &mut beats).await,
                () = sleep_until(by), if session_by.is_some() => Err(GatewayError::NoSession),
            };
            if let Err(error) = step {
                return Ok(Err(error));
            }
            // In a flood there is always another frame.
            if Instant::now() >= beats.next + Duration::from_secs(1) {
                beats.was_full = true;
                if let Err(error) = self.beat(socket, &mut beats).await {
                    return Ok(Err(error));
                }
            }
        }
    }

    /// The payload that begins or resumes the session.
    fn opening(&mut self) -> String {
        let token = self.bot.rest.token.expose();
        let opening = if let Some(session) = &self.session {
            json!({ "op": 6, "d": {
                "token": token, "session_id": session.ready.session, "seq": session.seq,
            } })
        } else {
            self.began_last = Some(Instant::now());
            json!({ "op": 2, "d": {
                "token": token, "intents": INTENTS,
                "properties": { "os": std::env::consts::OS, "browser": "openclaw", "device": "openclaw" },
            } })
        };
        opening.to_string()
    }

    async fn beat(
        &mut self,
        socket: &mut WebSocket,
        beats: &mut Beats,
    ) -> Result<(), GatewayError> {
        if !beats.is_acknowledged && !beats.was_full {
            return Err(GatewayError::Zombie);
        }
        beats.is_acknowledged = false;
        beats.was_full = false;
        beats.next = Instant::now() + beats.interval;
        let seq = self.session.as_ref().map(|session| session.seq);
        let beat = json!({ "op": 1, "d": seq }).to_string();
        Ok(socket.send_text(beat).await?)
    }

    async fn frame(
        &mut self,
        frame: Frame,
        socket: &mut WebSocket,
        beats: &mut Beats,
        session_by: &mut Option<Instant>,
    ) -> Result<(), GatewayError> {
        let Frame::Text(text) = frame else {
            return Ok(());
        };
        match event::parse(&text) {
            Some(Payload::Acknowledged) => beats.is_acknowledged = true,
            Some(Payload::HeartbeatWanted) => {
                // It is no sign of trouble if the last one is not acknowledged yet.
                beats.is_acknowledged = true;
                return self.beat(socket, beats).await;
            }
            Some(Payload::Reconnect) => return Err(GatewayError::Replaced),
            Some(Payload::InvalidSession { may_resume }) => {
                return Err(if may_resume && self.session.is_some() {
                    GatewayError::Replaced
                } else {
                    GatewayError::InvalidSession
                });
            }
            Some(Payload::Event { seq, event }) => {
                let is_begun = matches!(event, Event::Ready(_) | Event::Resumed);
                self.event(seq, event).await;
                if is_begun {
                    *session_by = None;
                }
            }
            Some(Payload::Hello { .. } | Payload::Other) => {}
            None => tracing::debug!(
                account = self.bot.account.as_str(),
                "discord: a payload cannot be read, and is passed over"
            ),
        }
        Ok(())
    }

    async fn event(&mut self, seq: u64, event: Event) {
        if let Some(session) = &mut self.session {
            session.seq = seq;
        }
        match event {
            Event::Ready(ready) => self.begun(ready, seq).await,
            Event::Resumed => self.connected(),
            Event::Message(message) => {
                let Some(session) = &self.session else { return };
                let now = self.bot.clock.now();
                let id = message.id().clone();
                let inbound = message.inbound(&session.ready.me, self.bot.allows_bots, now);
                if let Some(inbound) = inbound
                    && self.recent.is_new(id.as_str(), now)
                {
                    self.bot.interactions.said(&inbound.chat.chat);
                    self.enqueue(seq, Incoming::Message(inbound));
                }
            }
            Event::Interaction(interaction) => self.interaction(seq, &interaction),
            Event::Other => {}
        }
    }

    fn interaction(&mut self, seq: u64, interaction: &event::Interaction) {
        let now = self.bot.clock.now();
        if !self.recent.is_new(interaction.id.as_str(), now) {
            return;
        }
        let what = match &interaction.kind {
            Kind::Button { message, data, .. } => {
                interaction.pressed(message, data).map(Incoming::Pressed)
            }
            Kind::Command { text } => interaction.inbound(text, now).map(Incoming::Message),
        };
        let Some(what) = what else { return };
        while self.errands.try_join_next().is_some() {}
        if self.errands.len() >= ERRANDS {
            tracing::warn!(
                account = self.bot.account.as_str(),
                "discord: too many interactions at a time, one is not answered"
            );
            return;
        }
        errands::acknowledge(&self.bot, &mut self.errands, interaction);
        self.enqueue(seq, what);
    }

    async fn begun(&mut self, ready: Ready, seq: u64) {
        self.epoch += 1;
        self.bot.set_application(&ready.application);
        tracing::info!(
            account = self.bot.account.as_str(), bot = %ready.me,
            "discord: the session has begun"
        );
        self.session = Some(Session { ready, seq });
        self.note().await;
        self.connected();
    }

    fn connected(&mut self) {
        self.backoff.reset();
        self.troubles.over();
        self.bot
            .status
            .set(Connection::Connected, self.bot.clock.now());
        if !std::mem::replace(&mut self.has_registered, true) {
            errands::register(&self.bot, &mut self.errands);
        }
    }

    fn enqueue(&mut self, seq: u64, what: Incoming) {
        let epoch = self.epoch;
        self.queue.push_back(Queued { seq, epoch, what });
    }

    /// Moves the oldest event of the queue into the inbox.
    async fn hand_over(&mut self, slot: Slot) {
        let Some(next) = self.queue.pop_front() else {
            return;
        };
        self.note_at(Some(&next)).await;
        slot.put(next.what);
        self.bot.status.received(self.bot.clock.now());
    }

    async fn note(&mut self) {
        self.note_at(None).await;
    }

    /// Saves the session with the number up to which everything has been handed on, or is, now, with `next`.
    async fn note_at(&mut self, next: Option<&Queued>) {
        let Some(mut session) = self.session.clone() else {
            return;
        };
        let waiting = self.queue.iter().find(|queued| queued.epoch == self.epoch);
        let next = next.filter(|queued| queued.epoch == self.epoch);
        session.seq = match (next, waiting) {
            (Some(next), Some(_)) => next.seq,
            (None, Some(waiting)) => waiting.seq.saturating_sub(1),
            (_, None) => session.seq,
        };
        let bot = Arc::clone(&self.bot);
        let save = move || session.save(&*bot.saved, &bot.mark());
        // Saving blocks on a disk.
        match tokio::task::spawn_blocking(save).await {
            Ok(Ok(())) => self.troubles.noted(),
            Ok(Err(error)) => self.troubles.not_noted(&error),
            Err(_) => {}
        }
    }

    /// Waits for what cannot be changed here; the end where trying again is useless.
    async fn ride_out(&mut self, error: GatewayError) -> Result<(), Over> {
        let now = self.bot.clock.now();
        if let Some(advice) = error.is_final() {
            self.bot.status.failed(error.to_string(), now);
            self.troubles.final_error(&error, advice);
            self.session = None;
            return Err(Over);
        }
        if error.ends_session() {
            self.session = None;
        }
        let wait = match &error {
            // As Discord wants it: at a random time, so that not all bots come back at once.
            GatewayError::InvalidSession => {
                let [first, last] = self.bot.pace.invalid;
                first + last.saturating_sub(first).mul_f64(self.bot.jitter())
            }
            GatewayError::Call(CallError::Limited { after })
            | GatewayError::NoSessionsLeft { after } => {
                self.backoff.failed(None).max(*after).min(DAY)
            }
            _ => self.backoff.failed(None),
        };
        if error == GatewayError::Replaced {
            tracing::debug!(
                account = self.bot.account.as_str(),
                "discord: replacing the connection"
            );
        } else {
            self.bot.status.failed(error.to_string(), now);
        }
        self.troubles.met(&error, wait);
        self.meanwhile(sleep(wait)).await
    }

    /// Does something, and hands on what is queued in the meantime.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Over> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                () = self.stop.wait() => return Err(Over),
                done = &mut work => return Ok(done),
                slot = reserve(&self.inbox), if !self.queue.is_empty() => {
                    self.hand_over(slot.ok_or(Over)?).await;
                }
            }
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn reserve(inbox: &Inbox) -> Option<Slot> {
    inbox.reserve().await
}

/// The first payload of a connection.
async fn hello(socket: &mut WebSocket) -> Result<Duration, GatewayError> {
    loop {
        if let Frame::Text(text) = socket.next().await? {
            match event::parse(&text) {
                Some(Payload::Hello { interval }) => return Ok(interval),
                Some(Payload::Reconnect) => return Err(GatewayError::Replaced),
                Some(Payload::InvalidSession { .. }) => return Err(GatewayError::InvalidSession),
                // Nothing else comes first.
                _ => return Err(WsError::Protocol.into()),
            }
        }
    }
}

/// Where sessions are begun, and how many more may be.
#[derive(Deserialize)]
struct Found {
    url: String,
    #[serde(default)]
    session_start_limit: Option<StartLimit>,
}

#[derive(Deserialize)]
struct StartLimit {
    remaining: u64,
    /// Milliseconds.
    reset_after: f64,
}

impl Found {
    /// How long to wait, where no more sessions may be begun.
    fn none_left(&self) -> Option<Duration> {
        let limit = self.session_start_limit.as_ref()?;
        let after = seconds(limit.reset_after / 1000.0);
        (limit.remaining == 0).then(|| after.unwrap_or(DAY).min(DAY))
    }
}

async fn gateway(bot: &Discord) -> Result<Found, CallError> {
    let call = Call::new(
        Method::Get,
        "/gateway/bot".to_owned(),
        "GET /gateway/bot",
        "",
    );
    let response = bot.rest.once(&call, None, bot.pace.call).await?;
    read(&response, "address of a gateway")
}
