//! The real daemon of signal-cli, which says what the stand-in has to say. `SIGNAL_CLI` names its program; it needs
//! `JAVA_HOME` with Java 21. Without Signal's network no account can be linked, so that messages are not part of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use channel_kit::http::{Body, HttpClient, Method, Request};
use channel_kit::{Adapter as _, Outgoing, SendError, Target};
use channel_signal::Daemon;
use serde_json::{Value, json};
use test_support::Logs;
use test_support::signal::{ACCOUNT, ANN};

use crate::rig::{NEVER, Rig, Running};

/// It is ended when the test is.
struct Real(Child, String);

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it, and waits until it says that it listens; it has no account.
async fn real(config: &std::path::Path) -> Real {
    let program = std::env::var_os("SIGNAL_CLI").expect("SIGNAL_CLI names no program");
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let mut child = Command::new(program)
        .arg("--config")
        .arg(config)
        .args(["daemon", "--http", &format!("127.0.0.1:{port}")])
        .args(["--receive-mode", "on-connection"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let says = BufReader::new(child.stderr.take().unwrap());
    let real = Real(child, format!("http://127.0.0.1:{port}"));
    let (listens, listening) = tokio::sync::oneshot::channel();
    // Read to the end, so that it never waits for a reader.
    std::thread::spawn(move || {
        let mut listens = Some(listens);
        for line in says.lines().map_while(Result::ok) {
            if line.contains("Started HTTP server") {
                listens.take().map(|listens| listens.send(()));
            }
        }
    });
    let listening = tokio::time::timeout(3 * NEVER, listening).await;
    listening
        .expect("it does not listen")
        .expect("it has ended");
    real
}

/// Asks for something; returns the status, the kind of content, and the answer without what differs from run to run.
async fn ask(
    client: &HttpClient,
    root: &str,
    call: Option<&Value>,
    path: &str,
) -> (u16, String, Value) {
    let url = format!("{root}{path}");
    let request = match call {
        Some(call) => Request::new(Method::Post, &url).body(Body::json(call)),
        None => Request::new(Method::Get, &url),
    };
    let response = client.open(request, NEVER).await.unwrap();
    let kind = response
        .header("content-type")
        .unwrap_or_default()
        .to_owned();
    let status = response.status;
    if kind == "text/event-stream" || status != 200 {
        return (
            status,
            if status == 200 { kind } else { String::new() },
            Value::Null,
        );
    }
    let mut response = response;
    let mut bytes = Vec::new();
    while let Some(more) = response.next().await.unwrap() {
        bytes.extend_from_slice(&more);
    }
    let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    (status, kind, answer)
}

#[tokio::test]
#[ignore = "runs the real daemon, which SIGNAL_CLI names"]
async fn the_real_daemon_answers_as_the_stand_in_does() {
    let client = HttpClient::unencrypted(&channel_kit::proxy::Proxies::default()).unwrap();
    let config = tempfile::tempdir().unwrap();
    let real = real(config.path()).await;
    let rig = Rig::new().await;
    rig.signal.set_accounts(&[]);
    let call = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": "1", "method": method, "params": params });
    let send = json!({ "account": ACCOUNT, "recipient": [ANN.number], "message": "x" });
    let account = json!({ "account": ACCOUNT });
    let device = json!({ "account": ACCOUNT, "deviceId": 0 });
    let delete = json!({ "account": ACCOUNT, "recipient": [ANN.number], "targetTimestamp": 1 });
    for (call, path) in [
        (None, "/api/v1/check"),
        (None, "/api/v1/other"),
        (None, "/api/v1/events?account=%2B15550000001"),
        (None, "/api/v1/events"),
        (Some(call("version", json!({}))), "/api/v1/rpc"),
        (Some(call("listAccounts", json!({}))), "/api/v1/rpc"),
        (Some(call("send", send)), "/api/v1/rpc"),
        (Some(call("send", json!({ "message": "x" }))), "/api/v1/rpc"),
        (Some(call("remoteDelete", delete)), "/api/v1/rpc"),
        (Some(call("removeDevice", device)), "/api/v1/rpc"),
        (Some(call("unregister", account.clone())), "/api/v1/rpc"),
        (Some(call("unregister", json!({}))), "/api/v1/rpc"),
        (Some(call("deleteLocalAccountData", account)), "/api/v1/rpc"),
        (
            Some(call("deleteLocalAccountData", json!({}))),
            "/api/v1/rpc",
        ),
        (Some(call("nothing", json!({}))), "/api/v1/rpc"),
    ] {
        let theirs = ask(&client, &real.1, call.as_ref(), path).await;
        let ours = ask(&client, rig.signal.root(), call.as_ref(), path).await;
        assert_eq!(ours, theirs, "{path} {call:?}");
    }
}

#[tokio::test]
#[ignore = "runs the real daemon, which SIGNAL_CLI names"]
async fn linking_goes_as_far_as_it_can_without_signal_s_network() {
    let config = tempfile::tempdir().unwrap();
    let real = real(config.path()).await;
    let rig = Rig::new().await;
    // The methods are there, and their errors are those of the stand-in.
    let client = HttpClient::unencrypted(&channel_kit::proxy::Proxies::default()).unwrap();
    let call = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": "1", "method": method, "params": params });
    for params in [
        json!({}),
        json!({ "deviceLinkUri": "sgnl://linkdevice?uuid=x&pub_key=y", "deviceName": "x" }),
    ] {
        let call = call("finishLink", params);
        let theirs = ask(&client, &real.1, Some(&call), "/api/v1/rpc").await;
        let ours = ask(&client, rig.signal.root(), Some(&call), "/api/v1/rpc").await;
        assert_eq!(ours, theirs, "{call}");
    }
    // Through the daemon, and by the program.
    let program = std::env::var_os("SIGNAL_CLI").unwrap();
    let daemon = Daemon::new(program, "127.0.0.1:9").config(Some(config.path().to_owned()));
    for account in [
        rig.account_at(&real.1, None),
        rig.account_at("http://127.0.0.1:9", None).start(daemon),
    ] {
        let (code, coded) = tokio::sync::mpsc::unbounded_channel();
        let tell = move |_| {
            let _ = code.send(());
        };
        let login = account.login().unwrap();
        let mut coded = coded;
        tokio::select! {
            end = login.link("OpenClaw", &tell) => {
                let error = end.unwrap_err();
                assert!(error.advice().contains("network"), "{error:?}");
            }
            // Where the network is there, it goes as far as the code.
            Some(()) = coded.recv() => {}
        }
    }
}

#[tokio::test]
#[ignore = "runs the real daemon, which SIGNAL_CLI names"]
async fn the_adapter_at_the_real_daemon() {
    let config = tempfile::tempdir().unwrap();
    let real = real(config.path()).await;
    let rig = Rig::new().await;
    let logs = Logs::default();
    let _guard = logs.listen();
    // An account that it does not have.
    let running = Running::run(rig.account_at(&real.1, Some(ACCOUNT)), 16);
    logs.until("signal: no messages, retrying", 1).await;
    let error = running.adapter.status().last_error.unwrap();
    assert!(error.contains("does not have this account"), "{error}");
    let to = Target::chat(ANN.number.unwrap());
    let error = running
        .adapter
        .send(&to, &Outgoing::text("x"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SendError::Unavailable { reason } if reason.contains("openclaw channels login signal")),
        "{error}"
    );
    running.stop().await;
    // Every account that it has, of which there is none: an open stream.
    let running = Running::run(rig.account_at(&real.1, None), 16);
    let connected = async {
        while running.adapter.status().connection != channel_kit::Connection::Connected {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(NEVER, connected)
        .await
        .expect("it does not connect");
    running.stop().await;
}
