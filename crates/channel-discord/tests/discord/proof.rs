//! The stand-in, held to be right by Discord's best-known client: `discord.js` connects to it, receives, answers,
//! reconnects and is rate limited, and its parsers accept every object that it sends.
//!
//! Needs Node.js and the directory `tests/discord-js` with its dependencies installed, which `DISCORD_JS` names.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use test_support::discord::{APPLICATION_ID, Answer, BOT_ID, BOT_TOKEN, Discord};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::rig::ANN;

/// The intent of direct messages.
const DIRECT: u64 = 1 << 12;

/// Starting Node.js takes a while, and discord.js waits five seconds between two sessions.
const LONG: Duration = Duration::from_secs(60);

struct Client {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: Vec<String>,
}

impl Client {
    fn start(discord: &Discord, token: &str, intents: u64) -> Self {
        let dir =
            std::env::var("DISCORD_JS").expect("DISCORD_JS names the directory of the client");
        let mut child = Command::new("node")
            .arg("client.mjs")
            .args([&discord.root(), token, &intents.to_string()])
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
    async fn hears(&mut self, text: &str) {
        let said = self.says("heard").await;
        let expected = serde_json::json!({
            "heard": text, "from": format!("user{ANN}"), "direct": true, "bot": false, "at": true,
        });
        assert_eq!(said, expected);
    }

    async fn ended(mut self) -> Option<i32> {
        let status = timeout(LONG, self.child.wait()).await;
        assert!(self.errors.is_empty(), "{:?}", self.errors);
        status.expect("it does not end").unwrap().code()
    }
}

async fn connected(discord: &Discord) -> Client {
    let mut client = Client::start(discord, BOT_TOKEN, DIRECT);
    let ready = client.says("ready").await;
    assert_eq!(
        (&ready["ready"], &ready["application"]),
        (&BOT_ID.into(), &APPLICATION_ID.into())
    );
    client
}

#[tokio::test]
#[ignore = "needs discord.js: see the head of the file"]
async fn it_receives_and_answers() {
    let discord = Discord::start().await;
    let mut client = connected(&discord).await;
    discord.says(ANN, "ping");
    client.hears("ping").await;
    assert_eq!(discord.sent_to(ANN).await.text, "pong");
    discord.says(ANN, "long");
    assert_eq!(discord.sent_to(ANN).await.text.len(), 2000);
    discord.says(ANN, "picture");
    let sent = discord.sent_to(ANN).await;
    assert_eq!(
        (sent.text.as_str(), sent.picture),
        ("see", Some(vec![1, 2, 3]))
    );
    discord.says(ANN, "edit");
    discord.sent_to(ANN).await;
    let edited = client.says("edited").await;
    assert_eq!(
        (&edited["edited"], &edited["components"]),
        (&"after".into(), &0.into())
    );
    let deleted = discord.called("DELETE /channels/{}/messages/{}").await;
    assert_eq!(deleted.ids.len(), 2);
    discord.says(ANN, "nonce");
    assert_eq!(client.says("same").await["same"], true);
    discord.says(ANN, "open");
    assert_eq!(discord.sent_to(3002).await.text, "hello");
    discord.shuts_out(3003);
    discord.says(ANN, "shut");
    let refused = client.says("refused").await;
    assert_eq!(
        (&refused["refused"], &refused["status"]),
        (&50007.into(), &403.into())
    );
    discord.says(ANN, "leave");
    assert_eq!(client.ended().await, Some(0));
}

#[tokio::test]
#[ignore = "needs discord.js: see the head of the file"]
async fn it_answers_buttons_and_commands() {
    let discord = Discord::start().await;
    let mut client = connected(&discord).await;
    discord.says(ANN, "buttons");
    let sent = discord.sent_to(ANN).await;
    assert_eq!(sent.buttons, [("Yes".to_owned(), "a:1".to_owned())]);
    discord.presses(ANN, &sent.id, "a:1");
    let pressed = client.says("pressed").await;
    assert_eq!(
        (&pressed["by"], &pressed["under"]),
        (&format!("user{ANN}").into(), &sent.id.into())
    );
    let call = discord.called("POST /interactions/{}/{}/callback").await;
    assert_eq!(call.body["type"], 6);

    discord.says(ANN, "command");
    assert_eq!(client.says("command").await["command"], "pair");
    discord.commands(ANN, "pair", Some("pending"));
    assert_eq!(client.says("given").await["what"], "pending");
    for text in ["first", "second"] {
        let sent = discord.sent_to(ANN).await;
        assert_eq!((sent.text.as_str(), sent.is_ephemeral), (text, true));
    }
    assert_eq!(client.says("ephemeral").await["ephemeral"], true);
    discord.says(ANN, "leave");
    assert_eq!(client.ended().await, Some(0));
}

#[tokio::test]
#[ignore = "needs discord.js: see the head of the file"]
async fn it_reconnects_and_misses_nothing() {
    let discord = Discord::start().await;
    discord.behave(|behaviour| behaviour.interval = Duration::from_millis(500));
    let mut client = connected(&discord).await;
    for round in 0..4 {
        match round {
            0 => discord.close(4000),
            1 => discord.tear(),
            2 => discord.asks_to_reconnect(),
            _ => discord.invalidates(true),
        }
        let text = format!("round {round}");
        discord.says(ANN, &text);
        client.hears(&text).await;
        discord
            .until_counts("it resumes", |counts| counts.resumes > round)
            .await;
    }
    discord
        .until_counts("hearts beat", |counts| counts.heartbeats >= 3)
        .await;
    assert_eq!(discord.counts().identifies, 1);
    // Not resumable: a new session, and on it goes.
    discord.invalidates(false);
    discord
        .until_counts("it begins anew", |counts| counts.identifies == 2)
        .await;
    discord.connected().await;
    discord.says(ANN, "leave");
    client.hears("leave").await;
    client.ended().await;
}

#[tokio::test]
#[ignore = "needs discord.js: see the head of the file"]
async fn it_is_rate_limited() {
    let discord = Discord::start().await;
    let mut client = connected(&discord).await;
    discord.behave(|behaviour| behaviour.limit = (3, Duration::from_millis(300)));
    discord.says(ANN, "flood");
    for _ in 0..8 {
        assert!(discord.sent_to(ANN).await.text.starts_with("flood"));
    }
    client.says("limited").await;
    let create = "POST /channels/{}/messages";
    // The headers are understood: it is not refused.
    let mut refused = 0;
    for _ in 0..discord.count(create) {
        refused += usize::from(discord.called(create).await.status == 429);
    }
    assert_eq!(refused, 0);
    // Refusals are understood, too.
    discord.behave(|behaviour| behaviour.limit = (1000, Duration::from_secs(1)));
    for is_global in [false, true] {
        discord.answers(create, Answer::Later(0.3, is_global));
        discord.says(ANN, "ping");
        assert_eq!(discord.sent_to(ANN).await.text, "pong");
    }
    discord.says(ANN, "leave");
    client.ended().await;
}

#[tokio::test]
#[ignore = "needs discord.js: see the head of the file"]
async fn it_understands_that_it_is_refused() {
    let discord = Discord::start().await;
    let mut client = Client::start(&discord, "MTIz.GhX.not_this_one", DIRECT);
    assert_eq!(client.says("failed").await["failed"], "TokenInvalid");
    assert_eq!(client.ended().await, Some(3));
    discord.behave(|behaviour| behaviour.intents = 0);
    let mut client = Client::start(&discord, BOT_TOKEN, DIRECT);
    let failed = client.says("failed").await["failed"].to_string();
    assert!(failed.contains("disallowed intents"), "{failed}");
}
