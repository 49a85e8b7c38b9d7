//! Receiving: connections to the gateway, one after the other, and the session that they share.
//!
//! A session outlives its connections: on a new one it is resumed, and the gateway sends what was missed. The number of an
//! event is saved before the event is handed on: a crash in between loses that one message, and none comes twice.
//! Better a message that has to be repeated than a command that is carried out twice.

mod handing;
mod hearing;
mod start;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::ws::WebSocket;
use channel_kit::{Backoff, Connection, Inbox, Recent, Slot, Stop};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::Discord;
use crate::event;
use crate::rest::CallError;
use crate::root::GatewayAddress;
use crate::saved::Session;
use crate::trouble::{GatewayError, Troubles};
use handing::Queued;

/// Direct messages, with their content, which needs no privileged intent.
const INTENTS: u64 = 1 << 12;

/// Maximum number of events that wait for room in the inbox. When there are more, nothing is read.
const QUEUE: usize = 64;

/// Ids of messages are remembered for an hour, and at most so many.
const RECENT: (Duration, usize) = (Duration::from_secs(3600), 10_000);

/// Maximum number of acknowledgements and optional calls at a time, and of commands that wait for an answer.
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
        commands: JoinSet::new(),
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
    commands: JoinSet<()>,
    /// When a session was last begun.
    began_last: Option<Instant>,
    has_registered: bool,
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
        let asked = start::ask(&bot);
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
        let hello = self
            .meanwhile(timeout(within, start::hello(socket)))
            .await?;
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

    /// Waits for what cannot be changed here; the end where trying again is useless.
    async fn ride_out(&mut self, error: GatewayError) -> Result<(), Over> {
        let now = self.bot.clock.now();
        if let Some(advice) = error.is_final() {
            self.bot.status.failed(error.named(), now);
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
