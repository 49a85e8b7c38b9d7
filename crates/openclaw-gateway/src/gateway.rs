//! Building, running and stopping a gateway.

use std::ffi::OsString;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use gateway_protocol::close;
use gateway_protocol::event::{self, PresenceChanged, Shutdown, Tick};
use openclaw_config::Config;
use pairing_core::{Devices, Entropy, Pairing};
use pairing_fs::{AuditLog, IdentityDir, StateDir, SystemEntropy};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use pairing_core::device::Role;

use crate::adapters::configured;
use crate::alive::Alive;
use crate::budget::Budget;
use crate::chat::ChatParts;
use crate::chat::Commands;
use crate::clients::Clients;
use crate::doctor::Doctor;
use crate::feed;
use crate::feed::FeedParts;
use crate::following::Following;
use crate::frames::{event as frame, event_with};
use crate::health::{self, Health, Space};
use crate::host::ChannelHost;
use crate::join_codes::JoinCodes;
use crate::listen;
use crate::lockout::Lockouts;
use crate::logins::Logins;
use crate::methods::{Access, Call, Methods, Reply};
use crate::metrics::Metrics;
use crate::outbox::End;
use crate::page_tickets::PageTickets;
use crate::parts::{Entrance, GatewayFacts, Parts};
use crate::peers::{self, Peers};
use crate::probes::Probes;
use crate::reported::{self, Reported};
use crate::requests::Requests;
use crate::server::Server;
use crate::sessions::{Session, Who};
use crate::settings::Settings;
use crate::setup_outcomes::SetupOutcomes;
use crate::store::Kept;
use crate::store_health::StoreHealth;
use crate::tls::Tls;
use crate::upgrades::Upgrades;
use crate::{Instance, InstanceWatch, OwnerSocket};
use channel_kit::{Adapter, Stop};
use gateway_channels::Host;
use gateway_channels::{Channels, Message, OwnerCommands, Roster};
use pairing_core::Chain;

/// A gateway with everything that it needs; [`run`](Self::run) runs it.
pub struct Gateway {
    parts: Arc<Parts>,
    methods: Arc<Methods>,
    listeners: Vec<TcpListener>,
    owner_socket: Option<OwnerSocket>,
    tls: Option<Tls>,
    roster: Roster,
    pair_commands: Option<PairCommands>,
    alive: Option<Alive>,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// The directory in which `/pair` keeps what survives a restart, if there is one.
type PairCommands = Option<StateDir>;

/// Builds a [`Gateway`].
pub struct GatewayBuilder {
    pairing: Pairing,
    settings: Settings,
    methods: Methods,
    metrics: Metrics,
    entropy: Box<dyn Entropy>,
    listeners: Vec<TcpListener>,
    owner_socket: Option<OwnerSocket>,
    tls: Option<Tls>,
    channels: Channels,
    roster: Roster,
    pair_commands: Option<PairCommands>,
    peers: Option<Peers>,
    grace: Option<Duration>,
    store_kind: Option<Kept>,
    /// The state directory, where it is known.
    state_root: Option<PathBuf>,
    instance: Option<InstanceWatch>,
    audit: Option<AuditLog>,
    space: health::SpaceOf,
    alive: Option<Alive>,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Controls a running gateway. Cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Parts>);

impl GatewayBuilder {
    /// Adds a socket to listen on.
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Takes the owner's commands by this socket, too.
    pub fn owner_socket(self, socket: OwnerSocket) -> Self {
        let owner_socket = Some(socket);
        Self {
            owner_socket,
            ..self
        }
    }

    /// Encrypts all connections over TCP.
    pub fn tls(self, tls: Tls) -> Self {
        let tls = Some(tls);
        Self { tls, ..self }
    }

    /// Shows a service manager, if there is one, that the gateway is alive, for as long as it is.
    pub fn alive(self, alive: Option<Alive>) -> Self {
        Self { alive, ..self }
    }

    /// Stops the gateway when this future ends. Without it, the gateway runs until it is dropped.
    pub fn shutdown(self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            shutdown: Box::pin(signal),
            ..self
        }
    }

    /// Adds a method of your own, for callers that have `access`. It replaces a built-in method of the same
    /// name.
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

