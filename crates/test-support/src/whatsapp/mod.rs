//! A stand-in for WhatsApp's Cloud API: the Graph API of a business number, and the webhook that it calls.
//!
//! It does what Meta documents, as far as direct messages notice: it makes sure of a webhook before it calls it, signs every
//! body, delivers again what was not answered, and lets a business write to people only after they have written. `pywa` is
//! run against it, so that it is not only our own idea of it.

mod api;
mod serve;
mod state;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel_kit::http::{Body, HttpClient, Method, Request};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use state::State;

/// The token of a system user.
pub const TOKEN: &str = "EAAGm0PX4ZCpsBAhunter2hunter2ZDZD";
/// The secret of the app.
pub const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";
/// What the owner has chosen for the webhook.
pub const VERIFY_TOKEN: &str = "open-sesame-4711";
/// Meta's id of the number.
pub const NUMBER_ID: &str = "106540352242922";
/// The number itself, as it is shown.
pub const NUMBER: &str = "+1 555-078-3881";
/// Somebody who writes.
pub const ANN: &str = "+15550001111";

/// A wait that ends by then, or a test has failed.
const NEVER: Duration = Duration::from_secs(20);

/// The server; it is gone when this is dropped.
#[derive(Debug)]
pub struct WhatsApp {
    address: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the server does at the next call of a kind, in place of what it usually does.
#[derive(Debug)]
pub enum Answer {
    /// An error of the Graph API: its code and its text.
    Code(i64, &'static str),
    /// A status and a body.
    Raw(u16, &'static str),
    /// The connection is closed, before or after the call was carried out.
    HangUp {
        /// Whether it was carried out.
        done: bool,
    },
}

/// A message of the business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its id.
    pub id: String,
    /// The person or group that it was sent to.
    pub to: String,
    /// Its kind: `text`, `interactive` or `image`.
    pub kind: String,
    /// Its text, or the caption.
    pub text: String,
    /// The buttons under it: label and data.
    pub buttons: Vec<(String, String)>,
    /// The picture that it is.
    pub picture: Option<Vec<u8>>,
    /// The message that it is a reply to.
    pub reply_to: Option<String>,
}

#[derive(Debug)]
struct Shared {
    client: HttpClient,
    state: Mutex<State>,
    changed: Notify,
}

impl WhatsApp {
    /// Starts one, with one number.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            client: HttpClient::unencrypted(&channel_kit::proxy::Proxies::default()).unwrap(),
            state: Mutex::new(State::new()),
            changed: Notify::new(),
        });
        let serving = crate::serve::serve(listener, Arc::clone(&shared), serve::handle);
        Self {
            address,
            shared,
            task: tokio::spawn(serving),
        }
    }

    /// Its address, with the version.
    pub fn root(&self) -> String {
        format!("http://{}/v26.0", self.address)
    }

    /// Adds a number to the account: its id, and how it is shown.
    pub fn add_number(&self, id: &str, shown: &str) {
        let number = (id.to_owned(), shown.to_owned());
        self.shared.state().numbers.push(number);
    }

    /// Makes another token the only one that is accepted.
    pub fn set_token(&self, token: &str) {
        token.clone_into(&mut self.shared.state().token);
        self.shared.changed.notify_waiters();
    }

    /// Lets the business write to everybody, whoever has written.
    pub fn without_window(&self) {
        self.shared.state().has_window = false;
    }

    /// Sets the time of the next message, in seconds since 1970.
    pub fn set_now(&self, now: i64) {
        self.shared.state().now = now;
    }

    /// Sets a webhook up as Meta does: it is called with a number that it has to answer. Returns the status, or `None` where
    /// the answer is another.
    pub async fn subscribe(&self, url: &str, verify_token: &str) -> Option<u16> {
        const CHALLENGE: &str = "1158201444";
        let asked = format!(
            "{url}?hub.mode=subscribe&hub.challenge={CHALLENGE}&hub.verify_token={verify_token}"
        );
        let request = Request::new(Method::Get, &asked);
        let answer = self.shared.client.send(request, NEVER).await.unwrap();
        let is_right = answer.status == 200 && &*answer.bytes == CHALLENGE.as_bytes();
        if is_right {
            self.shared.state().webhook = Some(url.to_owned());
        }
        (is_right || answer.status != 200).then_some(answer.status)
    }

    /// Takes the webhook away, as if it could not be reached.
    pub fn unsubscribe(&self) {
        self.shared.state().webhook = None;
    }

    /// Somebody writes; returns how the webhook answers. What is not answered well waits.
    pub async fn says(&self, from: &str, text: &str) -> u16 {
        self.deliver(&self.note(from, text)).await
    }

    /// Somebody presses a button; returns how the webhook answers.
    pub async fn presses(&self, from: &str, under: &str, data: &str) -> u16 {
        let press = json!({
            "type": "interactive", "context": { "from": digits(NUMBER), "id": under },
            "interactive": { "type": "button_reply", "button_reply": { "id": data, "title": "Press" } },
        });
        self.deliver(&self.body(from, &press)).await
    }

    /// The body of a message that is not delivered yet.
    pub fn note(&self, from: &str, text: &str) -> Value {
        self.body(from, &json!({ "type": "text", "text": { "body": text } }))
    }

    /// The body of a message with these members.
    pub fn body(&self, from: &str, members: &Value) -> Value {
        self.body_to(NUMBER_ID, NUMBER, from, members)
    }

    /// The same, to another number.
    pub fn body_to(&self, id: &str, shown: &str, from: &str, members: &Value) -> Value {
        body(&[self.change(id, shown, from, members)])
    }

    /// What a body holds of one message.
    pub fn change(&self, id: &str, shown: &str, from: &str, members: &Value) -> Value {
        let mut state = self.shared.state();
        let wa_id = digits(from);
        state.writers.insert(format!("+{wa_id}"));
        let mut message = json!({
            "from": wa_id, "from_user_id": user_id(&wa_id), "id": state.id(), "timestamp": state.time().to_string(),
        });
        for (key, value) in members.as_object().unwrap() {
            message[key] = value.clone();
        }
        value_of(id, shown, &wa_id, json!({ "messages": [message] }))
    }

    /// What became of a message.
    pub fn status(&self, sent: &Sent, status: &str, errors: &Value) -> Value {
        self.shared
            .state()
            .status(&sent.id, &sent.to, status, errors)
    }

    /// Calls the webhook with a body; returns how it answers. What is not answered well waits.
    pub async fn deliver(&self, body: &Value) -> u16 {
        self.shared.deliver(body.to_string()).await
    }

    /// Delivers again what was not answered well.
    pub async fn deliver_again(&self) {
        let waiting = std::mem::take(&mut self.shared.state().undelivered);
        for body in waiting {
            self.shared.deliver(body).await;
        }
    }

    /// How many bodies wait to be delivered again.
    pub fn undelivered(&self) -> usize {
        self.shared.state().undelivered.len()
    }

    /// What is sent next.
    pub async fn sent(&self) -> Sent {
        self.next(|_| true).await
    }

    /// What is sent to somebody next.
    pub async fn sent_to(&self, who: &str) -> Sent {
        self.next(|sent| sent.to == who).await
    }

    /// How many messages were sent.
    pub fn count_sent(&self) -> usize {
        self.shared.state().sent.len()
    }

    /// How often a kind of call was made: `number`, `message` or `media`.
    pub fn count(&self, kind: &str) -> usize {
        self.shared
            .state()
            .calls
            .iter()
            .filter(|call| **call == kind)
            .count()
    }

    /// Waits until a kind of call was made so often.
    pub async fn until_called(&self, kind: &str, times: usize) {
        self.until(|| (self.count(kind) >= times).then_some(()))
            .await;
    }

    /// What the server does at the next call of a kind.
    pub fn answer(&self, kind: &'static str, answer: Answer) {
        let mut state = self.shared.state();
        state.answers.entry(kind).or_default().push_back(answer);
    }

    async fn next(&self, is_it: impl Fn(&Sent) -> bool) -> Sent {
        self.until(|| {
            let mut state = self.shared.state();
            let at = state.unseen.iter().position(&is_it)?;
            state.unseen.remove(at)
        })
        .await
    }

    async fn until<T>(&self, look: impl Fn() -> Option<T>) -> T {
        let wait = async {
            loop {
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(found) = look() {
                    return found;
                }
                changed.await;
            }
        };
        let Ok(found) = timeout(NEVER, wait).await else {
            panic!("it never comes: {:?}", self.shared.state());
        };
        found
    }
}

