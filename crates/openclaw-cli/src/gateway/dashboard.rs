//! `openclaw dashboard`: prints a link that signs a browser in.

use std::fmt::Write as _;

use openclaw_config::Config;
use pairing_fs::StateDir;
use serde::Serialize;
use zeroize::Zeroizing;

use super::token;
use crate::console::Screen;
use crate::{Environment, Exit, Failure};

#[derive(Serialize)]
struct Link<'a> {
    url: &'a str,
}

/// Prints the link by which a browser of this machine signs in. It opens none: the secret would be in the
/// list of programs that run.
pub(crate) fn run(
    json: bool,
    state: &StateDir,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let config = Config::load_in(state.root(), state.config(), |name| (environment.var)(name))?;
    let gateway = &config.gateway;
    if gateway.control_ui.enabled == Some(false) {
        return Err(Failure::NoPage);
    }
    let scheme = if gateway.tls.enabled { "https" } else { "http" };
    let secret = match token::secret(&config, state, environment) {
        Ok(secret) => encoded(secret.expose()),
        // It lets the browser ask without one.
        Err(Failure::NoSecretAsked) => Zeroizing::default(),
        Err(failure) => return Err(failure),
    };
    // In the fragment, which no browser sends, and which the page takes out of the address bar.
    let url = format!(
        "{scheme}://127.0.0.1:{}{}/#token={}",
        gateway.port,
        gateway.control_ui.base_path,
        secret.as_str()
    );
    let url = Zeroizing::new(url);
    if json {
        screen.json(&Link { url: &url })?;
        return Ok(Exit::Done);
    }
    screen.line(url.as_str())?;
    screen.hint("it signs in whoever opens it; the browser then has to be approved: `openclaw devices list`");
    Ok(Exit::Done)
}

/// Percent-encodes a secret for the fragment of a link.
fn encoded(secret: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(3 * secret.len()));
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