    /// Runs this adapter. It replaces an adapter for the same account.
    pub fn adapter(mut self, adapter: Arc<dyn Adapter>) -> Self {
        self.roster.add(adapter);
        self
    }

    /// Runs the adapters that the configuration names as well: those whose bot has a token in the
    /// configuration, in a file, or in the environment. They follow the configuration when it is
    /// [reloaded](Handle::reload). An adapter that cannot be made is reported in the log. What adapters have
    /// to remember is kept in the state directory.
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

    /// Passes messages of admitted senders to `handle`, in addition to telling operators. The messages of a
    /// chat come one after the other; a handler that takes long delays a few other chats, too.
    pub fn on_message<F>(mut self, handle: impl Fn(Message) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.channels
            .set_handler(move |message| Box::pin(handle(message)));
        self
    }

    /// Sets the commands that owners may give in chats, in place of `/pair`.
    pub fn owner_commands(self, commands: Arc<dyn OwnerCommands>) -> Self {
        // Commands that were set before stay.
        self.channels.set_commands(commands);
        self
    }

    /// Lets owners decide in their chats: by `/pair`, and by notices with buttons if the configuration or an
    /// owner asks for them. The state directory keeps which chats get notices, and which messages have to be
    /// deleted later; without one, both are forgotten when the gateway ends.
    pub fn pair_commands(self, state: Option<&StateDir>) -> Self {
        Self {
            pair_commands: Some(state.cloned()),
            ..self
        }
    }

    /// Answers `pairing.audit` from this log, which has to be the one that the service writes to.
    /// Whether it can be written is a part of the gateway's health.
    pub fn audit_log(mut self, log: AuditLog) -> Self {
        self.methods.add_audit(log.clone());
        self.audit = Some(log);
        self
    }

    /// Answers `doctor.findings`, and names the store in `status`, from this state directory and the
    /// environment's variables. The service has to use the store that the settings name.
    pub fn doctor(
        mut self,
        state: &StateDir,
        var: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static,
    ) -> Self {
        let doctor = Doctor::new(state.clone(), Arc::new(var), &self.settings);
        self.store_kind = Some(doctor.store().clone());
        self.state_root = Some(state.root().to_owned());
        self.methods.add_doctor(doctor);
        self
    }

    /// Answers `gateway.identity.get` with the identity in this state directory, which is made if there is none.
    pub fn identity(mut self, state: &StateDir) -> Self {
        self.methods.add_identity(IdentityDir::new(state));
        self
    }

    /// Looks after the lock of the state directory, as a part of the gateway's health.
    pub fn instance(self, instance: &Instance) -> Self {
        let instance = Some(instance.watch());
        Self { instance, ..self }
    }

    /// Asks this for the space that is left for the state directory, instead of the file system.
    pub fn space(self, space: impl Fn(&Path) -> Option<Space> + Send + Sync + 'static) -> Self {
        let space = Box::new(space);
        Self { space, ..self }
    }

    /// Makes this gateway one of several on the same pairing state. It lists the nodes that are connected to
    /// the others, and every gateway can invoke every node. Decisions reach all gateways through the store.
    pub fn peers(self, peers: Peers) -> Self {
        let peers = Some(peers);
        Self { peers, ..self }
    }

    /// Sets how long approved devices stay admitted while the store cannot be reached, since somebody else
    /// could end their approval meanwhile. After that, their calls are answered UNAVAILABLE until the store
    /// is back. Unless set, there is no limit.
    pub fn grace(self, grace: Duration) -> Self {
        let grace = Some(grace);
        Self { grace, ..self }
    }

    /// Counts in these metrics, which the store may share.
    pub fn metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Draws challenges from this source instead of the system's.
    pub fn entropy(self, entropy: impl Entropy + 'static) -> Self {
        Self {
            entropy: Box::new(entropy),
            ..self
        }
    }

