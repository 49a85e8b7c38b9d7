//! Checks that the types can read every frame that programs of version 2026.2.17 exchanged.

use std::collections::BTreeMap;

use gateway_protocol::device::DevicePairList;
use gateway_protocol::event::Challenge;
use gateway_protocol::hello::HelloOk;
use gateway_protocol::invoke::NodeEntries;
use gateway_protocol::node::NodePairList;
use gateway_protocol::{ConnectParams, PairingDetails, Request, ServerFrame};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

const FILES: [&str; 2] = [
    include_str!("fixtures/cli.jsonl"),
    include_str!("fixtures/node-host.jsonl"),
];

/// One request with its response.
struct Exchange {
    method: String,
    params: Option<Value>,
    answer: Result<Value, Value>,
}

/// Reads a recording, parsing each frame as its receiver would.
fn exchanges(file: &str) -> Vec<Exchange> {
    let mut asked: BTreeMap<String, Request> = BTreeMap::new();
    let mut found = Vec::new();
    for line in file.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = line["frame"].to_string();
        match line["dir"].as_str() {
            Some(">") => {
                let request = Request::parse(text.as_bytes()).unwrap();
                asked.insert(request.id.clone(), request);
            }
            Some("<") => match ServerFrame::parse(text.as_bytes()).unwrap() {
                ServerFrame::Response { id, answer } => {
                    let request = asked.remove(&id).unwrap();
                    found.push(Exchange {
                        method: request.method,
                        params: request.params.map(|params| value(&params)),
                        answer: answer
                            .map(|payload| value(&payload.unwrap()))
                            .map_err(|error| json!(error)),
                    });
                }
                ServerFrame::Event { event, payload, .. } => {
                    assert_eq!(event, "connect.challenge");
                    same::<Challenge>(&value(&payload.unwrap()));
                }
                other => panic!("{other:?}"),
            },
            _ => assert!(line["frame"].is_null()),
        }
    }
    assert!(asked.is_empty(), "everything was answered");
    found
}

fn value(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap()
}

/// Checks that a parsed value serialises to the same JSON.
fn same<T: DeserializeOwned + Serialize>(sent: &Value) {
    let read: T = serde_json::from_value(sent.clone()).unwrap();
    assert_eq!(&json!(read), sent);
}

#[test]
fn every_payload_is_read_and_said_again() {
    let mut seen = BTreeMap::<String, u32>::new();
    for exchange in FILES.iter().flat_map(|file| exchanges(file)) {
        *seen.entry(exchange.method.clone()).or_default() += 1;
        match (exchange.method.as_str(), &exchange.answer) {
            ("connect", answer) => {
                connect(&exchange.params.unwrap());
                match answer {
                    Ok(payload) => hello(payload),
                    Err(error) => pairing(error),
                }
            }
            ("node.pair.list", Ok(payload)) => same::<NodePairList>(payload),
            ("node.list", Ok(payload)) => same::<NodeEntries>(payload),
            ("device.pair.list", Ok(payload)) => same::<DevicePairList>(payload),
            // Our `status` returns less.
            ("status", Ok(_)) => assert_eq!(exchange.params, None),
            (method, answer) => panic!("{method}: {answer:?}"),
        }
    }
    let expected = [
        ("connect", 7),
        ("device.pair.list", 1),
        ("node.list", 1),
        ("node.pair.list", 2),
        ("status", 1),
    ];
    assert_eq!(
        seen,
        expected
            .map(|(method, count)| (method.to_owned(), count))
            .into()
    );
}

fn connect(sent: &Value) {
    let raw = serde_json::value::to_raw_value(sent).unwrap();
    let read = ConnectParams::parse(Some(&raw)).unwrap();
    assert_eq!(read.version(), Some(3));
    // Empty lists are omitted on serialisation.
    let mut sent = sent.clone();
    let object = sent.as_object_mut().unwrap();
    object.retain(|name, value| name == "scopes" || value != &json!([]));
    assert_eq!(json!(read), sent);
}

/// Checks a `hello-ok` of that version, which contains more than the protocol needs.
fn hello(sent: &Value) {
    let read: HelloOk = serde_json::from_value(sent.clone()).unwrap();
    let written = json!(read);
    assert!(contains(sent, &written), "{written}");
    assert_eq!(written["auth"], sent["auth"]);
    assert_eq!(written["policy"], sent["policy"]);
    assert_eq!(written["features"], sent["features"]);
    assert_eq!(
        written["snapshot"]["presence"],
        sent["snapshot"]["presence"]
    );
}

/// Whether all of `part` is in `whole`.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(name, part)| whole.get(name).is_some_and(|whole| contains(whole, part))),
        (whole, part) => whole == part,
    }
}

/// Checks a pairing refusal; early gateways sent only the request id.
fn pairing(sent: &Value) {
    let error = serde_json::from_value(sent.clone()).unwrap();
    let details = PairingDetails::of(&error);
    assert!(details.is_pairing(&error));
    assert_eq!(
        details.request_id.as_deref(),
        sent["details"]["requestId"].as_str()
    );
    assert_eq!(&json!(error), sent);
}
