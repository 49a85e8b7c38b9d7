//! The gateway: put together, run, and brought to an end.

use std::ffi::OsString;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use gateway_protocol::close;
use gateway_protocol::event::{self, PresenceChanged, Shutdown, Tick};
use pairing_core::{Devices, Entropy, Pairing};
use pairing_fs::{AuditLog, StateDir, SystemEntropy};
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use pairing_core::device::Role;

use crate::adapters::configured;
use crate::chat::Commands;
use crate::conn::outbox::End;
use crate::doctor::Doctor;
use crate::feed;
use crate::following::Following;
use crate::frames::{event as frame, event_with};
use crate::invokes::Invokes;
use crate::listen;
use crate::lockout::Lockouts;
use crate::methods::{Access, Call, Methods, Reply};
use crate::metrics::Metrics;
use crate::peers::{self, Peers};
use crate::sessions::{Session, Sessions, Who};
use crate::settings::Settings;
use crate::shared::{Shared, without_addresses};
use crate::sockets::Waiting;
use crate::store::Kept;
use crate::store_health::StoreHealth;
use crate::tls::Tls;
use channel_kit::{Adapter, Stop};
use gateway_channels::Host;
use gateway_channels::{Channels, Message, OwnerCommands, Roster};
use pairing_core::Chain;

/// A gateway that has everything it needs: [`run`](Self::run) it.
pub struct Gateway {
    shared: Arc<Shared>,
    listeners: Vec<TcpListener>,
    tls: Option<Tls>,
    roster: Roster,
    pair_commands: Option<PairCommands>,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Where `/pair` keeps what outlives the process, if anywhere.
type PairCommands = Option<StateDir>;

/// Puts a [`Gateway`] together.
pub struct GatewayBuilder {
    pairing: Pairing,
    settings: Settings,
    methods: Methods,
    metrics: Metrics,
    entropy: Box<dyn Entropy>,
    listeners: Vec<TcpListener>,
    tls: Option<Tls>,
    channels: Channels,
    roster: Roster,
    pair_commands: Option<PairCommands>,
    peers: Option<Peers>,
    grace: Option<Duration>,
    store_kind: Option<Kept>,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What can be done to a gateway while it runs. Cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl GatewayBuilder {
    /// Listens on this socket, beside those named before.
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Encrypts.
    pub fn tls(self, tls: Tls) -> Self {
        let tls = Some(tls);
        Self { tls, ..self }
    }

    /// Ends when this does; without it, when it is dropped.
    pub fn shutdown(self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            shutdown: Box::pin(signal),
            ..self
        }
    }

    /// Adds a method of the embedder's, for callers that have `access`. It replaces a built-in method of the
    /// same name.
    pub fn method<F>(
        mut self,
        name: &str,
        access: Access,
        answer: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        self.methods.add_async(name, access, answer);
        self
    }

    /// Runs this adapter. It takes the place of one for the same account.
    pub fn adapter(mut self, adapter: Arc<dyn Adapter>) -> Self {
        self.roster.add(adapter);
        self
    }

    /// Runs the adapters that the configuration names, too: the bots that have a token in it, in a file that
    /// it names, or in the environment. They follow the configuration, as it is [reloaded](Handle::reload);
    /// one that cannot be made is in the log. What they have to remember is kept in the state directory.
    pub fn configured_adapters(
        mut self,
        state: &StateDir,
        var: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static,
    ) -> Self {
        let state = state.clone();
        let source = Arc::new(move |config: &_| configured(config, &state, &var));
        self.roster.set_source(source);
        self
    }

    /// Hands over what people write who may, beside telling operators. The messages of a chat come one
    /// after the other; one that takes long holds up a few other chats, too.
    pub fn on_message<F>(mut self, handle: impl Fn(Message) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.channels
            .set_handler(move |message| Box::pin(handle(message)));
        self
    }

