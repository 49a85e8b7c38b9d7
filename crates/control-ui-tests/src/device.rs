//! Devices that connect to the gateway: each has its own key and keeps its tokens.

use gateway_protocol::{GatewayUrl, SetupCode};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gateway_client::{Client, Connect, ConnectError, Events, HeldToken, KeepError, TokenKeeper};
use gateway_protocol::{ClientInfo, Text};
use pairing_core::Scope;
use pairing_core::device::{Identity, Role};
use pairing_fs::SystemEntropy;
use serde_json::{Value, json};

use crate::{Failure, command};

/// A device other than the browser.
pub(crate) struct Device {
    identity: Arc<Identity>,
    tokens: Arc<Tokens>,
    session: Option<(Client, Events)>,
}

/// Device tokens, kept in memory.
#[derive(Default)]
struct Tokens(Mutex<HashMap<Role, HeldToken>>);

impl TokenKeeper for Tokens {
    fn load(&self, role: Role) -> Result<Option<HeldToken>, KeepError> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(tokens.get(&role).cloned())
    }

    fn store(&self, role: Role, token: &HeldToken) -> Result<(), KeepError> {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(role, token.clone());
        Ok(())
    }
}

impl Device {
    /// Returns a device with a new key, unknown to every gateway.
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            identity: Arc::new(Identity::generate(&SystemEntropy)?),
            tokens: Arc::default(),
            session: None,
        })
    }

    /// Connects to the gateway, or to the URL in the setup code, and returns the outcome: connected, or
    /// refused with the id of the pending request.
    pub(crate) async fn connect(
        &mut self,
        gateway: GatewayUrl,
        token: &str,
        how: command::Connect,
    ) -> Result<Value, Failure> {
        let connect = self.prepared(gateway, token, how)?;
        let id = self.identity.id();
        match connect.open().await {
            Ok((client, events)) => {
                let scopes = client.hello().auth.scopes.clone();
                self.session = Some((client, events));
                Ok(json!({ "deviceId": id, "connected": true, "scopes": scopes }))
            }
            Err(ConnectError::Refused(refused)) => Ok(json!({
                "deviceId": id,
                "connected": false,
                "code": refused.code(),
                "message": refused.error.message,
                "requestId": refused.details.request_id,
            })),
            Err(error) => Err(error.into()),
        }
    }

    fn prepared(
        &self,
        gateway: GatewayUrl,
        token: &str,
        how: command::Connect,
    ) -> Result<Connect, Failure> {
        let role = Role::parse(&how.role)?;
        let connect = match &how.setup_code {
            Some(code) => {
                let code = SetupCode::decode(code)?;
                Connect::to(code.url).pairing_token(code.token.expose().to_owned().into())
            }
            None => Connect::to(gateway).token(token.to_owned().into()),
        };
        let scopes: Result<_, _> = how.scopes.iter().map(|scope| Scope::parse(scope)).collect();
        let commands: Result<Vec<_>, _> = how.commands.into_iter().map(Text::try_from).collect();
        let (client, mode) = match role {
            Role::Operator => ("gateway-client", "backend"),
            Role::Node => ("node-host", "node"),
        };
        let info = ClientInfo {
            id: text(client)?,
            display_name: how.display_name.map(text).transpose()?,
            version: text("1")?,
            platform: text(how.platform.as_deref().unwrap_or("linux"))?,
            device_family: how.device_family.map(text).transpose()?,
            model_identifier: None,
            mode: text(mode)?,
            instance_id: None,
        };
        Ok(connect
            .identity(self.identity.clone(), self.tokens.clone())
            .role(role)
            .scopes(scopes?)
            .commands(commands?)
            .client(info))
    }

    /// Returns the latest connection, if there ever was one.
    pub(crate) fn session(&self) -> Option<&Client> {
        self.session.as_ref().map(|(client, _)| client)
    }
}

fn text(text: impl Into<String>) -> Result<Text, Failure> {
    Ok(Text::try_from(text.into())?)
}
