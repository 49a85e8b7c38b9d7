//! The stand-in, held to be right by Slack's own clients: `@slack/socket-mode` and `@slack/web-api` connect to it, receive,
//! answer, reconnect and are rate limited, and accept every object that it sends.
//!
//! Needs Node.js and the directory `tests/slack-js` with its dependencies installed, which `SLACK_JS` names.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::slack::{APP_TOKEN, Answer, BOT_ID, BOT_TOKEN, BOT_USER, SCOPES, Slack};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::rig::ANN;

/// Starting Node.js takes a while.
const LONG: Duration = Duration::from_secs(60);

struct Client {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: Vec<String>,
}

impl Client {
    fn start(slack: &Slack, bot: &str, app: &str) -> Self {
        let dir = std::env::var("SLACK_JS").expect("SLACK_JS names the directory of the client");
        let mut child = Command::new("node")
            .arg("client.mjs")
            .args([&slack.root(), bot, app])
            .current_dir(dir)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node is installed");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
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
                if said.get("error").is_some() || said.get("warning").is_some() {
                    self.errors.push(line);
                }
            }
            panic!("it ended before it said {key}: {:?}", self.errors);
        };
        let said = timeout(LONG, look).await;
        said.unwrap_or_else(|_| panic!("it never says {key}: {:?}", self.errors))
    }

    /// The message is received, as what it is.
    async fn hears(&mut self, text: &str) -> u64 {
        let said = self.says("heard").await;
        assert_eq!(
            (&said["heard"], &said["from"], &said["kind"], &said["id"]),
            (&json!(text), &json!(ANN), &json!("im"), &json!(true))
        );
        said["attempt"].as_u64().unwrap()
    }

    async fn ended(mut self) -> Option<i32> {
        let status = timeout(LONG, self.child.wait()).await;
        assert!(self.errors.is_empty(), "{:?}", self.errors);
        status.expect("it does not end").unwrap().code()
    }
}

async fn connected(slack: &Slack) -> Client {
    let mut client = Client::start(slack, BOT_TOKEN, APP_TOKEN);
    client.says("connected").await;
    client
}

#[tokio::test]
#[ignore = "needs Slack's clients: see the head of the file"]
async fn they_receive_and_answer() {
    let slack = Slack::start().await;
    let mut client = connected(&slack).await;
    slack.says(ANN, "ping");
    assert_eq!(client.hears("ping").await, 0);
    assert_eq!(slack.sent_to(ANN).await.text, "pong");
    slack.says(ANN, "edit");
    slack.sent_to(ANN).await;
    assert_eq!(client.says("edited").await["edited"], "after");
    let update = slack.called("chat.update").await;
    assert_eq!(update.params["blocks"], json!([]));
    assert_eq!(client.says("refused").await["refused"], "message_not_found");
    slack.says(ANN, "picture");
    let sent = slack.sent_to(ANN).await;
    assert_eq!(sent.text, "see");
    assert_eq!(sent.picture.unwrap().1, [1, 2, 3]);
    assert_eq!(client.says("uploaded").await["uploaded"], true);
    slack.says(ANN, "open");
    assert_eq!(slack.sent_to("U0OTHER").await.text, "hello");
    slack.says(ANN, "who");
    let who = client.says("me").await;
    let scopes: Vec<_> = SCOPES.split(',').collect();
    let expected = json!({ "me": BOT_USER, "bot": BOT_ID, "name": "u0ann", "scopes": scopes });
    assert_eq!(who, expected);
    slack.says(ANN, "shut");
    assert_eq!(client.says("refused").await["refused"], "channel_not_found");
    slack.acknowledged().await;
    assert_eq!(slack.counts().repeated, 0);
    slack.says(ANN, "leave");
    assert_eq!(client.ended().await, Some(0));
}

#[tokio::test]
#[ignore = "needs Slack's clients: see the head of the file"]
async fn they_answer_buttons_and_commands() {
    let slack = Slack::start().await;
    let mut client = connected(&slack).await;
    slack.says(ANN, "buttons");
    let sent = slack.sent_to(ANN).await;
    assert_eq!(sent.buttons, [("Yes".to_owned(), "a:1".to_owned())]);
    slack.presses(ANN, &sent.ts, "a:1");
    let pressed = client.says("pressed").await;
    assert_eq!(
        pressed,
        json!({ "pressed": "a:1", "by": ANN, "under": sent.ts })
    );
    assert_eq!(slack.called("chat.update").await.params["text"], "done");
    slack.commands(ANN, "/pair", "pending");
    let given = client.says("given").await;
    assert_eq!(given, json!({ "given": "/pair pending", "by": ANN }));
    let sent = slack.sent_to(ANN).await;
    assert_eq!(
        (sent.text.as_str(), sent.only_for.as_deref()),
        ("for you", Some(ANN))
    );
    slack.acknowledged().await;
    slack.says(ANN, "leave");
    assert_eq!(client.ended().await, Some(0));
}

#[tokio::test]
#[ignore = "needs Slack's clients: see the head of the file"]
async fn they_reconnect_and_are_sent_again_what_they_missed() {
    let slack = Slack::start().await;
    slack.behave(|behaviour| behaviour.pings = Duration::from_millis(100));
    let mut client = connected(&slack).await;
    slack
        .until_counts("both sides ask and answer", |counts| {
            counts.pings >= 2 && counts.pongs >= 2
        })
        .await;
    assert_eq!(slack.counts().connections, 1);
    for reason in ["warning", "refresh_requested"] {
        slack.disconnects(reason);
        slack.says(ANN, reason);
        client.says("connected").await;
        client.hears(reason).await;
    }
    slack.close();
    client.says("connected").await;
    slack.says(ANN, "closed");
    client.hears("closed").await;
    slack.acknowledged().await;
    slack.says(ANN, "leave");
    client.hears("leave").await;
    assert_eq!(client.ended().await, Some(0));
}

#[tokio::test]
#[ignore = "needs Slack's clients: see the head of the file"]
async fn they_are_rate_limited_and_told_which_scope_is_missing() {
    let slack = Slack::start().await;
    let mut client = connected(&slack).await;
    slack.answers("chat.postMessage", Answer::Later("1"));
    slack.says(ANN, "ping");
    assert_eq!(client.says("limited").await["limited"], 1);
    assert_eq!(slack.sent_to(ANN).await.text, "pong");
    slack.answers("chat.postMessage", Answer::Scope("chat:write", "im:write"));
    slack.says(ANN, "shut");
    let refused = client.says("refused").await;
    assert_eq!(
        (&refused["refused"], &refused["needed"]),
        (&json!("missing_scope"), &json!("chat:write"))
    );
}

#[tokio::test]
#[ignore = "needs Slack's clients: see the head of the file"]
async fn they_understand_that_they_are_refused() {
    let slack = Slack::start().await;
    let mut client = Client::start(&slack, BOT_TOKEN, "xapp-1-A0-2-other");
    assert_eq!(client.says("failed").await["failed"], "invalid_auth");
}
