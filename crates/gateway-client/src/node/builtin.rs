//! Built-in commands that report on the node's machine.

use gateway_protocol::invoke::InvokeRequest;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Node;

pub(super) fn add_to(node: Node) -> Node {
    let since = Instant::now();
    node.cap("device")
        .command("device.info", |_: InvokeRequest| async { Ok(info()) })
        .command("device.status", move |_: InvokeRequest| async move {
            Ok(status(since))
        })
}

/// Uses the property names of the phone apps.
fn info() -> Value {
    let (name, version) = machine::name_and_version();
    json!({
        "deviceName": name,
        "modelIdentifier": std::env::consts::ARCH,
        "systemName": std::env::consts::OS,
        "systemVersion": version,
        "appVersion": env!("CARGO_PKG_VERSION"),
    })
}

fn status(since: Instant) -> Value {
    let mut status = json!({ "uptimeSeconds": since.elapsed().as_secs() });
    machine::add_load(&mut status);
    status
}

#[cfg(unix)]
mod machine {
    use serde_json::Value;

    pub(super) fn name_and_version() -> (Option<String>, Option<String>) {
        let uname = rustix::system::uname();
        let [name, version] = [uname.nodename(), uname.release()]
            .map(|text| Some(text.to_string_lossy().into_owned()));
        (name, version)
    }

    /// Adds the load average over 1, 5 and 15 minutes, rounded to two decimals as is usual.
    pub(super) fn add_load(status: &mut Value) {
        #[cfg(target_os = "linux")]
        {
            // The kernel reports the load in units of 1/65536.
            let part = |load| {
                let load = u32::try_from(load).unwrap_or(u32::MAX);
                (f64::from(load) / 655.36).round() / 100.0
            };
            status["loadAverage"] = rustix::system::sysinfo().loads.map(part).to_vec().into();
        }
        #[cfg(not(target_os = "linux"))]
        let _ = status;
    }
}

#[cfg(not(unix))]
mod machine {
    use serde_json::Value;

    pub(super) fn name_and_version() -> (Option<String>, Option<String>) {
        (std::env::var("COMPUTERNAME").ok(), None)
    }

    pub(super) fn add_load(_: &mut Value) {}
}
