//! A connection to a gateway that carries out commands.

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
use crate::purpose::{equivalent, sign_of};
use crate::target::{Origin, Target};
use crate::{Environment, Failure};

/// Shows on the terminal that a command waits, and for what, until it is dropped.
pub type Spinner = fn(&str) -> Box<dyn Any>;

/// Time after which a spinner is shown.
const SHORT: Duration = Duration::from_millis(300);

/// A connection, and the runtime that it lives on.
pub(crate) struct Remote {
    // These are dropped before the runtime, because they notify their task.
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
    /// Connects. `timeout` is the limit for the connection attempt, and for each later call.
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
        let waiting = format!("connecting to {}", target.url.as_str());
        let open = |own: Option<&Own>| {
            let connect = connect_as(own, &target, &scopes).timeout(timeout);
            let connect = match client("cli", "cli", None) {
                Some(client) => connect.client(client),
                None => connect,
            };
            let opened = runtime.block_on(patiently(environment.spinner, &waiting, connect.open()));
            opened.map_err(|source| Failure::Connect {
                url: target.url.as_str().to_owned(),
                source: Box::new(source),
                showed: !target.shared.is_empty(),
            })
        };
        let (mut client, mut events) = open(own.as_ref())?;
        let mut keeper = own.map(|own| own.keeper);
        let given = &client.hello().auth;
        // Gateways of the other program before 2026.7 say nothing of it, and give no scopes to a client without a
        // device.
        let has_all = scopes.is_empty() || (given.is_said() && given.scopes.covers(&scopes));
        if keeper.is_none() && is_by_secret(&target) && !has_all {
            // The secret alone is not enough there; a device of this machine that knows it may be.
            let own = state.map(|state| identity(state, purpose, environment));
            if let Some(own) = own.transpose()?.flatten() {
                drop((client, events));
                (client, events) = open(Some(&own))?;
                keeper = Some(own.keeper);
            }
        }
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

    /// Returns the first of these methods that the gateway does not have.
    pub(crate) fn lacks(&self, methods: &[&'static str]) -> Option<&'static str> {
        methods.iter().find(|method| !self.has(method)).copied()
    }

    /// Returns the first of these methods that the gateway has neither by its name, nor by that of the other program,
    /// nor without listing it.
    pub(crate) fn misses(&self, methods: &[&'static str]) -> Option<&'static str> {
        let misses = |method: &&&'static str| {
            !self.has(method)
                && !self.has_equivalent(method)
                && !sign_of(method).is_some_and(|sign| self.has(sign))
        };
        methods.iter().find(misses).copied()
    }

    /// Whether the gateway has these methods only because the other program's ones stand for some of them.
    pub(crate) fn substitutes(&self, methods: &[&'static str]) -> bool {
        let has = |method: &&'static str| self.has(method) || self.has_equivalent(method);
        self.lacks(methods).is_some() && methods.iter().all(has)
    }

    fn has(&self, method: &str) -> bool {
        let has = &self.client.hello().features.methods;
        has.iter().any(|has| has == method)
    }

    fn has_equivalent(&self, method: &str) -> bool {
        equivalent(method).is_some_and(|theirs| self.has(theirs))
    }

    /// Calls a method.
    pub(crate) fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &impl Serialize,
    ) -> Result<T, Failure> {
        self.call_within(method, params, self.timeout)
    }

    /// Calls a method that may take longer than others.
    pub(crate) fn call_within<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &impl Serialize,
        timeout: Duration,
    ) -> Result<T, Failure> {
        let call = self.client.call_with_timeout(method, params, timeout);
        let called =
            self.runtime
                .block_on(patiently(self.spinner, "waiting for the gateway", call));
        called.map_err(|error| self.failure(method, error))
    }

    /// Returns this machine's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the gateway's `hello-ok`.
    pub(crate) fn hello(&self) -> &gateway_protocol::hello::HelloOk {
        self.client.hello()
    }

    /// Returns the connection, for a caller who waits for its end.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Returns the runtime, for a caller who reads events on a thread of their own.
    pub(crate) fn runtime(&self) -> Arc<Runtime> {
        Arc::clone(&self.runtime)
    }

    /// Saves a token that this machine got for a role of its own.
    pub(crate) fn keep(&self, role: Role, token: Secret, scopes: ScopeSet, at: i64) {
        let held = HeldToken {
            token,
            scopes,
            issued_at_ms: Some(at),
        };
        if let Some(keeper) = &self.keeper {
            // The old token is no longer valid. Without the new one, only the shared secret or a new setup
            // code would be left.
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

/// Prepares a connection to a gateway, with its credentials and without a device.
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

/// The same, without the secret that the gateway shares with its owner.
fn connect_alone(target: &Target) -> Connect {
    let connect = Connect::to(target.url.clone());
    if let Some(state) = &target.socket {
        // No secret is presented there.
        return connect.by_owner_socket(state);
    }
    match target.fingerprint {
        Some(fingerprint) => connect.fingerprint(fingerprint),
        None => connect,
    }
}

/// Prepares a connection as a device of this machine, if there is one.
fn connect_as(own: Option<&Own>, target: &Target, scopes: &ScopeSet) -> Connect {
    let Some(own) = own else {
        return connect_to(target).scopes(scopes.clone());
    };
    let connect = if own.asks {
        connect_to(target).scopes(scopes.clone())
    } else {
        // It connects with its token alone, for the scopes of that token, so that nothing is left to ask for,
        // whatever the state of the pairing.
        connect_alone(target)
    };
    connect.identity(own.identity.clone(), Arc::new(own.keeper.clone()))
}

/// Whether a command identifies itself as a device at once. On the gateway's own machine the shared secret may be
/// enough, and naming a device could ask for a pairing.
fn names_itself(target: &Target) -> bool {
    target.socket.is_none() && target.origin != Origin::Local && !is_by_secret(target)
}

/// Whether a command presents the shared secret to a gateway of this machine.
fn is_by_secret(target: &Target) -> bool {
    target.socket.is_none() && target.is_here() && !target.shared.is_empty()
}

/// This machine's identity, if the command may use it.
struct Own {
    identity: Arc<Identity>,
    keeper: Keeper,
    /// Whether it may ask the owner for more than it has.
    asks: bool,
}

/// Loads this machine's identity. A command that decides creates it if it is missing, and asks for what it
/// lacks. A command that only reads uses an existing pairing.
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
    // Only an admin may decide some things; the gateway says whether that is needed.
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

/// Creates a runtime on this thread, because commands make one call after the other.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(Failure::Runtime)
}

/// This program's description as a client.
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

/// Waits, and shows a spinner if it takes long.
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
