//! Settings of a connection: address, identity and credentials.

mod handshake;
mod link;

use gateway_protocol::GatewayUrl;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gateway_protocol::hello::HelloOk;
use gateway_protocol::{ClientInfo, Secret, Text};
use pairing_core::device::{Identity, Role};
use pairing_core::{Entropy, ScopeSet};

use crate::credential::{Dialect, Secrets, Show};
use crate::dial::{Loopback, Socket, dial, dial_owner};
use crate::{Client, ConnectError, Events, Fingerprint, HeldToken, TokenKeeper, session};
use handshake::{Attempt, text};
pub use link::{Disconnect, Link, LinkEvent};

/// How long a connection to one of several addresses may take.
const ADDRESS: Duration = Duration::from_secs(3);

/// Default timeout of a handshake.
pub const HANDSHAKE: Duration = Duration::from_secs(15);

/// Settings of a connection: address, identity and credentials. `Debug` shows no secret.
///
/// The credentials are presented in this order of preference:
/// 1. the token of a new setup code alone, if given;
/// 2. else the stored device token together with the shared secret, if there is a stored token; if the
///    gateway then refuses one of the two, the other is tried alone, once;
/// 3. else the shared secret.
#[derive(Clone)]
pub struct Connect {
    pub(crate) url: GatewayUrl,
    pub(crate) other_urls: Vec<GatewayUrl>,
    pub(crate) secrets: Secrets,
    pub(crate) device: Option<(Arc<Identity>, Arc<dyn TokenKeeper>)>,
    pub(crate) role: Role,
    pub(crate) scopes: Option<ScopeSet>,
    pub(crate) client: Option<ClientInfo>,
    pub(crate) caps: Vec<Text>,
    pub(crate) commands: Vec<Text>,
    pub(crate) permissions: BTreeMap<String, bool>,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) timeout: Duration,
    /// The state directory whose gateway's socket is used instead of the addresses.
    pub(crate) state: Option<PathBuf>,
}

impl Connect {
    /// Returns settings for connecting to this gateway as an operator, without a device or credentials.
    pub fn to(url: GatewayUrl) -> Self {
        Self {
            url,
            other_urls: Vec::new(),
            secrets: Secrets::default(),
            device: None,
            role: Role::Operator,
            scopes: None,
            client: None,
            caps: Vec::new(),
            commands: Vec::new(),
            permissions: BTreeMap::new(),
            fingerprint: None,
            timeout: HANDSHAKE,
            state: None,
        }
    }

    /// Sets further addresses of the same gateway, as a setup code may have them. They are tried in turn if no
    /// connection to the first can be made, each for at most 3 s.
    pub fn other_urls(mut self, urls: Vec<GatewayUrl>) -> Self {
        self.other_urls = urls;
        self
    }

    /// Sets the gateway's shared token.
    pub fn token(mut self, token: Secret) -> Self {
        self.secrets.token = Some(token);
        self
    }

    /// Sets the gateway's shared password.
    pub fn password(mut self, password: Secret) -> Self {
        self.secrets.password = Some(password);
        self
    }

    /// Sets the pairing token of a new setup code, which takes precedence over stored tokens. A [`Link`] uses
    /// it until a device token has been stored.
    pub fn pairing_token(mut self, token: Secret) -> Self {
        self.secrets.pairing = Some(token);
        self
    }

    /// Sets the device's identity and the store of its tokens. Without it, no device is sent.
    pub fn identity(mut self, identity: Arc<Identity>, keeper: Arc<dyn TokenKeeper>) -> Self {
        self.device = Some((identity, keeper));
        self
    }

