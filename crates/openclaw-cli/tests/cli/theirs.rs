//! Commands at a gateway of the other program: a stand-in that speaks the frames recorded of release 2026.9.6.

use std::sync::{Arc, Mutex};
use std::thread;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::session::Session;

/// What release 2026.9.6 answered, without what the stand-in writes itself.
const LISTED: &str = include_str!("fixtures/channels-pairing-list-2026.9.6.json");

/// The stand-in's address, and the calls that it got after `connect`.
struct Theirs {
    port: u16,
    calls: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Theirs {
    /// Runs for as long as the test process does.
    fn start(session: &mut Session) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (tell, told) = std::sync::mpsc::channel();
        let kept = Arc::clone(&calls);
        thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap().port()).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&kept)));
                }
            });
        });
        let port: u16 = told.recv().unwrap();
        session.mask(format!(":{port}"), ":[port]");
        session.mask(r"--token-file \S+/token", "--token-file TOKEN");
        session.write_in(".", "token", "a-token\n");
        Self { port, calls }
    }

    fn named(&self, session: &Session) -> String {
        let token = session.state().join("token");
        format!(
            "--url ws://127.0.0.1:{} --token-file {}",
            self.port,
            token.display()
        )
    }
}

async fn serve(stream: TcpStream, calls: Arc<Mutex<Vec<(String, Value)>>>) {
    // The knock by which commands look for a gateway is no handshake.
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
        return;
    };
    let challenge = json!({
        "type": "event", "event": "connect.challenge",
        "payload": { "nonce": "5abd4b08-3a58-4411-8d82-0daba9053631", "ts": 1_795_718_281_233_i64 },
    });
    send(&mut socket, &challenge).await;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else {
            continue;
        };
        let frame: Value = serde_json::from_str(&text).unwrap();
        let method = frame["method"].as_str().unwrap().to_owned();
        let params = frame["params"].clone();
        let answer = answer_to(&method, &params);
        if method != "connect" {
            // It says so between a call and its answer.
            let health = json!({
                "type": "event", "event": "health", "payload": "…", "seq": 1,
                "stateVersion": { "presence": 1, "health": 5 },
            });
            send(&mut socket, &health).await;
            calls.lock().unwrap().push((method, params));
        }
        let answer = match answer {
            Ok(payload) => json!({
                "type": "res", "id": frame["id"], "ok": true, "payload": payload,
            }),
            Err(message) => json!({
                "type": "res", "id": frame["id"], "ok": false,
                "error": { "code": "INVALID_REQUEST", "message": message },
            }),
        };
        send(&mut socket, &answer).await;
    }
}

async fn send(socket: &mut WebSocketStream<TcpStream>, frame: &Value) {
    // The command may have gone.
    let _ = socket.send(Message::text(frame.to_string())).await;
}

fn answer_to(method: &str, params: &Value) -> Result<Value, String> {
    match method {
        "connect" => Ok(json!({
            "type": "hello-ok", "protocol": 4,
            "server": {
                "version": "2026.9.6", "bootId": "b659f06b-0391-461f-847a-e7ccb8cb2b4a",
                "connId": "e84e60e1-cc2f-43d0-92e7-1682896a758d",
            },
            "features": {
                "methods": [
                    "device.pair.list", "channels.pairing.list", "channels.pairing.approve",
                    "channels.pairing.dismiss",
                ],
                "events": ["device.pair.requested", "tick", "health"],
            },
            "snapshot": {
                "presence": [], "health": {}, "stateVersion": { "presence": 1, "health": 5 },
                "uptimeMs": 131_289,
            },
            "auth": { "method": "token", "role": "operator", "scopes": params["scopes"] },
            "policy": {
                "maxPayload": 26_214_400, "maxBufferedBytes": 52_428_800, "tickIntervalMs": 30_000,
            },
        })),
        // As the real program answers `qr`, asked for full access at a plain address.
        "device.pair.setupCode" if params["joinUrl"] != true => Ok(json!({
            "setupId": "e8aece6d-b3fa-4e1d-9cc1-f1712ef16ea0", "expiresAtMs": 1_795_718_951_843_i64,
            "setupCode": "a-setup-code", "gatewayUrl": "ws://192.168.1.2:22000", "auth": "token",
            "urlSource": "request.publicUrl",
            "access": params["bootstrapProfile"].as_str().unwrap_or("limited"),
            "accessDowngraded": true,
        })),
        "device.pair.setupCode" => Ok(json!({
            "setupId": "e8aece6d-b3fa-4e1d-9cc1-f1712ef16ea0", "expiresAtMs": 1_795_718_951_843_i64,
            "setupCode": "a-setup-code", "joinUrl": "http://127.0.0.1:22000/j/a-code",
            "gatewayUrl": "ws://127.0.0.1:22000", "auth": "token",
            "urlSource": "plugins.entries.device-pair.config.publicUrl", "access": "node",
        })),
        "channels.pairing.list" => Ok(serde_json::from_str(LISTED).unwrap()),
        "channels.pairing.approve" if params["requestId"] == "1HwPXMhNL6lBBx5HganWeVGjivO28mjt" => {
            let notification = if params["notify"] == true {
                "sent"
            } else {
                "not-requested"
            };
            Ok(json!({
                "requestId": params["requestId"], "senderId": "12345",
                "notification": notification, "commandOwnerBootstrap": "not-requested",
            }))
        }
        "channels.pairing.dismiss" if params["requestId"] == "ZElpXXBYSSNNHU5O0JrB88waQl0CS3aH" => {
            Ok(json!({ "requestId": params["requestId"], "senderId": "55501" }))
        }
        "channels.pairing.approve" | "channels.pairing.dismiss" => {
            Err("pending DM access request no longer exists".to_owned())
        }
        method => Err(format!("unknown method: {method}")),
    }
}

