//! A gateway of its own for each test, on a port of its own, and clients for it: one that speaks raw
//! frames, and `gateway-client`.

use gateway_protocol::GatewayUrl;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gateway_client::{Client, Connect, Events, HeldToken, KeepError, TokenKeeper};
use openclaw_config::Config;
use openclaw_gateway::{Gateway, GatewayBuilder, Handle, Overrides, Settings};
use pairing_core::device::{Identity, PayloadVersion, Role, SignedFields};
use pairing_core::{
    Approver, Clock, Entropy, EntropyError, ManualClock, MemoryStore, Pairing, PairingBuilder,
    Scope, Timestamp,
};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// The gateway's token in all tests.
pub(crate) const TOKEN: &str = "correct-horse-battery-staple";

/// Nothing takes this long; a test that waits for it has failed.
pub(crate) const NEVER: Duration = Duration::from_secs(20);

/// Random enough for ids and keys, and different each time.
#[derive(Clone, Default)]
pub(crate) struct Counting(Arc<Mutex<u64>>);

impl From<u64> for Counting {
    /// Another sequence for each number.
    fn from(number: u64) -> Self {
        Self(Arc::new(Mutex::new(number << 32)))
    }
}

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let mut state = self.0.lock().unwrap();
        for byte in bytes {
            // SplitMix64.
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z ^ (z >> 31)).to_le_bytes()[0];
        }
        Ok(())
    }
}

/// A clock that tests move; shared.
#[derive(Clone)]
pub(crate) struct Hands(pub(crate) Arc<ManualClock>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) pairing: Pairing,
    pub(crate) clock: Hands,
    pub(crate) handle: Handle,
    pub(crate) entropy: Counting,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// A configuration with the tests' token, and more of `gateway`.
pub(crate) fn settings(gateway: &str) -> Settings {
    settings_of(gateway, "")
}

/// The same, and more beside `gateway`.
pub(crate) fn settings_of(gateway: &str, beside: &str) -> Settings {
    let text = format!(
        "{{ gateway: {{ auth: {{ token: '{TOKEN}' }}, localAdmin: true, {gateway} }}, {beside} }}"
    );
    let config = Config::parse(&text).unwrap();
    Settings::from_config(&config, &Overrides::default()).unwrap()
}

pub(crate) async fn start() -> Running {
    start_with(settings(""), |builder| builder).await
}

pub(crate) async fn start_with(
    settings: Settings,
    build: impl FnOnce(GatewayBuilder) -> GatewayBuilder,
) -> Running {
    let clock = Hands(Arc::new(ManualClock::new(Timestamp::from_millis(
        1_795_353_726_325,
    ))));
    let entropy = Counting::default();
    let pairing = PairingBuilder::new(MemoryStore::new(), clock.clone(), entropy.clone()).build();
    start_on(pairing, clock, entropy, settings, build).await
}

pub(crate) async fn start_on(
    pairing: Pairing,
    clock: Hands,
    entropy: Counting,
    settings: Settings,
    build: impl FnOnce(GatewayBuilder) -> GatewayBuilder,
) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    start_at(listener, pairing, clock, entropy, settings, build)
}

/// The same on a socket that is there already: its address is known beforehand.
pub(crate) fn start_at(
    listener: TcpListener,
    pairing: Pairing,
    clock: Hands,
    entropy: Counting,
    settings: Settings,
    build: impl FnOnce(GatewayBuilder) -> GatewayBuilder,
) -> Running {
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let builder = Gateway::builder(pairing.clone(), settings)
        .listener(listener)
        .entropy(entropy.clone())
        .shutdown(async {
            let _ = stopped.await;
        });
    let gateway = build(builder).build();
    let handle = gateway.handle();
    let task = tokio::spawn(gateway.run());
    Running {
        address,
        pairing,
        clock,
        handle,
        entropy,
        stop: Some(stop),
        task,
    }
}

impl Running {
    pub(crate) fn url(&self) -> GatewayUrl {
        GatewayUrl::parse(&format!("ws://{}", self.address)).unwrap()
    }

