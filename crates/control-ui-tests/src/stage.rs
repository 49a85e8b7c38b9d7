//! The stage: everything around the browser.

use gateway_protocol::GatewayUrl;
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

use pairing_core::device::{NodeId, NodeInfo, RequestId, Role};
use pairing_core::{Approver, Clock as _, DeviceId, Pairing, Requested, Sender};
use pairing_fs::StateDir;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bot::Bot;
use crate::clock::MovedClock;
use crate::command::{self, Command, Writes};
use crate::device::Device;
use crate::gateway::{self, Running};
use crate::{Failure, elsewhere, picture, seed};

/// The gateway's shared token in all tests.
const TOKEN: &str = "correct-horse-battery-staple";

/// Timeout that is never reached in practice; reaching it is reported as a failure.
const NEVER: Duration = Duration::from_secs(20);

/// The gateway, its files, and all parties that deal with it besides the browser.
pub(crate) struct Stage {
    directory: TempDir,
    state: StateDir,
    clock: MovedClock,
    gateway: Option<Running>,
    config: String,
    bot: Bot,
    /// Port of the gateway, which stays the same once known; 0 before.
    port: u16,
    devices: HashMap<String, Device>,
}

impl Stage {
    /// Creates a stage with its own files, and without a gateway or devices.
    pub(crate) fn new() -> Result<Self, Failure> {
        let directory = TempDir::with_prefix("openclaw-stage-")?;
        let state = StateDir::at(directory.path());
        let clock = MovedClock::default();
        Ok(Self {
            state,
            directory,
            clock,
            gateway: None,
            config: String::new(),
            bot: Bot::None,
            port: 0,
            devices: HashMap::new(),
        })
    }

    /// Stops the gateway if it runs, and removes the files.
    pub(crate) async fn end(mut self) {
        // Errors are ignored: the stage ends in any case.
        let _ = self.stop().await;
        let _ = self.directory.close();
    }

    /// Carries out a command.
    pub(crate) async fn perform(&mut self, command: Command) -> Result<Value, Failure> {
        match command {
            Command::Start { config, bot } => self.start(config, bot).await,
            Command::Stop {} => self.stop().await,
            Command::Restart { config, bot } => {
                self.stop().await?;
                let config = config.unwrap_or_else(|| self.config.clone());
                self.start(config, bot.unwrap_or(self.bot)).await
            }
            Command::Said {} => {
                let bot = self
                    .gateway
                    .as_ref()
                    .and_then(|running| running.bot.as_ref());
                Ok(json!({ "said": bot.ok_or("no bot is run")?.said() }))
            }
            Command::Link { step, text } => {
                let bot = self.running()?.bot.as_ref().ok_or("no bot is run")?;
                bot.link(step, text)?;
                Ok(Value::Null)
            }
            Command::Move { ms } => {
                self.clock.advance(ms);
                Ok(json!({ "now": self.clock.now().as_millis() }))
            }
            Command::Connect(how) => self.connect(how).await,
            Command::Alive { device } => {
                let session = self.session(&device)?;
                let ended = tokio::time::timeout(Duration::ZERO, session.closed());
                Ok(json!({ "alive": ended.await.is_err() }))
            }
            Command::Died { device } => {
                let ended = tokio::time::timeout(NEVER, self.session(&device)?.closed());
                let closed = ended.await.map_err(|_| "it lives on")?;
                Ok(json!({ "how": closed.to_string() }))
            }
            Command::Leave { device } => {
                let closed = self.session(&device)?.close().await;
                Ok(json!({ "how": closed.to_string() }))
            }
            Command::Serve { html } => {
                let address = elsewhere::serve(html).await?;
                Ok(json!({ "port": address.port() }))
            }
            Command::Decode { path } => Ok(json!({ "text": picture::decode(&path)? })),
            Command::Seed(wanted) => {
                seed::seed(&self.state, &self.clock, &wanted)?;
                Ok(Value::Null)
            }
            Command::Log { line } => {
                let path = self.state.root().join("pairing-audit.jsonl");
                let mut log = OpenOptions::new().create(true).append(true).open(path)?;
                writeln!(log, "{line}")?;
                Ok(Value::Null)
            }
            Command::LetIn { request_id } => {
                let (id, owner) = (RequestId::parse(&request_id)?, Approver::terminal("owner"));
                self.running()?.pairing.devices().approve(&id, &owner)?;
                Ok(Value::Null)
            }
            Command::RevokeToken { device_id, role } => {
                let (id, owner) = (DeviceId::parse(&device_id)?, Approver::terminal("owner"));
                let devices = self.running()?.pairing.devices();
                devices.revoke(id, Role::parse(&role)?, &owner)?;
                Ok(Value::Null)
            }
            Command::Writes(writes) => self.writes(writes),
            Command::NodeAsks {
                node,
                display_name,
                commands,
            } => {
                let info = NodeInfo {
                    display_name,
                    commands,
                    ..NodeInfo::default()
                };
                let nodes = self.terminal().nodes();
                let asked = nodes.request(&NodeId::parse(&node)?, &info, false)?;
                Ok(json!({ "requestId": asked.request.id }))
            }
            Command::Stored { channel, account } => self.stored(&channel, &account),
            decision => self.decide(decision),
        }
    }

    fn running(&self) -> Result<&Running, Failure> {
        Ok(self.gateway.as_ref().ok_or("the gateway does not run")?)
    }

