//! `lark-oapi`, Feishu's client for Python: it connects to the stand-in, receives, acknowledges, joins parts, sends and is refused.
//!
//! Needs a Python with the packages of `tests/lark/requirements.txt`, which `FEISHU_PYTHON` names.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::feishu::{APP_ID, APP_SECRET, Feishu};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::rig::ANN;

/// Starting Python takes a while.
const LONG: Duration = Duration::from_secs(60);

struct Client {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Client {
    async fn start(feishu: &Feishu, secret: &str) -> Self {
        let python = std::env::var("FEISHU_PYTHON").expect("FEISHU_PYTHON names a Python");
        let client = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lark/client.py");
        let mut child = Command::new(python)
            .args([client, &feishu.root(), APP_ID, secret])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python is installed");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut client = Self {
            _child: child,
            lines,
        };
        client.says("ready").await;
        client
    }

    /// The next line with this key.
    async fn says(&mut self, key: &str) -> Value {
        let mut others = Vec::new();
        let look = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                let said: Value = serde_json::from_str(&line).unwrap_or_default();
                if said.get(key).is_some() {
                    return said;
                }
                others.push(line);
            }
            panic!("it ended before it said {key}: {others:?}");
        };
        let said = timeout(LONG, look).await;
        said.unwrap_or_else(|_| panic!("it never says {key}"))
    }

    /// The message is received, as what it is.
    async fn hears(&mut self, text: &str) {
        let expected = json!({ "heard": text, "from": ANN, "kind": "p2p", "type": "user" });
        assert_eq!(self.says("heard").await, expected);
    }
}

#[tokio::test]
#[ignore = "needs lark-oapi: see the head of the file"]
async fn it_receives_acknowledges_answers_and_joins_parts() {
    let feishu = Feishu::start().await;
    feishu.behave(|behaviour| behaviour.parts = 3);
    let mut client = Client::start(&feishu, APP_SECRET).await;
    feishu.connected().await;
    feishu
        .until_counts("it pings", |counts| counts.pings >= 1)
        .await;
    feishu.says(ANN, "ping");
    client.hears("ping").await;
    assert_eq!(feishu.sent_to(ANN).await.text, "pong");
    feishu.says(ANN, "shut");
    assert_eq!(client.says("refused").await["refused"], 230_002);
    feishu.acknowledged().await;
    assert_eq!(feishu.counts().repeated, 0);
}

#[tokio::test]
#[ignore = "needs lark-oapi: see the head of the file"]
async fn it_answers_buttons() {
    let feishu = Feishu::start().await;
    let mut client = Client::start(&feishu, APP_SECRET).await;
    feishu.connected().await;
    feishu.says(ANN, "buttons");
    let sent = feishu.sent().await;
    assert_eq!(sent.buttons, [("Yes".to_owned(), "a:1".to_owned())]);
    feishu.presses(ANN, &sent.id, "a:1");
    let pressed = client.says("pressed").await;
    assert_eq!(
        pressed,
        json!({ "pressed": "a:1", "by": ANN, "under": sent.id })
    );
    feishu.acknowledged().await;
}

#[tokio::test]
#[ignore = "needs lark-oapi: see the head of the file"]
async fn it_understands_that_it_is_refused() {
    let feishu = Feishu::start().await;
    let mut client = Client::start(&feishu, "anothersecretanothersecret").await;
    let failed = client.says("failed").await["failed"].to_string();
    assert!(failed.contains("514"), "{failed}");
}
