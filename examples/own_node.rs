//! A node of one's own: it does `dice.roll` for whoever the gateway lets ask, once its owner has approved it.
//!
//! ```sh
//! OPENCLAW_GATEWAY_TOKEN=… cargo run -p examples --example own_node -- ws://127.0.0.1:18789 ./node
//! cargo run -p openclaw-cli -- devices list
//! cargo run -p openclaw-cli -- devices approve <request>
//! ```

use gateway_protocol::GatewayUrl;
use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use gateway_client::node::{self, Node, Outcome, Serving};
use gateway_client::{Connect, HeldToken, KeepError, LinkEvent, TokenKeeper};
use gateway_protocol::invoke::InvokeRequest;
use pairing_core::device::{Identity, Role};
use pairing_core::{Clock as _, Entropy as _, escape};
use pairing_fs::{IdentityDir, StateDir, SystemClock, SystemEntropy};
use serde::Deserialize;
use serde_json::json;

/// The parameters of `dice.roll`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Roll {
    #[serde(default = "six")]
    sides: u8,
}

fn six() -> u8 {
    6
}

/// What the node does. It is asked nothing that its owner has not approved.
async fn roll(request: InvokeRequest) -> Outcome {
    let Roll { sides } = node::params(&request)?;
    let mut byte = [0];
    let drawn = SystemEntropy.fill(&mut byte);
    drawn.map_err(|_| node::error("UNAVAILABLE", "no randomness"))?;
    let rolled = byte[0].checked_rem(sides);
    let rolled = rolled.ok_or_else(|| node::error("INVALID_PARAMS", "no die has no sides"))?;
    Ok(json!({ "rolled": rolled + 1 }))
}

/// Device tokens until the program ends: a real node keeps them, as `pairing_fs::IdentityDir` does.
#[derive(Default)]
struct Tokens(Mutex<HashMap<Role, HeldToken>>);

impl TokenKeeper for Tokens {
    fn load(&self, role: Role) -> Result<Option<HeldToken>, KeepError> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(held.get(&role).cloned())
    }

    fn store(&self, role: Role, token: &HeldToken) -> Result<(), KeepError> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(role, token.clone());
        Ok(())
    }
}

/// Connects, and connects again, for as long as the answer is kept and read.
fn serve(url: GatewayUrl, identity: Arc<Identity>, token: String) -> Serving {
    let connect = Connect::to(url)
        .identity(identity, Arc::new(Tokens::default()))
        .token(token.into());
    Node::with_builtins()
        .cap("dice")
        .command("dice.roll", roll)
        .keep(connect, Arc::new(SystemEntropy))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(state)) = (arguments.next(), arguments.next()) else {
        return Err("usage: own_node <url> <state-dir>".into());
    };
    // Arguments are seen by everybody on the machine.
    let token = std::env::var("OPENCLAW_GATEWAY_TOKEN")?;
    let identity = IdentityDir::new(&StateDir::at(state));
    let identity = identity.load_or_create(&SystemEntropy, SystemClock.now())?;
    let mut serving = serve(GatewayUrl::parse(&url)?, Arc::new(identity), token);
    let mut out = std::io::stdout();
    while let Some(event) = serving.next().await {
        match event {
            LinkEvent::Connected(_) => writeln!(out, "connected")?,
            LinkEvent::PairingRequired { request_id, .. } => {
                writeln!(out, "waiting for approval: {}", escape(&request_id))?;
            }
            LinkEvent::Disconnected { why, .. } => writeln!(out, "{why}")?,
            LinkEvent::GaveUp(error) => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use openclaw_gateway::{Gateway, Overrides, Settings};
    use pairing_core::device::RequestId;
    use pairing_core::{Approver, ManualClock, MemoryStore, Pairing, ScopeSet};
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn it_asks_waits_and_rolls() {
        let config = "{ gateway: { auth: { token: 'a-token' }, localAdmin: true } }";
        let config = openclaw_config::Config::parse(config).unwrap();
        let settings = Settings::from_config(&config, &Overrides::default()).unwrap();
        let clock = ManualClock::new(SystemClock.now());
        let pairing = Pairing::new(MemoryStore::new(), clock, SystemEntropy);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let url = GatewayUrl::parse(&url).unwrap();
        let gateway = Gateway::builder(pairing.clone(), settings).listener(listener);
        tokio::spawn(gateway.build().run());

        let identity = Arc::new(Identity::generate(&SystemEntropy).unwrap());
        let id = identity.id();
        let serve = || serve(url.clone(), identity.clone(), "a-token".to_owned());
        let mut serving = serve();
        let request = loop {
            match serving.next().await.unwrap() {
                LinkEvent::PairingRequired { request_id, .. } => break request_id,
                LinkEvent::Disconnected { .. } => {}
                other => panic!("{other:?}"),
            }
        };
        let request = RequestId::parse(&request).unwrap();
        pairing
            .devices()
            .approve(&request, &Approver::terminal("ann"))
            .unwrap();
        // It would come back by itself, in some seconds.
        serving = serve();
        while !matches!(serving.next().await.unwrap(), LinkEvent::Connected(_)) {}
        let serving = async { while serving.next().await.is_some() {} };

        let connect = Connect::to(url.clone()).token("a-token".to_owned().into());
        let (operator, _events) = connect.scopes(ScopeSet::admin()).open().await.unwrap();
        let ask = |params: Value| {
            json!({
                "nodeId": id, "command": "dice.roll", "params": params, "idempotencyKey": "1",
            })
        };
        let asking = async {
            let answer: Value = operator
                .call("node.invoke", ask(json!({ "sides": 1 })))
                .await
                .unwrap();
            assert_eq!(answer["payload"], json!({ "rolled": 1 }));
            let wrong = ask(json!({ "sides": "six" }));
            let answer: Result<Value, _> = operator.call("node.invoke", wrong).await;
            assert!(answer.is_err());
        };
        tokio::select! {
            () = asking => {}
            () = serving => panic!("the node has given up"),
        }
    }
}
