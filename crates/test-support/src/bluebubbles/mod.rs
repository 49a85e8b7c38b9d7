//! A stand-in for a BlueBubbles server: its REST API, and the webhooks that it calls.
//!
//! Its objects are those of the server's documentation; OpenClaw's own adapter accepts them, as `channel-bluebubbles`'s
//! tests show.

mod serve;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel_kit::http::{Body, HttpClient};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Its password, of which a URL has to encode something.
pub const PASSWORD: &str = "hunter2 & co";

/// Somebody who writes.
pub const ANN: &str = "+15550001111";

/// Nothing takes this long; a test that waits for it has failed.
const NEVER: Duration = Duration::from_secs(20);

/// The stand-in. It ends when it is dropped.
#[derive(Debug)]
pub struct BlueBubbles {
    root: String,
    client: HttpClient,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Counts requests.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    password: String,
    /// The messages that it has, earliest first.
    messages: Vec<Value>,
    /// The ids of the chats that it has.
    chats: Vec<String>,
    webhooks: Vec<Value>,
    requests: Vec<(String, Value)>,
    refusals: VecDeque<(u16, Value)>,
    /// Whole responses instead of the usual ones.
    statuses: VecDeque<u16>,
    /// Whether its Private API is on, by which it begins chats.
    has_private_api: bool,
    now: i64,
    number: u64,
}

