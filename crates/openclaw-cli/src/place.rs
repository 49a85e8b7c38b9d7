//! Chooses where a command is carried out: at a gateway, or on the store.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use gateway_client::{Fingerprint, OWNER_SOCKET, OwnDirectory};
use openclaw_config::{AuthMode, Config, Part};
use openclaw_gateway::store::Kept;
use pairing_core::escape;
use pairing_fs::{NoStateDir, StateDir};

use crate::args::TargetOptions;
use crate::backend::{Backend, Files};
use crate::console::Screen;
use crate::purpose::Purpose;
use crate::remote::Remote;
use crate::target::{Origin, Shared, Target, target};
use crate::{Environment, Failure, approver, secret_file, store};

/// Default time limit for a gateway that was named.
const NAMED: Duration = Duration::from_secs(10);

/// Default time limit for a gateway that may not be there.
const LOOKED_FOR: Duration = Duration::from_secs(3);

/// Time limit for this machine to report that nothing listens.
const KNOCK: Duration = Duration::from_millis(500);

/// The information that the choice is made from.
pub(crate) struct Place<'a> {
    pub(crate) state: Result<StateDir, NoStateDir>,
    pub(crate) target: TargetOptions,
    /// The configuration; `None` if there is none, or it cannot be read.
    pub(crate) config: Option<Config>,
    environment: &'a Environment<'a>,
}

enum Looked {
    There(Box<Remote>),
    /// No gateway is there, or the store is the better place.
    Nobody,
    /// A gateway is there, but cannot be used for this reason.
    Unusable(Failure),
}

impl<'a> Place<'a> {
    pub(crate) fn new(
        state: Result<StateDir, NoStateDir>,
        target: TargetOptions,
        environment: &'a Environment<'a>,
    ) -> Self {
        Self {
            state,
            target,
            config: None,
            environment,
        }
    }

    /// The same, with the configuration if it is needed to find a gateway. If that cannot be read, there is a
    /// warning.
    pub(crate) fn of(
        state: Result<StateDir, NoStateDir>,
        target: TargetOptions,
        environment: &'a Environment<'a>,
        screen: &mut Screen<'_, '_>,
    ) -> Self {
        let mut place = Self::new(state, target, environment);
        if place.asks_gateway()
            && let Err(failure) = place.load()
        {
            screen.warning(&failure);
        }
        place
    }

    /// The environment that it was made in.
    pub(crate) fn environment(&self) -> &'a Environment<'a> {
        self.environment
    }

    /// Reads the configuration.
    pub(crate) fn load(&mut self) -> Result<(), Failure> {
        if let Ok(state) = &self.state {
            self.config = Some(Config::load_in(state.root(), state.config(), |name| {
                (self.environment.var)(name)
            })?);
        }
        Ok(())
    }

