//! What real clients of 2026.2.17 sent to a real gateway, sent to this one: their keys sign the
//! challenge that was recorded, so that very challenge is drawn again.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use pairing_core::{Entropy, EntropyError, Timestamp};
use serde_json::{Value, json};

use crate::support::{Counting, Raw, Running, start_with};

/// Draws these UUIDs, and then anything.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<VecDeque<[u8; 16]>>>, Counting);

impl Script {
    fn push(&self, uuid: &Value) {
        let uuid = uuid::Uuid::parse_str(uuid.as_str().unwrap()).unwrap();
        self.0.lock().unwrap().push_back(uuid.into_bytes());
    }
}

impl Entropy for Script {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        match self.0.lock().unwrap().pop_front() {
            Some(uuid) => bytes.copy_from_slice(&uuid),
            None => self.1.fill(bytes)?,
        }
        Ok(())
    }
}

/// What the recorded gateway said and this one does not, by place.
type Missing = BTreeSet<String>;

/// Whether two values have the same shape, where both have a value.
fn compare(recorded: &Value, ours: &Value, place: &str, missing: &mut Missing) {
    match (recorded, ours) {
        (Value::Object(recorded), Value::Object(ours)) => {
            for (key, value) in recorded {
                let place = format!("{place}.{key}");
                match ours.get(key) {
                    Some(ours) => compare(value, ours, &place, missing),
                    None => drop(missing.insert(place)),
                }
            }
        }
        (Value::Array(recorded), Value::Array(ours)) => {
            for (recorded, ours) in recorded.iter().zip(ours) {
                compare(recorded, ours, &format!("{place}[]"), missing);
            }
        }
        _ => {
            let same = std::mem::discriminant(recorded) == std::mem::discriminant(ours);
            assert!(same, "{place}: {recorded} and {ours}");
        }
    }
}

/// Plays a recording; what was missing, and our answers.
async fn replay(gateway: &Running, script: &Script, recording: &str) -> (Missing, Vec<Value>) {
    let lines: Vec<Value> = recording
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (mut missing, mut answers) = (Missing::new(), Vec::new());
    let mut raw: Option<Raw> = None;
    for line in &lines {
        let (from_gateway, frame) = (line["dir"] == "<", &line["frame"]);
        if frame["event"] == "connect.challenge" {
            let ts = frame["payload"]["ts"].as_i64().unwrap();
            gateway.clock.0.set(Timestamp::from_millis(ts));
            script.push(&frame["payload"]["nonce"]);
            let hello = lines.iter().find(|later| {
                later["conn"] == line["conn"] && later["frame"]["payload"]["type"] == "hello-ok"
            });
            if let Some(hello) = hello {
                script.push(&hello["frame"]["payload"]["server"]["connId"]);
            }
            let mut new = gateway.raw().await;
            assert_eq!(new.next().await, *frame);
            raw = Some(new);
        } else if let Some(raw) = raw.as_mut() {
            if line["dir"] == ">" {
                raw.send(frame.to_string()).await;
            } else if from_gateway && frame["type"] == "res" {
                let answer = raw.answer().await;
                for key in ["type", "id", "ok"] {
                    assert_eq!(answer[key], frame[key], "{answer}");
                }
                for key in ["code", "message"] {
                    assert_eq!(answer["error"][key], frame["error"][key], "{answer}");
                }
                compare(frame, &answer, "", &mut missing);
                answers.push(answer);
            } else if line["close"] == 1008 {
                let end = json!({ "close": 1008, "reason": line["reason"] });
                assert_eq!(raw.next().await, end);
            }
        }
        // The owner approved what was asked for before the node came again.
        if let Some(asked) = answers
            .last()
            .filter(|answer| line["close"] == 1008 && answer["ok"] == false)
        {
            gateway.approve(asked["error"]["details"]["requestId"].as_str().unwrap());
        }
    }
    (missing, answers)
}

const NODE: &str = include_str!("../recordings/node-host.jsonl");
const CLI: &str = include_str!("../recordings/cli.jsonl");

async fn start_recorded() -> (Running, Script) {
    let script = Script::default();
    let text = "{ gateway: { auth: { token: 'secret-tok' } } }";
    let config = openclaw_config::Config::parse(text).unwrap();
    let overrides = openclaw_gateway::Overrides::default();
    let settings = openclaw_gateway::Settings::from_config(&config, &overrides).unwrap();
    let gateway = start_with(settings, |builder| builder.entropy(script.clone())).await;
    (gateway, script)
}

/// What a client is not told: paths and names of the gateway's machine, and what is no part of pairing.
const UNSAID: [&str; 9] = [
    ".payload.canvasHostUrl",
    ".payload.server.host",
    ".payload.snapshot.authMode",
    ".payload.snapshot.configPath",
    ".payload.snapshot.presence[].deviceFamily",
    ".payload.snapshot.presence[].ip",
    ".payload.snapshot.presence[].modelIdentifier",
    ".payload.snapshot.sessionDefaults",
    ".payload.snapshot.stateDir",
];

fn missing(places: &[&str]) -> Missing {
    places.iter().map(|place| (*place).to_owned()).collect()
}

#[tokio::test]
async fn a_recorded_node_asks_is_approved_and_comes_in() {
    let (gateway, script) = start_recorded().await;
    let (left_out, answers) = replay(&gateway, &script, NODE).await;
    assert_eq!(answers.len(), 2);
    let hello = &answers[1]["payload"];
    assert_eq!(hello["auth"]["role"], "node");
    assert_eq!(hello["auth"]["deviceToken"].as_str().unwrap().len(), 43);
    assert_eq!(left_out, missing(&UNSAID));
    gateway.stop().await;
}

#[tokio::test]
async fn a_recorded_command_line_gets_its_answers() {
    let (gateway, script) = start_recorded().await;
    replay(&gateway, &script, NODE).await;
    let (left_out, answers) = replay(&gateway, &script, CLI).await;
    let mut expected = missing(&UNSAID);
    expected.extend(missing(&[
        // A token comes with the connection for which it was made, and not with every one.
        ".payload.auth.deviceToken",
        ".payload.auth.issuedAtMs",
        // What the status of more than pairing is made of.
        ".payload.channelSummary",
        ".payload.heartbeat",
        ".payload.queuedSystemEvents",
        ".payload.sessions",
        ".payload.snapshot.presence[].host",
    ]));
    assert_eq!(left_out, expected);
    assert_eq!(answers.len(), 10);
    gateway.stop().await;
}
