//! `openclaw node run`: runs this machine as a node.

use gateway_protocol::{GatewayUrl, SetupCode};
use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use gateway_client::node::Node;
use gateway_client::{Disconnect, Fingerprint, LinkEvent};

use pairing_core::device::Role;
use pairing_core::{DeviceId, escape};
use pairing_fs::{IdentityDir, NoStateDir, StateDir};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::args::{NodeOptions, Pair};
use crate::console::Screen;
use crate::keeper::Keeper;
use crate::place::Place;
use crate::{Environment, Exit, Failure, failure, log, remote, text};

/// Runs a node until it is told to stop, or until further attempts are useless.
pub(crate) fn run(
    options: NodeOptions,
    state: Result<StateDir, NoStateDir>,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let state = state?;
    log::start(&options.log, environment, screen)?;
    let node = Node::with_builtins();
    let node = match &options.commands {
        Some(commands) => node.only(commands).map_err(Failure::NoSuchCommand)?,
        None => node,
    };
    let pinned = options.target.fingerprint;
    let code = options
        .pair
        .map(|pair| setup_code(pair, pinned, environment));
    let code = code.transpose()?;
    let mut target = options.target;
    let mut target_is_of_code = false;
    if let Some(code) = &code {
        target_is_of_code = target.url.is_none();
        target.url.get_or_insert_with(|| code.url.clone());
        if let (None, Some(text)) = (target.fingerprint, &code.tls_fingerprint) {
            let pinned =
                Fingerprint::parse(text).map_err(|source| Failure::ConfiguredFingerprint {
                    key: "the setup code",
                    source,
                })?;
            target.fingerprint = Some(pinned);
        }
    }
    let mut place = Place::new(Ok(state.clone()), target, environment);
    match place.load() {
        Err(error) if place.target.url.is_none() => return Err(error),
        Err(error) => screen.warning(&error),
        Ok(()) => {}
    }
    let target = place.gateway_target(screen)?;
    let dir = IdentityDir::new(&state);
    let now = environment.clock.now();
    let identity = dir.load_or_create(&**environment.entropy, now)?;
    // The code may have been used long ago: the token that it led to is enough.
    let has_paired = options.only_if_needed && has_token(&dir, identity.id())?;
    let keeper = Keeper {
        dir,
        device: identity.id(),
        clock: Arc::clone(environment.clock),
    };
    let device = identity.id().to_string();
    let mut connect = remote::connect_to(&target).identity(Arc::new(identity), Arc::new(keeper));
    if let Some(client) = remote::client("node-host", "node", options.display_name.as_deref()) {
        connect = connect.client(client);
    }
    if let Some(code) = &code {
        if !has_paired {
            connect = connect.pairing_token(code.token.expose().into());
        }
        if target_is_of_code {
            connect = connect.other_urls(code.other_urls.clone());
        }
    }
    let mut telling = Telling {
        url: target.url,
        device,
        json: options.json,
        showed: !target.shared.is_empty(),
        waiting: None,
        environment,
        screen,
    };
    telling.begin()?;
    let runtime = remote::runtime()?;
    runtime.block_on(async {
        let mut stop = (environment.stop)();
        let mut serving = node.keep(connect, Arc::clone(environment.entropy));
        loop {
            let event = tokio::select! {
                () = &mut stop => return Ok(Exit::Done),
                event = serving.next() => event,
            };
            match event {
                Some(event) => telling.tell(event)?,
                None => return Ok(Exit::Refused),
            }
        }
    })
}

/// Whether this machine has a device token as a node.
fn has_token(dir: &IdentityDir, device: DeviceId) -> Result<bool, Failure> {
    Ok(dir.token(device, Role::Node.as_str())?.is_some())
}

/// Time limit for the exchange of a join code.
const JOINS: Duration = Duration::from_secs(20);

fn setup_code(
    pair: Pair,
    pinned: Option<Fingerprint>,
    environment: &Environment<'_>,
) -> Result<SetupCode, Failure> {
    let most = SetupCode::MAX_BYTES as u64 + 2;
    let mut text = Zeroizing::new(String::new());
    match pair {
        Pair::Join(url) => {
            let joining = gateway_client::join(&url, pinned, JOINS);
            return Ok(remote::runtime()?.block_on(joining)?);
        }
        Pair::Code(code) => *text = code,
        Pair::Stdin => {
            let read = (environment.stdin)(most).map_err(|source| Failure::SecretFile {
                path: "standard input".to_owned(),
                source,
            })?;
            text = read;
        }
        Pair::File(path) => {
            let read = File::open(&path).and_then(|file| file.take(most).read_to_string(&mut text));
            read.map_err(|source| Failure::SecretFile {
                path: path.display().to_string(),
                source,
            })?;
        }
    }
    Ok(SetupCode::decode(text.trim())?)
}

/// Reports what happens.
struct Telling<'t, 's, 'c> {
    url: GatewayUrl,
    device: String,
    json: bool,
    /// Whether the shared secret is sent to the gateway.
    showed: bool,
    /// The spinner while the owner has not approved yet.
    waiting: Option<Box<dyn std::any::Any>>,
    environment: &'t Environment<'t>,
    screen: &'t mut Screen<'s, 'c>,
}

impl Telling<'_, '_, '_> {
    fn begin(&mut self) -> Result<(), Failure> {
        let (url, device) = (
            escape(self.url.as_str()).limit(usize::MAX).to_string(),
            &self.device,
        );
        let line = format!("Connecting to {url} as node {device}");
        let event = json!({ "event": "connecting", "url": self.url, "nodeId": self.device });
        self.say(&line, &event)
    }

    fn tell(&mut self, event: LinkEvent) -> Result<(), Failure> {
        self.waiting = None;
        match event {
            LinkEvent::Connected(client) => {
                let hello = client.hello();
                let version = escape(&hello.server.version).to_string();
                let line = format!("Connected: the gateway's version is {version}");
                let event = json!({
                    "event": "connected",
                    "version": hello.server.version,
                    "connId": hello.server.conn_id,
                });
                self.say(&line, &event)
            }
            LinkEvent::PairingRequired {
                request_id, reason, ..
            } => {
                let id = escape(&request_id).to_string();
                let line = format!(
                    "Waiting for approval: `openclaw devices approve {id}` on the gateway's machine"
                );
                let event = json!({
                    "event": "pairing-required",
                    "requestId": request_id,
                    "reason": reason,
                });
                self.say(&line, &event)?;
                let spinner = self.environment.spinner;
                self.waiting = spinner.map(|spinner| spinner("waiting for approval"));
                Ok(())
            }
            LinkEvent::Disconnected { why, retry_in } => {
                let again = text::span(retry_in);
                let line = format!("Not connected: {why}; trying again in {again}");
                let event = json!({
                    "event": "disconnected",
                    "why": why.to_string(),
                    "retryInMs": u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX),
                });
                self.say(&line, &event)?;
                if let Disconnect::Failed(error) = &why
                    && let Some(advice) = failure::advice_of(error, self.showed)
                {
                    self.screen.hint(&advice);
                }
                Ok(())
            }
            LinkEvent::GaveUp(source) => Err(Failure::Connect {
                url: self.url.as_str().to_owned(),
                source: Box::new(source),
                showed: self.showed,
            }),
            _ => Ok(()),
        }
    }

    fn say(&mut self, line: &str, event: &Value) -> Result<(), Failure> {
        if self.json {
            self.screen.json_line(event)?;
        } else {
            self.screen.line(line)?;
        }
        self.screen.flush()?;
        Ok(())
    }
}