impl Drop for WhatsApp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn deliver(&self, body: String) -> u16 {
        let Some(url) = self.state().webhook.clone() else {
            self.state().undelivered.push_back(body);
            return 0;
        };
        let signature = signature(body.as_bytes(), APP_SECRET);
        let request = Request::new(Method::Post, &url)
            .header("x-hub-signature-256", &signature)
            .body(Body {
                content_type: "application/json".to_owned(),
                bytes: body.clone().into_bytes(),
            });
        let answer = self.client.send(request, NEVER).await;
        let status = answer.map_or(0, |answer| answer.status);
        if status != 200 {
            self.state().undelivered.push_back(body);
        }
        status
    }
}

/// Meta's signature over a body: the value of `X-Hub-Signature-256`.
pub fn signature(body: &[u8], secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    let mut text = String::from("sha256=");
    for byte in mac.finalize().into_bytes() {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// A body of several changes.
pub fn body(changes: &[Value]) -> Value {
    let changes: Vec<_> = changes
        .iter()
        .map(|value| json!({ "field": "messages", "value": value }))
        .collect();
    let entry = json!({ "id": "102290129340398", "changes": changes });
    json!({ "object": "whatsapp_business_account", "entry": [entry] })
}

fn value_of(id: &str, shown: &str, wa_id: &str, more: Value) -> Value {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": digits(shown), "phone_number_id": id },
        "contacts": [{ "profile": { "name": "Ann" }, "wa_id": wa_id, "user_id": user_id(wa_id) }],
    });
    let Value::Object(more) = more else {
        panic!("an object");
    };
    value.as_object_mut().unwrap().extend(more);
    value
}

/// The id by which a business knows a person, whatever their number.
fn user_id(wa_id: &str) -> String {
    format!("US.{wa_id}0000")
}

fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}
