//! Receiving: the stream of events, again and again.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::http::Streamed;
use channel_kit::{Backoff, Connection, Inbox, Incoming, Seen, Stop};
use tokio::time::{Instant, sleep, timeout};

use crate::Signal;
use crate::child::Child;
use crate::envelope::{self, Envelope};
use crate::events::Events;
use crate::people::People;
use crate::trouble::{ListenError, Troubles};

/// How long a message is remembered, and how many at most.
const SEEN: (Duration, usize) = (Duration::from_secs(24 * 3600), 256);

/// There is no more to do: it is time to stop, or nobody listens.
struct Over;

pub(crate) async fn run(signal: Arc<Signal>, inbox: Inbox, stop: Stop) {
    signal
        .status
        .set(Connection::Connecting, signal.clock.now());
    let nothing_seen = || Seen::new(SEEN.0, SEEN.1);
    let (seen, people) = {
        let signal = Arc::clone(&signal);
        let load = move || {
            let mark = signal.mark();
            let people = People::load(&*signal.people, &mark);
            (nothing_seen().load(&*signal.seen, &mark), people)
        };
        let loaded = tokio::task::spawn_blocking(load).await;
        loaded.unwrap_or_else(|_| (nothing_seen(), People::default()))
    };
    let backoff = Backoff::new(Arc::clone(&signal.entropy), signal.pace.backoff);
    let child = signal
        .daemon
        .as_ref()
        .map(|daemon| Child::start(daemon.clone(), &signal));
    let mut listener = Listener {
        troubles: Troubles::new(&signal.account),
        backoff,
        seen,
        people,
        has_new_people: false,
        signal: Arc::clone(&signal),
        inbox,
        stop,
    };
    let Over = listener.forever().await;
    if let Some(child) = child {
        child.end().await;
    }
    signal.status.set(Connection::Stopped, signal.clock.now());
}

struct Listener {
    signal: Arc<Signal>,
    inbox: Inbox,
    stop: Stop,
    troubles: Troubles,
    backoff: Backoff,
    seen: Seen,
    people: People,
    /// Whether something is known of people that was not saved so far.
    has_new_people: bool,
}

impl Listener {
    async fn forever(&mut self) -> Over {
        loop {
            let opened = Instant::now();
            let error = match self.connection().await {
                Ok(error) => error,
                Err(over) => return over,
            };
            let signal = Arc::clone(&self.signal);
            signal.status.failed(error.to_string(), signal.clock.now());
            if opened.elapsed() >= signal.pace.steady {
                self.backoff.reset();
            }
            let wait = self.backoff.failed(None);
            self.troubles.met(&error, wait);
            let waiting = async {
                tokio::select! {
                    () = sleep(wait) => false,
                    () = signal.linked.notified() => true,
                }
            };
            match self.unless_over(waiting).await {
                Ok(false) => {}
                // The account may be there now.
                Ok(true) => self.backoff.reset(),
                Err(over) => return over,
            }
        }
    }

    /// One connection, until it fails.
    async fn connection(&mut self) -> Result<ListenError, Over> {
        let signal = Arc::clone(&self.signal);
        let mut logged_out = signal.logged_out.subscribe();
        let opening = signal.rpc.events(signal.pace.call);
        let mut stream = match self.unless_over(opening).await? {
            Ok(stream) => stream,
            Err(error) => return Ok(error.into()),
        };
        signal.status.set(Connection::Connected, signal.clock.now());
        self.troubles.over();
        let mut events = Events::default();
        loop {
            let next = async {
                tokio::select! {
                    bytes = next(&mut stream, &signal) => bytes,
                    _ = logged_out.changed() => Err(ListenError::LoggedOut),
                }
            };
            match self.unless_over(next).await? {
                Ok(bytes) => {
                    for event in events.push(&bytes) {
                        if let Some(envelope) = envelope::parse(&event) {
                            self.hand_on(envelope).await?;
                        }
                    }
                }
                Err(error) => return Ok(error),
            }
        }
    }

    /// Hands a message on, unless it was before. It is noted first: better a message that has to be repeated than a command
    /// that is carried out twice.
    async fn hand_on(&mut self, mut envelope: Envelope) -> Result<(), Over> {
        if envelope.is_for_another(self.signal.number.as_ref()) {
            return Ok(());
        }
        let id = envelope.id();
        let who = self
            .people
            .identify(envelope.number.clone(), envelope.uuid.take());
        let Some(who) = who else {
            return Ok(());
        };
        // What a message tells about a person counts even if the message is a repeated one.
        self.has_new_people |= who.is_news;
        if who.took_number_over {
            self.troubles.number_moved();
        }
        if self.seen.has(&id) {
            return Ok(());
        }
        let inbox = self.inbox.clone();
        let slot = self.unless_over(inbox.reserve()).await?.ok_or(Over)?;
        let now = self.signal.clock.now();
        self.seen.add(&id, now);
        self.note().await;
        let inbound = envelope.inbound(who, self.signal.number.as_ref());
        slot.put(Incoming::Message(inbound));
        self.signal.status.received(now);
        Ok(())
    }

    /// Saves what is known now.
    async fn note(&mut self) {
        let signal = Arc::clone(&self.signal);
        let mark = signal.mark();
        let seen = self.seen.text(&mark);
        let people = self.has_new_people.then(|| self.people.text(&mark));
        // Saving blocks on a disk.
        let save = move || {
            if let Some(people) = people {
                signal.people.save(&people)?;
            }
            signal.seen.save(&seen)
        };
        let Ok(saved) = tokio::task::spawn_blocking(save).await else {
            return;
        };
        self.signal.status.saved(&saved);
        match saved {
            Ok(()) => {
                self.has_new_people = false;
                self.troubles.noted();
            }
            Err(error) => self.troubles.not_noted(&error),
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

/// The next bytes of a stream, which is not silent for long.
async fn next(
    stream: &mut Streamed,
    signal: &Signal,
) -> Result<channel_kit::http::Bytes, ListenError> {
    match timeout(signal.pace.silence, stream.next()).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(_) => Err(ListenError::Closed),
        Err(_) => Err(ListenError::Silent),
    }
}
