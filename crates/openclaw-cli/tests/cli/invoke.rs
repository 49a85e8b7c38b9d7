//! `openclaw nodes describe`, `invoke` and `notify`, at a gateway with a node.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use gateway_client::node::{Node, error};
use gateway_client::{Connect, HeldToken, KeepError, LinkEvent, TokenKeeper};
use gateway_protocol::invoke::InvokeRequest;
use gateway_protocol::{ClientInfo, GatewayUrl, Text};
use openclaw_cli::Exit;
use pairing_core::Approver;
use pairing_core::device::{Identity, RequestId, Role};
use serde_json::json;
use tokio::sync::oneshot;

use crate::live::{Live, TOKEN};
use crate::session::Session;

/// Forgets tokens, because it shows the shared secret.
struct Nothing;

impl TokenKeeper for Nothing {
    fn load(&self, _: Role) -> Result<Option<HeldToken>, KeepError> {
        Ok(None)
    }

    fn store(&self, _: Role, _: &HeldToken) -> Result<(), KeepError> {
        Ok(())
    }
}

fn text(text: &str) -> Text {
    text.to_owned().try_into().unwrap()
}

/// A node that is paired and connected until it is dropped.
struct Connected {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Connected {
    fn to(live: &Live, session: &Session) -> Self {
        let identity = Arc::new(Identity::generate(&session.entropy()).unwrap());
        let url = GatewayUrl::parse(&format!("ws://127.0.0.1:{}", live.port)).unwrap();
        let client = ClientInfo {
            id: text("node-host"),
            display_name: Some(text("Attic")),
            version: text("1.2.3"),
            platform: text("linux"),
            device_family: Some(text("Linux")),
            model_identifier: None,
            mode: text("node"),
            instance_id: None,
        };
        let connect = Connect::to(url)
            .token(TOKEN.into())
            .identity(identity, Arc::new(Nothing))
            .client(client);
        let (service, entropy) = (session.service(), session.entropy());
        let (stop, mut stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async move {
                let commands = ["echo", "system.notify", "system.run"];
                let first = connect.clone().role(Role::Node);
                let first = first.commands(commands.map(text));
                let asked = first.open().await.unwrap_err();
                let request = RequestId::parse(asked.request_id().unwrap()).unwrap();
                let owner = Approver::terminal("ann");
                service.devices().approve(&request, &owner).unwrap();
                let mut serving = node().keep(connect, Arc::new(entropy));
                loop {
                    tokio::select! {
                        event = serving.next() => match event {
                            Some(LinkEvent::Connected(_)) => tell.send(()).unwrap(),
                            Some(_) => {}
                            None => return,
                        },
                        _ = &mut stopped => return,
                    }
                }
            });
        });
        told.recv().unwrap();
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn node() -> Node {
    Node::new()
        .cap("device")
        .permission("notifications", true)
        .command("echo", |request: InvokeRequest| async move {
            let params = request.params_json.unwrap_or_default();
            Ok(json!({ "said": serde_json::from_str::<serde_json::Value>(&params).unwrap() }))
        })
        .command("system.notify", |_: InvokeRequest| async { Ok(json!({})) })
        .command("system.run", |_: InvokeRequest| async {
            Err(error("REFUSED", "not\u{1b}[2J today"))
        })
}

#[test]
fn a_node_is_described_and_asked() {
    let mut session = Session::new();
    session.mask(r"--token-file \S+/token", "--token-file TOKEN");
    session.mask("[0-9a-f]{64}", "[node]");
    let live = Live::on(&mut session);
    let _node = Connected::to(&live, &session);
    let named = live.named(&session);
    for line in [
        "nodes describe Attic",
        "nodes invoke Attic --command echo --params {\"a\":[1,2]}",
        "nodes invoke --node Attic --command echo --json",
        "nodes invoke Attic --command echo --params {a}",
        "nodes invoke Attic --command echo --invoke-timeout soon",
        "nodes invoke Attic --command system.run",
        "nodes invoke Attic --command other",
        "nodes invoke Cellar --command echo",
        "nodes notify Attic --title Tea --body ready --priority active",
        "nodes notify Attic",
    ] {
        session.person(&format!("{line} {named}"));
    }
    session.finish("nodes-invoke");
}

#[test]
fn without_a_gateway_no_node_is_asked() {
    let session = Session::new();
    for args in [
        &["nodes", "describe", "Attic"][..],
        &["devices", "join-code"],
        &["nodes", "invoke", "Attic", "--command", "echo"],
        &["nodes", "notify", "Attic", "--title", "Tea"],
    ] {
        let ran = session.run(args);
        assert_eq!(ran.exit, Exit::Refused);
        assert!(
            ran.stderr
                .starts_with("error: no gateway runs that could do that\n"),
            "{}",
            ran.stderr
        );
    }
}