    /// Chooses the gateway that was named; otherwise the configured one, if it answers and can do what is
    /// needed; otherwise the store. Standard error says which one, except if nobody asked for a gateway and
    /// none runs here.
    pub(crate) fn backend(
        &self,
        purpose: Purpose,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Backend, Failure> {
        if !self.asks_gateway() {
            return self.files();
        }
        let config = match &self.config {
            Some(config) => config.clone(),
            None if self.target.url.is_some() => Config::default(),
            // Without a configuration it is not known where a gateway would be.
            None => return self.files(),
        };
        if let Err(failure) = self.is_told(&config) {
            screen.warning(&failure);
            return self.files();
        }
        let target = self.target(&config, screen)?;
        if target.origin == Origin::Named {
            let remote = self.open(target, purpose, NAMED)?;
            return match remote.misses(purpose.needs) {
                Some(method) => Err(Failure::Lacks { method }),
                None => Ok(Backend::Gateway(Box::new(remote))),
            };
        }
        let url = target.url.as_str().to_owned();
        let mut says_where = self.target.verbose || target.origin != Origin::Local;
        match self.look(target, purpose, &config)? {
            Looked::There(remote) => {
                screen.note(format_args!("Through the gateway at {url}."));
                return Ok(Backend::Gateway(remote));
            }
            Looked::Nobody => {}
            Looked::Unusable(failure) => {
                says_where = true;
                screen.warning(&failure);
            }
        }
        let files = self.files()?;
        if !says_where {
            return Ok(files);
        }
        let store = match &self.state {
            Ok(state) => match Kept::of(state, &config) {
                Ok(Kept::Etcd) => "on the cluster".to_owned(),
                Ok(kept) => match kept.file() {
                    Some(file) => format!("on the database {}", file.display()),
                    None => format!("on the files in {}", state.root().display()),
                },
                Err(_) => String::new(),
            },
            Err(_) => String::new(),
        };
        screen.note(format_args!(
            "No gateway to use at {url}: {}.",
            escape(&store).limit(usize::MAX)
        ));
        Ok(files)
    }

    /// Finds the gateway for a node, which connects by itself.
    pub(crate) fn gateway_target(&self, screen: &mut Screen<'_, '_>) -> Result<Target, Failure> {
        let config = self.config.clone().unwrap_or_default();
        self.is_told(&config)?;
        self.target(&config, screen)
    }

    /// Connects to the gateway, for commands that are about the gateway itself.
    pub(crate) fn gateway(
        &self,
        purpose: Purpose,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Remote, Failure> {
        let config = self.config.clone().unwrap_or_default();
        self.is_told(&config)?;
        let target = self.target(&config, screen)?;
        self.open(target, purpose, NAMED)
    }

    /// Connects to the gateway that runs on this state directory, if it listens on the owner's socket.
    pub(crate) fn own_gateway(
        &self,
        purpose: Purpose,
        screen: &mut Screen<'_, '_>,
    ) -> Option<Remote> {
        if !self.asks_gateway() {
            return None;
        }
        let target = self
            .target(&self.config.clone().unwrap_or_default(), screen)
            .ok()?;
        target.socket.is_some().then_some(())?;
        self.open(target, purpose, LOOKED_FOR).ok()
    }

    /// Refuses if a fault of the configuration leaves open which gateway is meant.
    fn is_told(&self, config: &Config) -> Result<(), Failure> {
        let fault = config.closed_by(&Part::Remote);
        match fault.filter(|_| self.target.url.is_none()) {
            Some(fault) => Err(Failure::Closed(fault.clone())),
            None => Ok(()),
        }
    }

    fn asks_gateway(&self) -> bool {
        let looks = self.environment.probe && !self.target.local;
        looks || self.target.url.is_some()
    }

    fn files(&self) -> Result<Backend, Failure> {
        let state = self.state.as_ref().map_err(Clone::clone)?;
        let config = match &self.config {
            Some(config) => config.clone(),
            None => store::config(state, self.environment)?,
        };
        let opened = store::open(state, &config, self.environment)?;
        Ok(Backend::Files(Files {
            service: store::service(state, opened, self.environment),
            approver: approver(self.environment),
            node_commands: config.gateway.node_commands,
        }))
    }

    fn target(&self, config: &Config, screen: &mut Screen<'_, '_>) -> Result<Target, Failure> {
        let mut read =
            |path: Option<&PathBuf>| path.map(|path| secret_file::read(path, screen)).transpose();
        let given = Shared {
            token: read(self.target.token_file.as_ref())?,
            password: read(self.target.password_file.as_ref())?,
        };
        let mut target = target(&self.target, given, config, |name| {
            (self.environment.var)(name)
        })?;
        if target.is_local && target.url.is_encrypted() && target.fingerprint.is_none() {
            target.fingerprint = self.own_certificate(config);
        }
        if let Some(state) = self.with_socket(&target) {
            target.socket = Some(state);
            return Ok(target);
        }
        self.with_kept_secret(target, config)
    }

    /// The state directory, if its gateway is the one meant and listens on the owner's socket. What is left
    /// over from one that was killed answers nobody.
    fn with_socket(&self, target: &Target) -> Option<PathBuf> {
        let state = self.state.as_ref().ok()?;
        let dir = OwnDirectory::open(state.root()).ok()?;
        let is_meant = target.origin == Origin::Local;
        let is_there = || UnixStream::connect(dir.entry(OWNER_SOCKET)).is_ok();
        (is_meant && is_there()).then(|| state.root().to_owned())
    }

    fn open(&self, target: Target, purpose: Purpose, usual: Duration) -> Result<Remote, Failure> {
        let timeout = self.target.timeout.unwrap_or(usual);
        let state = self.state.as_ref().ok();
        Remote::open(target, &purpose, state, timeout, self.environment)
    }

    /// Tries to reach the configured gateway.
    fn look(&self, target: Target, purpose: Purpose, config: &Config) -> Result<Looked, Failure> {
        let elsewhere = target.origin == Origin::Configured;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, config.gateway.port));
        let by_port = !elsewhere && target.socket.is_none();
        if by_port && TcpStream::connect_timeout(&address, KNOCK).is_err() {
            return Ok(Looked::Nobody);
        }
        match self.open(target, purpose, LOOKED_FOR) {
            // On its own machine, the database says more than its methods do: codes, and who was let in.
            Ok(remote) if !elsewhere && remote.substitutes(purpose.needs) => Ok(Looked::Nobody),
            Ok(remote) => Ok(match remote.misses(purpose.needs) {
                Some(method) => Looked::Unusable(Failure::Lacks { method }),
                None => Looked::There(Box::new(remote)),
            }),
            // The gateway has answered, so the state of this machine would be the wrong answer.
            Err(failure) if elsewhere && failure.is_refusal() => Err(failure),
            Err(failure) => Ok(Looked::Unusable(failure)),
        }
    }

    /// Reads the certificate of this machine's gateway from its files. It need not be valid for the address,
    /// nor signed by a trusted authority.
    fn own_certificate(&self, config: &Config) -> Option<Fingerprint> {
        let state = self.state.as_ref().ok()?;
        let tls = &config.gateway.tls;
        let made = state.root().join("tls");
        let (certificate, key) = match (&tls.cert_path, &tls.key_path) {
            (Some(certificate), Some(key)) => (self.expand(certificate), self.expand(key)),
            _ => (made.join("cert.pem"), made.join("key.pem")),
        };
        let tls = openclaw_gateway::Tls::load(&certificate, &key).ok()?;
        Fingerprint::parse(&tls.fingerprint().to_string()).ok()
    }

    fn expand(&self, path: &str) -> PathBuf {
        let home = (self.environment.var)("HOME").map(PathBuf::from);
        match (path.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => path.into(),
        }
    }

    /// Adds the secret that this machine's gateway made for itself, if the command goes to that gateway and
    /// no other secret is configured.
    fn with_kept_secret(&self, target: Target, config: &Config) -> Result<Target, Failure> {
        let wants_token = matches!(config.gateway.auth.mode, None | Some(AuthMode::Token));
        let path = match &self.state {
            Ok(state) if target.is_local && target.shared.is_empty() && wants_token => {
                state.root().join("gateway-token")
            }
            _ => return Ok(target),
        };
        let token = match secret_file::load(&path) {
            Err(Failure::SecretFile { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                None
            }
            read => Some(read?),
        };
        Ok(Target {
            shared: Shared {
                token,
                password: None,
            },
            ..target
        })
    }
}
