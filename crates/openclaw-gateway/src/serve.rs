//! A complete gateway on a state directory, as `openclaw gateway run` runs it.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateway_protocol::GatewayUrlError;
use openclaw_config::{Bind, Config, LoadError, Secret};
use pairing_core::device::{Device, Role};
use pairing_core::{Approver, Clock as _, EntropyError, Pairing, PairingBuilder, Scope};
use pairing_fs::doctor::Severity;
use pairing_fs::{AuditLog, StateDir, SystemClock, SystemEntropy};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::bind::guard;
use crate::budget;
use crate::doctor::of_database;
use crate::file_watch::{FileWatch, Stir};
use crate::peers::Peers;
use crate::reach::peer_url;
use crate::reported::Fault;
use crate::store::{self, Kept, OpenError, Opened, Use};
use crate::tls::host_name;
use crate::{
    Alive, BindError, Fingerprint, FreshError, Gateway, Handle, Instance, InstanceError,
    Interfaces, Metrics, Overrides, OwnerSocket, Reload, ReloadError, Settings, SettingsError,
    Timed, Tls, TlsError, TlsFiles, TokenPlace, Var, addresses, prepare,
};
use gateway_channels::{owners_path, with_first_owner};
use pairing_core::Chain;

/// The options of a gateway.
#[derive(Clone)]
pub struct ServeOptions {
    /// The state directory; created if it is missing.
    pub state: StateDir,
    /// The environment's variables.
    pub var: Var,
    /// The port, instead of the configured one.
    pub port: Option<u16>,
    /// The interfaces, instead of the configured ones.
    pub bind: Option<Bind>,
    /// Sockets that listen already, as a service manager hands them over. If there are any, nothing else is listened on.
    pub listeners: Arc<[std::net::TcpListener]>,
    /// The token, instead of the configured secret.
    pub token: Option<Secret>,
    /// Notified when the configuration and the certificate are to be read again although no change was seen, as SIGHUP
    /// asks for.
    pub reread: Arc<Notify>,
    /// Whom the gateway shows that it is alive.
    pub alive: Option<Alive>,
}

/// Facts about the gateway once it listens.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Announcement {
    /// The addresses on which it listens, with the actual port.
    pub addresses: Vec<SocketAddr>,
    /// The place of the secret; never the secret itself.
    pub token: TokenPlace,
    /// The fingerprint of its certificate, if it encrypts.
    pub fingerprint: Option<Fingerprint>,
    /// The port at which browsers on this machine find the page, if it is served to them.
    pub page: Option<u16>,
}

/// The gateway cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The install cannot be prepared.
    #[error(transparent)]
    Fresh(#[from] FreshError),
    /// The configuration cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Another gateway runs on this state directory.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The configured store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The gateway may not listen there.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A socket that listens already cannot be used.
    #[error("a socket of the service manager cannot be used")]
    Handed(#[source] io::Error),
    /// `state.peerUrl` is not a valid address.
    #[error("state.peerUrl is no address of a gateway")]
    PeerUrl(#[from] GatewayUrlError),
    /// No key can be generated.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The addresses of this machine cannot be read.
    #[error("cannot list the network interfaces")]
    Interfaces(#[source] io::Error),
}

impl ServeError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Fresh(error) => error.advice(),
            Self::Settings(error) => error.advice().to_owned(),
            Self::Instance(error) => error.advice(),
            Self::Store(error) => return error.advice(),
            Self::Tls(error) => error.advice(),
            Self::Bind(error) => error.advice().to_owned(),
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                "another program listens there: stop it, or choose another port with --port or \
                 gateway.port"
                    .to_owned()
            }
            Self::Listen { .. } => {
                "choose another address with --bind, gateway.bind or gateway.customBindHost"
                    .to_owned()
            }
            Self::Handed(_) => {
                "the socket unit has to listen on TCP, without Accept=yes: `openclaw gateway install --socket` writes such a one"
                    .to_owned()
            }
            Self::PeerUrl(_) => {
                "write it as wss://host:port, or as ws://host:port on a private network".to_owned()
            }
            Self::Interfaces(_) | Self::Entropy(_) => return None,
        })
    }
}

