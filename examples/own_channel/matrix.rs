//! Matrix, over its client API, in rooms without encryption. An adapter carries messages and decides nothing.

use std::sync::Arc;

use channel_kit::{
    Adapter, BoxFuture, Inbound, Inbox, Incoming, MessageId, Outgoing, SendError, Status, Stop,
    Target, TextLimit,
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, body::Bytes};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use pairing_core::{AccountId, ChannelId, Entropy as _, SenderId, Timestamp};
use pairing_fs::SystemEntropy;
use serde_json::{Value, json};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One account of a Matrix server.
pub(crate) struct Matrix {
    pub(crate) channel: ChannelId,
    pub(crate) account: AccountId,
    pub(crate) server: String,
    pub(crate) user: String,
    pub(crate) token: String,
    pub(crate) http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Matrix {
    async fn call(&self, method: &str, path: &str, body: String) -> Result<Value, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/_matrix/client/v3{path}", self.server))
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::from(body))?;
        let answer = self.http.request(request).await?;
        if !answer.status().is_success() {
            return Err(format!("the server says {}", answer.status()).into());
        }
        let body = Limited::new(answer.into_body(), 16 << 20).collect().await?;
        Ok(serde_json::from_slice(&body.to_bytes())?)
    }

    /// Takes in what came after `since`, which is where to go on then.
    async fn sync(&self, since: &mut Option<String>, inbox: &Inbox) -> Result<(), Failure> {
        let after = since.iter().map(|at| format!("&since={}", encode(at)));
        let path = format!("/sync?timeout=30000{}", after.collect::<String>());
        let news = self.call("GET", &path, String::new()).await?;
        for (room, _) in news["rooms"]["invite"].as_object().into_iter().flatten() {
            // Whoever wants to talk to the bot invites it. One that has gone holds up nobody else.
            let path = format!("/rooms/{}/join", encode(room));
            let _ = self.call("POST", &path, "{}".to_owned()).await;
        }
        let mut messages = Vec::new();
        for (room, found) in news["rooms"]["join"].as_object().into_iter().flatten() {
            let path = format!("/rooms/{}/joined_members", encode(room));
            let members = self.call("GET", &path, String::new()).await?;
            let joined = members["joined"].as_object();
            for event in found["timeline"]["events"].as_array().into_iter().flatten() {
                let (chat, content) = (room.clone(), &event["content"]);
                let is_edit = content["m.relates_to"]["rel_type"] == "m.replace";
                if event["type"] != "m.room.message" || content["msgtype"] != "m.text" || is_edit {
                    continue;
                }
                let mut message = Inbound::new(
                    text(&event["event_id"]),
                    text(&event["sender"]),
                    Target::chat(chat),
                    Timestamp::from_millis(event["origin_server_ts"].as_i64().unwrap_or(0)),
                );
                message.is_direct = joined.is_some_and(|joined| joined.len() == 2);
                message.text = text(&content["body"]);
                message.from_me = event["sender"] == self.user.as_str();
                // What there was before the first look is history.
                message.historical = since.is_none();
                // The server vouches for its users, and for others by their servers' signatures.
                message.authenticated = true;
                messages.push(message);
            }
        }
        // Before they are handed on: none comes twice.
        *since = news["next_batch"].as_str().map(str::to_owned);
        for message in messages {
            inbox.put(Incoming::Message(message)).await;
        }
        Ok(())
    }
}

impl Adapter for Matrix {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn account(&self) -> &AccountId {
        &self.account
    }

    fn longest_text(&self) -> TextLimit {
        TextLimit::utf16(4096)
    }

    fn direct<'a>(&'a self, sender: &'a SenderId) -> BoxFuture<'a, Result<Target, SendError>> {
        Box::pin(async { Ok(Target::chat(sender.as_str())) })
    }

    fn status(&self) -> Status {
        Status::default()
    }

    fn run(self: Arc<Self>, inbox: Inbox, mut stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut since = None;
            loop {
                // A real adapter keeps `since` in a file, and waits longer each time.
                let step = async {
                    if self.sync(&mut since, &inbox).await.is_err() {
                        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
                    }
                };
                tokio::select! { () = step => {}, () = stop.wait() => return }
            }
        })
    }

    fn send<'a>(
        &'a self,
        to: &'a Target,
        what: &'a Outgoing,
    ) -> BoxFuture<'a, Result<MessageId, SendError>> {
        Box::pin(async {
            let failed = |reason: String| SendError::Unavailable { reason };
            let mut number = [0; 8];
            let drawn = SystemEntropy.fill(&mut number);
            drawn.map_err(|error| failed(error.to_string()))?;
            let (room, number) = (encode(&to.chat), u64::from_le_bytes(number));
            let path = format!("/rooms/{room}/send/m.room.message/{number}");
            let body = json!({ "msgtype": "m.text", "body": what.text });
            let sent = self.call("PUT", &path, body.to_string()).await;
            let sent = sent.map_err(|error| failed(error.to_string()))?;
            Ok(MessageId(text(&sent["event_id"])))
        })
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(crate) fn encode(text: &str) -> String {
    let bytes = text.bytes().map(|byte| format!("%{byte:02X}"));
    bytes.collect()
}

impl std::fmt::Debug for Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Matrix").finish_non_exhaustive()
    }
}
