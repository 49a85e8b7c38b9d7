//! The registry of connected sessions.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use gateway_protocol::hello::{AuthMethod, Presence};
use gateway_protocol::{ConnectParams, close};
use pairing_core::device::{AuthenticatedDevice, Role};
use pairing_core::{Approver, DeviceId, Scope, ScopeSet, Timestamp};
use tokio::sync::{Notify, Semaphore};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::outbox::{End, Outbox};
use crate::presence::Shown;

/// A connection that has been admitted.
#[derive(Debug)]
pub(crate) struct Session {
    /// Increases with every session.
    pub(crate) number: u64,
    /// The connection's id, as the client was told.
    pub(crate) id: String,
    pub(crate) who: Who,
    pub(crate) method: AuthMethod,
    pub(crate) client: Client,
    pub(crate) address: IpAddr,
    pub(crate) connected_at: Timestamp,
    pub(crate) outbox: Outbox,
    /// Limits the calls of this session that use the store at the same time.
    pub(crate) at_store: Semaphore,
    /// Set when the session's rights have ended. It gets no more answers.
    ended: AtomicBool,
    /// Number of calls in progress that may end the session's own rights, and whose answers it still has to
    /// get.
    deciding: AtomicUsize,
    /// Signalled when the gateway stops: nothing more is read from the connection.
    leaving: Notify,
    /// Its entry in the presence list, with its address and without.
    shown: OnceLock<[Shown; 2]>,
}

/// A call in progress that may end the session's own rights. It is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Deciding(Arc<Session>);

impl Drop for Deciding {
    fn drop(&mut self) {
        self.0.deciding.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The client's identity, as far as it was proven.
#[derive(Debug)]
pub(crate) enum Who {
    /// A paired device.
    Device(AuthenticatedDevice),
    /// An operator with the shared secret and no device.
    Operator(ScopeSet),
    /// A process of the owner's user, by the owner's socket.
    Owner(ScopeSet),
}

/// The client's description of itself.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) display_name: Option<String>,
    pub(crate) version: String,
    pub(crate) platform: String,
    pub(crate) device_family: Option<String>,
    pub(crate) model_identifier: Option<String>,
    pub(crate) mode: String,
    pub(crate) caps: Vec<String>,
    pub(crate) commands: Vec<String>,
    pub(crate) permissions: std::collections::BTreeMap<String, bool>,
    /// The origin of the page that it connected from.
    pub(crate) origin: Option<String>,
}

/// Maximum number of calls of one client that use the store at the same time; the others wait.
const AT_STORE: usize = 4;

/// The reason of the close frame when a session's rights have ended.
const REVOKED: &str = "access was revoked or changed: connect again";

impl Session {
    pub(crate) fn new(
        number: u64,
        id: String,
        who: Who,
        method: AuthMethod,
        client: Client,
        (address, connected_at, limit): (IpAddr, Timestamp, usize),
    ) -> Self {
        Self {
            number,
            id,
            who,
            method,
            client,
            address,
            connected_at,
            outbox: Outbox::new(limit),
            at_store: Semaphore::new(AT_STORE),
            ended: AtomicBool::new(false),
            deciding: AtomicUsize::new(0),
            leaving: Notify::new(),
            shown: OnceLock::new(),
        }
    }

    pub(crate) fn role(&self) -> Role {
        match &self.who {
            Who::Device(device) => device.role(),
            Who::Operator(_) | Who::Owner(_) => Role::Operator,
        }
    }

    pub(crate) fn scopes(&self) -> &ScopeSet {
        match &self.who {
            Who::Device(device) => device.scopes(),
            Who::Operator(scopes) | Who::Owner(scopes) => scopes,
        }
    }

    pub(crate) fn device(&self) -> Option<&AuthenticatedDevice> {
        match &self.who {
            Who::Device(device) => Some(device),
            Who::Operator(_) | Who::Owner(_) => None,
        }
    }

    /// The approver in whose name the session decides.
    pub(crate) fn approver(&self) -> Approver {
        match &self.who {
            Who::Device(device) => Approver::device(device),
            Who::Owner(scopes) => Approver::operator("owner", scopes.clone()),
            Who::Operator(scopes) => Approver::operator(
                match self.method {
                    AuthMethod::Password => "password",
                    AuthMethod::None => "open",
                    AuthMethod::TrustedProxy => "user",
                    _ => "token",
                },
                scopes.clone(),
            ),
        }
    }

    /// Whether it may see what concerns this device.
    pub(crate) fn may_see_device(&self, id: DeviceId) -> bool {
        self.scopes().allows(Scope::PAIRING)
            && (self.sees_all() || self.device().is_some_and(|own| own.id() == id))
    }

    /// Whether it may see legacy nodes.
    pub(crate) fn may_see_nodes(&self) -> bool {
        self.scopes().allows(Scope::PAIRING) && self.sees_all()
    }

