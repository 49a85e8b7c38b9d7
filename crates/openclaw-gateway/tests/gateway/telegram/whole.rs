//! The whole way, as people go it: a gateway that its configuration makes, a bot, a stranger, a phone.

use std::sync::Arc;

use gateway_client::{ClientEvent, Connect};
use openclaw_gateway::{ServeOptions, serve};
use pairing_core::device::{Identity, Role, SetupCode};
use pairing_core::{GatewayUrl, ScopeSet};
use pairing_fs::{StateDir, SystemEntropy};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::server::{BOT_TOKEN, BotApi};
use crate::support::{TOKEN, Tokens};

const OWNER: i64 = 1000;
const STRANGER: i64 = 2000;

#[tokio::test]
async fn from_a_stranger_s_first_word_to_a_phone_that_is_in() {
    let api = BotApi::start().await;
    let dir = tempfile::tempdir().unwrap();
    let config = json!({
        "gateway": { "auth": { "token": TOKEN } },
        "channels": { "telegram": { "botToken": BOT_TOKEN, "apiRoot": api.root() } },
        "commands": { "ownerAllowFrom": [format!("telegram:{OWNER}")] },
        "plugins": { "entries": { "device-pair": {
            "config": { "publicUrl": "wss://gateway.example.org" },
        } } },
    });
    std::fs::write(dir.path().join("openclaw.json"), config.to_string()).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, told) = oneshot::channel();
    let options = ServeOptions {
        state: StateDir::at(dir.path()),
        var: Arc::new(|_| None),
        port: Some(0),
        bind: None,
        token: None,
    };
    let gateway = tokio::spawn(serve(
        options,
        move |announced| tell.send(announced.addresses[0]).unwrap(),
        async {
            let _ = stopped.await;
        },
    ));
    let url = GatewayUrl::parse(&format!("ws://{}", told.await.unwrap())).unwrap();
    let connect = Connect::to(url.clone()).token(TOKEN.into());
    let (owner, mut events) = connect.scopes(ScopeSet::admin()).open().await.unwrap();

    // A stranger gets a code, and nothing of theirs goes further.
    api.says(STRANGER, "let me in");
    let (to, reply) = api.sent().await;
    assert_eq!(to, STRANGER);
    let code = reply
        .lines()
        .find_map(|line| line.strip_prefix("Pairing code: "));
    let approve = json!({ "channel": "telegram", "code": code.unwrap() });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], STRANGER.to_string());
    api.says(STRANGER, "now?");
    let heard = loop {
        match events.next().await.expect("the gateway goes on") {
            ClientEvent::Other { event, payload } if event == "message.inbound" => {
                break payload;
            }
            _ => {}
        }
    };
    assert_eq!(heard["text"], "now?");

    // The owner gets a setup code, alone in its message; a stranger to commands gets nothing.
    api.says(OWNER, "/pair");
    assert_eq!(api.sent().await.0, OWNER);
    let (to, code) = api.sent().await;
    assert_eq!(to, OWNER);
    let code = SetupCode::decode(&code).unwrap();
    assert_eq!(code.url.to_string(), "wss://gateway.example.org");

    // The phone asks with it, the owner approves in the same chat, and the phone is in.
    let (identity, tokens) = (
        Arc::new(Identity::generate(&SystemEntropy).unwrap()),
        Arc::new(Tokens::default()),
    );
    let phone = || {
        let phone = Connect::to(url.clone()).identity(identity.clone(), tokens.clone());
        phone
            .role(Role::Node)
            .pairing_token(code.token.expose().into())
    };
    assert!(phone().open().await.unwrap_err().request_id().is_some());
    api.says(OWNER, "/pair approve");
    let (to, said) = api.sent().await;
    assert_eq!(to, OWNER);
    let (node, _events) = phone()
        .open()
        .await
        .unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(node.hello().auth.role, Role::Node);
    assert!(tokens.0.lock().unwrap().contains_key(&Role::Node));

    drop(stop);
    gateway.await.unwrap().unwrap();
}
