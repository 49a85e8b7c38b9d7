//! A gateway that commands are carried out through.

use std::any::Any;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use gateway_client::{CallError, Client, Connect, Events, HeldToken, TokenKeeper};
use gateway_protocol::{ClientInfo, Secret, Text};
use pairing_core::device::{Identity, Role};
use pairing_core::{Clock, Scope, ScopeSet, Timestamp};
use pairing_fs::{IdentityDir, StateDir};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use crate::keeper::Keeper;
use crate::purpose::Purpose;
use crate::target::{Origin, Target};
use crate::{Environment, Failure};

/// Shows on the terminal that a command waits, and for what, until it is dropped.
pub type Spinner = fn(&str) -> Box<dyn Any>;

/// What is not worth a spinner.
const SHORT: Duration = Duration::from_millis(300);

/// A connection, and the runtime that it lives on.
pub(crate) struct Remote {
    // Dropped before the runtime: both tell their task that it is over.
    client: Client,
    pub(crate) events: Option<Events>,
    runtime: Arc<Runtime>,
    pub(crate) target: Target,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    keeper: Option<Keeper>,
    spinner: Option<Spinner>,
}

impl Remote {
    /// Connects. `timeout` is for the connection, and for each call after it.
    pub(crate) fn open(
        target: Target,
        purpose: &Purpose,
        state: Option<&StateDir>,
        timeout: Duration,
        environment: &Environment<'_>,
    ) -> Result<Self, Failure> {
        let runtime = runtime()?;
        let own = match state.filter(|_| names_itself(&target)) {
            Some(state) => identity(state, purpose, environment)?,
            None => None,
        };
        let scopes = purpose.scopes.iter();
        let scopes = scopes.filter_map(|scope| Scope::parse(scope).ok());
        let scopes: ScopeSet = scopes.collect();
        let (connect, keeper) = match own {
            None => (connect_to(&target).scopes(scopes), None),
            Some(own) => {
                let connect = if own.asks {
                    connect_to(&target).scopes(scopes)
                } else {
                    // With its token alone, and for what that is good for: nothing that could be asked for
                    // is left, whatever has become of the pairing.
                    connect_alone(&target)
                };
                let keeper = Arc::new(own.keeper.clone());
                (connect.identity(own.identity, keeper), Some(own.keeper))
            }
        };
        let mut connect = connect.timeout(timeout);
        if let Some(client) = client("cli", "cli", None) {
            connect = connect.client(client);
        }
        let waiting = format!("connecting to {}", target.url.as_str());
        let opened = runtime.block_on(patiently(environment.spinner, &waiting, connect.open()));
        let (client, events) = opened.map_err(|source| Failure::Connect {
            url: target.url.as_str().to_owned(),
            source: Box::new(source),
            showed: !target.shared.is_empty(),
        })?;
        Ok(Self {
            client,
            events: Some(events),
            runtime: Arc::new(runtime),
            target,
            timeout,
            clock: Arc::clone(environment.clock),
            keeper,
            spinner: environment.spinner,
        })
    }

