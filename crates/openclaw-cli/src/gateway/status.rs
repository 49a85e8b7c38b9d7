//! `openclaw gateway status` and `health`. Neither creates or changes anything.

use std::fs;

use gateway_protocol::Empty;
use gateway_protocol::device::DevicePairList;
use gateway_protocol::dm::DmRequests;
use gateway_protocol::health::{Health, PartFault};
use gateway_protocol::node::NodePairList;
use pairing_core::{Timestamp, escape};
use pairing_fs::StateDir;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::console::Screen;
use crate::place::Place;
use crate::purpose::Purpose;
use crate::remote::Remote;
use crate::{Exit, Failure, text};

/// The contents of the lock file that a gateway writes into its state directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    started_at: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    running: bool,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uptime_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    well: Option<bool>,
    /// The parts that do not work as they should, if the gateway tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) faults: Option<Vec<PartFault>>,
    /// The store, if the gateway reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<Kept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waiting: Option<Waiting>,
    /// The id of its process, if it runs on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<Holder>,
}

/// The store of a gateway, as its method `status` reports it.
#[derive(Serialize, Deserialize)]
struct Kept {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    release: Option<String>,
}

/// The numbers of pending requests.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Waiting {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) devices: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nodes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) senders: Option<usize>,
}

/// Asks for the gateway's health. The exit code is 0 if it is well, and 1 otherwise.
pub(super) fn health(
    place: &Place<'_>,
    purpose: Purpose,
    json: bool,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let remote = place.gateway(purpose, screen)?;
    let health: Value = remote.call("health", &Empty {})?;
    // Gateways of the other program may leave this out.
    let well = health["ok"].as_bool().unwrap_or(true);
    if json {
        screen.json(&health)?;
        return Ok(if well { Exit::Done } else { Exit::Refused });
    }
    let health: Health = serde_json::from_value(health).unwrap_or_default();
    let faults = health.faults.unwrap_or_default();
    if !well {
        screen.line("The gateway runs, but cannot read or write its state.")?;
        screen.hint("its log says why; `openclaw doctor` looks at the state");
    } else if faults.is_empty() {
        screen.line("The gateway is well.")?;
    } else {
        screen.line("The gateway runs, but not all of it works:")?;
    }
    tell(&faults, screen)?;
    Ok(if well { Exit::Done } else { Exit::Refused })
}

/// Lists what does not work, and since when.
fn tell(faults: &[PartFault], screen: &mut Screen<'_, '_>) -> Result<(), Failure> {
    for fault in faults {
        screen.line(escape(&said(fault)).limit(usize::MAX))?;
        if let Some(advice) = &fault.advice {
            screen.hint(&escape(advice).to_string());
        }
    }
    Ok(())
}

/// A fault in a line.
pub(crate) fn said(fault: &PartFault) -> String {
    let PartFault {
        part,
        name,
        state,
        why,
        ..
    } = fault;
    let name = name
        .as_deref()
        .map_or_else(String::new, |name| format!(" {name}"));
    let since = Timestamp::from_millis(fault.since_ms);
    format!("{part}{name} is {}, since {since}: {why}", state.as_str())
}

/// Reports whether a gateway runs, and its state. The exit code is 0 if it answers, and 1 otherwise.
pub(super) fn status(
    place: &Place<'_>,
    purpose: Purpose,
    state: Option<&StateDir>,
    json: bool,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let named = place.target.url.is_some();
    let holder = state.filter(|_| !named).and_then(holder);
    let remote = match place.gateway(purpose, screen) {
        Ok(remote) => remote,
        Err(failure @ Failure::Connect { .. }) if !named && !failure.is_refusal() => {
            return none(&failure, holder, json, screen);
        }
        Err(failure) => return Err(failure),
    };
    let status = of(&remote, holder)?;
    if json {
        screen.json(&status)?;
        return Ok(Exit::Done);
    }
    show(&status, screen)?;
    Ok(Exit::Done)
}

/// Reports that no gateway answers.
fn none(
    failure: &Failure,
    holder: Option<Holder>,
    json: bool,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let Failure::Connect { url, .. } = failure else {
        return Ok(Exit::Refused);
    };
    if json {
        screen.json(&Status {
            running: false,
            url: url.clone(),
            version: None,
            uptime_ms: None,
            connections: None,
            well: None,
            faults: None,
            store: None,
            waiting: None,
            process: holder,
        })?;
        return Ok(Exit::Refused);
    }
    let url = escape(url).limit(usize::MAX).to_string();
    if let Some(Holder { pid, port, .. }) = holder {
        let port = port.map_or_else(String::new, |port| format!(", on port {port}"));
        screen.line(format_args!(
            "No gateway answers at {url}, but process {pid} runs one on this state directory{port}"
        ))?;
        screen.hint("its log says more; does `gateway.port` say the same port?");
    } else {
        screen.line(format_args!("No gateway answers at {url}"))?;
        screen.hint("start one with `openclaw gateway run`");
    }
    Ok(Exit::Refused)
}