impl BlueBubbles {
    /// Starts one, without messages.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                password: PASSWORD.to_owned(),
                messages: Vec::new(),
                chats: Vec::new(),
                webhooks: Vec::new(),
                requests: Vec::new(),
                refusals: VecDeque::new(),
                statuses: VecDeque::new(),
                has_private_api: true,
                now: 1_795_353_726_325,
                number: 0,
            }),
            changes: watch::Sender::new(0),
        });
        let task = tokio::spawn(crate::serve::serve(
            listener,
            Arc::clone(&shared),
            serve::handle,
        ));
        Self {
            root,
            client: HttpClient::unencrypted(&channel_kit::proxy::Proxies::default()).unwrap(),
            shared,
            task,
        }
    }

    /// Its address.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Changes the password.
    pub fn set_password(&self, password: &str) {
        password.clone_into(&mut self.shared.state().password);
    }

    /// Sets the time of the next message, in milliseconds since 1970.
    pub fn set_now(&self, now: i64) {
        self.shared.state().now = now;
    }

    /// Forgets the messages that it has, and the requests that nobody has waited for.
    pub fn trims(&self) {
        let mut state = self.shared.state();
        state.messages.clear();
        state.requests.clear();
    }

    /// Turns the Private API off: it cannot begin chats any more.
    pub fn without_private_api(&self) {
        self.shared.state().has_private_api = false;
    }

    /// The webhooks that are registered.
    pub fn webhooks(&self) -> Vec<String> {
        let state = self.shared.state();
        let urls = state
            .webhooks
            .iter()
            .map(|webhook| webhook["url"].as_str().unwrap().to_owned());
        urls.collect()
    }

    /// Registers a webhook, as its owner does in the app.
    pub fn add_webhook(&self, url: &str) {
        self.shared
            .state()
            .add_webhook(url, &json!(["new-message"]));
    }

    /// Removes all webhooks.
    pub fn remove_webhooks(&self) {
        self.shared.state().webhooks.clear();
    }

    /// Waits for the next request of a method and path after those that were waited for; returns its body, and forgets
    /// it.
    pub async fn requested(&self, what: &str) -> Value {
        let at = |state: &State| state.requests.iter().position(|(name, _)| name == what);
        self.until(|state| at(state).is_some()).await;
        let mut state = self.shared.state();
        let at = at(&state).unwrap();
        state.requests.remove(at).1
    }

    /// Forgets the requests that nobody has waited for.
    pub fn forget_requests(&self) {
        self.shared.state().requests.clear();
    }

    /// The number of requests of a method and path that nobody has waited for.
    pub fn requests(&self, what: &str) -> usize {
        let state = self.shared.state();
        state
            .requests
            .iter()
            .filter(|(name, _)| name == what)
            .count()
    }

    /// A new message that is noted and not delivered; returns its webhook.
    pub fn notes(&self, handle: &str, text: &str) -> Value {
        self.notes_with(&json!({
            "text": text, "handle": { "originalROWID": 1, "address": handle, "country": "us", "service": "iMessage" },
            "chats": [{ "guid": format!("iMessage;-;{handle}"), "style": 45, "chatIdentifier": handle }],
        }))
    }

    /// The same, with other members.
    pub fn notes_with(&self, changes: &Value) -> Value {
        let mut state = self.shared.state();
        let message = state.message(changes);
        state.messages.push(message.clone());
        json!({ "type": "new-message", "data": message })
    }

    /// A new message, which the webhooks get; returns how they answer.
    pub async fn says(&self, handle: &str, text: &str) -> Vec<u16> {
        self.deliver(&self.notes(handle, text)).await
    }

    /// Calls the webhooks; returns how they answer.
    pub async fn deliver(&self, event: &Value) -> Vec<u16> {
        let mut statuses = Vec::new();
        for url in self.webhooks() {
            let response = self.client.post(&url, Body::json(event), NEVER).await;
            statuses.push(response.unwrap().status);
        }
        statuses
    }

    /// Refuses the next request that is not a question for messages.
    pub fn refuse(&self, status: u16, kind: &str, message: &str) {
        let error = json!({ "type": kind, "message": message });
        let refusal = json!({ "status": status, "message": "The server has encountered an error", "error": error });
        self.shared.state().refusals.push_back((status, refusal));
    }

    /// Answers the next request, whatever it is for, with this status and nothing else.
    pub fn answer_with(&self, status: u16) {
        self.shared.state().statuses.push_back(status);
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        let waiting = async {
            loop {
                if is_so(&self.shared.state()) {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        timeout(NEVER, waiting).await.unwrap();
    }
}

impl Drop for BlueBubbles {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

impl State {
    fn message(&mut self, changes: &Value) -> Value {
        self.number += 1;
        self.now += 1;
        let mut message = json!({
            "originalROWID": self.number, "tempGuid": "", "guid": format!("p:0/{:08X}", self.number), "text": "",
            "attributedBody": [], "handle": null, "handleId": 1, "otherHandle": 0, "attachments": [], "subject": null,
            "error": 0, "dateCreated": self.now, "dateRead": null, "dateDelivered": null, "isFromMe": false,
            "isDelayed": false, "isAutoReply": false, "isSystemMessage": false, "isServiceMessage": false,
            "isForward": false, "isArchived": false, "itemType": 0, "groupTitle": null, "groupActionType": 0,
            "balloonBundleId": null, "associatedMessageGuid": null, "associatedMessageType": null,
            "expressiveSendStyleId": null, "replyToGuid": null, "threadOriginatorGuid": null, "dateEdited": null,
            "dateRetracted": null, "chats": [],
        });
        for (key, value) in changes.as_object().unwrap() {
            message[key] = value.clone();
        }
        let chats = message["chats"].as_array().into_iter().flatten();
        for guid in chats.filter_map(|chat| chat["guid"].as_str()) {
            if !self.chats.iter().any(|known| known == guid) {
                self.chats.push(guid.to_owned());
            }
        }
        message
    }

    fn add_webhook(&mut self, url: &str, events: &Value) -> Value {
        self.number += 1;
        let webhook = json!({ "id": self.number, "url": url, "events": events, "created": "2026-11-27T00:00:00.000Z" });
        self.webhooks.push(webhook.clone());
        webhook
    }

    /// What it answers: a status and the whole body.
    fn answer(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let what = format!("{method} {path}");
        self.requests.push((what.clone(), body.clone()));
        if what != "POST message/query"
            && let Some(refusal) = self.refusals.pop_front()
        {
            return refusal;
        }
        let ok = |data: Value| {
            (
                200,
                json!({ "status": 200, "message": "Success", "data": data }),
            )
        };
        let refused = |status: u16, kind: &str, message: &str| {
            let error = json!({ "type": kind, "message": message });
            (
                status,
                json!({ "status": status, "message": "Refused", "error": error }),
            )
        };
        match what.as_str() {
            "GET ping" => ok(json!("pong")),
            "GET server/info" => ok(json!({
                "computer_id": "ann@mac", "os_version": "15.6", "server_version": "1.9.9", "private_api": self.has_private_api,
                "helper_connected": self.has_private_api, "proxy_service": "lan-url", "detected_icloud": "bot@example.org",
                "detected_imessage": "bot@example.org", "local_ipv4s": ["192.168.1.100"], "local_ipv6s": [],
            })),
            "GET webhook" => ok(Value::Array(self.webhooks.clone())),
            "POST webhook" => {
                let url = body["url"].as_str().unwrap().to_owned();
                ok(self.add_webhook(&url, &body["events"]))
            }
            "POST message/query" => ok(self.query(body)),
            "POST chat/query" => ok(self.chats.iter().map(|guid| chat(guid)).collect()),
            "POST message/text" | "POST message/attachment" => {
                let guid = body["chatGuid"].as_str().unwrap_or_default();
                if !self.chats.iter().any(|known| known == guid) {
                    return refused(500, "iMessage Error", "Failed to find chat");
                }
                let chats = json!([{ "guid": guid }]);
                let sent = json!({ "text": body["message"], "isFromMe": true, "chats": chats, "tempGuid": body["tempGuid"] });
                let message = self.message(&sent);
                self.messages.push(message.clone());
                ok(message)
            }
            "POST chat/new" if !self.has_private_api => {
                refused(400, "Validation Error", "Private API is not enabled!")
            }
            "POST chat/new" => {
                let person = body["addresses"][0].as_str().unwrap();
                let guid = format!("iMessage;-;{person}");
                let sent = json!({ "text": body["message"], "isFromMe": true, "chats": [{ "guid": guid }] });
                let message = self.message(&sent);
                self.messages.push(message.clone());
                let mut new = chat(&guid);
                new["messages"] = json!([message]);
                ok(new)
            }
            _ => {
                if let Some(id) = what.strip_prefix("DELETE webhook/") {
                    self.webhooks
                        .retain(|webhook| webhook["id"].as_u64() != id.parse().ok());
                    return ok(Value::Null);
                }
                let guid = what.strip_prefix("GET chat/");
                match guid.filter(|guid| self.chats.iter().any(|known| known == guid)) {
                    Some(guid) => ok(chat(guid)),
                    None => refused(404, "Database Error", "Chat does not exist!"),
                }
            }
        }
    }

    fn query(&self, body: &Value) -> Value {
        let after = body["after"].as_i64().unwrap_or(0);
        let is_asked =
            |message: &&Value| message["dateCreated"].as_i64().is_none_or(|at| at >= after);
        let mut found: Vec<_> = self.messages.iter().filter(is_asked).cloned().collect();
        if body["sort"] == "DESC" {
            found.reverse();
        }
        let number =
            |key: &str, usual: u64| usize::try_from(body[key].as_u64().unwrap_or(usual)).unwrap();
        found
            .into_iter()
            .skip(number("offset", 0))
            .take(number("limit", 100))
            .collect()
    }
}

fn chat(guid: &str) -> Value {
    let identifier = guid.split(';').nth(2);
    json!({
        "originalROWID": 1, "guid": guid, "chatIdentifier": identifier, "style": 45, "isArchived": false, "displayName": "",
        "participants": [{ "originalROWID": 1, "address": identifier, "service": "iMessage" }],
    })
}
