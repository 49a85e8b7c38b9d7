//! A whole connection as a function of what the client sends, for the fuzz targets; no part of the
//! interface.

use std::error::Error;
use std::io::Cursor;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderValue};
use openclaw_config::Config;
use pairing_core::{
    DeviceKey, Entropy, EntropyError, ManualClock, MemoryStore, Pairing, Timestamp,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, join, sink, split};
use tokio::runtime::{Builder, Runtime};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{self, Message};

pub use crate::chat::{Notify, PairCommand};
use crate::conn;
use crate::edge::{Arrival, Origin};
use crate::peers::{Forwarded, Outcome, Proof, Published};
use crate::{Gateway, Overrides, Settings};

/// What is made of the header of a call of another gateway: as it would be written, and whether it is signed by
/// this key; `None` where it is no such header.
pub fn peer_call(header: &[u8], key: &DeviceKey) -> Option<(Vec<u8>, bool)> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_bytes(header).ok()?);
    let proof = Proof::read(&headers)?;
    let written = proof.header()?.as_bytes().to_vec();
    Some((written, proof.is_signed_by(key)))
}

/// Reads the body of a call of another gateway; what it says, written anew.
pub fn peer_body(body: &[u8]) -> Option<Vec<u8>> {
    let asked: Forwarded = serde_json::from_slice(body).ok()?;
    serde_json::to_vec(&asked).ok()
}

/// Reads the answer to a call of another gateway; what it says, written anew.
pub fn peer_answer(body: &[u8]) -> Option<Vec<u8>> {
    let outcome: Outcome = serde_json::from_slice(body).ok()?;
    serde_json::to_vec(&outcome).ok()
}

/// Reads a value that a gateway publishes; what it says, written anew.
pub fn peer_value(value: &[u8]) -> Option<Vec<u8>> {
    Published::parse(value).map(|published| published.to_value())
}

type Failure = Box<dyn Error + Send + Sync>;

/// The token of the gateway, where the client is to know it.
pub const TOKEN: &str = "known";

/// What a client hears.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A message: always JSON.
    Json(serde_json::Value),
    /// The end, with its code.
    Closed(Option<u16>),
}

/// Connections of a program on the gateway's machine, each to a gateway of its own without any state.
/// Every one draws the same challenge at the same time.
#[derive(Debug)]
pub struct Rig(Runtime);

impl Rig {
    /// Takes a thread's worth of resources: to be used many times.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self(Builder::new_current_thread().enable_time().build()?))
    }

    /// Sends bytes over a WebSocket that was just upgraded, and then nothing more; the gateway's token
    /// is [`TOKEN`], or nobody knows it.
    ///
    /// An error where the gateway sent what is not of the protocol, or something stayed behind.
    pub fn connection(&self, bytes: &[u8], is_known: bool) -> Result<Vec<Heard>, Failure> {
        self.0.block_on(async {
            let mut heard = Vec::new();
            let speak = async |client| {
                let (mut reader, mut writer) = split(client);
                let say = async {
                    // The gateway need not hear it to its end.
                    let _ = writer.write_all(bytes).await;
                    let _ = writer.shutdown().await;
                };
                tokio::join!(say, reader.read_to_end(&mut heard)).1?;
                Ok(())
            };
            connect(is_known, speak).await?;
            let socket = join(Cursor::new(heard), sink());
            let mut socket = WebSocketStream::from_raw_socket(socket, Role::Client, None).await;
            let mut all = Vec::new();
            while let Some(heard) = hear(&mut socket).await? {
                all.push(heard);
            }
            Ok(all)
        })
    }

    /// Sends messages, each when the one before has been answered; the answers, of which there are fewer
    /// where the connection is closed before.
    pub fn requests(&self, texts: &[&str]) -> Result<Vec<serde_json::Value>, Failure> {
        self.0.block_on(async {
            let mut answers = Vec::new();
            let speak = async |client| {
                let mut socket = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
                'all: for text in texts {
                    let sent = socket.send(Message::text(*text)).await;
                    loop {
                        match hear(&mut socket).await? {
                            Some(Heard::Json(frame)) if frame["type"] == "res" => {
                                answers.push(frame);
                                break;
                            }
                            Some(Heard::Json(_)) => sent.as_ref().map_err(ToString::to_string)?,
                            Some(Heard::Closed(_)) | None => break 'all,
                        };
                    }
                }
                Ok(())
            };
            connect(true, speak).await?;
            Ok(answers)
        })
    }
}