    /// A raw socket that has been upgraded.
    pub(crate) async fn raw(&self) -> Raw {
        self.raw_with(&[]).await.unwrap()
    }

    pub(crate) async fn raw_with(
        &self,
        headers: &[(&str, &str)],
    ) -> Result<Raw, tokio_tungstenite::tungstenite::Error> {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let own = self.address.to_string();
        let is_host = |name: &str| name.eq_ignore_ascii_case("host");
        let host = headers.iter().find(|(name, _)| is_host(name));
        let host = host.map_or(own.as_str(), |(_, host)| *host);
        let mut request = tokio_tungstenite::tungstenite::ClientRequestBuilder::new(
            format!("ws://{host}/").parse().unwrap(),
        );
        for (name, value) in headers.iter().filter(|(name, _)| !is_host(name)) {
            request = request.with_header(*name, *value);
        }
        let (ws, _) = client_async(request, socket).await?;
        Ok(Raw(ws))
    }

    /// A device that is new here.
    pub(crate) fn device(&self) -> Device {
        Device {
            identity: Arc::new(Identity::generate(&self.entropy).unwrap()),
            tokens: Arc::new(Tokens::default()),
        }
    }

    /// An operator with the shared secret and no device.
    pub(crate) async fn operator(&self, scopes: &[&str]) -> (Client, Events) {
        let connect = Connect::to(self.url()).token(TOKEN.into()).scopes(
            scopes
                .iter()
                .map(|scope| Scope::parse(scope).unwrap())
                .collect(),
        );
        connect.open().await.unwrap()
    }

    /// Approves what a device asks for, at the terminal.
    pub(crate) fn approve(&self, request: &str) {
        let id = pairing_core::device::RequestId::parse(request).unwrap();
        let owner = Approver::terminal("ann");
        self.pairing.devices().approve(&id, &owner).unwrap();
    }

    /// Ends the gateway without a word.
    pub(crate) fn kill(self) {
        self.task.abort();
    }

    /// Stops the gateway, and waits until it has.
    pub(crate) async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        tokio::time::timeout(NEVER, self.task)
            .await
            .unwrap()
            .unwrap();
    }
}

/// Tokens in memory.
#[derive(Default)]
pub(crate) struct Tokens(pub(crate) Mutex<HashMap<Role, HeldToken>>);

impl TokenKeeper for Tokens {
    fn load(&self, role: Role) -> Result<Option<HeldToken>, KeepError> {
        Ok(self.0.lock().unwrap().get(&role).cloned())
    }

    fn store(&self, role: Role, token: &HeldToken) -> Result<(), KeepError> {
        self.0.lock().unwrap().insert(role, token.clone());
        Ok(())
    }
}

pub(crate) struct Device {
    pub(crate) identity: Arc<Identity>,
    pub(crate) tokens: Arc<Tokens>,
}

impl Device {
    pub(crate) fn connect(&self, gateway: &Running, role: Role) -> Connect {
        Connect::to(gateway.url())
            .identity(self.identity.clone(), self.tokens.clone())
            .role(role)
    }

    /// Pairs it as a node that can be asked to do these things, approved at the terminal.
    pub(crate) async fn paired_node(
        &self,
        gateway: &Running,
        commands: &[&str],
    ) -> (Client, Events) {
        let connect = || {
            let commands = commands
                .iter()
                .map(|name| (*name).to_owned().try_into().unwrap());
            self.connect(gateway, Role::Node)
                .token(TOKEN.into())
                .commands(commands)
        };
        let asked = connect().open().await.unwrap_err();
        gateway.approve(asked.request_id().expect("it has to ask"));
        connect().open().await.unwrap()
    }

    /// A device of no gateway in particular.
    pub(crate) fn numbered(number: u64) -> Self {
        Self {
            identity: Arc::new(Identity::generate(&Counting::from(number)).unwrap()),
            tokens: Arc::default(),
        }
    }

