//! A small node: executes the commands that the gateway sends.

mod builtin;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use gateway_protocol::Text;
use gateway_protocol::invoke::{InvokeError, InvokeRequest, InvokeResult};
use pairing_core::Entropy;
use pairing_core::device::Role;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::{Client, ClientEvent, Connect, Link, LinkEvent};

/// Default maximum number of concurrent commands.
pub const AT_ONCE: usize = 8;

/// Timeout of a command if the request specifies none, and the longest timeout allowed.
const USUAL: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(600);

/// Result of a command.
pub type Outcome = Result<Value, InvokeError>;

/// Executes one command. Implemented for every `async fn(InvokeRequest) -> Result<Value, InvokeError>`.
pub trait Handler: Send + Sync + 'static {
    /// Executes the command. The future is dropped when the time is up; the caller gets its error unchanged.
    fn handle(&self, request: InvokeRequest) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;
}

impl<F, Doing> Handler for F
where
    F: Fn(InvokeRequest) -> Doing + Send + Sync + 'static,
    Doing: Future<Output = Outcome> + Send + 'static,
{
    fn handle(&self, request: InvokeRequest) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        Box::pin(self(request))
    }
}

/// The capabilities, commands and permissions of a node.
///
/// The gateway learns the capabilities and commands on every connection, and never sends a command that the
/// owner has not approved; an unknown command is still answered with an error.
pub struct Node {
    caps: Vec<String>,
    handlers: BTreeMap<String, Arc<dyn Handler>>,
    permissions: BTreeMap<String, bool>,
    at_once: usize,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            caps: Vec::new(),
            handlers: BTreeMap::new(),
            permissions: BTreeMap::new(),
            at_once: AT_ONCE,
        }
    }
}

impl Node {
    /// Returns a node without any commands.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a node with `device.info` and `device.status`. Its uptime counts from now on.
    pub fn with_builtins() -> Self {
        builtin::add_to(Self::new())
    }

    /// Adds a capability.
    pub fn cap(mut self, cap: impl Into<String>) -> Self {
        self.caps.push(cap.into());
        self
    }

    /// Adds a command with its handler. The last handler added for a name is used.
    pub fn command(mut self, name: impl Into<String>, handler: impl Handler) -> Self {
        self.handlers.insert(name.into(), Arc::new(handler));
        self
    }

    /// Drops all commands but these. Fails with the first of them that the node does not have.
    pub fn only(mut self, commands: &BTreeSet<String>) -> Result<Self, String> {
        if let Some(unknown) = commands
            .iter()
            .find(|name| !self.handlers.contains_key(*name))
        {
            return Err(unknown.clone());
        }
        self.handlers.retain(|name, _| commands.contains(name));
        Ok(self)
    }

    /// Declares whether the operating system grants a permission.
    pub fn permission(mut self, name: impl Into<String>, granted: bool) -> Self {
        self.permissions.insert(name.into(), granted);
        self
    }

    /// Sets the maximum number of concurrent commands; [`AT_ONCE`] by default. Further ones are refused.
    pub fn at_once(mut self, at_once: usize) -> Self {
        self.at_once = at_once.min(Semaphore::MAX_PERMITS);
        self
    }

    /// Connects as this node, and serves for as long as the returned [`Serving`] is kept and polled.
    pub fn keep(self, connect: Connect, jitter: Arc<dyn Entropy>) -> Serving {
        // A request cannot name an empty command.
        let texts = |names: Vec<String>| {
            names
                .into_iter()
                .filter_map(|name| Text::try_from(name).ok())
        };
        let link = connect
            .role(Role::Node)
            .caps(texts(self.caps))
            .commands(texts(self.handlers.keys().cloned().collect()))
            .permissions(self.permissions)
            .keep(jitter);
        Serving {
            link,
            client: None,
            handlers: self.handlers,
            slots: Arc::new(Semaphore::new(self.at_once)),
            running: JoinSet::new(),
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("caps", &self.caps)
            .field("commands", &self.handlers.keys())
            .field("permissions", &self.permissions)
            .field("at_once", &self.at_once)
            .finish()
    }
}

/// A node at work. Dropping it ends its connection and its running commands.
pub struct Serving {
    link: Link,
    client: Option<Client>,
    handlers: BTreeMap<String, Arc<dyn Handler>>,
    slots: Arc<Semaphore>,
    running: JoinSet<()>,
}

impl Serving {
    /// Serves requests, and returns every other event of the [`Link`]. `None` once the link has given up.
    /// Cancel-safe.
    pub async fn next(&mut self) -> Option<LinkEvent> {
        loop {
            let event = tokio::select! {
                event = self.link.next() => event?,
                Some(_) = self.running.join_next() => continue,
            };
            match event {
                LinkEvent::Event(ClientEvent::InvokeRequest(request)) => self.start(request),
                LinkEvent::Connected(client) => {
                    self.client = Some(client.clone());
                    return Some(LinkEvent::Connected(client));
                }
                event => return Some(event),
            }
        }
    }

    fn start(&mut self, request: InvokeRequest) {
        let Some(client) = self.client.clone() else {
            return;
        };
        let handler = self.handlers.get(&request.command).cloned();
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        self.running.spawn(async move {
            let (id, node_id) = (request.id.clone(), request.node_id.clone());
            let outcome = match (handler, slot) {
                (None, _) => Err(error("UNKNOWN_COMMAND", "this node has no such command")),
                (_, Err(_)) => Err(error("BUSY", "this node does as much as it can: try later")),
                (Some(handler), Ok(_slot)) => run(&*handler, request).await,
            };
            answer(&client, id, node_id, outcome).await;
        });
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving")
            .field("commands", &self.handlers.keys())
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

async fn run(handler: &dyn Handler, request: InvokeRequest) -> Outcome {
    let limit = request
        .timeout_ms
        .map_or(USUAL, Duration::from_millis)
        .min(LONGEST);
    // The handler may panic when it is called, or later in its future.
    let doing = AssertUnwindSafe(async { handler.handle(request).await }).catch_unwind();
    match tokio::time::timeout(limit, doing).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(error("INTERNAL", "the command failed")),
        Err(_) => Err(error("TIMEOUT", "the command took too long")),
    }
}

async fn answer(client: &Client, id: String, node_id: String, outcome: Outcome) {
    let (Ok(id), Ok(node_id)) = (Text::try_from(id), Text::try_from(node_id)) else {
        // Without both ids, there is nobody to answer.
        return;
    };
    let (payload, error) = match outcome {
        Ok(payload) => (Some(payload), None),
        Err(error) => (None, Some(error)),
    };
    let result = InvokeResult {
        id,
        node_id,
        ok: error.is_none(),
        payload,
        payload_json: None,
        error,
    };
    if let Err(error) = client.call::<_, Value>("node.invoke.result", result).await {
        tracing::debug!(%error, "an answer did not arrive");
    }
}

/// Parses the parameters of a request, or returns an error for the caller.
pub fn params<T: DeserializeOwned>(request: &InvokeRequest) -> Result<T, InvokeError> {
    let text = request.params_json.as_deref().unwrap_or("{}");
    serde_json::from_str(text).map_err(|wrong| {
        let place = format!(
            "wrong parameters at line {}, column {}",
            wrong.line(),
            wrong.column()
        );
        error("INVALID_PARAMS", place)
    })
}

/// Returns an error with a code for programs and a message for people.
pub fn error(code: &str, message: impl Into<String>) -> InvokeError {
    InvokeError {
        code: Some(code.to_owned()),
        message: Some(message.into()),
    }
}