/// A client and the gateway, until both are done.
async fn connect(
    is_known: bool,
    client: impl AsyncFnOnce(DuplexStream) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let token = if is_known {
        TOKEN
    } else {
        "nobody-knows-this-one"
    };
    let text = format!(
        "{{ gateway: {{ auth: {{ token: '{token}' }}, localAdmin: true, limits: {{ loopbackDelayMs: 0 }} }} }}"
    );
    let settings = Settings::from_config(&Config::parse(&text)?, &Overrides::default())?;
    let clock = ManualClock::new(Timestamp::from_millis(1_795_353_726_325));
    let entropy = || Counting(AtomicU64::new(0));
    let pairing = Pairing::new(MemoryStore::new(), clock, entropy());
    let gateway = Gateway::builder(pairing, settings)
        .entropy(entropy())
        .build();
    let (_stop, server) = gateway.server();
    let parts = server.parts.clone();

    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let arrival = Arrival {
        is_owners: false,
        user: None,
        address,
        is_direct: true,
        is_encrypted: false,
        origin: Origin::None,
    };
    let permit = parts.entrance.budget.places.enter(address)?;
    let (served, socket) = duplex(64 << 10);
    let drive = conn::drive(served, (arrival, None), server, permit);
    tokio::join!(drive, client(socket)).1?;
    if parts.clients.sessions.count() > 0 || parts.entrance.budget.places.total() > 0 {
        return Err("something stayed behind".into());
    }
    Ok(())
}

/// The next thing that the gateway sent.
async fn hear<S: conn::Socket>(socket: &mut WebSocketStream<S>) -> Result<Option<Heard>, Failure> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                return Ok(Some(Heard::Json(serde_json::from_str(&text)?)));
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(frame))) => {
                return Ok(Some(Heard::Closed(frame.map(|frame| frame.code.into()))));
            }
            Some(Ok(other)) => return Err(format!("heard {other:?}").into()),
            // Who has hung up is not told how it ends.
            None
            | Some(Err(
                tungstenite::Error::ConnectionClosed
                | tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
            )) => return Ok(None),
            Some(Err(error)) => return Err(error.into()),
        }
    }
}

/// Different each time, and the same in each run.
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in bytes.chunks_mut(8) {
            let next = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            let mixed = next.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
            chunk.copy_from_slice(&mixed[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &str = r#"{"type":"req","id":"1","method":"connect","params":{"minProtocol":3,"maxProtocol":4,"client":{"id":"cli","version":"1","platform":"linux","mode":"cli"},"scopes":["operator.admin"],"auth":{"token":"known"}}}"#;

    fn says(heard: &Heard, pointer: &str) -> serde_json::Value {
        match heard {
            Heard::Json(value) => value.pointer(pointer).cloned().unwrap_or_default(),
            Heard::Closed(_) => serde_json::Value::Null,
        }
    }

    /// A text as the client's frame, with a mask that changes nothing.
    fn frame(text: &str) -> Vec<u8> {
        let length = u16::try_from(text.len()).unwrap();
        let mut frame = vec![0x81, 0xfe];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        frame
    }

    #[test]
    fn a_connection_is_heard_to_its_end() {
        let rig = Rig::new().unwrap();
        let close = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];
        let health = r#"{"type":"req","id":"2","method":"health"}"#;
        let bytes = [frame(CONNECT), frame(health), close.to_vec()].concat();
        let heard = rig.connection(&bytes, true).unwrap();
        assert_eq!(says(&heard[0], "/event"), "connect.challenge");
        assert_eq!(says(&heard[1], "/payload/type"), "hello-ok");
        // Who says that it is over is not answered any more, but told that it was heard.
        assert_eq!(heard[2..], [Heard::Closed(Some(1000))]);
        let heard = rig.connection(&bytes, false).unwrap();
        assert_eq!(
            says(&heard[1], "/error/message"),
            "device identity required"
        );
        assert_eq!(heard[2..], [Heard::Closed(Some(1008))]);
    }

    #[test]
    fn nothing_and_nonsense_end() {
        let rig = Rig::new().unwrap();
        for bytes in [
            &b""[..],
            &[0xff; 100],
            &[0x81, 0x80, 0, 0, 0],
            &[0x88, 0x80, 0, 0, 0, 0],
        ] {
            let heard = rig.connection(bytes, true).unwrap();
            assert_eq!(says(&heard[0], "/event"), "connect.challenge");
            assert!(heard.len() <= 2, "{heard:?}");
        }
    }

    #[test]
    fn every_request_is_answered() {
        let rig = Rig::new().unwrap();
        let list = r#"{"type":"req","id":"2","method":"device.pair.list","params":{}}"#;
        let answers = rig.requests(&[CONNECT, list, "{", "hello"]).unwrap();
        assert_eq!(answers.len(), 4);
        assert_eq!(answers[1]["payload"]["paired"], serde_json::json!([]));
        assert_eq!(answers[3]["error"]["code"], "INVALID_REQUEST");
    }
}
