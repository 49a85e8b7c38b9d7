//! `device.pair.setupCode`, its end, and what becomes of it.

use gateway_protocol::setup::{
    SetupAccess, SetupCodeId, SetupEndParams, SetupEnded, SetupOutcome, SetupStatus,
    SetupStatusParams,
};
use gateway_protocol::{DetailCode, ErrorShape, Text};
use gateway_protocol::{GatewayUrl, SetupCode};
use pairing_core::device::{DeviceToken, SetupProfile};
use serde::{Deserialize, Serialize};

use super::{Call, Reply, of_device, of_list};
use crate::join_codes::PATH;
use crate::{Interfaces, Reach, ReachError, qr, tailnet_name};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use pairing_core::{Chain, Timestamp};
use zeroize::Zeroizing;

/// The parameters of `device.pair.setupCode`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SetupParams {
    /// The gateway's address for phones; the configured one if absent. Releases from 2026.7 on call it `publicUrl`.
    #[serde(alias = "publicUrl")]
    url: Option<Text>,
    /// Whether to prefer the address of `gateway.remote.url` to the configured one.
    #[serde(default)]
    prefer_remote_url: bool,
    /// Releases from 2026.7 on call it `bootstrapProfile`.
    #[serde(default, alias = "bootstrapProfile")]
    profile: SetupProfile,
    /// Whether to include a QR code.
    #[serde(default, alias = "includeQr")]
    qr: bool,
    /// Whether to include a URL that stands for the code, good once.
    #[serde(default)]
    join_url: bool,
}

/// The answer. It contains the code, which is shown nowhere else.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issued<'c> {
    setup_code: &'c str,
    setup_code_id: SetupCodeId,
    /// The same id, as releases from 2026.7 on call it.
    setup_id: SetupCodeId,
    gateway_url: &'c str,
    /// The key or parameter that the address comes from.
    url_source: &'static str,
    /// What connections to the gateway are asked for.
    auth: &'static str,
    access: SetupAccess,
    roles: std::collections::BTreeSet<pairing_core::device::Role>,
    scopes: pairing_core::ScopeSet,
    expires_at_ms: i64,
    /// The rows of the QR code without its border; `1` is a dark module.
    #[serde(skip_serializing_if = "Option::is_none")]
    qr: Option<Vec<String>>,
    /// The URL at which the code can be fetched once.
    #[serde(skip_serializing_if = "Option::is_none")]
    join_url: Option<Zeroizing<String>>,
}

pub(super) fn issue(call: &Call) -> Reply {
    let params: SetupParams = call.params()?;
    // The address is checked before a code is issued.
    let reach = match &params.url {
        Some(url) => Reach {
            tls_fingerprint: call.parts.about.tls_fingerprint.clone(),
            ..Reach::at(named(url)?, "request.publicUrl")
        },
        None => configured(call, params.prefer_remote_url)?,
    };
    let devices = call.pairing().devices();
    let issued = devices.issue_pairing_token(params.profile, None, &call.approver());
    let (token, issued) = issued.map_err(of_device)?;
    let code = SetupCode {
        expires_at: Some(issued.expires_at),
        tls_fingerprint: reach.tls_fingerprint,
        ..SetupCode::new(reach.url, token)
    };
    let encoded = code.encode();
    let qr = params.qr.then(|| qr::rows(&encoded)).transpose();
    let qr = qr.map_err(|error| ErrorShape::invalid(DetailCode::TooLong, error.to_string()))?;
    let join_url = params
        .join_url
        .then(|| join_url(call, &code.url, &encoded, issued.expires_at))
        .transpose()?;
    let ask = params.profile.ask();
    call.reply(&Issued {
        setup_code: &encoded,
        setup_code_id: SetupCodeId::of(&issued.hash),
        setup_id: SetupCodeId::of(&issued.hash),
        gateway_url: code.url.as_str(),
        url_source: reach.source,
        auth: call.parts.settings.load().secret.kind(),
        access: params.profile.into(),
        roles: ask.roles,
        scopes: ask.scopes,
        expires_at_ms: issued.expires_at.as_millis(),
        qr,
        join_url,
    })
}

