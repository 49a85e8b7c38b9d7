//! `openclaw devices join-code`.

use gateway_protocol::GatewayUrl;
use pairing_core::{Timestamp, escape};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::Call;
use crate::backend::Backend;
use crate::console::Screen;
use crate::{Exit, Failure, text};

/// What a gateway answers, of either program.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issued {
    join_url: Zeroizing<String>,
    gateway_url: GatewayUrl,
    expires_at_ms: i64,
}

impl Call {
    /// Has the gateway make a join code. It is in the gateway's memory, so there is none without a gateway.
    pub(super) fn join_code(&self, screen: &mut Screen<'_, '_>) -> Result<Exit, Failure> {
        let Backend::Gateway(remote) = &self.backend else {
            return Err(Failure::NoGateway);
        };
        // The members by their names in the other program, which this gateway knows, too.
        let params = json!({ "bootstrapProfile": "node", "includeQr": false, "joinUrl": true });
        let issued: Issued = remote.call("device.pair.setupCode", &params)?;
        if self.json {
            screen.json(&issued)?;
            return Ok(Exit::Done);
        }
        screen.line(escape(&issued.join_url).limit(usize::MAX))?;
        let expires_at = Timestamp::from_millis(issued.expires_at_ms);
        let left = text::left(remote.now(), expires_at);
        screen.remark(format_args!(
            "Good once, for {left}. On the machine that is to join: openclaw connect <url>"
        ))?;
        if issued.gateway_url.is_loopback() {
            screen.caution("that address leads nowhere but to this machine");
        }
        Ok(Exit::Done)
    }
}