    /// Whether it may see senders.
    pub(crate) fn may_see_senders(&self) -> bool {
        self.scopes().allows(Scope::PAIRING)
    }

    /// Whether it may read the messages that people write to the bot.
    pub(crate) fn may_read_messages(&self) -> bool {
        self.role() == Role::Operator && self.scopes().allows(Scope::MESSAGES)
    }

    /// Whether it may see the list of connections.
    pub(crate) fn may_see_presence(&self) -> bool {
        self.scopes().allows("operator.read")
    }

    /// Whether it may see all devices. A device without admin rights sees only itself.
    fn sees_all(&self) -> bool {
        self.device().is_none() || self.scopes().allows(Scope::ADMIN)
    }

    /// Whether its permissions still hold and it is still connected.
    pub(crate) fn is_live(&self) -> bool {
        !self.ended.load(Ordering::SeqCst)
    }

    /// Begins a call that may end the session's own rights.
    pub(crate) fn decides(self: &Arc<Self>) -> Deciding {
        self.deciding.fetch_add(1, Ordering::SeqCst);
        Deciding(self.clone())
    }

    /// Ends the session's rights; no further request of it is answered. The connection is closed at once. If
    /// the session itself may have caused this, it is closed after its last answer, by the task that sends
    /// that answer.
    fn revoke(&self, may_be_own: bool) {
        // The task that sends an answer first decrements the counter and then reads this flag, so one of the
        // two always sees the other.
        self.ended.store(true, Ordering::SeqCst);
        if !may_be_own || self.deciding.load(Ordering::SeqCst) == 0 {
            self.outbox.end(End {
                code: close::POLICY,
                reason: REVOKED,
                at_once: true,
            });
        }
    }

    /// Stops reading from the connection, and closes it once the calls in progress are answered.
    pub(crate) fn leave(&self) {
        self.leaving.notify_one();
    }

    /// Waits until [`leave`](Self::leave) is called.
    pub(crate) async fn left(&self) {
        self.leaving.notified().await;
    }

    /// Closes the connection after everything queued has been sent, if the session's rights have ended.
    pub(crate) fn close_if_revoked(&self) {
        if !self.is_live() && self.deciding.load(Ordering::SeqCst) == 0 {
            self.outbox.end(End {
                code: close::POLICY,
                reason: REVOKED,
                at_once: false,
            });
        }
    }

    /// The session's entry in the presence list, with its address or without.
    pub(crate) fn shown(&self, with_address: bool) -> Shown {
        let [with, without] = self.shown.get_or_init(|| {
            let mut presence = self.presence();
            let with = Shown::new(&presence);
            match presence.ip.take() {
                Some(_) => [with, Shown::new(&presence)],
                None => [with.clone(), with],
            }
        });
        if with_address { with } else { without }.clone()
    }

    fn presence(&self) -> Presence {
        let client = &self.client;
        let device_id = self.device().map(|device| device.id().to_string());
        let name = client.display_name.as_deref().unwrap_or(&client.id);
        let kind = match self.role() {
            Role::Node => "Node",
            Role::Operator => "Operator",
        };
        Presence {
            host: client.display_name.clone(),
            ip: (!self.address.is_loopback()).then(|| self.address.to_string()),
            version: Some(client.version.clone()),
            platform: Some(client.platform.clone()),
            device_family: client.device_family.clone(),
            model_identifier: client.model_identifier.clone(),
            mode: client.mode.clone(),
            // Clients tell entries apart by it, so it is only what was proven: the device, or this connection.
            instance_id: Some(device_id.clone().unwrap_or_else(|| self.id.clone())),
            device_id,
            roles: vec![self.role()],
            scopes: self.scopes().clone(),
            gateway: None,
            reason: "connect".to_owned(),
            text: format!("{kind}: {name} · mode {}", client.mode),
            ts: self.connected_at.as_millis(),
        }
    }
}

impl Client {
    /// The client's description of itself in `connect`, cut to a size that can be shown.
    pub(crate) fn new(params: &ConnectParams) -> Self {
        let client = &params.client;
        let some = |text: &Option<gateway_protocol::Text>| text.as_deref().map(cut);
        let all = |texts: &[gateway_protocol::Text]| {
            texts
                .iter()
                .take(MOST_NAMES)
                .map(|text| cut(text))
                .collect()
        };
        let permissions = params.permissions.iter().take(MOST_NAMES);
        Self {
            id: cut(&client.id),
            display_name: some(&client.display_name),
            version: cut(&client.version),
            platform: cut(&client.platform),
            device_family: some(&client.device_family),
            model_identifier: some(&client.model_identifier),
            mode: cut(&client.mode),
            caps: all(&params.caps),
            commands: all(&params.commands),
            permissions: permissions
                .map(|(name, granted)| (cut(name), *granted))
                .collect(),
            origin: None,
        }
    }