/// Prepares the install, listens, announces that, and runs until `shutdown`. It holds the directory's lock
/// meanwhile, and follows the configuration file. It needs what [`Gateway::run`] needs.
pub async fn serve(
    options: ServeOptions,
    announce: impl FnOnce(&Announcement),
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let ServeOptions {
        state,
        var,
        port,
        bind,
        listeners: given,
        token,
        reread,
        alive,
    } = options;
    let descriptors = budget::raise();
    tracing::debug!(descriptors, "open files");
    let mut instance = Instance::acquire(&state, SystemClock.now())?;
    let prepared = prepare(&state, |name| var(name), token.is_some(), &SystemEntropy)?;
    let home = var("HOME").map(PathBuf::from);
    let overrides = Overrides {
        token,
        kept: prepared.kept,
        port,
        bind,
        home: home.clone(),
    };
    let config = with_first_owner(prepared.config, &state);
    tell_closed(&config);
    let settings = Settings::from_config(&config, &overrides)?;
    let tls = settings.tls.as_ref().map(|files| load_tls(files, &state));
    let tls = tls.transpose()?;
    let interfaces = Interfaces::of_this_machine().map_err(ServeError::Interfaces)?;
    let listening = Listening::choose(&given, &settings, &interfaces)?;

    let is_page_served = settings.control_ui != Some(false);
    let metrics = Metrics::new();
    let opened = store::open(&state, &settings.config, home.as_deref(), Use::Serving)?;
    tell_of_store(&state, &settings.config);
    let shared = opened.shared.clone();
    let audit = AuditLog::new(&state).on_error(|error| {
        tracing::error!(error = %Chain(error), "decisions are not in the audit log: they are written later");
    });
    let pairing = service(opened, audit.clone(), metrics.clone());
    // Nothing waits for it: a cluster may take its time.
    drop(tokio::task::spawn_blocking(tell_of_readers(&pairing)));
    let mut builder = Gateway::builder(pairing, settings)
        .metrics(metrics)
        .pair_commands(Some(&state))
        .audit_log(audit)
        .instance(&instance)
        .doctor(&state, {
            let var = var.clone();
            move |name| var(name)
        })
        .identity(&state)
        .configured_adapters(&state, {
            let var = var.clone();
            move |name| var(name)
        })
        .alive(alive)
        .shutdown(shutdown);
    let fingerprint = tls.as_ref().map(Tls::fingerprint);
    let renewal = tls.clone().map(follow_certificate);
    if let Some(tls) = tls {
        builder = builder.tls(tls);
    }
    match OwnerSocket::bind(&state, &instance) {
        Ok(socket) => builder = builder.owner_socket(socket),
        // Commands then work on the store, or by TCP.
        Err(error) => tracing::warn!(error = %Chain(&error), "no socket for the owner's commands"),
    }
    let (listeners, addresses) = listening.begin().await?;
    for listener in listeners {
        builder = builder.listener(listener);
    }
    if let Some(address) = addresses.first() {
        instance.listens_on(address.port());
    }
    if let Some(shared) = shared {
        let mut peers = Peers::new(shared.directory, &SystemEntropy)?;
        if let Some(url) = peer_url(&config, &addresses, fingerprint.is_some(), &interfaces)? {
            peers = peers.url(url);
        }
        if let Some(name) = host_name() {
            peers = peers.name(name);
        }
        builder = builder.peers(peers).grace(shared.grace);
    }
    let page = page_port(&addresses).filter(|_| is_page_served);
    let gateway = builder.build();
    let handle = gateway.handle();
    let reload = follow(&state, config.files(), &var, overrides, handle.clone());
    let renewal = watched(renewal, Fault::CertificateWatch, &handle);
    announce(&Announcement {
        addresses,
        token: prepared.token,
        fingerprint,
        page,
    });
    tokio::select! {
        () = gateway.run() => {}
        never = ask_again(&reread, &reload, renewal.as_ref()) => match never {},
    }
    drop((reload, renewal, instance));
    Ok(())
}

/// Where a gateway listens.
enum Listening {
    /// On these addresses.
    At(Vec<SocketAddr>),
    /// On sockets that somebody else has opened.
    On(Vec<(TcpListener, SocketAddr)>),
}

