//! The gateway's methods, and the scope that each requires.

mod audit;
mod channel_login;
mod channels;
mod channels_pairing;
mod devices;
mod dm;
mod doctor;
mod invoke;
mod messages;
mod node_reports;
mod nodes;
mod page;
mod setup;
mod system;
mod upgrade;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use gateway_protocol::event;
use gateway_protocol::hello::Features;
use gateway_protocol::{DetailCode, ErrorShape, read_params};
use pairing_core::device::Role;
use pairing_core::store::Problem;
use pairing_core::{Approver, DecisionError, DeviceError, ListError, Pairing, StoreError, escape};
use pairing_fs::{AuditLog, IdentityDir};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

pub(crate) use invoke::here as invoke_here;

use crate::doctor::Doctor;
use crate::parts::Parts;
use crate::sessions::{Deciding, Session};
use pairing_core::Chain;

/// The outcome of a call: the payload, or the error.
pub type Reply = Result<Box<RawValue>, ErrorShape>;

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Operators with this scope.
    Operator(&'static str),
    /// Nodes.
    Node,
}

/// How a method is run.
#[derive(Clone)]
enum Run {
    /// Immediately: it waits for nothing.
    Now(fn(&Call) -> Reply),
    /// On the blocking pool, because it uses the store.
    Blocking(Asks),
    /// Immediately where it has an answer then, because the store has everything in memory; otherwise on the blocking
    /// pool.
    Reading(fn(&Call) -> Option<Reply>, Asks),
    /// On the blocking pool, and it may end the caller's own rights.
    Deciding(Asks),
    /// Asynchronously, and it may end the caller's own rights.
    LaterDeciding(fn(Call) -> Decided),
    /// Asynchronously, because it waits for somebody else.
    Later(Arc<dyn Fn(Call) -> Waiting + Send + Sync>),
}

/// A method that uses the store.
type Asks = Arc<dyn Fn(&Call) -> Reply + Send + Sync>;

type Waiting = Pin<Box<dyn Future<Output = Reply> + Send>>;

type Decided = Pin<Box<dyn Future<Output = (Reply, Option<Deciding>)> + Send>>;

/// The result of a call, or the future of it. What comes with the result has to be kept until the answer is
/// queued.
pub(crate) enum Dispatched {
    Now(Reply),
    Later(Decided),
}

#[derive(Clone)]
struct Method {
    access: Access,
    run: Run,
    /// The method's label in metrics.
    label: &'static str,
}

/// All methods, by name.
#[derive(Clone)]
pub(crate) struct Methods(BTreeMap<String, Method>);

/// All events that the gateway sends.
const EVENTS: [&str; 16] = [
    event::CHALLENGE,
    event::TICK,
    event::PRESENCE,
    event::SHUTDOWN,
    event::DEVICE_REQUESTED,
    event::DEVICE_PAIR_CHANGED,
    event::DEVICE_RESOLVED,
    event::SETUP_COMPLETED,
    event::SETUP_DELIVERY_UNCERTAIN,
    event::NODE_REQUESTED,
    event::NODE_RESOLVED,
    event::DM_REQUESTED,
    event::DM_RESOLVED,
    event::PAIRING_CHANGED,
    event::INVOKE_REQUEST,
    event::MESSAGE_INBOUND,
];

const READ: Access = Access::Operator("operator.read");
const WRITE: Access = Access::Operator("operator.write");
const ADMIN: Access = Access::Operator("operator.admin");
const PAIRING: Access = Access::Operator("operator.pairing");

