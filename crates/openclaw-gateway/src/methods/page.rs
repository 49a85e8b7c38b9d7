//! `dashboard.link`: the link by which a browser of this machine signs in on the page.

use gateway_protocol::{DetailCode, Empty, ErrorShape};
use pairing_core::Chain;
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Call, Reply};
use crate::sessions::Who;

/// The answer. The link signs in whoever opens it first.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Link<'a> {
    url: &'a str,
    expires_at_ms: i64,
}

/// Only the owner's socket is told: a ticket counts as the gateway's secret.
pub(super) fn link(call: &Call) -> Reply {
    call.params::<Empty>()?;
    if !matches!(call.session.who, Who::Owner(_)) {
        let text =
            "only the owner's socket is told: run `openclaw dashboard` on the gateway's machine";
        return Err(ErrorShape::invalid(DetailCode::MissingScope, text));
    }
    let parts = &call.parts;
    let settings = parts.settings.load();
    if settings.control_ui == Some(false) {
        let text = "the page is turned off: gateway.controlUi.enabled";
        return Err(ErrorShape::invalid(DetailCode::InvalidParams, text));
    }
    let (scheme, usual_port) = match parts.about.tls_fingerprint {
        Some(_) => ("https", 443),
        None => ("http", 80),
    };
    // As a browser writes it.
    let origin = match parts.about.port {
        port if port == usual_port => format!("{scheme}://127.0.0.1"),
        port => format!("{scheme}://127.0.0.1:{port}"),
    };
    let base = &settings.config.gateway.control_ui.base_path;
    let now = call.pairing().now();
    let ticket = parts
        .page_tickets
        .issue(origin.clone(), now, &*parts.entropy);
    let ticket = ticket.map_err(|error| {
        tracing::error!(error = %Chain(&error), "no randomness for a link of the page");
        ErrorShape::unavailable(DetailCode::StoreUnavailable, "no link can be made")
    })?;
    // In the fragment, which no browser sends, and which the page takes out of the address bar.
    let url = Zeroizing::new(format!("{origin}{base}/#token={}", ticket.expose()));
    let expires_at = now + crate::page_tickets::LASTS;
    call.reply(&Link {
        url: &url,
        expires_at_ms: expires_at.as_millis(),
    })
}
