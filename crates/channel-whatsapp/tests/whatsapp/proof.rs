//! The stand-in, held to be right by `pywa`: it verifies and reads what the stand-in delivers, and sends to it.
//!
//! Needs a Python with the packages of `tests/pywa/requirements.txt`, which `PYWA` names.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::whatsapp::{ANN, APP_SECRET, Answer, NUMBER_ID, TOKEN, VERIFY_TOKEN, WhatsApp};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Starting Python takes a while.
const LONG: Duration = Duration::from_secs(60);

struct Client {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Client {
    async fn start(whatsapp: &WhatsApp) -> Self {
        let python = std::env::var("PYWA").expect("PYWA names a Python with pywa");
        let client = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pywa/client.py");
        let root = whatsapp.root();
        let mut child = Command::new(python)
            .args([client, &root, NUMBER_ID, TOKEN, APP_SECRET, VERIFY_TOKEN])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python is installed");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut client = Self {
            _child: child,
            lines,
            url: String::new(),
        };
        let said = client.says("listening").await;
        client.url.push_str(said["listening"].as_str().unwrap());
        client
    }

    /// The next line with this key.
    async fn says(&mut self, key: &str) -> Value {
        let mut others = Vec::new();
        let look = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                let said: Value = serde_json::from_str(&line).unwrap();
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
}

#[tokio::test]
#[ignore = "needs pywa: see the head of the file"]
async fn pywa_verifies_reads_and_answers() {
    let whatsapp = WhatsApp::start().await;
    let mut client = Client::start(&whatsapp).await;
    assert_eq!(
        whatsapp.subscribe(&client.url, "another-token").await,
        Some(403)
    );
    assert_eq!(
        whatsapp.subscribe(&client.url, VERIFY_TOKEN).await,
        Some(200)
    );

    assert_eq!(whatsapp.says(ANN, "ping").await, 200);
    let heard = client.says("heard").await;
    assert_eq!(
        heard,
        json!({ "heard": "ping", "from": "15550001111", "name": "Ann", "id": true, "type": "text" })
    );
    let sent = whatsapp.sent_to(ANN).await;
    assert_eq!((sent.text.as_str(), sent.kind.as_str()), ("pong", "text"));
    assert_eq!(client.says("sent").await["sent"], sent.id);

    whatsapp.says(ANN, "buttons").await;
    let asked = whatsapp.sent_to(ANN).await;
    assert_eq!(
        asked.buttons,
        [
            ("Yes".to_owned(), "a:1".to_owned()),
            ("No".to_owned(), "r:1".to_owned())
        ]
    );
    assert_eq!(whatsapp.presses(ANN, &asked.id, "a:1").await, 200);
    let pressed = client.says("pressed").await;
    assert_eq!(
        pressed,
        json!({ "pressed": "a:1", "from": "15550001111", "under": asked.id })
    );

    whatsapp.says(ANN, "picture").await;
    let picture = whatsapp.sent_to(ANN).await;
    assert_eq!(
        (picture.picture.as_deref(), picture.text.as_str()),
        (Some(&[1, 2, 3][..]), "look")
    );

    whatsapp.says(ANN, "reply").await;
    let reply = whatsapp.sent_to(ANN).await;
    assert!(reply.reply_to.is_some_and(|id| id.starts_with("wamid.")));

    let photo = json!({ "type": "image", "image": {
        "id": "1", "mime_type": "image/jpeg", "sha256": "x", "caption": "a photo", "url": "https://lookaside.fbsbx.com/1",
    } });
    assert_eq!(whatsapp.deliver(&whatsapp.body(ANN, &photo)).await, 200);
    assert_eq!(client.says("caption").await["caption"], "a photo");
}

#[tokio::test]
#[ignore = "needs pywa: see the head of the file"]
async fn pywa_understands_refusals_and_what_became_of_messages() {
    let whatsapp = WhatsApp::start().await;
    let mut client = Client::start(&whatsapp).await;
    assert_eq!(
        whatsapp.subscribe(&client.url, VERIFY_TOKEN).await,
        Some(200)
    );
    for (code, name) in [
        (131_047, "ReEngagementMessage"),
        (130_429, "RateLimitHit"),
        (190, "ExpiredAccessToken"),
    ] {
        whatsapp.answer("message", Answer::Code(code, "no"));
        whatsapp.says(ANN, "ping").await;
        let refused = client.says("refused").await;
        assert_eq!(refused["refused"], code, "{refused}");
        assert!(
            refused["name"].as_str().unwrap().contains(name),
            "{refused}"
        );
    }
    // Somebody who has not written: it is taken, and said later.
    whatsapp.says(ANN, "stranger").await;
    let sent = whatsapp.sent().await;
    let failed = client.says("failed").await;
    assert_eq!(
        failed,
        json!({ "failed": 131_047, "message": sent.id, "to": "15550009999" })
    );
    // Another body under the same signature, and none at all.
    assert_eq!(client.says_to(&whatsapp, "tamper").await, 403);
    let number = whatsapp.root();
    whatsapp.says(ANN, "number").await;
    let shown = client.says("number").await;
    assert_eq!(shown["number"], "+1 555-078-3881", "{number}");
    assert_eq!(shown["name"], "Ann's Assistant");
}

impl Client {
    /// Delivers a body that is not the one that was signed.
    async fn says_to(&self, whatsapp: &WhatsApp, text: &str) -> u16 {
        use channel_kit::http::{Body, HttpClient, Method, Request};
        let body = whatsapp.note(ANN, text).to_string();
        let signature = test_support::whatsapp::signature(body.as_bytes(), APP_SECRET);
        let changed = body.replace(text, "changed");
        let request = Request::new(Method::Post, &self.url)
            .header("x-hub-signature-256", &signature)
            .body(Body {
                content_type: "application/json".to_owned(),
                bytes: changed.into_bytes(),
            });
        let client = HttpClient::unencrypted(&channel_kit::proxy::Proxies::default()).unwrap();
        client.send(request, LONG).await.unwrap().status
    }
}
