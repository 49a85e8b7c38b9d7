//! Refusals by a gateway. They have the exit codes and texts of the same refusals by the store.

use gateway_client::{CallError, ConnectError};
use gateway_protocol::{DetailCode, ErrorShape};
use openclaw_gateway::{BindError, InstanceError, ServeError};
use pairing_core::{DeviceError, escape};

use super::Failure;
use crate::Exit;

/// The advice for a secret that the gateway did not accept.
const WRONG: &str = "the secret is another gateway's, or an old one: `openclaw gateway token` on the gateway's \
                     machine says where its own is";

pub(super) fn refused(method: &'static str, error: ErrorShape, proven: bool) -> Failure {
    let of = |error| {
        if method.starts_with("node.") {
            Failure::Node(error)
        } else {
            Failure::Device(error)
        }
    };
    match error.detail_code() {
        Some(DetailCode::UnknownRequest) => of(DeviceError::UnknownRequest),
        Some(DetailCode::UnknownDevice | DetailCode::UnknownNode) => of(DeviceError::UnknownDevice),
        Some(DetailCode::UnknownRole) => of(DeviceError::UnknownRole),
        Some(DetailCode::UnknownMethod) => Failure::Lacks { method },
        _ => Failure::Answer {
            method,
            error: Box::new(error),
            proven,
        },
    }
}

pub(super) fn exit_of(error: &ConnectError) -> Exit {
    match error {
        ConnectError::Refused(_)
        | ConnectError::Fingerprint { .. }
        | ConnectError::Malformed { .. } => Exit::Refused,
        ConnectError::Url { .. } => Exit::Usage,
        _ => Exit::State,
    }
}

pub(super) fn exit_of_serve(error: &ServeError) -> Exit {
    match error {
        ServeError::Instance(InstanceError::Running { .. })
        | ServeError::Bind(BindError::Open { .. }) => Exit::Refused,
        _ => Exit::State,
    }
}

/// The advice for a connection that could not be made.
pub(crate) fn advice_of(error: &ConnectError, showed: bool) -> Option<String> {
    let refused = match error {
        ConnectError::Refused(refused) => refused,
        ConnectError::Tls(_) => {
            let told = "if the gateway made its certificate itself, pin that with `--tls-fingerprint`: \
                        the gateway says it when it starts, and setup codes carry it";
            return Some(told.to_owned());
        }
        _ => return error.advice(),
    };
    let told = match refused.detail_code() {
        Some(DetailCode::AuthTokenMissing | DetailCode::AuthPasswordMissing) => {
            "give it with `--token-file` or `--password-file`, or set OPENCLAW_GATEWAY_TOKEN; \
             `openclaw gateway token` on the gateway's machine says where it is"
        }
        Some(DetailCode::AuthTokenMismatch | DetailCode::AuthPasswordMismatch) => WRONG,
        // A wrong secret needs the same advice as a missing one.
        Some(DetailCode::DeviceIdentityRequired) if showed => WRONG,
        Some(DetailCode::DeviceIdentityRequired) => {
            "give the gateway's secret with `--token-file`; from another machine, a command that \
             decides, such as `openclaw devices approve <request>`, asks for this machine to be paired"
        }
        _ => return error.advice(),
    };
    Some(told.to_owned())
}
pub(super) fn advice_of_call(error: &CallError) -> Option<String> {
    match error {
        CallError::Timeout(_) => Some(
            "look whether it was done before trying again, with a longer `--timeout`".to_owned(),
        ),
        CallError::Closed(_) => Some(
            "look whether it was done before trying again: `openclaw gateway status`".to_owned(),
        ),
        CallError::Answer(_) => {
            Some("this gateway speaks otherwise: use the `openclaw` that came with it".to_owned())
        }
        _ => None,
    }
}

pub(super) fn advice_of_answer(error: &ErrorShape, proven: bool) -> Option<String> {
    if let Some(hint) = error.detail("hint") {
        return Some(escape(hint).to_string());
    }
    if error.detail_code() == Some(DetailCode::MissingScope) {
        let told = if proven {
            "this machine is paired for less: run a command that decides, and have the request \
             that it makes approved on the gateway's machine"
        } else {
            "from another machine, the secret alone allows nothing: a command that decides, such as \
             `openclaw devices approve <request>`, asks for this machine to be paired"
        };
        return Some(told.to_owned());
    }
    if error.detail_code() == Some(DetailCode::CommandNotAllowed) {
        let told = match error.detail("reason") {
            Some("not-declared") => "`openclaw nodes describe <node>` shows what it offers",
            Some("not-approved") => "approve it for this node with `openclaw devices approve`",
            Some("denied") => "gateway.nodes.commands.deny of openclaw.json names it",
            Some("not-allowed") => "add it to gateway.nodes.commands.allow of openclaw.json",
            _ => return None,
        };
        return Some(told.to_owned());
    }
    if let Some(wait) = error.retry_after_ms {
        return Some(format!("try again in {} s", wait.div_ceil(1000)));
    }
    if error.detail_code() == Some(DetailCode::NoPendingRequest) {
        return Some("see what is pending with `openclaw pairing list`".to_owned());
    }
    None
}

pub(super) fn advice_of_lack(method: &str) -> String {
    let told = match method {
        method if method.starts_with("pairing.") => {
            "only the gateway of `openclaw gateway run` decides about senders; on the gateway's \
             machine, use `openclaw pairing --local`"
        }
        "device.pair.remove" | "device.pair.rename" | "node.pair.remove" => {
            "it is too old for that; on its machine, use the same command with `--local` while it \
             does not run"
        }
        _ => "update the gateway",
    };
    told.to_owned()
}
