//! The connection to WhatsApp, over this workspace's own TLS and by the owner's proxies.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::http::{HttpClient, Method, Request};
use channel_kit::proxy::Proxies;
use channel_kit::ws::{Frame, WebSocket, WsConnector, WsError};
use tokio::sync::mpsc;
use whatsapp_rust::async_trait;
use whatsapp_rust::bytes::Bytes;
use whatsapp_rust::wacore::net::{
    DisconnectReason, HttpRequest, HttpResponse, Transport, TransportEvent, TransportFactory,
    WHATSAPP_WEB_ORIGIN, WHATSAPP_WEB_WS_URL,
};
use whatsapp_rust::{anyhow, async_channel};

/// The longest frame of the socket. A frame of the protocol has at most 16 MiB.
const LONGEST: usize = 16 << 20;

/// How many frames wait on their way in or out.
const WAITING: usize = 64;

/// The time limit of opening a connection, and of a request.
const WITHIN: Duration = Duration::from_secs(20);

/// The code by which a socket is closed: this device goes away.
const GOING: u16 = 1001;

/// How WhatsApp is reached.
#[derive(Clone)]
pub(crate) struct Network {
    socket: Arc<str>,
    sockets: WsConnector,
    http: Arc<HttpClient>,
    /// Whether the version of WhatsApp Web is given: a stand-in tells none.
    pub(crate) version: Option<(u32, u32, u32)>,
    /// Who is told why a connection could not be made, or was lost: the library only tries again.
    failures: Option<mpsc::Sender<String>>,
}

impl Network {
    /// The service itself. It blocks.
    pub(crate) fn of_whatsapp(proxies: &Proxies) -> io::Result<Self> {
        Ok(Self {
            socket: WHATSAPP_WEB_WS_URL.into(),
            sockets: WsConnector::encrypted(proxies)?,
            http: HttpClient::encrypted(proxies)?.into(),
            version: None,
            failures: None,
        })
    }

    /// A stand-in.
    pub(crate) fn unencrypted(socket: &str, proxies: &Proxies) -> io::Result<Self> {
        Ok(Self {
            socket: socket.into(),
            sockets: WsConnector::unencrypted(proxies)?,
            http: HttpClient::unencrypted(proxies)?.into(),
            version: Some((2, 3000, 1)),
            failures: None,
        })
    }

    /// The same, which tells of failures.
    pub(crate) fn telling(&self, failures: mpsc::Sender<String>) -> Self {
        Self {
            failures: Some(failures),
            ..self.clone()
        }
    }

    fn tell(&self, error: &impl std::fmt::Display) {
        tell(self.failures.as_ref(), error);
    }
}

/// Tells of a failure, unless several wait already.
fn tell(failures: Option<&mpsc::Sender<String>>, error: &impl std::fmt::Display) {
    if let Some(failures) = failures {
        let _ = failures.try_send(error.to_string());
    }
}

#[async_trait]
impl TransportFactory for Network {
    async fn create_transport(
        &self,
    ) -> Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>), anyhow::Error> {
        let opening = self
            .sockets
            .connect_from(&self.socket, WHATSAPP_WEB_ORIGIN, LONGEST, WITHIN);
        let socket = opening.await.inspect_err(|error| self.tell(error))?;
        let (events, heard) = async_channel::bounded(WAITING);
        let (out, waiting) = mpsc::channel(WAITING);
        // There is room for the first event.
        let _ = events.try_send(TransportEvent::Connected);
        tokio::spawn(carry(socket, waiting, events, self.failures.clone()));
        Ok((Arc::new(Pipe(out)), heard))
    }
}

/// What is sent on a socket; `None` closes it.
struct Pipe(mpsc::Sender<Option<Bytes>>);

#[async_trait]
impl Transport for Pipe {
    async fn send(&self, data: Bytes) -> Result<(), anyhow::Error> {
        let sent = self.0.send(Some(data)).await;
        sent.map_err(|_| anyhow::Error::new(WsError::Lost))
    }

    async fn disconnect(&self) {
        // It may be closed already.
        let _ = self.0.send(None).await;
    }
}

/// Carries frames both ways, until the socket is closed or nobody uses it any more.
async fn carry(
    mut socket: WebSocket,
    mut out: mpsc::Receiver<Option<Bytes>>,
    events: async_channel::Sender<TransportEvent>,
    failures: Option<mpsc::Sender<String>>,
) {
    let why = loop {
        tokio::select! {
            data = out.recv() => {
                let Some(Some(data)) = data else {
                    socket.close(GOING).await;
                    break DisconnectReason::Unknown;
                };
                if let Err(error) = socket.send_binary(data.into()).await {
                    tell(failures.as_ref(), &error);
                    break reason(error);
                }
            }
            frame = socket.next() => match frame {
                Ok(Frame::Binary(bytes)) => {
                    if events.send(TransportEvent::DataReceived(bytes.into())).await.is_err() {
                        socket.close(GOING).await;
                        return;
                    }
                }
                // Texts are no part of the protocol.
                Ok(_) => {}
                Err(error) => {
                    tell(failures.as_ref(), &error);
                    break reason(error);
                }
            },
        }
    };
    // Nobody may listen any more.
    let _ = events.send(TransportEvent::Disconnected(why)).await;
}

fn reason(error: WsError) -> DisconnectReason {
    match error {
        WsError::Closed { code, reason } => DisconnectReason::ServerClose { code, reason },
        WsError::Lost => DisconnectReason::StreamEnded,
        error => DisconnectReason::ReadError(error.to_string()),
    }
}

#[async_trait]
impl whatsapp_rust::wacore::net::HttpClient for Network {
    /// What this device asks for by HTTP: the version of WhatsApp Web. Media are neither fetched nor sent.
    async fn execute(&self, asked: HttpRequest) -> anyhow::Result<HttpResponse> {
        if asked.method != "GET" || asked.body.is_some() {
            return Err(anyhow::Error::msg("media are not sent"));
        }
        let mut request = Request::new(Method::Get, &asked.url);
        // Others are not needed for that.
        for name in ["user-agent", "sec-fetch-site"] {
            if let Some(value) = asked.headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = self.http.send(request, WITHIN).await;
        let answer = answer.inspect_err(|error| self.tell(error))?;
        Ok(HttpResponse {
            status_code: answer.status,
            body: answer.bytes.to_vec(),
        })
    }
}
