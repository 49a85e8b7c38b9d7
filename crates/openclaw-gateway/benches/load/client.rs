//! Clients that do nothing but connect and call, and cost as little as they can.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use pairing_core::Clock as _;
use pairing_core::device::{Identity, PayloadVersion, SignedFields};
use pairing_fs::SystemClock;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::server::Server;

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// How many devices a gateway lets in as fast as they come.
pub(crate) const AT_ONCE: usize = 2_000;

/// Clients of one gateway.
pub(crate) struct Load {
    pub(crate) port: u16,
    pub(crate) devices: Vec<(Arc<Identity>, String)>,
}

impl Load {
    pub(crate) fn new(server: &Server) -> Self {
        Self {
            port: server.port,
            devices: server.devices.clone(),
        }
    }

    /// Connections per second, of so many: TCP, upgrade, challenge, proof, `hello-ok`, close. A gateway takes
    /// [`AT_ONCE`] as fast as it can, and 500 a second after those.
    pub(crate) async fn handshakes(&self, clients: usize, many: usize) -> f64 {
        let began = Instant::now();
        let each = many / clients;
        self.each(clients, Duration::MAX, |port, devices, _| async move {
            // In turn, because a device may come only so often.
            for (device, token) in devices.iter().cycle().take(each) {
                let mut socket = connect(port, device, token).await;
                let _ = socket.close(None).await;
            }
            each as u64
        })
        .await;
        (each * clients) as f64 / began.elapsed().as_secs_f64()
    }

    /// Calls of `health` per second, one after the other by each client.
    pub(crate) async fn calls(&self, clients: usize, during: Duration) -> f64 {
        self.each(clients, during, |port, devices, until| async move {
            let (device, token) = &devices[0];
            let mut socket = connect(port, device, token).await;
            let call = json!({ "type": "req", "id": "1", "method": "health", "params": {} });
            let call = Message::text(call.to_string());
            let mut done = 0;
            while Instant::now() < until {
                socket.send(call.clone()).await.unwrap();
                while !next(&mut socket).await.starts_with(r#"{"type":"res""#) {}
                done += 1;
            }
            done
        })
        .await
    }

    /// Connections that are held, and read from, until this is dropped.
    pub(crate) async fn hold(&self, many: usize) -> JoinSet<()> {
        let mut held = JoinSet::new();
        for number in 0..many {
            if number % AT_ONCE == AT_ONCE - 1 {
                // Until it takes as many again.
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            let (device, token) = &self.devices[number % self.devices.len()];
            let mut socket = connect(self.port, device, token).await;
            held.spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
        }
        held
    }

    async fn each<F, T>(&self, clients: usize, during: Duration, work: F) -> f64
    where
        F: Fn(u16, Vec<(Arc<Identity>, String)>, Instant) -> T,
        T: Future<Output = u64> + Send + 'static,
    {
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for number in 0..clients {
            let of_client = self.devices.iter().skip(number).step_by(clients);
            tasks.spawn(work(
                self.port,
                of_client.cloned().collect(),
                began + during,
            ));
        }
        let done: u64 = tasks.join_all().await.into_iter().sum();
        done as f64 / began.elapsed().as_secs_f64()
    }
}

/// Comes in as a paired operator, with its device token.
pub(crate) async fn connect(port: u16, device: &Identity, token: &str) -> Socket {
    let (socket, answer) = knock(port, device, "operator", &json!({ "deviceToken": token })).await;
    assert!(answer.contains(r#""ok":true"#), "{answer}");
    socket
}

/// Shakes hands; the socket, and the answer to `connect`.
pub(crate) async fn knock(
    port: u16,
    device: &Identity,
    role: &str,
    auth: &Value,
) -> (Socket, String) {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    stream.set_nodelay(true).unwrap();
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0);
    let url = format!("ws://127.0.0.1:{port}/");
    let (mut socket, _) = client_async_with_config(url, stream, Some(config))
        .await
        .unwrap();
    let challenge: Value = serde_json::from_str(&next(&mut socket).await).unwrap();
    let nonce = challenge["payload"]["nonce"].as_str().unwrap();
    let scopes: &[String] = match role {
        "operator" => &["operator.admin".to_owned()],
        _ => &[],
    };
    let text = |name: &str| auth[name].as_str();
    let signed_at = SystemClock.now().as_millis();
    let fields = SignedFields {
        device_id: &device.id().to_string(),
        client_id: "cli",
        client_mode: "cli",
        role,
        scopes,
        signed_at,
        token: pairing_core::device::signed_token(text("token"), text("deviceToken"), None),
        nonce,
        platform: Some("linux"),
        device_family: None,
    };
    let connect = json!({
        "type": "req", "id": "0", "method": "connect", "params": {
            "minProtocol": 3, "maxProtocol": 3, "role": role, "scopes": scopes,
            "client": { "id": "cli", "version": "1", "platform": "linux", "mode": "cli" },
            "auth": auth,
            "device": {
                "id": device.id(), "publicKey": device.key(), "signedAt": signed_at, "nonce": nonce,
                "signature": device.sign(&fields, PayloadVersion::V3).unwrap(),
            },
        },
    });
    socket
        .send(Message::text(connect.to_string()))
        .await
        .unwrap();
    let answer = next(&mut socket).await;
    (socket, answer)
}

/// The next text.
pub(crate) async fn next(socket: &mut Socket) -> String {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return text.to_string(),
            Some(Ok(_)) => {}
            other => panic!("the gateway hung up: {other:?}"),
        }
    }
}
