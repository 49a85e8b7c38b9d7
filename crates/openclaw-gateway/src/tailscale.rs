//! The name of this machine in its tailnet, by which `tailscale serve` makes the gateway reachable.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;

/// How long `tailscale status` may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Maximum size of its answer, in bytes.
const MOST: u64 = 4 << 20;

/// Asks the `tailscale` command for the name of this machine, such as `home.tail1234.ts.net`. `None` if there is no
/// such command, or no such name. Blocks for seconds at most.
pub fn tailnet_name() -> Option<String> {
    let mut child = Command::new("tailscale")
        .args(["status", "--json", "--peers=false"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let answer = child.stdout.take()?;
    let reading = std::thread::spawn(move || {
        let mut text = Vec::new();
        answer.take(MOST).read_to_end(&mut text).map(|_| text)
    });
    let end = Instant::now() + PATIENCE;
    while !reading.is_finished() && Instant::now() < end {
        sleep(Duration::from_millis(10));
    }
    // It is over, or takes too long.
    let _ = child.kill();
    let _ = child.wait();
    let text = reading.join().ok()?.ok()?;
    name_in(&text)
}

/// The name in what `tailscale status --json` prints.
fn name_in(text: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Status {
        #[serde(rename = "Self")]
        own: Own,
    }
    #[derive(Deserialize)]
    struct Own {
        #[serde(rename = "DNSName")]
        name: String,
    }
    let status: Status = serde_json::from_slice(text).ok()?;
    let name = status.own.name.trim_end_matches('.').to_ascii_lowercase();
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    let is_name = name.len() <= 253 && name.ends_with(".ts.net") && name.bytes().all(is_plain);
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_that_of_this_machine() {
        let status = |name: &str| {
            format!(
                r#"{{ "Version": "1.80.2", "BackendState": "Running",
                     "Self": {{ "ID": "n1", "HostName": "home", "DNSName": "{name}", "Online": true }},
                     "MagicDNSSuffix": "tail1234.ts.net", "Peer": null }}"#
            )
        };
        let named = name_in(status("Home.tail1234.ts.net.").as_bytes());
        assert_eq!(named.as_deref(), Some("home.tail1234.ts.net"));
        for name in ["", "home", "home.example.org.", "a b.ts.net.", "x/y.ts.net"] {
            assert_eq!(name_in(status(name).as_bytes()), None, "{name}");
        }
        assert_eq!(name_in(b"not running"), None);
        assert_eq!(name_in(b"{}"), None);
    }
}