/// A built-in method that does not wait.
type Row = (&'static str, Access, fn(&Call) -> Reply);

impl Methods {
    /// The built-in methods.
    pub(crate) fn builtin() -> Self {
        let now: [Row; 15] = [
            ("dashboard.link", ADMIN, page::link),
            ("health", READ, system::health),
            ("status", READ, system::status),
            ("system-presence", READ, system::presence),
            ("node.invoke.result", Access::Node, invoke::result),
            ("node.event", Access::Node, invoke::event),
            ("skills.bins", Access::Node, system::bins),
            ("node.invoke.progress", Access::Node, node_reports::progress),
            ("node.pending.ack", Access::Node, node_reports::ack),
            ("node.pending.drain", Access::Node, node_reports::drain),
            ("node.pending.pull", Access::Node, node_reports::pull),
            (
                "node.pluginTools.update",
                Access::Node,
                node_reports::plugin_tools,
            ),
            (
                "node.runnerInventory.update",
                Access::Node,
                node_reports::runner_inventory,
            ),
            ("node.skills.update", Access::Node, node_reports::skills),
            (
                "node.pluginSurface.refresh",
                Access::Node,
                node_reports::plugin_surface,
            ),
        ];
        let deciding: [Row; 4] = [
            ("device.pair.approve", PAIRING, devices::approve),
            ("device.pair.remove", PAIRING, devices::remove),
            ("device.token.rotate", PAIRING, devices::rotate),
            ("device.token.revoke", PAIRING, devices::revoke),
        ];
        let blocking: [Row; 27] = [
            ("channels.login.start", ADMIN, channel_login::start),
            ("channels.login.end", ADMIN, channel_login::end),
            ("node.list", READ, nodes::list),
            ("node.describe", READ, nodes::describe),
            ("device.pair.reject", PAIRING, devices::reject),
            ("device.pair.rename", PAIRING, devices::rename),
            ("device.pair.setupCode", PAIRING, setup::issue),
            ("device.pair.setupCode.end", PAIRING, setup::end),
            ("device.pair.setupStatus", ADMIN, setup::status),
            ("device.scopes.requestUpgrade", READ, upgrade::request),
            ("node.pair.request", PAIRING, nodes::request),
            ("node.pair.list", PAIRING, nodes::pair_list),
            ("node.pair.approve", PAIRING, nodes::approve),
            ("node.pair.reject", PAIRING, nodes::reject),
            ("node.pair.remove", PAIRING, nodes::remove),
            ("node.pair.verify", PAIRING, nodes::verify),
            ("node.rename", PAIRING, nodes::rename),
            ("channels.pairing.list", PAIRING, channels_pairing::list),
            (
                "channels.pairing.dismiss",
                PAIRING,
                channels_pairing::dismiss,
            ),
            ("pairing.list", PAIRING, dm::list),
            ("pairing.reject", PAIRING, dm::reject),
            ("pairing.allowed", PAIRING, dm::allowed),
            ("pairing.allow", PAIRING, dm::allow),
            ("pairing.revoke", PAIRING, dm::revoke),
            ("pairing.invite", PAIRING, dm::invite),
            ("pairing.invite.list", PAIRING, dm::invitations),
            ("pairing.invite.end", PAIRING, dm::end_invitation),
        ];
        let mut methods = Self(BTreeMap::new());
        for (name, access, run) in now {
            methods.add(name, access, Run::Now(run), name);
        }
        for (name, access, run) in blocking {
            methods.add(name, access, Run::Blocking(Arc::new(run)), name);
        }
        for (name, access, run) in deciding {
            methods.add(name, access, Run::Deciding(Arc::new(run)), name);
        }
        let name = "device.pair.list";
        let run = Run::Reading(devices::list_at_once, Arc::new(devices::list));
        methods.add(name, PAIRING, run, name);
        let name = "pairing.channels";
        methods.add(name, READ, later(channels::status), name);
        let name = "channels.status";
        methods.add(name, READ, later(channels::their_status), name);
        let name = "channels.login.wait";
        methods.add(name, ADMIN, later(channel_login::wait), name);
        let name = "channels.logout";
        methods.add(name, ADMIN, later(channel_login::logout), name);
        let name = "node.invoke";
        methods.add(name, WRITE, later(invoke::invoke), name);
        let name = "channels.pairing.approve";
        methods.add(name, PAIRING, later(channels_pairing::approve), name);
        let name = "pairing.approve";
        methods.add(name, PAIRING, later(dm::approve), name);
        let name = "device.scopes.waitUpgrade";
        let run = |call| Box::pin(upgrade::wait(call)) as Decided;
        methods.add(name, READ, Run::LaterDeciding(run), name);
        methods
    }

    /// Adds an asynchronous method; it replaces one of the same name.
    pub(crate) fn add_async<F>(
        &mut self,
        name: &str,
        access: Access,
        run: impl Fn(Call) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Reply> + Send + 'static,
    {
        self.add(name, access, later(run), "custom");
    }

    /// Adds `send`, unless it exists. Only a gateway with channels has it.
    pub(crate) fn add_send(&mut self) {
        let name = "send";
        if !self.0.contains_key(name) {
            self.add(name, WRITE, later(messages::send), name);
        }
    }

    /// Adds `pairing.audit`. Only a gateway with an audit log has it.
    pub(crate) fn add_audit(&mut self, log: AuditLog) {
        let name = "pairing.audit";
        let run = move |call: &Call| audit::list(call, &log);
        self.add(name, PAIRING, Run::Blocking(Arc::new(run)), name);
    }

    /// Adds `doctor.findings`. Only a gateway on a state directory has it.
    pub(crate) fn add_doctor(&mut self, doctor: Doctor) {
        let name = "doctor.findings";
        let run = move |call: &Call| doctor::findings(call, &doctor);
        self.add(name, ADMIN, Run::Blocking(Arc::new(run)), name);
    }

    /// Adds `gateway.identity.get`. Only a gateway on a state directory has it.
    pub(crate) fn add_identity(&mut self, dir: IdentityDir) {
        let name = "gateway.identity.get";
        let run = move |call: &Call| system::identity(call, &dir);
        self.add(name, READ, Run::Blocking(Arc::new(run)), name);
    }

    fn add(&mut self, name: &str, access: Access, run: Run, label: &'static str) {
        let method = Method { access, run, label };
        self.0.insert(name.to_owned(), method);
    }

    /// Begins to answer a request.
    pub(crate) fn begin(
        &self,
        parts: &Arc<Parts>,
        session: &Arc<Session>,
        method: String,
        params: Option<Box<RawValue>>,
    ) -> Dispatched {
        let Some(Method { access, run, label }) = self.0.get(&method) else {
            parts.metrics.called("unknown", false);
            let shown: String = method.chars().take(128).collect();
            return Dispatched::Now(Err(ErrorShape::invalid(
                DetailCode::UnknownMethod,
                format!("unknown method: {shown}"),
            )));
        };
        if let Err(refused) = access.permit(session) {
            parts.metrics.called(label, false);
            return Dispatched::Now(Err(refused));
        }
        let label = *label;
        let counted = move |parts: &Parts, reply: Reply| {
            parts.metrics.called(label, reply.is_ok());
            reply
        };
        let call = Call {
            parts: parts.clone(),
            session: session.clone(),
            method,
            params,
        };
        // Every client may ask for the gateway's health.
        if label != "health" && !parts.vouches_for(session) {
            parts.metrics.called(label, false);
            return Dispatched::Now(Err(not_vouched_for()));
        }
        if let Run::Reading(at_once, _) = run
            && let Some(reply) = at_once(&call)
        {
            return Dispatched::Now(counted(&call.parts, reply));
        }
        let decides = matches!(run, Run::Deciding(_));
        match run {
            Run::Now(run) => Dispatched::Now(counted(&call.parts, run(&call))),
            Run::Blocking(run) | Run::Reading(_, run) | Run::Deciding(run) => {
                Dispatched::Later(Box::pin({
                    let run = run.clone();
                    async move {
                        // A client with many calls at once does not keep others from the store.
                        let session = call.session.clone();
                        let _turn = session.at_store.acquire().await;
                        let deciding = decides.then(|| call.session.decides());
                        let ran = tokio::task::spawn_blocking(move || {
                            // The session's rights may have ended while the call waited for its turn.
                            if !call.session.is_live() {
                                return Err(ErrorShape::unavailable(
                                    DetailCode::AccessRevoked,
                                    "access was revoked",
                                ));
                            }
                            counted(&call.parts, run(&call))
                        });
                        let ran = ran.await;
                        let failed = |_| {
                            Err(ErrorShape::unavailable(
                                DetailCode::Internal,
                                "the request failed",
                            ))
                        };
                        (ran.unwrap_or_else(failed), deciding)
                    }
                }))
            }
            Run::LaterDeciding(run) => {
                let (parts, decided) = (parts.clone(), run(call));
                Dispatched::Later(Box::pin(async move {
                    let (reply, deciding) = decided.await;
                    (counted(&parts, reply), deciding)
                }))
            }
            Run::Later(run) => {
                let (parts, reply) = (parts.clone(), run(call));
                Dispatched::Later(Box::pin(
                    async move { (counted(&parts, reply.await), None) },
                ))
            }
        }
    }

    /// The methods and events as `hello-ok` lists them.
    pub(crate) fn features(&self) -> Features {
        Features {
            methods: self.0.keys().cloned().collect(),
            events: EVENTS.map(str::to_owned).to_vec(),
        }
    }
}

fn later<F>(run: impl Fn(Call) -> F + Send + Sync + 'static) -> Run
where
    F: Future<Output = Reply> + Send + 'static,
{
    Run::Later(Arc::new(move |call| Box::pin(run(call)) as Waiting))
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A request and its caller. When a method sees it, the caller's rights have been checked.
#[derive(Clone)]
pub struct Call {
    pub(crate) parts: Arc<Parts>,
    pub(crate) session: Arc<Session>,
    method: String,
    params: Option<Box<RawValue>>,
}

impl Call {
    /// Parses the parameters strictly. The error names the field that does not fit.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, ErrorShape> {
        read_params(&self.method, self.params.as_deref())
    }

    /// Runs a function that uses the store, on the blocking pool.
    async fn at_store<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Self) -> Result<T, ErrorShape> + Send + 'static,
    ) -> Result<T, ErrorShape> {
        let call = self.clone();
        // A client with many calls at once does not keep others from the store.
        let _turn = self.session.at_store.acquire().await;
        let ran = tokio::task::spawn_blocking(move || {
            // The session's rights may have ended while the call waited for its turn.
            if call.session.is_live() {
                ask(&call)
            } else {
                Err(ErrorShape::unavailable(
                    DetailCode::AccessRevoked,
                    "access was revoked",
                ))
            }
        });
        let failed = |_| {
            Err(ErrorShape::unavailable(
                DetailCode::Internal,
                "the request failed",
            ))
        };
        ran.await.unwrap_or_else(failed)
    }

    /// Returns the pairing service.
    pub fn pairing(&self) -> &Pairing {
        &self.parts.pairing
    }

    /// Returns the approver in whose name the caller decides.
    pub fn approver(&self) -> Approver {
        self.session.approver()
    }

    /// Serialises an answer.
    pub fn reply(&self, answer: &impl Serialize) -> Reply {
        to_raw_value(answer).map_err(|error| {
            tracing::error!(%error, "answer cannot be serialised");
            ErrorShape::unavailable(DetailCode::Internal, "the answer cannot be written")
        })
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// Checks whether this session may call the method.
    fn permit(self, session: &Session) -> Result<(), ErrorShape> {
        let role = session.role();
        match self {
            Self::Node if role == Role::Node => Ok(()),
            Self::Operator(scope) if role == Role::Operator => {
                if session.scopes().allows(scope) {
                    Ok(())
                } else {
                    Err(ErrorShape::invalid(
                        DetailCode::MissingScope,
                        format!("missing scope: {scope}"),
                    ))
                }
            }
            _ => Err(ErrorShape::invalid(
                DetailCode::RoleNotAllowed,
                format!("unauthorized role: {role}"),
            )),
        }
    }
}

/// Describes a record that cannot be understood, in one line and without the path of its file.
fn shown(problem: &Problem) -> String {
    escape(&problem.detail).limit(200).to_string()
}

#[expect(clippy::needless_pass_by_value, reason = "passed to `map_err`")]
fn of_list(error: ListError) -> ErrorShape {
    store_failed(&error.0)
}

/// The error when the gateway does not know any more whether the caller is still approved.
fn not_vouched_for() -> ErrorShape {
    let message = "the gateway cannot reach its state, and does not know whether you still may";
    ErrorShape::unavailable(DetailCode::StoreUnavailable, message)
}

/// The error when the store failed. Details are for the log only.
fn store_failed(error: &StoreError) -> ErrorShape {
    tracing::error!(error = %Chain(error), "store operation failed");
    ErrorShape::unavailable(
        DetailCode::StoreUnavailable,
        "the gateway cannot read or write its state",
    )
}

#[expect(clippy::needless_pass_by_value, reason = "passed to `map_err`")]
fn of_device(error: DeviceError) -> ErrorShape {
    let code = match &error {
        DeviceError::Store(error) => return store_failed(error),
        DeviceError::Entropy(error) => {
            tracing::error!(error = %Chain(error), "no randomness for a token");
            return ErrorShape::unavailable(DetailCode::Internal, "the gateway has no randomness");
        }
        DeviceError::UnknownRequest => DetailCode::UnknownRequest,
        DeviceError::UnknownDevice => DetailCode::UnknownDevice,
        DeviceError::UnknownRole => DetailCode::UnknownRole,
        DeviceError::Name => DetailCode::InvalidName,
        DeviceError::Scope(_) => DetailCode::MissingScope,
        _ => DetailCode::Internal,
    };
    ErrorShape::invalid(code, error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "passed to `map_err`")]
fn of_decision(error: DecisionError) -> ErrorShape {
    let code = match &error {
        DecisionError::Store(error) => return store_failed(error),
        DecisionError::LockedOut { until } => {
            let details = serde_json::json!({ "untilMs": until.as_millis() });
            return ErrorShape::unavailable(DetailCode::LockedOut, error.to_string())
                .with_details(details);
        }
        DecisionError::Code(_) => DetailCode::InvalidCode,
        DecisionError::NotFound { .. } => DetailCode::NoPendingRequest,
        DecisionError::Expired { .. } => DetailCode::RequestExpired,
        DecisionError::OtherAccount { .. } => DetailCode::OtherAccount,
        DecisionError::Ambiguous { .. } => DetailCode::AmbiguousRequest,
        DecisionError::Scope(_) => DetailCode::MissingScope,
        _ => DetailCode::Internal,
    };
    ErrorShape::invalid(code, error.to_string())
}