    /// Builds the gateway. With [`configured_adapters`](Self::configured_adapters) it reads files, and
    /// blocks.
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
        let clients = Arc::new(Clients {
            peers: self.peers.map(Arc::new),
            ..Clients::default()
        });
        let entrance = Entrance {
            lockouts: Lockouts::new(limits),
            budget: Budget::new(limits, self.metrics.clone()),
        };
        let about = GatewayFacts {
            port,
            tls_fingerprint: certificate.map(|certificate| certificate.to_string()),
            started: Instant::now(),
            store_kind: self.store_kind,
        };
        let health = Health {
            pairing: self.pairing,
            settings: Arc::new(ArcSwap::from_pointee(self.settings)),
            channels: Arc::new(self.channels),
            clients: clients.clone(),
            store: Arc::new(StoreHealth::new(self.grace, self.metrics.clone())),
            metrics: self.metrics,
            certificate: self.tls.clone(),
            state: self.state_root,
            space: self.space,
            lock: self.instance,
            feed: Arc::default(),
            follows_peers: Arc::default(),
            audit: self.audit,
            reported: Reported::default(),
            seen: health::Seen::default(),
        };
        let parts = Parts {
            pairing: health.pairing.clone(),
            settings: health.settings.clone(),
            clients,
            entrance,
            requests: Arc::new(Requests::new()),
            channels: health.channels.clone(),
            store: health.store.clone(),
            metrics: health.metrics.clone(),
            health: Arc::new(health),
            join_codes: JoinCodes::default(),
            setup_outcomes: SetupOutcomes::default(),
            upgrades: Upgrades::default(),
            probes: Probes::default(),
            logins: Logins::default(),
            page_tickets: PageTickets::default(),
            entropy: self.entropy,
            about: Arc::new(about),
        };
        Gateway {
            parts: Arc::new(parts),
            methods: Arc::new(self.methods),
            listeners: self.listeners,
            owner_socket: self.owner_socket,
            tls: self.tls,
            roster: self.roster,
            pair_commands: self.pair_commands,
            alive: self.alive,
            shutdown: self.shutdown,
        }
    }
}

impl Gateway {
    /// Begins to build a gateway over a service, with these settings. It needs a
    /// [`listener`](GatewayBuilder::listener).
    pub fn builder(pairing: Pairing, settings: Settings) -> GatewayBuilder {
        GatewayBuilder {
            pairing,
            settings,
            methods: Methods::builtin(),
            metrics: Metrics::new(),
            entropy: Box::new(SystemEntropy),
            listeners: Vec::new(),
            owner_socket: None,
            tls: None,
            channels: Channels::default(),
            roster: Roster::default(),
            pair_commands: None,
            peers: None,
            grace: None,
            store_kind: None,
            state_root: None,
            instance: None,
            audit: None,
            space: Box::new(Space::of),
            alive: None,
            shutdown: Box::pin(std::future::pending()),
        }
    }

    /// Returns a handle that controls the gateway while it runs.
    pub fn handle(&self) -> Handle {
        Handle(self.parts.clone())
    }

    #[cfg(test)]
    pub(crate) fn parts(&self) -> Arc<Parts> {
        self.parts.clone()
    }

    /// Returns what sockets are served with, for a test or a fuzz target that brings its own socket.
    pub(crate) fn server(&self) -> (watch::Sender<bool>, Server) {
        Server::new(self.parts.clone(), self.methods.clone())
    }