pub(crate) fn of(remote: &Remote, process: Option<Holder>) -> Result<Status, Failure> {
    let hello = remote.hello();
    let status: Value = match remote.lacks(&["status"]) {
        None => remote.call("status", &Empty {})?,
        Some(_) => Value::Null,
    };
    let has = |method| remote.lacks(&[method]).is_none();
    let mut waiting = Waiting::default();
    // A caller without the scope for these numbers still gets the rest.
    if has("device.pair.list") {
        let list = remote.call::<DevicePairList>("device.pair.list", &Empty {});
        waiting.devices = list.ok().map(|list| list.pending.len());
    }
    if has("node.pair.list") {
        let list = remote.call::<NodePairList>("node.pair.list", &Empty {});
        waiting.nodes = list.ok().map(|list| list.pending.len());
    }
    if has("pairing.list") {
        let list = remote.call::<DmRequests>("pairing.list", &Empty {});
        // A count without the channels that could not be read would be too low.
        let list = list.ok().filter(|list| list.unreadable.is_empty());
        waiting.senders = list.map(|list| list.requests.len());
    }
    let health = has("health").then(|| remote.call::<Health>("health", &Empty {}));
    let health = health.and_then(Result::ok);
    Ok(Status {
        running: true,
        url: remote.target.url.as_str().to_owned(),
        version: Some(hello.server.version.clone()),
        uptime_ms: Some(hello.snapshot.uptime_ms),
        connections: status["connections"].as_u64(),
        well: hello.snapshot.health["ok"].as_bool(),
        faults: health.and_then(|health| health.faults),
        store: serde_json::from_value(status["store"].clone()).ok(),
        waiting: Some(waiting),
        process,
    })
}

fn show(status: &Status, screen: &mut Screen<'_, '_>) -> Result<(), Failure> {
    let mut facts = vec![("Gateway", escape(&status.url).limit(usize::MAX).to_string())];
    if let Some(version) = &status.version {
        facts.push(("Version", escape(version).to_string()));
    }
    if let Some(Holder { pid, .. }) = &status.process {
        facts.push(("Process", pid.to_string()));
    }
    if let Some(uptime) = status.uptime_ms {
        let since = std::time::Duration::from_millis(uptime);
        facts.push(("Running", format!("for {}", text::span(since))));
    }
    if let Some(connections) = status.connections {
        // One of them is the connection of this command.
        let others = connections.saturating_sub(1);
        facts.push(("Connected", text::count(others, "client")));
    }
    if let Some(Kept {
        kind,
        file: Some(file),
        release,
    }) = &status.store
    {
        let release = release.as_deref().unwrap_or_default();
        let said = format!("{kind} {file} {release}");
        facts.push((
            "Store",
            escape(said.trim_end()).limit(usize::MAX).to_string(),
        ));
    }
    if status.well == Some(false) {
        facts.push(("State", "cannot be read or written".to_owned()));
    }
    for fault in status.faults.iter().flatten() {
        facts.push((
            "Trouble",
            escape(&said(fault)).limit(usize::MAX).to_string(),
        ));
    }
    if let Some(waiting) = &status.waiting {
        let counts = [
            (waiting.devices, "device"),
            (waiting.nodes, "node"),
            (waiting.senders, "sender"),
        ];
        let counts: Vec<_> = counts
            .iter()
            .filter_map(|(count, noun)| Some(text::count((*count)? as u64, noun)))
            .collect();
        facts.push(("Waiting", counts.join(", ")));
    }
    for (fact, said) in facts {
        if screen.has_tables() {
            screen.line(format_args!("{:<10} {said}", format!("{fact}:")))?;
        } else {
            let fact = fact.to_ascii_lowercase();
            screen.line(format_args!("{fact}\t{said}"))?;
        }
    }
    Ok(())
}

/// Returns the process that the lock file names, if it still runs. The lock itself is not tried, because a
/// gateway that starts at this moment would fail to get it.
pub(crate) fn holder(state: &StateDir) -> Option<Holder> {
    let text = fs::read_to_string(state.root().join(".gateway.oslock")).ok()?;
    let holder: Holder = serde_json::from_str(&text).ok()?;
    is_alive(holder.pid).then_some(holder)
}

#[cfg(unix)]
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let Some(pid) = pid else { return false };
    match rustix::process::test_kill_process(pid) {
        Ok(()) => true,
        // The process belongs to another user.
        Err(error) => error == rustix::io::Errno::PERM,
    }
}

#[cfg(not(unix))]
fn is_alive(_: u32) -> bool {
    true
}