    /// What owners may say in chats, instead of `/pair`.
    pub fn owner_commands(self, commands: Arc<dyn OwnerCommands>) -> Self {
        // Those that came first stay.
        self.channels.set_commands(commands);
        self
    }

    /// Lets owners decide in their chats: `/pair`, and notices with buttons where the configuration or an
    /// owner asks for them. Which chats are told, and what is to be taken out of chats again, is kept in
    /// the state directory; without one it is forgotten when the gateway ends.
    pub fn pair_commands(self, state: Option<&StateDir>) -> Self {
        Self {
            pair_commands: Some(state.cloned()),
            ..self
        }
    }

    /// Answers `pairing.audit` from this log: the one that the service writes to.
    pub fn audit_log(mut self, log: AuditLog) -> Self {
        self.methods.add_audit(log);
        self
    }

    /// Answers `doctor.findings`, and says in `status` what keeps the records: from this state directory and
    /// the environment's variables. The service has to be on the store that the settings name.
    pub fn doctor(
        mut self,
        state: &StateDir,
        var: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static,
    ) -> Self {
        let doctor = Doctor::new(state.clone(), Arc::new(var), &self.settings);
        self.store_kind = Some(doctor.store().clone());
        self.methods.add_doctor(doctor);
        self
    }

    /// Is one of several gateways on the same pairing state: it lists the nodes that are connected to the
    /// others, and nodes can be asked by way of any of them. Decisions go to all of them by the store.
    pub fn peers(self, peers: Peers) -> Self {
        let peers = Some(peers);
        Self { peers, ..self }
    }

    /// Sets how long devices go on that were approved before, while the store cannot be reached: others may
    /// end their approval meanwhile. After that their calls are answered UNAVAILABLE until it can. For
    /// good, unless set.
    pub fn grace(self, grace: Duration) -> Self {
        let grace = Some(grace);
        Self { grace, ..self }
    }

    /// Counts in these metrics, which the store may share.
    pub fn metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Draws challenges from this, instead of from the system.
    pub fn entropy(self, entropy: impl Entropy + 'static) -> Self {
        Self {
            entropy: Box::new(entropy),
            ..self
        }
    }

    /// The gateway. With [`configured_adapters`](Self::configured_adapters) it reads files: it blocks.
    pub fn build(mut self) -> Gateway {
        if !self.roster.is_empty() {
            self.methods.add_send();
        }
        self.roster.prepare(&self.channels, &self.settings.config);
        let certificate = self.tls.as_ref().map(Tls::fingerprint);
        if let Some(peers) = &mut self.peers {
            peers.complete(certificate, self.pairing.now());
        }
        let limits = &self.settings.limits;
        let listened = self.listeners.first().and_then(|on| on.local_addr().ok());
        let port = listened.map_or(self.settings.port, |address| address.port());
        let shared = Shared {
            sessions: Sessions::default(),
            lockouts: Lockouts::new(limits),
            waiting: Waiting::new(limits),
            invokes: Invokes::default(),
            tls_fingerprint: certificate.map(|certificate| certificate.to_string()),
            peers: self.peers,
            pairing: self.pairing,
            settings: ArcSwap::from_pointee(self.settings),
            methods: self.methods,
            metrics: self.metrics,
            entropy: self.entropy,
            news: broadcast::channel(feed::WAITING).0,
            requests_read: Notify::new(),
            channels: Arc::new(self.channels),
            port,
            started: Instant::now(),
            store: StoreHealth::new(self.grace),
            store_kind: self.store_kind,
        };
        Gateway {
            shared: Arc::new(shared),
            listeners: self.listeners,
            tls: self.tls,
            roster: self.roster,
            pair_commands: self.pair_commands,
            shutdown: self.shutdown,
        }
    }
}

impl Gateway {
    /// A gateway over a service, by settings. Give it a [`listener`](GatewayBuilder::listener).
    pub fn builder(pairing: Pairing, settings: Settings) -> GatewayBuilder {
        GatewayBuilder {
            pairing,
            settings,
            methods: Methods::builtin(),
            metrics: Metrics::new(),
            entropy: Box::new(SystemEntropy),
            listeners: Vec::new(),
            tls: None,
            channels: Channels::default(),
            roster: Roster::default(),
            pair_commands: None,
            peers: None,
            grace: None,
            store_kind: None,
            shutdown: Box::pin(std::future::pending()),
        }
    }