    /// Runs until the shutdown signal. Then it tells all clients, lets calls in progress finish within
    /// `limits.drain`, and writes what is still to be written. Needs tokio's I/O and time drivers, and its
    /// blocking threads.
    pub async fn run(self) {
        let (stop, server) = self.server();
        let Self {
            parts,
            listeners,
            owner_socket,
            tls,
            roster,
            pair_commands,
            alive,
            shutdown,
            ..
        } = self;
        // The feed follows the store before anybody can ask, so that every request is news to it.
        let (tell, ready) = oneshot::channel();
        let of_feed = feed_parts(&parts);
        let feed = Following::start("pairing-feed", parts.health.feed.clone(), {
            move |stop, beat| feed::follow(&of_feed, (stop, beat), tell)
        });
        // If there is no thread, the sender is dropped, and this returns at once.
        let _ = ready.await;
        let (stop_workers, _) = Stop::new();
        let mut tasks = JoinSet::new();
        let reported = parts.health.reported.clone();
        for listener in listeners {
            let tls = tls.as_ref().map(Tls::acceptor);
            let accepting = listen::accept(listener, tls, server.clone());
            tasks.spawn(reported.task("listener", accepting));
        }
        if let Some(socket) = owner_socket {
            let accepting = listen::accept_owner(socket, server.clone());
            tasks.spawn(reported.task("owner-socket", accepting));
        }
        tasks.spawn(reported.task("tick", tick(parts.clone())));
        tasks.spawn(reported.task("presence", presence(parts.clone())));
        tasks.spawn(reported.task("upkeep", upkeep(parts.clone())));
        tasks.spawn(reported.task("health", watch_health(parts.clone())));
        if let Some(alive) = alive {
            tasks.spawn(reported.task("alive", alive.show(parts.clone())));
        }
        if let Some(state) = pair_commands {
            let commands = Commands::new(chat_parts(&parts), state.as_ref());
            // Commands that the embedder has set stay.
            parts.channels.set_commands(commands.handle());
            let deciding = commands.run(stop_workers.subscribe());
            tasks.spawn(reported.task("chat-commands", deciding));
        }
        // Chats begin once the store is followed: strangers who wrote while no gateway ran come in at once,
        // and the owner has to be told of them.
        let mut chats = JoinSet::new();
        let host: Arc<dyn Host> = Arc::new(channel_host(&parts));
        let chatting = roster.run(host, parts.channels.clone(), stop_workers.subscribe());
        chats.spawn(reported.task("channels", chatting));
        let mut announcing = JoinSet::new();
        let peers = parts.clients.peers.clone();
        let following = peers.map(|peers| {
            let sessions = parts.clients.sessions.clone();
            let announcement = peers::announce(
                peers.clone(),
                sessions.clone(),
                parts.settings.clone(),
                stop_workers.subscribe(),
            );
            announcing.spawn(reported.task("announcement", announcement));
            let pairing = parts.pairing.clone();
            let beat = parts.health.follows_peers.clone();
            Following::start("peers", beat, move |stop, beat| {
                peers::follow(&peers, &sessions, &pairing, (stop, beat));
            })
        });

        shutdown.await;

        tracing::info!("shutting down");
        // Listeners close with their tasks. Connections that are not admitted yet are dropped.
        stop.send_replace(true);
        stop_workers.stop();
        // Each of these tasks limits its own time.
        let channels_end = async { while chats.join_next().await.is_some() {} };
        let withdrawn = async { while announcing.join_next().await.is_some() {} };
        tokio::join!(say_goodbye(&parts), channels_end, withdrawn);
        tasks.shutdown().await;
        drop((feed, following));
        write_down(&parts).await;
    }
}

fn feed_parts(parts: &Parts) -> FeedParts {
    FeedParts {
        pairing: parts.pairing.clone(),
        clients: parts.clients.clone(),
        requests: parts.requests.clone(),
        channels: parts.channels.clone(),
        store: parts.store.clone(),
        metrics: parts.metrics.clone(),
    }
}

pub(crate) fn chat_parts(parts: &Parts) -> ChatParts {
    ChatParts {
        pairing: parts.pairing.clone(),
        settings: parts.settings.clone(),
        clients: parts.clients.clone(),
        channels: parts.channels.clone(),
        requests: parts.requests.clone(),
        health: parts.health.clone(),
        gateway: parts.about.clone(),
    }
}

fn channel_host(parts: &Parts) -> ChannelHost {
    ChannelHost {
        pairing: parts.pairing.clone(),
        settings: parts.settings.clone(),
        clients: parts.clients.clone(),
        metrics: parts.metrics.clone(),
    }
}

/// Sends every client a periodic sign that the gateway is alive.
async fn tick(parts: Arc<Parts>) {
    loop {
        let every = parts.settings.load().limits.tick_interval;
        sleep(every).await;
        let ts = parts.pairing.now().as_millis();
        parts
            .clients
            .sessions
            .broadcast(&frame(event::TICK, &Tick { ts }), |_| true);
    }
}

/// Sends the presence list when it changes: at most once a second, and less often the more clients there are,
/// so that many clients that come at once are one event.
async fn presence(parts: Arc<Parts>) {
    loop {
        parts.clients.sessions.changed.notified().await;
        if parts.clients.sessions.any(Session::may_see_presence) {
            let (now, version) = (parts.pairing.now(), Some(parts.state_version()));
            let [whole, part] = [true, false].map(|with_addresses| {
                let presence = parts.clients.everybody(now, with_addresses);
                event_with(event::PRESENCE, &PresenceChanged { presence }, version)
            });
            let sees = |whole: bool| {
                move |session: &Session| {
                    session.may_see_presence() && session.may_see_nodes() == whole
                }
            };
            parts.clients.sessions.broadcast(&whole, sees(true));
            parts.clients.sessions.broadcast(&part, sees(false));
        }
        let crowd = Duration::from_millis(10)
            * u32::try_from(parts.clients.sessions.count()).unwrap_or(u32::MAX);
        let most = parts.settings.load().limits.tick_interval;
        sleep((Duration::from_secs(1) + crowd).min(most)).await;
    }
}