#[test]
fn senders_at_a_gateway_that_lists_no_codes() {
    let mut session = Session::new();
    let theirs = Theirs::start(&mut session);
    let named = theirs.named(&session);
    for line in [
        "pairing list",
        "pairing list telegram --json",
        "pairing approve 12345 --notify",
        "pairing approve telegram 1HwPXMhN --json",
        "pairing reject ZElpXXBYSSNNHU5O0JrB88waQl0CS3aH",
        "pairing reject telegram 55501",
        "pairing approve telegram ABCDEFGH",
        "pairing approve ABCDEFGH",
        // Gone between the list and the decision.
        "pairing approve telegram 55501",
        "pairing reject 12345",
        "pairing approve 12345 --make-owner",
        "pairing watch",
        "pairing allowed list telegram",
    ] {
        session.person(&format!("{line} {named}"));
    }
    let calls = theirs.calls.lock().unwrap();
    let approved = calls
        .iter()
        .find(|(method, _)| method == "channels.pairing.approve");
    // As the other program's own client was recorded.
    let expected = json!({
        "channel": "telegram", "accountId": "default",
        "requestId": "1HwPXMhNL6lBBx5HganWeVGjivO28mjt", "notify": true,
    });
    assert_eq!(approved.unwrap().1, expected);
    drop(calls);
    session.finish("theirs-senders");
}

#[test]
fn a_join_code_of_a_gateway_of_the_other_program() {
    let mut session = Session::new();
    let theirs = Theirs::start(&mut session);
    let named = theirs.named(&session);
    session.person(&format!("devices join-code {named}"));
    session.pipe(&format!("devices join-code --json {named}"));
    let calls = theirs.calls.lock().unwrap();
    // As the other program's own client was recorded.
    let expected = json!({ "bootstrapProfile": "node", "includeQr": false, "joinUrl": true });
    assert_eq!(calls[0], ("device.pair.setupCode".to_owned(), expected));
    drop(calls);
    session.finish("theirs-join-code");
}

#[test]
fn a_setup_code_of_a_gateway_of_the_other_program_which_does_not_list_the_method() {
    let mut session = Session::new();
    let theirs = Theirs::start(&mut session);
    session.looks = true;
    session.write_in(
        ".",
        "openclaw.json",
        format!(
            r#"{{ "gateway": {{ "mode": "remote", "remote": {{ "url": "ws://127.0.0.1:{}", "token": "a-token" }} }} }}"#,
            theirs.port
        ),
    );
    let at = "--public-url ws://192.168.1.2:22000 --no-ascii";
    session.person(&format!("qr {at} --node-only"));
    session.person(&format!("qr {at} --full"));
    let calls = theirs.calls.lock().unwrap();
    // Their schema refuses any other member.
    let url = "ws://192.168.1.2:22000";
    let node = json!({ "publicUrl": url, "includeQr": false, "bootstrapProfile": "node" });
    let full = json!({ "publicUrl": url, "includeQr": false });
    let method = || "device.pair.setupCode".to_owned();
    assert_eq!(*calls, [(method(), node), (method(), full)]);
    drop(calls);
    session.finish("theirs-setup-code");
}
