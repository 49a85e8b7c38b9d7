//! The adapter against a small server, behind a gateway.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway_channels::Message;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use openclaw_config::Config;
use openclaw_gateway::{Gateway, Overrides, Settings};
use pairing_core::{
    AccountId, Approver, ChannelId, ChannelRules, Channels, MemoryStore, PairingBuilder,
};
use pairing_fs::{SystemClock, SystemEntropy};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::matrix::{Matrix, encode};

/// What the server is asked to do: method, path and body.
type Asked = (String, String, Value);

struct Server {
    /// Answers to `/sync` after the first, which comes at once.
    news: mpsc::UnboundedSender<Value>,
    asked: mpsc::UnboundedReceiver<Asked>,
    root: String,
}

fn said(sender: &str, body: &str) -> Value {
    json!({
        "type": "m.room.message", "event_id": format!("$of {body}"), "sender": sender,
        "origin_server_ts": 1, "content": { "msgtype": "m.text", "body": body },
    })
}

fn news(room: &str, events: &[Value]) -> Value {
    json!({ "next_batch": "b/2", "rooms": { "join": { room: { "timeline": { "events": events } } } } })
}

/// What the server is to answer to `/sync` after the first, and where it notes the rest.
struct Desk {
    is_first: AtomicBool,
    told: Mutex<mpsc::UnboundedReceiver<Value>>,
    tell: mpsc::UnboundedSender<Asked>,
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Value {
        assert_eq!(request.headers()["authorization"], "Bearer a-token");
        let (method, path) = (request.method().to_string(), request.uri().to_string());
        let path = path.strip_prefix("/_matrix/client/v3").unwrap().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        if path.starts_with("/sync") {
            let is_first = self.is_first.swap(false, Ordering::SeqCst);
            assert_eq!(path.contains("&since="), !is_first);
            if is_first {
                return news("!d", &[said("@zoe:there", "before the bot was there")]);
            }
            self.told.lock().await.recv().await.unwrap()
        } else if path.ends_with("/joined_members") {
            let is_group = path.contains(&encode("!g"));
            let joined = if is_group {
                json!({ "@bot:here": {}, "@zoe:there": {}, "@eve:there": {} })
            } else {
                json!({ "@bot:here": {}, "@zoe:there": {} })
            };
            json!({ "joined": joined })
        } else {
            let body = serde_json::from_slice(&body).unwrap();
            self.tell.send((method, path, body)).unwrap();
            json!({ "event_id": "$sent" })
        }
    }
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let (news, told) = mpsc::unbounded_channel();
        let (tell, asked) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk {
            is_first: AtomicBool::new(true),
            told: Mutex::new(told),
            tell,
        });
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let desk = desk.clone();
                let service = service_fn(move |request| {
                    let desk = desk.clone();
                    async move {
                        let answer = desk.answer(request).await.to_string();
                        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(answer)))
                    }
                });
                let http = http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(socket), service));
            }
        });
        Self { news, asked, root }
    }

    fn adapter(&self) -> Matrix {
        // It is spoken to in clear: no certificates are needed.
        let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        Matrix {
            channel: ChannelId::parse("matrix").unwrap(),
            account: AccountId::default(),
            server: self.root.clone(),
            user: "@bot:here".to_owned(),
            token: "a-token".to_owned(),
            http: Client::builder(TokioExecutor::new()).build((http, tls).into()),
        }
    }
}

/// The next one; nothing here takes long.
async fn next<T>(of: &mut mpsc::UnboundedReceiver<T>) -> T {
    let next = timeout(Duration::from_secs(20), of.recv()).await;
    next.unwrap().unwrap()
}

#[tokio::test]
async fn a_stranger_gets_a_code_and_once_approved_is_heard() {
    let mut server = Server::start().await;
    let channels = Channels::builtin().with(ChannelRules::new(ChannelId::parse("matrix").unwrap()));
    let pairing = PairingBuilder::new(MemoryStore::new(), SystemClock, SystemEntropy);
    let pairing = pairing.channels(channels).build();
    let config = Config::parse("{ gateway: { auth: { token: 'secret' } } }").unwrap();
    let settings = Settings::from_config(&config, &Overrides::default()).unwrap();
    let (tell, mut heard) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let gateway = Gateway::builder(pairing.clone(), settings)
        .adapter(Arc::new(server.adapter()))
        .on_message(move |message: Message| {
            tell.send(message.text.clone()).unwrap();
            async move { drop(message.reply("heard").await) }
        })
        .shutdown(async { drop(stopped.await) })
        .build();
    let running = tokio::spawn(gateway.run());

    let invited = json!({ "next_batch": "b/1", "rooms": { "invite": { "!d": {} } } });
    server.news.send(invited).unwrap();
    let (method, path, _) = next(&mut server.asked).await;
    assert_eq!(
        (method.as_str(), path.as_str()),
        ("POST", "/rooms/%21%64/join")
    );

    // In a group, by the bot itself, or said anew: no request. The one in the room with her is.
    let mut edit = said("@zoe:there", "* let me in");
    edit["content"]["m.relates_to"] = json!({ "rel_type": "m.replace" });
    server
        .news
        .send(news("!g", &[said("@eve:there", "hello all")]))
        .unwrap();
    let events = [
        said("@bot:here", "hello"),
        edit,
        said("@zoe:there", "let me in"),
    ];
    server.news.send(news("!d", &events)).unwrap();
    let (method, path, body) = next(&mut server.asked).await;
    assert_eq!(method, "PUT");
    assert!(
        path.starts_with("/rooms/%21%64/send/m.room.message/"),
        "{path}"
    );
    let account = pairing
        .channel("matrix")
        .unwrap()
        .account("default")
        .unwrap();
    let waiting = account.pending().unwrap().requests;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].sender.as_str(), "@zoe:there");
    let code = waiting[0].code;
    assert!(
        body["body"].as_str().unwrap().contains(code.as_str()),
        "{body}"
    );

    account
        .approve(code.as_str(), &Approver::terminal("ann"))
        .unwrap();
    server
        .news
        .send(news("!d", &[said("@zoe:there", "and now?")]))
        .unwrap();
    assert_eq!(next(&mut heard).await, "and now?");
    let (_, _, body) = next(&mut server.asked).await;
    assert_eq!(body, json!({ "msgtype": "m.text", "body": "heard" }));
    drop(stop);
    running.await.unwrap();
}