    /// The `device` of a raw `connect`, signed v3.
    pub(crate) fn claim(&self, nonce: &str, at: Timestamp, params: &Value) -> Value {
        self.claim_by(PayloadVersion::V3, nonce, at, params)
    }

    /// The same, signed by either layout.
    pub(crate) fn claim_by(
        &self,
        version: PayloadVersion,
        nonce: &str,
        at: Timestamp,
        params: &Value,
    ) -> Value {
        let text = |pointer: &str| params.pointer(pointer).and_then(Value::as_str);
        let scopes: Vec<String> = params["scopes"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|scope| scope.as_str().unwrap().to_owned())
            .collect();
        let fields = SignedFields {
            device_id: &self.identity.id().to_string(),
            client_id: text("/client/id").unwrap(),
            client_mode: text("/client/mode").unwrap(),
            role: text("/role").unwrap_or("operator"),
            scopes: &scopes,
            signed_at: at.as_millis(),
            token: pairing_core::device::signed_token(
                text("/auth/token"),
                text("/auth/deviceToken"),
                text("/auth/bootstrapToken"),
            ),
            nonce,
            platform: text("/client/platform"),
            device_family: text("/client/deviceFamily"),
        };
        let signature = self.identity.sign(&fields, version).unwrap();
        json!({
            "id": self.identity.id(),
            "publicKey": self.identity.key(),
            "signature": signature,
            "signedAt": at.as_millis(),
            "nonce": nonce,
        })
    }
}

/// `connect` of an operator without a device.
pub(crate) fn operator_params() -> Value {
    json!({
        "minProtocol": 3, "maxProtocol": 3,
        "client": { "id": "cli", "version": "1", "platform": "linux", "mode": "cli" },
        "role": "operator", "scopes": ["operator.admin"],
        "auth": { "token": TOKEN },
    })
}

/// `connect` of a node.
pub(crate) fn node_params() -> Value {
    json!({
        "minProtocol": 3, "maxProtocol": 3,
        "client": { "id": "node-host", "version": "1", "platform": "linux", "mode": "node" },
        "role": "node", "scopes": [], "caps": ["system"], "commands": ["system.run"],
        "auth": { "token": TOKEN },
    })
}

/// Frames as they are.
pub(crate) struct Raw(pub(crate) WebSocketStream<TcpStream>);

impl Raw {
    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).await.unwrap();
    }

    pub(crate) async fn message(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub(crate) async fn request(&mut self, method: &str, params: Value) {
        let frame = json!({ "type": "req", "id": "1", "method": method, "params": params });
        self.send(frame.to_string()).await;
    }

    /// The next frame that is JSON; a close frame as `{ "close": code, "reason": text }`.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(NEVER, self.0.next()).await.unwrap();
            match message {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Close(Some(frame)))) => {
                    return json!({ "close": u16::from(frame.code), "reason": frame.reason.as_str() });
                }
                Some(Ok(Message::Close(None))) => return json!({ "close": 1005 }),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return json!({ "gone": true }),
            }
        }
    }

    /// The next frame that is no event.
    pub(crate) async fn answer(&mut self) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] != "event" {
                return frame;
            }
        }
    }

    /// The nonce of the challenge, which comes first.
    pub(crate) async fn challenge(&mut self) -> String {
        let frame = self.next().await;
        assert_eq!(frame["event"], "connect.challenge");
        frame["payload"]["nonce"].as_str().unwrap().to_owned()
    }

    /// Shakes hands; the answer, whatever it is.
    pub(crate) async fn connect(&mut self, params: Value) -> Value {
        self.challenge().await;
        self.request("connect", params).await;
        self.answer().await
    }

    /// Shakes hands as a device.
    pub(crate) async fn connect_as(
        &mut self,
        device: &Device,
        gateway: &Running,
        mut params: Value,
    ) -> Value {
        let nonce = self.challenge().await;
        let claim = device.claim(&nonce, gateway.pairing.now(), &params);
        params["device"] = claim;
        self.request("connect", params).await;
        self.answer().await
    }
}