    /// Sets the page that it connected from.
    pub(crate) fn on_page(self, page: Option<&str>) -> Self {
        let origin = page.map(cut);
        Self { origin, ..self }
    }
}

/// Maximum number of entries that are kept of a list that a client sends.
const MOST_NAMES: usize = 256;

/// Cuts a text to at most 256 characters.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(256).collect()
}

/// All sessions. The cost of an operation does not depend on their number, except for
/// [`broadcast`](Self::broadcast).
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    inner: Mutex<Inner>,
    numbers: AtomicU64,
    /// Number of connects and disconnects so far.
    version: AtomicU64,
    /// Signalled when a session comes or goes.
    pub(crate) changed: Notify,
    /// Signalled when a session goes.
    pub(crate) gone: Notify,
    /// Signalled when a node comes or goes.
    pub(crate) nodes: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// By number, so oldest first.
    all: BTreeMap<u64, Arc<Session>>,
    /// The sessions of a device, oldest first.
    devices: HashMap<DeviceId, Vec<u64>>,
    /// Whether the gateway stops; then no session is added any more.
    closed: bool,
}

impl Sessions {
    /// Returns the number for the next session.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns the version of the presence list.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self) -> usize {
        self.inner().all.len()
    }

    /// Adds a session. Returns `false` if no session is added any more, because the gateway stops.
    pub(crate) fn insert(&self, session: Arc<Session>) -> bool {
        let mut inner = self.inner();
        if inner.closed {
            return false;
        }
        if let Some(device) = session.device() {
            inner
                .devices
                .entry(device.id())
                .or_default()
                .push(session.number);
        }
        let is_node = session.role() == Role::Node;
        inner.all.insert(session.number, session);
        drop(inner);
        self.has_changed(is_node);
        true
    }

    /// Adds no sessions any more.
    pub(crate) fn close(&self) {
        self.inner().closed = true;
    }

    pub(crate) fn remove(&self, session: &Session) {
        let mut inner = self.inner();
        if inner.all.remove(&session.number).is_none() {
            return;
        }
        if let Some(device) = session.device().map(AuthenticatedDevice::id)
            && let Some(numbers) = inner.devices.get_mut(&device)
        {
            numbers.retain(|number| *number != session.number);
            if numbers.is_empty() {
                inner.devices.remove(&device);
            }
        }
        drop(inner);
        self.has_changed(session.role() == Role::Node);
        self.gone.notify_waiters();
    }

    /// The sessions of a device, oldest first.
    pub(crate) fn of_device(&self, id: DeviceId) -> Vec<Arc<Session>> {
        let inner = self.inner();
        let numbers = inner.devices.get(&id).into_iter().flatten();
        numbers
            .filter_map(|number| inner.all.get(number).cloned())
            .collect()
    }

    /// Returns the session that receives calls for a node: its newest.
    pub(crate) fn newest_node(&self, id: DeviceId) -> Option<Arc<Session>> {
        let mut sessions = self.of_device(id);
        sessions.retain(|session| session.role() == Role::Node && session.is_live());
        sessions.pop()
    }

    /// Returns all sessions, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.inner().all.values().cloned().collect()
    }

    /// Returns the sessions that came last, newest first.
    pub(crate) fn newest(&self, most: usize) -> Vec<Arc<Session>> {
        let inner = self.inner();
        inner.all.values().rev().take(most).cloned().collect()
    }

    /// Ends those sessions of a device that `has_ended` selects, at once. The caller's own session ends after
    /// its answer. Without a caller, it is not known whose decision it was, so a session that is deciding at
    /// the moment still gets its answer. Returns whether any session ended.
    pub(crate) fn end_of_device(
        &self,
        id: DeviceId,
        caller: Option<&Session>,
        has_ended: impl Fn(&Session) -> bool,
    ) -> bool {
        let mut any = false;
        for session in self.of_device(id) {
            let may_be_own = caller.is_none_or(|caller| caller.number == session.number);
            let is_live = session.is_live();
            if (is_live || !may_be_own) && has_ended(&session) {
                session.revoke(may_be_own);
                any |= is_live;
            }
        }
        any
    }

    /// Sends a frame to every session that is entitled to it.
    pub(crate) fn broadcast(&self, frame: &Utf8Bytes, is_entitled: impl Fn(&Session) -> bool) {
        let all: Vec<_> = self.inner().all.values().cloned().collect();
        for session in all {
            if session.is_live() && is_entitled(&session) {
                session.outbox.send(frame.clone());
            }
        }
    }

    /// Whether any entitled session is connected.
    pub(crate) fn any(&self, is_entitled: impl Fn(&Session) -> bool) -> bool {
        self.inner()
            .all
            .values()
            .any(|session| is_entitled(session))
    }

    /// Notes that the presence at other gateways has changed.
    pub(crate) fn note_elsewhere(&self) {
        self.has_changed(false);
    }

    fn has_changed(&self, is_node: bool) {
        self.version.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_one();
        if is_node {
            self.nodes.notify_one();
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
