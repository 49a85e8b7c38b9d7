//! `openclaw dashboard`: prints a link that signs a browser in.

use std::os::unix::net::UnixStream;

use gateway_client::{Connect, OWNER_SOCKET, OwnDirectory};
use gateway_protocol::GatewayUrl;
use openclaw_config::{AuthMode, Config};
use pairing_core::ScopeSet;
use pairing_fs::StateDir;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::token;
use crate::console::Screen;
use crate::remote::runtime;
use crate::{Environment, Exit, Failure};

#[derive(Serialize)]
struct Link<'a> {
    url: &'a str,
}

/// The gateway's answer.
#[derive(Deserialize)]
struct Told {
    url: Zeroizing<String>,
}

/// Prints the link by which a browser of this machine signs in. It opens none: the ticket would be in the list of
/// programs that run.
///
/// The gateway makes the link, by the owner's socket: it knows its port, and puts a ticket into the link that only its own
/// page accepts. If no gateway answers there, the link signs nobody in: a secret in it would go to any program that
/// listens at the port.
pub(crate) fn run(
    json: bool,
    state: &StateDir,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let config = Config::load_in(state.root(), state.config(), |name| (environment.var)(name))?;
    if config.gateway.control_ui.enabled == Some(false) {
        return Err(Failure::NoPage);
    }
    let told = of_gateway(state);
    let url = if let Some(url) = &told {
        url.clone()
    } else {
        match token::secret(&config, state, environment) {
            Ok(_) | Err(Failure::NoSecretAsked) => without_ticket(&config),
            // No gateway has run here yet.
            Err(failure) => return Err(failure),
        }
    };
    if json {
        screen.json(&Link { url: &url })?;
        return Ok(Exit::Done);
    }
    screen.line(url.as_str())?;
    screen.hint(if told.is_some() {
        "it signs in the first browser that opens it, within ten minutes; that then has to be approved: `openclaw \
         devices list`"
    } else if is_open(&config) {
        "the browser then has to be approved: `openclaw devices list`"
    } else {
        "no gateway of this program runs on the state directory: sign in on the page with what `openclaw gateway \
         token --show` tells, if you know what listens there"
    });
    Ok(Exit::Done)
}

/// The link that the gateway of this directory makes. One of another release, or that cannot be reached, makes none.
fn of_gateway(state: &StateDir) -> Option<Zeroizing<String>> {
    let dir = OwnDirectory::open(state.root()).ok()?;
    UnixStream::connect(dir.entry(OWNER_SOCKET)).ok()?;
    // The address is not used.
    let url = GatewayUrl::parse("ws://127.0.0.1").ok()?;
    let connect = Connect::to(url).scopes(ScopeSet::admin());
    let connect = connect.by_owner_socket(state.root());
    runtime().ok()?.block_on(async {
        let (client, _events) = connect.open().await.ok()?;
        let told: Told = client
            .call("dashboard.link", serde_json::json!({}))
            .await
            .ok()?;
        Some(told.url)
    })
}

fn is_open(config: &Config) -> bool {
    config.gateway.auth.mode == Some(AuthMode::None)
}

/// Where the page is, as the configuration has it.
fn without_ticket(config: &Config) -> Zeroizing<String> {
    let gateway = &config.gateway;
    let scheme = if gateway.tls.enabled { "https" } else { "http" };
    // An open gateway lets the browser ask without a secret.
    let fragment = if is_open(config) { "#token=" } else { "" };
    Zeroizing::new(format!(
        "{scheme}://127.0.0.1:{}{}/{fragment}",
        gateway.port, gateway.control_ui.base_path
    ))
}
