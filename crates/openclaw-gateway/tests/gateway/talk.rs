//! A connection that is in, spoken to in frames: requests one after the other, events kept for when they
//! are asked for.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::support::{Device, Raw, Running, node_params, operator_params};

/// All an owner may do.
pub(crate) const ADMIN: &[&str] = &["operator.admin"];

pub(crate) struct Talk {
    pub(crate) raw: Raw,
    pub(crate) hello: Value,
    events: VecDeque<Value>,
    next: u64,
}

impl Talk {
    fn new(raw: Raw, answer: &Value) -> Self {
        assert_eq!(answer["ok"], true, "{answer}");
        Self {
            raw,
            hello: answer["payload"].clone(),
            events: VecDeque::new(),
            next: 0,
        }
    }

    /// Sends a request, and says by which id.
    pub(crate) async fn send(&mut self, method: &str, params: Value) -> String {
        self.next += 1;
        let id = format!("r{}", self.next);
        let frame = json!({ "type": "req", "id": id, "method": method, "params": params });
        self.raw.send(frame.to_string()).await;
        id
    }

    /// The answer to a request: its payload, or its error.
    pub(crate) async fn answer(&mut self, id: &str) -> Result<Value, Value> {
        loop {
            let frame = self.raw.next().await;
            if frame["type"] == "event" {
                self.events.push_back(frame);
                continue;
            }
            assert_eq!(frame["id"], id, "{frame}");
            return match frame["ok"].as_bool() {
                Some(true) => Ok(frame["payload"].clone()),
                _ => Err(frame["error"].clone()),
            };
        }
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.send(method, params).await;
        self.answer(&id).await
    }

    /// What a request is refused with.
    pub(crate) async fn refused(&mut self, method: &str, params: Value) -> String {
        let error = self.call(method, params).await.unwrap_err();
        let message = error["message"].as_str().unwrap();
        format!("{} {message}", error["code"].as_str().unwrap())
    }

    /// The next event of any name.
    pub(crate) async fn any_event(&mut self) -> Value {
        if let Some(event) = self.events.pop_front() {
            return event;
        }
        let frame = self.raw.next().await;
        assert_eq!(frame["type"], "event", "{frame}");
        frame
    }

    /// Whether an event of this name has already arrived.
    pub(crate) fn has_event(&self, name: &str) -> bool {
        self.events.iter().any(|event| event["event"] == name)
    }

    /// What the next event of this name carries; others are passed over.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        loop {
            let event = self.any_event().await;
            if event["event"] == name {
                return event["payload"].clone();
            }
        }
    }

    /// The names of the events before the one called `until`.
    pub(crate) async fn events_until(&mut self, until: &str) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            let event = self.any_event().await;
            let name = event["event"].as_str().unwrap().to_owned();
            if name == until {
                return names;
            }
            names.push(name);
        }
    }

    /// The close frame, before which there may be events and nothing else.
    pub(crate) async fn closed(&mut self) -> Value {
        loop {
            let frame = self.raw.next().await;
            if frame["type"] == "event" {
                self.events.push_back(frame);
                continue;
            }
            assert!(frame["close"].is_u64(), "{frame}");
            return frame;
        }
    }
}

/// Is told to a connection whose right has ended.
pub(crate) fn revoked() -> Value {
    json!({ "close": 1008, "reason": "access was revoked or changed: connect again" })
}

impl Running {
    /// An operator with the shared secret and no device.
    pub(crate) async fn asks(&self, scopes: &[&str]) -> Talk {
        let mut params = operator_params();
        params["scopes"] = json!(scopes);
        let mut raw = self.raw().await;
        let answer = raw.connect(params).await;
        Talk::new(raw, &answer)
    }

    pub(crate) async fn admin(&self) -> Talk {
        self.asks(ADMIN).await
    }

    /// An admin whose device is approved: it may send what no secret alone lets in.
    pub(crate) async fn admin_device(&self) -> Talk {
        self.operator_device(&self.device(), ADMIN).await
    }