/// Makes a join code for this setup code, and its URL at this gateway.
fn join_url(
    call: &Call,
    gateway: &GatewayUrl,
    encoded: &str,
    expires_at: Timestamp,
) -> Result<Zeroizing<String>, ErrorShape> {
    let internal = || ErrorShape::unavailable(DetailCode::Internal, "no join code can be made");
    let payload = BASE64_URL_SAFE_NO_PAD
        .decode(encoded)
        .map_err(|_| internal())?;
    let payload = String::from_utf8(payload).map_err(|_| internal())?;
    let (codes, now) = (&call.parts.join_codes, call.pairing().now());
    let entropy = &*call.parts.entropy;
    let code = codes.issue(Zeroizing::new(payload), expires_at, now, entropy);
    let code = code.map_err(|_| internal())?;
    // `ws` becomes `http`, and `wss` becomes `https`.
    let at = gateway.as_str().trim_start_matches("ws");
    let at = at
        .split(['?', '#'])
        .next()
        .unwrap_or(at)
        .trim_end_matches('/');
    Ok(Zeroizing::new(format!("http{at}{PATH}{}", *code)))
}

fn named(url: &str) -> Result<GatewayUrl, ErrorShape> {
    GatewayUrl::parse(url).map_err(|error| {
        ErrorShape::invalid(
            DetailCode::InvalidParams,
            format!("invalid device.pair.setupCode params: at url: {error}"),
        )
    })
}

/// The address at which a phone finds this gateway, and the fingerprint of its certificate.
fn configured(call: &Call, prefers_remote: bool) -> Result<Reach, ErrorShape> {
    let parts = &call.parts;
    if prefers_remote && let Some(reach) = Reach::remote(&parts.settings.load().config) {
        return reach.map_err(|error| no_address(&error));
    }
    let interfaces = Interfaces::of_this_machine().unwrap_or_else(|error| {
        tracing::warn!(error = %Chain(&error), "network interfaces cannot be listed");
        Interfaces::default()
    });
    let certificate = parts.about.tls_fingerprint.as_deref();
    let settings = parts.settings.load();
    let port = parts.about.port;
    let reach = Reach::of_gateway(&settings, port, certificate, &interfaces, tailnet_name);
    reach.map_err(|error| no_address(&error))
}

fn no_address(error: &ReachError) -> ErrorShape {
    ErrorShape::invalid(
        DetailCode::NoAddress,
        format!("no setup code: {error}: {}", error.advice()),
    )
}

/// What became of a setup code: as this gateway saw it or, where the device connected to another one, as far as its
/// record says.
pub(super) fn status(call: &Call) -> Reply {
    let params: SetupStatusParams = call.params()?;
    let status = match call.parts.setup_outcomes.of(&params.setup_id) {
        Some(status) => status,
        None => SetupStatus {
            completion: recorded(call, &params.setup_id)?,
            ..SetupStatus::default()
        },
    };
    call.reply(&status)
}

/// The device that has got a token by a code that still lasts.
fn recorded(call: &Call, id: &str) -> Result<Option<SetupOutcome>, ErrorShape> {
    let devices = call.pairing().devices();
    let mut codes = devices.pairing_tokens().map_err(of_list)?.into_iter();
    let Some(code) = codes.find(|code| SetupCodeId::of(&code.hash).as_str() == id) else {
        return Ok(None);
    };
    let paired = devices.paired(&call.approver()).map_err(of_list)?.paired;
    let device = paired.iter().find(|device| code.device == Some(device.id));
    Ok(device.and_then(|device| {
        let tokens = device.roles.values().filter_map(|role| role.token.as_ref());
        let live = tokens.filter(|token| token.hash.is_some());
        let at = live.map(DeviceToken::issued_at).max()?;
        (at >= code.issued_at).then(|| SetupOutcome {
            setup_id: SetupCodeId::of(&code.hash),
            device_id: device.id,
            device_name: device.name().map(str::to_owned),
            access: code.profile.into(),
            ts: at.as_millis(),
        })
    }))
}

pub(super) fn end(call: &Call) -> Reply {
    let params: SetupEndParams = call.params()?;
    let id = &params.setup_code_id;
    let devices = call.pairing().devices();
    // A device without admin rights cannot issue or end setup codes.
    let tokens = if call.session.may_see_nodes() {
        devices.pairing_tokens().map_err(of_list)?
    } else {
        Vec::new()
    };
    let mut tokens = tokens.into_iter();
    let ended = match tokens.find(|token| SetupCodeId::of(&token.hash).as_str() == id.as_str()) {
        Some(token) => devices
            .end_pairing_token(token.hash, &call.approver())
            .map_err(of_device)?,
        None => false,
    };
    call.reply(&SetupEnded {
        setup_code_id: params.setup_code_id.into(),
        ended,
    })
}