/// Looks at the gateway's health now and then, so that the log and the metrics tell of it unasked.
async fn watch_health(parts: Arc<Parts>) {
    loop {
        sleep(health::EVERY).await;
        parts.health.look();
    }
}

/// Writes down last uses, and renews the requests of connected devices, once a minute.
async fn upkeep(parts: Arc<Parts>) {
    let mut every = interval(Devices::FLUSH_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every.tick().await;
    loop {
        every.tick().await;
        write_down(&parts).await;
    }
}

async fn write_down(parts: &Arc<Parts>) {
    let parts = parts.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let devices = parts.pairing.devices();
        for session in parts.clients.sessions.all() {
            if let Who::Device(device) = &session.who {
                devices.touch(device);
                // Nobody waits for the result; it is tried again in a minute.
                let _ = devices.hold(device);
            }
        }
        if let Some(audit) = &parts.health.audit {
            audit.write_late();
        }
        devices.flush_uses()
    });
    if let Ok(Err(error)) = writing.await {
        tracing::error!(error = %Chain(&error), "last-used times of devices not saved");
    }
}

/// Tells all clients, then waits until calls in progress are answered and the clients are gone, for at most
/// `limits.drain`. Nodes go last, because operators may still wait for their answers.
async fn say_goodbye(parts: &Parts) {
    parts.clients.sessions.close();
    let shutdown = Shutdown {
        reason: "gateway stopping".to_owned(),
        restart_expected_ms: None,
    };
    parts
        .clients
        .sessions
        .broadcast(&frame(event::SHUTDOWN, &shutdown), |_| true);
    let drain = parts.settings.load().limits.drain;
    let all_gone = async {
        loop {
            let gone = parts.clients.sessions.gone.notified();
            tokio::pin!(gone);
            gone.as_mut().enable();
            let all = parts.clients.sessions.all();
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
        let left = parts.clients.sessions.all();
        tracing::warn!(left = left.len(), "connections did not end in time: closed");
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
    /// Applies other settings from now on, as far as that needs no new socket: the secret, limits, proxies,
    /// origins and hosts, automatic approval, policies. Operators who connected with a secret that is no
    /// longer valid are disconnected.
    pub fn reload(&self, settings: Settings) {
        let parts = &self.0;
        parts.entrance.lockouts.set_limits(&settings.limits);
        parts.entrance.budget.places.set_limits(&settings.limits);
        let before = parts.settings.swap(Arc::new(settings));
        if !before.secret.is_same(&parts.settings.load().secret) {
            for session in parts.clients.sessions.all() {
                if matches!(session.who, Who::Operator(_)) {
                    session.outbox.end(End {
                        code: close::POLICY,
                        reason: "the secret has changed",
                        at_once: true,
                    });
                }
            }
        }
        parts.channels.note_reload();
        tracing::info!("configuration reloaded");
    }

    /// Applies the channels, owners and node commands of a configuration from now on, and keeps the former
    /// settings otherwise: for a configuration whose `gateway` has a fault that closes it.
    pub fn reload_channels(&self, mut config: Config) {
        let before = self.0.settings.load_full();
        let node_commands = std::mem::take(&mut config.gateway.node_commands);
        config.gateway = before.config.gateway.clone();
        config.gateway.node_commands = node_commands;
        self.reload(Settings {
            config: Arc::new(config),
            ..Settings::clone(&before)
        });
    }

    /// Reports a fault of the gateway's health, or with `None` that there is none.
    pub(crate) fn report(&self, fault: reported::Fault, why: Option<String>) {
        self.0.health.reported.note(fault, why);
    }

    /// Returns the number of connected clients.
    pub fn connections(&self) -> usize {
        self.0.clients.sessions.count()
    }

    /// Returns the gateway's metrics.
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
