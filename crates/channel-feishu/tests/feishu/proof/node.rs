//! The stand-in, held to be right by Feishu's own client: `@larksuiteoapi/node-sdk` connects to it, receives, acknowledges,
//! reconnects, sends and is refused, and accepts every object that it sends.
//!
//! Needs Node.js and the directory `tests/feishu-js` with its dependencies installed, which `FEISHU_JS` names.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::feishu::{APP_ID, APP_SECRET, Feishu};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::rig::ANN;

/// Starting Node.js takes a while.
const LONG: Duration = Duration::from_secs(60);

struct Client {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: Vec<String>,
}

impl Client {
    fn start(feishu: &Feishu, secret: &str) -> Self {
        let dir = std::env::var("FEISHU_JS").expect("FEISHU_JS names the directory of the client");
        let mut child = Command::new("node")
            .arg("client.mjs")
            .args([&feishu.root(), APP_ID, secret])
            .current_dir(dir)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node is installed");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            _child: child,
            lines,
            errors: Vec::new(),
        }
    }

    /// The next line with this key. Errors on the way are kept.
    async fn says(&mut self, key: &str) -> Value {
        let look = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                let said: Value = serde_json::from_str(&line).unwrap();
                if said.get(key).is_some() {
                    return said;
                }
                if said.get("error").is_some() {
                    self.errors.push(line);
                }
            }
            panic!("it ended before it said {key}: {:?}", self.errors);
        };
        let said = timeout(LONG, look).await;
        said.unwrap_or_else(|_| panic!("it never says {key}: {:?}", self.errors))
    }

    /// The message is received, as what it is.
    async fn hears(&mut self, text: &str) {
        let expected =
            json!({ "heard": text, "from": ANN, "kind": "p2p", "type": "user", "id": true });
        assert_eq!(self.says("heard").await, expected);
    }
}

async fn connected(feishu: &Feishu) -> Client {
    let mut client = Client::start(feishu, APP_SECRET);
    client.says("connected").await;
    client
}

#[tokio::test]
#[ignore = "needs Feishu's client: see the head of the file"]
async fn it_receives_and_answers() {
    let feishu = Feishu::start().await;
    let mut client = connected(&feishu).await;
    feishu
        .until_counts("it pings", |counts| counts.pings >= 1)
        .await;
    feishu.says(ANN, "ping");
    client.hears("ping").await;
    assert_eq!(feishu.sent_to(ANN).await.text, "pong");
    feishu.says(ANN, "group");
    assert_eq!(feishu.sent().await.to, feishu.chat_with(ANN));
    feishu.says(ANN, "edit");
    assert_eq!(
        client.says("edited").await["edited"],
        "{\"text\":\"after\"}"
    );
    assert_eq!(client.says("refused").await["refused"], 230_110);
    feishu.says(ANN, "picture");
    feishu.sent().await;
    assert_eq!(feishu.sent().await.picture, Some(vec![1, 2, 3]));
    feishu.says(ANN, "shut");
    assert_eq!(client.says("refused").await["refused"], 230_002);
    feishu.acknowledged().await;
    assert_eq!((feishu.counts().repeated, feishu.counts().tokens), (0, 1));
    feishu.says(ANN, "leave");
    client.hears("leave").await;
}

#[tokio::test]
#[ignore = "needs Feishu's client: see the head of the file"]
async fn it_answers_buttons() {
    let feishu = Feishu::start().await;
    let mut client = connected(&feishu).await;
    feishu.says(ANN, "buttons");
    let sent = feishu.sent().await;
    assert_eq!(sent.buttons, [("Yes".to_owned(), "a:1".to_owned())]);
    feishu.presses(ANN, &sent.id, "a:1");
    let pressed = client.says("pressed").await;
    assert_eq!(
        pressed,
        json!({ "pressed": "a:1", "by": ANN, "under": sent.id })
    );
    let changed = feishu.called("card").await;
    assert!(changed.path.ends_with(&sent.id), "{}", changed.path);
    feishu.acknowledged().await;
}

#[tokio::test]
#[ignore = "needs Feishu's client: see the head of the file"]
async fn it_joins_parts_and_what_it_fails_at_comes_again() {
    let feishu = Feishu::start().await;
    feishu.behave(|behaviour| {
        behaviour.parts = 5;
        behaviour.acknowledge = Duration::from_millis(100);
    });
    let mut client = connected(&feishu).await;
    feishu.says(ANN, "fail");
    client.hears("fail").await;
    client.hears("fail").await;
    assert!(feishu.counts().repeated >= 1 && feishu.counts().acknowledged == 0);
}

#[tokio::test]
#[ignore = "needs Feishu's client: see the head of the file"]
async fn it_reconnects_and_is_sent_what_it_missed() {
    let feishu = Feishu::start().await;
    let mut client = connected(&feishu).await;
    feishu.close();
    feishu.says(ANN, "closed");
    client.says("connected").await;
    client.hears("closed").await;
    feishu.acknowledged().await;
    feishu.tear();
    feishu.says(ANN, "torn");
    client.hears("torn").await;
    feishu.acknowledged().await;
}

#[tokio::test]
#[ignore = "needs Feishu's client: see the head of the file"]
async fn it_understands_that_it_is_refused() {
    let feishu = Feishu::start().await;
    let mut client = Client::start(&feishu, "anothersecretanothersecret");
    let failed = client.says("failed").await["failed"].to_string();
    assert!(failed.contains("514"), "{failed}");
}
