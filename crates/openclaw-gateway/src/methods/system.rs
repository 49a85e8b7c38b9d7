//! The gateway's own state.

use gateway_protocol::{DetailCode, Empty, ErrorShape};
use pairing_core::Chain;
use pairing_fs::IdentityDir;
use serde_json::json;

use super::{Call, Reply};
use crate::VERSION;

pub(super) fn health(call: &Call) -> Reply {
    let mut health = call.parts.health();
    health.faults = Some(call.parts.health.look());
    call.reply(&health)
}

pub(super) fn status(call: &Call) -> Reply {
    let parts = &call.parts;
    let mut store = json!({ "ok": parts.store.is_well() });
    if let Some(kept) = &parts.about.store_kind {
        store["kind"] = json!(kept.name());
        if let Some(file) = kept.file() {
            store["file"] = json!(file.display().to_string());
        }
        if let Some(release) = kept.release() {
            store["release"] = json!(release);
        }
    }
    call.reply(&json!({
        "version": VERSION,
        "uptimeMs": parts.about.uptime_ms(),
        "connections": parts.clients.sessions.count(),
        "health": parts.health(),
        "store": store,
    }))
}

pub(super) fn presence(call: &Call) -> Reply {
    call.reply(
        &call
            .parts
            .clients
            .presence(&call.session, call.pairing().now()),
    )
}

/// The public half of the identity in the state directory, by which the gateway's machine is a device itself.
pub(super) fn identity(call: &Call, dir: &IdentityDir) -> Reply {
    call.params::<Empty>()?;
    let identity = dir.load_or_create(&*call.parts.entropy, call.pairing().now());
    let identity = identity.map_err(|error| {
        tracing::error!(error = %Chain(&error), "the gateway's identity cannot be read");
        ErrorShape::unavailable(
            DetailCode::StoreUnavailable,
            "the gateway cannot read its identity",
        )
    })?;
    call.reply(&json!({
        "deviceId": identity.id().to_string(),
        "publicKey": identity.key().to_base64url(),
    }))
}

/// The programs that skills need on a node. There are no skills here.
pub(super) fn bins(call: &Call) -> Reply {
    call.params::<Empty>()?;
    call.reply(&json!({ "bins": [] }))
}