impl Listening {
    /// Sockets that are given win over the configuration. Beyond this machine, each takes a secret.
    fn choose(
        given: &[std::net::TcpListener],
        settings: &Settings,
        interfaces: &Interfaces,
    ) -> Result<Self, ServeError> {
        if given.is_empty() {
            let (bind, secret) = (&settings.bind, &settings.secret);
            let wanted = addresses(bind, settings.port, secret, interfaces)?;
            return Ok(Self::At(wanted));
        }
        let taken = given.iter().map(take_over).collect::<io::Result<Vec<_>>>();
        let taken = taken.map_err(ServeError::Handed)?;
        let addresses: Vec<_> = taken.iter().map(|(_, address)| *address).collect();
        guard(addresses.iter().map(SocketAddr::ip), &settings.secret)?;
        tell_of_ports(&addresses, settings.port);
        Ok(Self::On(taken))
    }

    /// Listens, and returns the addresses that it got.
    async fn begin(self) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), ServeError> {
        let wanted = match self {
            Self::At(wanted) => wanted,
            Self::On(taken) => return Ok(taken.into_iter().unzip()),
        };
        let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
        for address in wanted {
            let failed = |source| ServeError::Listen { address, source };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            addresses.push(listener.local_addr().map_err(failed)?);
            listeners.push(listener);
        }
        Ok((listeners, addresses))
    }
}

/// Makes use of a socket that listens already, and returns its address.
fn take_over(listener: &std::net::TcpListener) -> io::Result<(TcpListener, SocketAddr)> {
    if !rustix::net::sockopt::socket_acceptconn(listener)? {
        return Err(io::Error::other("it is a connection, and does not listen"));
    }
    let listener = listener.try_clone()?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((TcpListener::from_std(listener)?, address))
}

/// Says so if others look for the gateway at another port than it was given.
fn tell_of_ports(addresses: &[SocketAddr], configured: u16) {
    if addresses.iter().all(|address| address.port() != configured) {
        tracing::warn!(
            configured,
            given = addresses.first().map(SocketAddr::port),
            advice = "run `openclaw gateway install --socket` again, or set gateway.port",
            "the service manager listens on another port than is configured"
        );
    }
}

/// The port at which browsers on this machine would find the page.
fn page_port(addresses: &[SocketAddr]) -> Option<u16> {
    let is_here =
        |address: &&SocketAddr| address.ip().is_loopback() || address.ip().is_unspecified();
    addresses.iter().find(is_here).map(SocketAddr::port)
}

fn load_tls(files: &TlsFiles, state: &StateDir) -> Result<Tls, TlsError> {
    match files {
        TlsFiles::Given { certificate, key } => Tls::load(certificate, key),
        TlsFiles::SelfMade => Tls::self_made(&state.root().join("tls"), SystemClock.now()),
    }
}

/// Logs which database keeps the state, and what an owner should know about it.
fn tell_of_store(state: &StateDir, config: &Config) {
    let Ok(kept) = Kept::of(state, config) else {
        return;
    };
    let Some(file) = kept.file() else {
        return;
    };
    for finding in of_database(state, &kept, file, config) {
        let (path, detail) = (finding.path.display(), &finding.detail);
        if finding.severity == Severity::Note {
            tracing::info!(%path, detail, "state is in a database");
        } else {
            tracing::warn!(%path, detail, advice = finding.advice, "database needs attention");
        }
    }
}

/// Returns a function that logs how many devices may look at everything but the texts of direct messages: earlier
/// releases told them these, too.
fn tell_of_readers(pairing: &Pairing) -> impl FnOnce() + Send + 'static {
    let pairing = pairing.clone();
    move || {
        let reads_alone = |device: &Device| {
            let operator = device.standing(Role::Operator);
            operator.is_some_and(|operator| {
                operator.scopes.allows(Scope::READ) && !operator.scopes.allows(Scope::MESSAGES)
            })
        };
        let mut devices = 0;
        let counted = pairing
            .devices()
            .for_each(&Approver::terminal("gateway"), |device| {
                devices += usize::from(reads_alone(device));
            });
        if counted.is_ok() && devices > 0 {
            tracing::info!(
                devices,
                "devices with operator.read alone are not told the texts of direct messages"
            );
        }
    }
}

/// Builds the service on a store whose operations are measured.
fn service(opened: Opened, audit: AuditLog, metrics: Metrics) -> Pairing {
    let store = Timed::new(opened.store, metrics);
    PairingBuilder::new(store, SystemClock, SystemEntropy)
        .channels(opened.channels)
        .limits(opened.limits)
        .audit(audit)
        .build()
}