    /// A device as an operator, paired silently, connected by its own token.
    pub(crate) async fn operator_device(&self, device: &Device, scopes: &[&str]) -> Talk {
        let mut params = operator_params();
        params["scopes"] = json!(scopes);
        let token = if let Some(token) = device.token("operator") {
            token
        } else {
            let first = self.paired(device, params.clone()).await;
            let token = first.hello["auth"]["deviceToken"].as_str().unwrap();
            device.keep("operator", token);
            token.to_owned()
        };
        params["auth"] = json!({ "token": token });
        self.enter(device, params).await
    }

    /// A device as a node that offers these commands; approved at the terminal where it has to be.
    pub(crate) async fn node_device(&self, device: &Device, commands: &[&str]) -> Talk {
        self.paired(device, node_of(commands)).await
    }

    /// Connects a device; approved at the terminal where it has to be.
    pub(crate) async fn paired(&self, device: &Device, params: Value) -> Talk {
        let mut raw = self.raw().await;
        let answer = raw.connect_as(device, self, params.clone()).await;
        if answer["ok"] == true {
            return Talk::new(raw, &answer);
        }
        let request = answer["error"]["details"]["requestId"].as_str();
        self.approve(request.unwrap_or_else(|| panic!("{answer}")));
        self.enter(device, params).await
    }

    /// Connects a device that is let in.
    pub(crate) async fn enter(&self, device: &Device, params: Value) -> Talk {
        let mut raw = self.raw().await;
        let answer = raw.connect_as(device, self, params).await;
        Talk::new(raw, &answer)
    }

    /// A device asks to be a node, and waits: the id of its request.
    pub(crate) async fn node_asks(&self, device: &Device, commands: &[&str]) -> String {
        let mut raw = self.raw().await;
        let answer = raw.connect_as(device, self, node_of(commands)).await;
        let request = &answer["error"]["details"]["requestId"];
        request
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }

    /// A device asks for more as an operator than it was let in with, and waits: the id of its request.
    pub(crate) async fn operator_asks(&self, device: &Device, scopes: &[&str]) -> String {
        let mut params = operator_params();
        params["scopes"] = json!(scopes);
        params["auth"] = json!({ "token": device.token("operator").unwrap() });
        let mut raw = self.raw().await;
        let answer = raw.connect_as(device, self, params).await;
        let request = &answer["error"]["details"]["requestId"];
        request
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }

    /// A stranger writes to a bot: the code they are told.
    pub(crate) fn stranger(&self, channel: &str, account: &str, sender: &str) -> String {
        let account = self
            .pairing
            .channel(channel)
            .unwrap()
            .account(account)
            .unwrap();
        account.request_or_reuse(sender).unwrap();
        let pending = account.pending().unwrap().requests;
        let of_this =
            |request: &&pairing_core::store::PendingRequest| request.sender.as_str() == sender;
        pending
            .iter()
            .find(of_this)
            .unwrap()
            .code
            .as_str()
            .to_owned()
    }

    /// Time passes.
    pub(crate) fn pass(&self, seconds: u64) {
        self.clock
            .0
            .advance(std::time::Duration::from_secs(seconds));
    }
}

pub(crate) fn node_of(commands: &[&str]) -> Value {
    let mut params = node_params();
    params["commands"] = json!(commands);
    params
}

impl Device {
    pub(crate) fn id(&self) -> String {
        self.identity.id().to_string()
    }

    fn token(&self, role: &str) -> Option<String> {
        let role = pairing_core::device::Role::parse(role).unwrap();
        let tokens = self.tokens.0.lock().unwrap();
        tokens.get(&role).map(|held| held.token.expose().to_owned())
    }

    pub(crate) fn keep(&self, role: &str, token: &str) {
        let role = pairing_core::device::Role::parse(role).unwrap();
        let held = gateway_client::HeldToken {
            token: token.to_owned().into(),
            scopes: pairing_core::ScopeSet::default(),
            issued_at_ms: None,
        };
        self.tokens.0.lock().unwrap().insert(role, held);
    }
}