    /// Returns a new pairing service with nothing cached, like that of a CLI command run now.
    fn terminal(&self) -> Pairing {
        gateway::service(&self.state, &self.clock)
    }

    async fn start(&mut self, config: String, bot: Bot) -> Result<Value, Failure> {
        if self.gateway.is_some() {
            return Err("the gateway runs already".into());
        }
        let running = Running::start(&self.state, &self.clock, (&config, bot), self.port).await?;
        self.port = running.address.port();
        self.config = config;
        self.bot = bot;
        self.gateway = Some(running);
        Ok(json!({
            "port": self.port,
            "origin": format!("http://127.0.0.1:{}", self.port),
            "token": TOKEN,
            "state": self.directory.path(),
        }))
    }

    async fn stop(&mut self) -> Result<Value, Failure> {
        let running = self.gateway.take().ok_or("the gateway does not run")?;
        running.stop().await?;
        Ok(Value::Null)
    }

    async fn connect(&mut self, how: command::Connect) -> Result<Value, Failure> {
        let url = GatewayUrl::parse(&format!("ws://127.0.0.1:{}", self.port))?;
        let device = match self.devices.entry(how.device.clone()) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => new.insert(Device::new()?),
        };
        device.connect(url, TOKEN, how).await
    }

    fn session(&self, device: &str) -> Result<&gateway_client::Client, Failure> {
        let device = self.devices.get(device);
        let session = device.and_then(Device::session);
        Ok(session.ok_or("no such device has ever been connected")?)
    }

    fn writes(&self, writes: Writes) -> Result<Value, Failure> {
        let channel = self.terminal().channel(&writes.channel)?;
        let account = channel.account(&writes.account)?;
        let mut sender = Sender::new(writes.sender);
        for (key, value) in &writes.meta {
            sender = sender.with(key, value);
        }
        Ok(match account.request_or_reuse(sender)? {
            Requested::Created(created) => {
                json!({ "outcome": "created", "code": created.request.code })
            }
            Requested::Pending(request) => json!({ "outcome": "pending", "code": request.code }),
            Requested::Full => json!({ "outcome": "full" }),
            Requested::Allowed(_) => json!({ "outcome": "allowed" }),
            _ => json!({ "outcome": "refused" }),
        })
    }

    /// Carries out a decision made at the terminal.
    fn decide(&self, decision: Command) -> Result<Value, Failure> {
        let owner = Approver::terminal("owner");
        let terminal = self.terminal();
        let devices = terminal.devices();
        match decision {
            Command::Approve { request_id } => {
                devices.approve(&RequestId::parse(&request_id)?, &owner)?;
            }
            Command::Reject { request_id } => {
                devices.reject(&RequestId::parse(&request_id)?, &owner)?;
            }
            Command::Rename { device_id, name } => {
                devices.rename(DeviceId::parse(&device_id)?, &name, &owner)?;
            }
            Command::Remove { device_id } => {
                devices.remove(DeviceId::parse(&device_id)?, &owner)?;
            }
            Command::ApproveSender { channel, code } => {
                terminal.channel(&channel)?.approve(&code, &owner)?;
            }
            Command::RejectSender { channel, code } => {
                terminal.channel(&channel)?.reject(&code, &owner)?;
            }
            Command::Allow { channel, sender } => {
                let account = terminal.channel(&channel)?.account("default")?;
                account.allow(&sender, &owner)?;
            }
            Command::Disallow { channel, sender } => {
                let account = terminal.channel(&channel)?.account("default")?;
                account.revoke(&sender, &owner)?;
            }
            _ => return Err("nothing that is decided at the terminal".into()),
        }
        Ok(Value::Null)
    }

    fn stored(&self, channel: &str, account: &str) -> Result<Value, Failure> {
        let owner = Approver::terminal("owner");
        let terminal = self.terminal();
        let channel = terminal.channel(channel)?;
        let allowed = channel.account(account)?.allowed()?.entries;
        let waiting = channel.pending()?.requests;
        let devices = terminal.devices().list(&owner)?;
        let nodes = terminal.nodes().list(&owner)?;
        let pending = devices.pending.iter().map(|request| {
            json!({
                "requestId": request.id,
                "deviceId": request.device,
                "name": request.info.display_name,
                "scopes": request.ask.scopes,
            })
        });
        let paired = devices.paired.iter().map(|device| {
            let standing = |role: &Role| device.standing(*role).is_some();
            json!({
                "deviceId": device.id,
                "name": device.name(),
                "client": device.info.client_id,
                "roles": device.roles.keys().filter(|role| standing(role)).collect::<Vec<_>>(),
                "scopes": device.standing(Role::Operator).map(|operator| &operator.scopes),
            })
        });
        Ok(json!({
            "allowed": allowed.iter().map(|entry| &entry.entry).collect::<Vec<_>>(),
            "waiting": waiting.iter().map(|request| &request.sender).collect::<Vec<_>>(),
            "pending": pending.collect::<Vec<_>>(),
            "paired": paired.collect::<Vec<_>>(),
            "nodes": nodes.paired.iter().map(|node| &node.id).collect::<Vec<_>>(),
            "nodeCommands": nodes.paired.iter().flat_map(|node| &node.info.commands).collect::<Vec<_>>(),
        }))
    }
}