/// Logs the parts that faults of the configuration close, and the reason.
fn tell_closed(config: &Config) {
    for (part, fault) in config.closed() {
        tracing::error!(
            %part, error = %fault, advice = "mend it by hand: `openclaw doctor` finds what else is wrong",
            "closed by a fault of the configuration"
        );
    }
}

/// Serves a renewed certificate as soon as its files hold it.
fn follow_certificate(tls: Tls) -> Result<FileWatch, ReloadError> {
    let mut told = None;
    let files = tls.clone();
    FileWatch::start("certificate", &files.files(), move |stir, _| {
        let error = match tls.reload() {
            Ok(false) => None,
            Ok(true) => {
                tracing::info!(fingerprint = %tls.fingerprint(), "a new certificate is served");
                None
            }
            Err(error) => Some(error),
        };
        let text = error.as_ref().map(|error| Chain(error).unescaped());
        // The certificate and its key are replaced one after the other: in between they do not go together.
        if let Some(error) = error.filter(|_| stir == Stir::Asked || text != told) {
            tracing::error!(
                error = %Chain(&error), advice = error.advice(),
                "new certificate cannot be used: the former one is served on"
            );
        }
        told = text;
    })
    .inspect_err(|error| {
        tracing::warn!(error = %Chain(error), "a renewed certificate is not noticed");
    })
}

/// What watches files, if it could be started. Reports it if not.
fn watched<W>(watch: Option<Result<W, ReloadError>>, fault: Fault, handle: &Handle) -> Option<W> {
    match watch? {
        Ok(watch) => Some(watch),
        Err(error) => {
            handle.report(fault, Some(Chain(&error).to_string()));
            None
        }
    }
}

/// Reads the files again whenever that is asked for.
async fn ask_again(
    reread: &Notify,
    config: &[Reload],
    certificate: Option<&FileWatch>,
) -> Infallible {
    loop {
        reread.notified().await;
        tracing::info!("configuration and certificate are read again, as asked");
        config.iter().for_each(Reload::now);
        certificate.into_iter().for_each(FileWatch::ask);
    }
}

/// Applies every new configuration that can be used, and the first owner once there is one.
fn follow(
    state: &StateDir,
    also: &[PathBuf],
    var: &Var,
    overrides: Overrides,
    handle: Handle,
) -> Vec<Reload> {
    let to_report = handle.clone();
    let go_by = Arc::new(move |loaded: Result<Config, LoadError>| match loaded {
        Ok(config) => {
            tell_closed(&config);
            handle.report(Fault::Configuration, None);
            match Settings::from_config(&config, &overrides) {
                Ok(settings) => {
                    handle.reload(settings);
                    handle.report(Fault::Settings, None);
                }
                Err(error) => {
                    let why = format!(
                        "the new settings cannot be used, the former ones stay in effect: {}",
                        Chain(&error)
                    );
                    handle.report(Fault::Settings, Some(why));
                    tracing::error!(
                        error = %Chain(&error), advice = error.advice(),
                        "new configuration cannot be used: only the settings of channels change"
                    );
                    handle.reload_channels(config);
                }
            }
        }
        Err(error) => {
            tracing::error!(
                error = %Chain(&error), "new configuration cannot be read: the former one stays in effect"
            );
            let why = format!("the former one stays in effect: {}", Chain(&error));
            handle.report(Fault::Configuration, Some(why));
        }
    });
    let watch = |path: &Path, also: &[PathBuf]| {
        let (state, var, go_by) = (state.clone(), var.clone(), go_by.clone());
        let load = move |_: &Path| {
            let config = Config::load_in(state.root(), state.config(), |name| var(name))?;
            Ok(with_first_owner(config, &state))
        };
        let watch = Reload::watch(path, also, load, move |loaded| go_by(loaded));
        let watch = watch.inspect_err(|error| {
            tracing::warn!(error = %Chain(error), advice = error.advice(), "changes of the configuration are not noticed");
        });
        watched(Some(watch), Fault::Watch, &to_report)
    };
    [watch(state.config(), also), watch(&owners_path(state), &[])]
        .into_iter()
        .flatten()
        .collect()
}

impl std::fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServeOptions")
            .field("state", &self.state)
            .field("port", &self.port)
            .field("bind", &self.bind)
            .finish_non_exhaustive()
    }
}