    /// What can be done to it while it runs.
    pub fn handle(&self) -> Handle {
        Handle(self.shared.clone())
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Runs until the shutdown signal; then everybody is told, what is under way ends within
    /// `limits.drain`, and what is to be written down is. Needs tokio's I/O and time, and threads for
    /// blocking work.
    pub async fn run(self) {
        let Self {
            shared,
            listeners,
            tls,
            roster,
            pair_commands,
            shutdown,
        } = self;
        // Before anybody can ask: whoever does is news.
        let (tell, ready) = oneshot::channel();
        let feed = Following::start("pairing-feed", &shared, |shared, stop| {
            feed::follow(shared, stop, tell);
        });
        // Dropped untold where there is no such thread.
        let _ = ready.await;
        let (stop, stopped) = watch::channel(false);
        let (stop_workers, _) = Stop::new();
        let mut tasks = JoinSet::new();
        for listener in listeners {
            let tls = tls.as_ref().map(Tls::acceptor);
            tasks.spawn(listen::accept(
                listener,
                tls,
                shared.clone(),
                stopped.clone(),
            ));
        }
        tasks.spawn(tick(shared.clone()));
        tasks.spawn(presence(shared.clone()));
        tasks.spawn(upkeep(shared.clone()));
        if let Some(state) = pair_commands {
            let commands = Commands::new(shared.clone(), state.as_ref());
            // Those of the embedder's own stay.
            shared.channels.set_commands(commands.handle());
            tasks.spawn(commands.run(stop_workers.subscribe()));
        }
        // They begin once the store is followed: whoever has written while there was no gateway comes in at
        // once, and the owner is to be told.
        let mut chats = JoinSet::new();
        let host: Arc<dyn Host> = shared.clone();
        chats.spawn(roster.run(host, shared.channels.clone(), stop_workers.subscribe()));
        let mut announcing = JoinSet::new();
        let following = shared.peers.as_ref().map(|_| {
            announcing.spawn(peers::announce(shared.clone(), stop_workers.subscribe()));
            Following::start("peers", &shared, |shared, stop| peers::follow(shared, stop))
        });

        shutdown.await;

        tracing::info!("shutting down");
        // Listeners close with their tasks; connections that are only just coming in are let go.
        stop.send_replace(true);
        stop_workers.stop();
        // Each of them sees to it that it ends in time.
        let channels_end = async { while chats.join_next().await.is_some() {} };
        let withdrawn = async { while announcing.join_next().await.is_some() {} };
        tokio::join!(say_goodbye(&shared), channels_end, withdrawn);
        tasks.shutdown().await;
        drop((feed, following));
        write_down(&shared).await;
    }
}

/// Shows every client that the gateway is alive.
async fn tick(shared: Arc<Shared>) {
    loop {
        let every = shared.settings.load().limits.tick_interval;
        sleep(every).await;
        let ts = shared.pairing.now().as_millis();
        shared
            .sessions
            .broadcast(&frame(event::TICK, &Tick { ts }), |_| true);
    }
}

/// Tells who is there, at most once a second, and less often the more there are to be told: a crowd
/// that comes at once is one piece of news.
async fn presence(shared: Arc<Shared>) {
    loop {
        shared.sessions.changed.notified().await;
        if shared.sessions.any(Session::may_see_presence) {
            let presence = shared.everybody();
            let mut changed = PresenceChanged { presence };
            let version = Some(shared.state_version());
            let whole = event_with(event::PRESENCE, &changed, version);
            without_addresses(&mut changed.presence);
            let part = event_with(event::PRESENCE, &changed, version);
            let sees = |whole: bool| {
                move |session: &Session| {
                    session.may_see_presence() && session.may_see_nodes() == whole
                }
            };
            shared.sessions.broadcast(&whole, sees(true));
            shared.sessions.broadcast(&part, sees(false));
        }
        let crowd =
            Duration::from_millis(10) * u32::try_from(shared.sessions.count()).unwrap_or(u32::MAX);
        let most = shared.settings.load().limits.tick_interval;
        sleep((Duration::from_secs(1) + crowd).min(most)).await;
    }
}

/// Once a minute: last uses are written down, and requests of devices that stay connected kept alive.
async fn upkeep(shared: Arc<Shared>) {
    let mut every = interval(Devices::FLUSH_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every.tick().await;
    loop {
        every.tick().await;
        write_down(&shared).await;
    }
}

async fn write_down(shared: &Arc<Shared>) {
    let shared = shared.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let devices = shared.pairing.devices();
        for session in shared.sessions.all() {
            if let Who::Device(device) = &session.who {
                devices.touch(device);
                // Nobody waits for it: it is tried again in a minute.
                let _ = devices.hold(device);
            }
        }
        devices.flush_uses()
    });
    if let Ok(Err(error)) = writing.await {
        tracing::error!(error = %Chain(&error), "last uses could not be written down");
    }
}

/// Tells everybody, and waits until what is under way is answered and they are gone, as long as that
/// may take. Nodes go last: operators may still wait for what they do.
async fn say_goodbye(shared: &Shared) {
    shared.sessions.close();
    let shutdown = Shutdown {
        reason: "gateway stopping".to_owned(),
        restart_expected_ms: None,
    };
    shared
        .sessions
        .broadcast(&frame(event::SHUTDOWN, &shutdown), |_| true);
    let drain = shared.settings.load().limits.drain;
    let all_gone = async {
        loop {
            let gone = shared.sessions.gone.notified();
            tokio::pin!(gone);
            gone.as_mut().enable();
            let all = shared.sessions.all();
            if all.is_empty() {
                return;
            }
            let is_operator = |session: &Arc<Session>| session.role() == Role::Operator;
            let operators_left = all.iter().any(is_operator);
            for session in all {
                if is_operator(&session) || !operators_left {
                    session.leave();
                }
            }
            gone.await;
        }
    };
    if timeout(drain, all_gone).await.is_err() {
        let left = shared.sessions.all();
        tracing::warn!(left = left.len(), "connections did not end in time");
        for session in left {
            session.outbox.end(End {
                code: close::GOING_AWAY,
                reason: "gateway stopping",
                at_once: true,
            });
        }
    }
}

impl Handle {
    /// Goes by other settings from now on, as far as that needs no new socket: the secret, limits,
    /// proxies, origins and hosts, who is let in without asking, policies. Operators that came by a
    /// secret which is not the secret any more are disconnected.
    pub fn reload(&self, settings: Settings) {
        let shared = &self.0;
        shared.lockouts.set_limits(&settings.limits);
        shared.waiting.set_limits(&settings.limits);
        let before = shared.settings.swap(Arc::new(settings));
        if !before.secret.is_same(&shared.settings.load().secret) {
            for session in shared.sessions.all() {
                if matches!(session.who, Who::Operator(_)) {
                    session.outbox.end(End {
                        code: close::POLICY,
                        reason: "the secret has changed",
                        at_once: true,
                    });
                }
            }
        }
        shared.channels.note_reload();
        tracing::info!("the configuration has been read anew");
    }

    /// How many clients are connected.
    pub fn connections(&self) -> usize {
        self.0.sessions.count()
    }

    /// Its metrics.
    pub fn metrics(&self) -> Metrics {
        self.0.metrics.clone()
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}

impl fmt::Debug for GatewayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayBuilder").finish_non_exhaustive()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