    /// The first of these methods that the gateway has not.
    pub(crate) fn lacks(&self, methods: &[&'static str]) -> Option<&'static str> {
        let has = &self.client.hello().features.methods;
        let lacks = |method: &&&str| !has.iter().any(|has| has == *method);
        methods.iter().find(lacks).copied()
    }

    /// Calls a method.
    pub(crate) fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &impl Serialize,
    ) -> Result<T, Failure> {
        let call = self.client.call_with_timeout(method, params, self.timeout);
        let called =
            self.runtime
                .block_on(patiently(self.spinner, "waiting for the gateway", call));
        called.map_err(|error| self.failure(method, error))
    }

    /// What time it is here.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What the gateway said when it let this connection in.
    pub(crate) fn hello(&self) -> &gateway_protocol::hello::HelloOk {
        self.client.hello()
    }

    /// The connection, for whoever waits for its end.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The runtime, for whoever reads the events on a thread of its own.
    pub(crate) fn runtime(&self) -> Arc<Runtime> {
        Arc::clone(&self.runtime)
    }

    /// Keeps a token that this machine was given for a role of its own.
    pub(crate) fn keep(&self, role: Role, token: Secret, scopes: ScopeSet, at: i64) {
        let held = HeldToken {
            token,
            scopes,
            issued_at_ms: Some(at),
        };
        if let Some(keeper) = &self.keeper {
            // The old one has ended: without this one, the shared secret or a new setup code is left.
            let _ = keeper.store(role, &held);
        }
    }

    fn failure(&self, method: &'static str, error: CallError) -> Failure {
        let CallError::Refused(shape) = error else {
            return Failure::Call {
                method,
                source: Box::new(error),
            };
        };
        Failure::refused(
            method,
            shape,
            self.keeper.is_some() || self.target.is_here(),
        )
    }
}

/// A connection to a gateway, with all that is shown to it but a device.
pub(crate) fn connect_to(target: &Target) -> Connect {
    let mut connect = connect_alone(target);
    if let Some(token) = target.shared.token.clone() {
        connect = connect.token(token);
    }
    if let Some(password) = target.shared.password.clone() {
        connect = connect.password(password);
    }
    connect
}

/// The same without the secret that it shares with its owner.
fn connect_alone(target: &Target) -> Connect {
    let connect = Connect::to(target.url.clone());
    match target.fingerprint {
        Some(fingerprint) => connect.fingerprint(fingerprint),
        None => connect,
    }
}

/// On its own machine, the secret that the gateway shares with its owner is enough: naming a device would
/// be asking for it to be paired.
fn names_itself(target: &Target) -> bool {
    let by_secret = target.is_here() && !target.shared.is_empty();
    target.origin != Origin::Local && !by_secret
}

/// The machine's own identity, where a command may show it.
struct Own {
    identity: Arc<Identity>,
    keeper: Keeper,
    /// Whether it may ask the owner for more than it has.
    asks: bool,
}

/// A command that decides makes an identity where there is none, and asks for what it lacks; one that looks
/// takes what has been paired already.
fn identity(
    state: &StateDir,
    purpose: &Purpose,
    environment: &Environment<'_>,
) -> Result<Option<Own>, Failure> {
    let dir = IdentityDir::new(state);
    let identity = if purpose.decides {
        let now = environment.clock.now();
        Some(dir.load_or_create(&**environment.entropy, now)?)
    } else {
        dir.load().map_err(pairing_fs::IdentityError::from)?
    };
    let Some(identity) = identity else {
        return Ok(None);
    };
    let keeper = Keeper {
        dir,
        device: identity.id(),
        clock: Arc::clone(environment.clock),
    };
    // Admin is for what only admin may decide: whether it takes that, the gateway will say.
    let needed = purpose
        .scopes
        .iter()
        .filter(|scope| **scope != Scope::ADMIN);
    let held = keeper.load(Role::Operator).ok().flatten();
    let is_enough = held.as_ref().is_some_and(|held| {
        let mut needed = needed;
        needed.all(|scope| held.scopes.allows(scope))
    });
    let own = Own {
        identity: Arc::new(identity),
        keeper,
        asks: purpose.decides && !is_enough,
    };
    Ok((own.asks || held.is_some()).then_some(own))
}

/// A runtime on this thread: commands are one call after the other.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(Failure::Runtime)
}

/// What this program calls itself.
pub(crate) fn client(id: &str, mode: &str, name: Option<&str>) -> Option<ClientInfo> {
    let text = |text: &str| Text::try_from(text.to_owned()).ok();
    Some(ClientInfo {
        id: text(id)?,
        display_name: name.and_then(text),
        version: text(env!("CARGO_PKG_VERSION"))?,
        platform: text(std::env::consts::OS)?,
        device_family: None,
        model_identifier: None,
        mode: text(mode)?,
        instance_id: None,
    })
}

/// Waits, and shows so if it takes long.
async fn patiently<T>(spinner: Option<Spinner>, what: &str, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let Some(spinner) = spinner else {
        return future.await;
    };
    if let Ok(ready) = tokio::time::timeout(SHORT, &mut future).await {
        return ready;
    }
    let _shown = spinner(what);
    future.await
}