    /// Connects by the owner's socket in this state directory, to a gateway that runs as this process's user,
    /// and nowhere else. No secret is presented, and the addresses are not used.
    ///
    /// Fails with [`ConnectError::OwnerSocket`] if there is no such socket, or another user listens on it.
    pub fn by_owner_socket(mut self, state: impl Into<PathBuf>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// Sets the role.
    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// Sets the requested scopes. By default: those of the stored token if it is presented, else none.
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// Sets the description of this program.
    pub fn client(mut self, client: ClientInfo) -> Self {
        self.client = Some(client);
        self
    }

    /// Sets a node's capabilities.
    pub fn caps(mut self, caps: impl IntoIterator<Item = Text>) -> Self {
        self.caps = caps.into_iter().collect();
        self
    }

    /// Sets a node's commands.
    pub fn commands(mut self, commands: impl IntoIterator<Item = Text>) -> Self {
        self.commands = commands.into_iter().collect();
        self
    }

    /// Sets the permissions that the operating system grants to a node.
    pub fn permissions(mut self, permissions: BTreeMap<String, bool>) -> Self {
        self.permissions = permissions;
        self
    }

    /// Trusts only the certificate with this fingerprint, whoever signed it. Not usable with `ws://`.
    pub fn fingerprint(mut self, fingerprint: Fingerprint) -> Self {
        self.fingerprint = Some(fingerprint);
        self
    }

    /// Sets the timeout until `hello-ok`; [`HANDSHAKE`] by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Connects once. A device token in `hello-ok` has been stored by the time this returns.
    pub async fn open(&self) -> Result<(Client, Events), ConnectError> {
        let opening = tokio::time::timeout(self.timeout, self.shake_hands());
        let (socket, hello) = opening
            .await
            .map_err(|_| ConnectError::Timeout(self.timeout))??;
        Ok(session::start(socket, hello))
    }

    /// Connects, and reconnects whenever the connection ends, until the link is dropped. `jitter` randomises
    /// the backoff.
    pub fn keep(self, jitter: Arc<dyn Entropy>) -> Link {
        Link::new(self, jitter)
    }

    async fn shake_hands(&self) -> Result<(Socket, HelloOk), ConnectError> {
        let held = self.held().await?;
        let mut show = self.secrets.first(held.as_ref());
        let mut dialect = Dialect::Current;
        loop {
            match self.attempt(show, held.as_ref(), dialect).await {
                Ok((socket, hello)) => {
                    self.keep_token(&hello).await?;
                    return Ok((socket, hello));
                }
                Err(error) if dialect == Dialect::Current && error.is_of_older_gateway() => {
                    dialect = Dialect::Of2026_2;
                    tracing::debug!("refused; the forms of 2026.2 are tried");
                }
                Err(error) => {
                    let next = error.refused().and_then(|refused| show.after(refused));
                    show = next.ok_or(error)?;
                    tracing::debug!(?show, "refused; the other secret is tried");
                }
            }
        }
    }

    async fn attempt(
        &self,
        show: Show,
        held: Option<&HeldToken>,
        dialect: Dialect,
    ) -> Result<(Socket, HelloOk), ConnectError> {
        let (mut socket, loopback) = self.dial().await?;
        let of_token = held.filter(|_| matches!(show, Show::Both | Show::Held));
        let scopes = self
            .scopes
            .clone()
            .or_else(|| Some(of_token?.scopes.clone()));
        let attempt = Attempt {
            connect: self,
            loopback,
            proof: dialect.proof(),
            scopes: &scopes.unwrap_or_default(),
            auth: match self.state {
                Some(_) => None,
                None => self.secrets.auth(show, held, dialect),
            },
        };
        let hello = attempt.run(&mut socket).await?;
        if hello.auth.is_said() && hello.auth.role != self.role {
            return Err(ConnectError::Protocol {
                reason: "it gave another role than was asked for",
            });
        }
        Ok((socket, hello))
    }

    /// Loads the stored token for this role, if there is one.
    pub(crate) async fn held(&self) -> Result<Option<HeldToken>, ConnectError> {
        let role = self.role;
        match &self.device {
            Some((_, keeper)) => blocking(keeper, move |keeper| keeper.load(role)).await,
            None => Ok(None),
        }
    }

    /// Stores the device token of a `hello-ok`. Without a token in it, the stored one is kept.
    async fn keep_token(&self, hello: &HelloOk) -> Result<(), ConnectError> {
        let (Some((_, keeper)), Some(token)) = (&self.device, &hello.auth.device_token) else {
            return Ok(());
        };
        let role = self.role;
        let held = HeldToken {
            token: token.clone(),
            scopes: hello.auth.scopes.clone(),
            issued_at_ms: hello.auth.issued_at_ms,
        };
        blocking(keeper, move |keeper| keeper.store(role, &held)).await
    }

    /// Returns the description of this program, or the default one for the role.
    pub(crate) fn client_info(&self) -> Result<ClientInfo, ConnectError> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let (id, mode) = match self.role {
            Role::Operator => ("gateway-client", "backend"),
            Role::Node => ("node-host", "node"),
        };
        Ok(ClientInfo {
            id: text("client.id", id)?,
            display_name: None,
            version: text("client.version", env!("CARGO_PKG_VERSION"))?,
            platform: text("client.platform", std::env::consts::OS)?,
            device_family: None,
            model_identifier: None,
            mode: text("client.mode", mode)?,
            instance_id: None,
        })
    }

    /// Dials the first address that takes a connection; fails as the first one of all does.
    async fn dial(&self) -> Result<(Socket, Option<Loopback>), ConnectError> {
        if let Some(state) = &self.state {
            return Ok((dial_owner(state).await?, None));
        }
        if self.other_urls.is_empty() {
            return dial(&self.url, self.fingerprint).await;
        }
        let mut failure = None;
        for url in std::iter::once(&self.url).chain(&self.other_urls) {
            let late = |_| Err(ConnectError::Timeout(ADDRESS));
            let dialled = tokio::time::timeout(ADDRESS, dial(url, self.fingerprint)).await;
            match dialled.unwrap_or_else(late) {
                Ok(socket) => return Ok(socket),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or(ConnectError::Timeout(ADDRESS)))
    }
}

/// Runs a keeper operation on the blocking pool, because keepers read and write files.
async fn blocking<T: Send + 'static>(
    keeper: &Arc<dyn TokenKeeper>,
    work: impl FnOnce(&dyn TokenKeeper) -> Result<T, crate::KeepError> + Send + 'static,
) -> Result<T, ConnectError> {
    let keeper = Arc::clone(keeper);
    let done = tokio::task::spawn_blocking(move || work(&*keeper)).await;
    done.map_err(crate::KeepError::new)
        .and_then(|done| done)
        .map_err(ConnectError::Keep)
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            // The query may contain a secret.
            .field("url", &self.url.as_str().split('?').next())
            .field("role", &self.role)
            .field("scopes", &self.scopes)
            .field(
                "device",
                &self.device.as_ref().map(|(identity, _)| identity.id()),
            )
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}
