//! The checks of `connect`, one after another, each with its answer and its end.

use pairing_core::device::RequestId;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Device, Raw, Running, TOKEN, node_params, operator_params, start};

/// The error of the answer to the request "1", and the close frame behind it.
pub(crate) async fn refused(raw: &mut Raw) -> (Value, Value) {
    let answer = raw.next().await;
    assert_eq!(
        (&answer["type"], &answer["id"]),
        (&json!("res"), &json!("1")),
        "{answer}"
    );
    assert_eq!(answer["ok"], false, "{answer}");
    let end = raw.next().await;
    assert!(end["close"].is_number(), "{end}");
    (answer["error"].clone(), end)
}

/// The same as text, without the id of a request.
pub(crate) async fn refusal(raw: &mut Raw) -> String {
    let (error, end) = refused(raw).await;
    let mut text = error.to_string();
    if let Some(id) = error["details"]["requestId"].as_str() {
        RequestId::parse(id).unwrap();
        text = text.replace(id, "REQUEST");
    }
    format!(
        "{} {}\n  {text}\n",
        end["close"],
        end["reason"].as_str().unwrap()
    )
}

pub(crate) fn connect(params: &Value) -> String {
    json!({ "type": "req", "id": "1", "method": "connect", "params": params }).to_string()
}

/// The claim of a device of which the first `mended` things are right.
fn claim(device: &Device, gateway: &Running, nonce: &str, params: &Value, mended: usize) -> Value {
    let now = gateway.pairing.now();
    let mut claim = device.claim(nonce, now, params);
    let wrong = [
        ("publicKey", json!("AAAA")),
        ("id", json!("0".repeat(64))),
        ("signedAt", json!(now.as_millis() - 120_001)),
        ("nonce", json!("")),
        ("nonce", json!("9fa15699-d8bb-44fe-9267-8cf83c7cf09a")),
        ("signature", json!("A".repeat(86))),
    ];
    // The first that is wrong counts, so it is written last.
    for (key, value) in wrong.into_iter().skip(mended).rev() {
        claim[key] = value;
    }
    claim
}

/// Everything is wrong at first, and then mended one by one: what a connection is refused for is always
/// the first that is left.
#[tokio::test]
async fn the_checks_come_in_the_order_of_the_protocol() {
    let gateway = start().await;
    let device = gateway.device();
    let mend: [(&str, Value); 12] = [
        // First `health` instead of `connect`.
        ("", json!(null)),
        ("", json!(null)),
        ("/client/version", json!("1")),
        ("/maxProtocol", json!(3)),
        ("/role", json!("node")),
        ("device", json!(0)),
        ("device", json!(1)),
        ("device", json!(2)),
        ("device", json!(3)),
        ("device", json!(4)),
        ("device", json!(5)),
        ("device", json!(6)),
    ];
    let mut params = node_params();
    params["maxProtocol"] = json!(2);
    params["client"]["version"] = json!("");
    params["role"] = json!("king");
    params["auth"]["token"] = json!("guess");
    let (mut mended, mut lines) = (None, String::new());
    for (stage, (key, value)) in mend.into_iter().enumerate() {
        match key {
            "device" => mended = value.as_u64(),
            "" => {}
            key => *params.pointer_mut(key).unwrap() = value,
        }
        let mut raw = gateway.raw().await;
        let nonce = raw.challenge().await;
        if let Some(mended) = mended {
            let mended = usize::try_from(mended).unwrap();
            params["device"] = claim(&device, &gateway, &nonce, &params, mended);
        }
        let frame = connect(&params);
        raw.send(if stage == 0 {
            frame.replacen("\"connect\"", "\"health\"", 1)
        } else {
            frame
        })
        .await;
        lines += &refusal(&mut raw).await;
    }
    params["auth"]["token"] = json!(TOKEN);
    let mut raw = gateway.raw().await;
    let nonce = raw.challenge().await;
    params["device"] = claim(&device, &gateway, &nonce, &params, 6);
    raw.send(connect(&params)).await;
    lines += &refusal(&mut raw).await;
    insta::assert_snapshot!("refusals", lines);
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_no_request_gets_no_answer_and_the_connection_ends() {
    let gateway = start().await;
    let no_requests = [
        "",
        "hello",
        "{",
        "[]",
        "null",
        "\"connect\"",
        r#"{"type":"event","event":"connect","id":"1"}"#,
        r#"{"type":"res","id":"1","ok":true}"#,
        r#"{"type":"req","id":"","method":"connect"}"#,
        r#"{"type":"req","id":1,"method":"connect"}"#,
        r#"{"type":"req","id":"1","method":""}"#,
        r#"{"type":"req","id":"1"}"#,
        r#"{"type":"req","id":"1","method":"connect","more":1}"#,
        r#"{"type":"req","id":"1","id":"1","method":"connect"}"#,
        r#"["req","1","connect",{}]"#,
    ];
    let mut messages: Vec<_> = no_requests.map(Message::text).into();
    messages.extend(no_requests.map(|text| Message::binary(text.as_bytes().to_vec())));
    messages.push(Message::binary(vec![0xff, 0xfe, 0x00]));
    messages.push(Message::binary(
        b"{\"type\":\"req\",\"id\":\"\xff\",\"method\":\"connect\"}".to_vec(),
    ));
    for message in messages {
        let mut raw = gateway.raw().await;
        raw.challenge().await;
        raw.message(message.clone()).await;
        let end = json!({ "close": 1008, "reason": "invalid request frame" });
        assert_eq!(raw.next().await, end, "{message:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_connect_in_a_binary_message_is_the_same() {
    let gateway = start().await;
    let mut raw = gateway.raw().await;
    raw.challenge().await;
    raw.message(Message::binary(connect(&operator_params()).into_bytes()))
        .await;
    assert_eq!(raw.answer().await["payload"]["type"], "hello-ok");
    raw.message(Message::binary(
        br#"{"type":"req","id":"2","method":"health"}"#.to_vec(),
    ))
    .await;
    let answer = raw.answer().await;
    assert_eq!((&answer["id"], &answer["ok"]), (&json!("2"), &json!(true)));
    gateway.stop().await;
}

#[tokio::test]
async fn connect_is_answered_once() {
    let gateway = start().await;
    let mut raw = gateway.raw().await;
    assert_eq!(raw.connect(operator_params()).await["ok"], true);
    raw.request("connect", operator_params()).await;
    let again = raw.answer().await;
    assert_eq!(again["error"]["code"], "INVALID_REQUEST", "{again}");
    // It goes on.
    raw.request("health", json!({})).await;
    assert_eq!(raw.answer().await["ok"], true);
    gateway.stop().await;
}

/// Up to version 3 everything has to be known; from version 4 on, what is not is ignored.
#[tokio::test]
async fn version_3_is_strict_and_version_4_is_not() {
    let gateway = start().await;
    for (key, value, said) in [
        ("/more", json!(1), "at more: unknown property"),
        ("/client/more", json!(1), "at client.more: unknown property"),
        ("/auth/more", json!(1), "at auth.more: unknown property"),
        (
            "/client/id",
            json!("new-app"),
            "at client.id: not a known client",
        ),
        (
            "/client/mode",
            json!("new-mode"),
            "at client.mode: not a known mode",
        ),
    ] {
        let mut params = operator_params();
        let (object, name) = key.rsplit_once('/').unwrap();
        params.pointer_mut(object).unwrap()[name] = value;
        let mut raw = gateway.raw().await;
        raw.challenge().await;
        raw.request("connect", params.clone()).await;
        let (error, end) = refused(&mut raw).await;
        let message = format!("invalid connect params: {said}");
        assert_eq!(
            error,
            json!({
                "code": "INVALID_REQUEST",
                "message": message,
                "details": { "code": "INVALID_CONNECT" },
            })
        );
        assert_eq!(
            end,
            json!({ "close": 1008, "reason": "invalid connect params" })
        );

        params["maxProtocol"] = json!(4);
        let answer = gateway.raw().await.connect(params).await;
        assert_eq!(answer["payload"]["protocol"], 4, "{key}: {answer}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_newest_common_version_is_spoken() {
    let gateway = start().await;
    for (oldest, newest, spoken) in [
        (3, 3, Some(3)),
        (4, 4, Some(4)),
        (3, 4, Some(4)),
        (1, 9, Some(4)),
        (1, 2, None),
        (5, 9, None),
    ] {
        let mut params = operator_params();
        params["minProtocol"] = json!(oldest);
        params["maxProtocol"] = json!(newest);
        let mut raw = gateway.raw().await;
        let answer = raw.connect(params).await;
        if let Some(version) = spoken {
            assert_eq!(answer["payload"]["protocol"], version);
            continue;
        }
        assert_eq!(answer["error"]["message"], "protocol mismatch");
        assert_eq!(answer["error"]["details"]["expectedProtocol"], 4);
        assert_eq!(raw.next().await["close"], 1002);
    }
    gateway.stop().await;
}

/// A name of a role or scope that there is not is refused, not granted or dropped.
#[tokio::test]
async fn t25_roles_and_scopes_that_do_not_exist_are_refused() {
    let gateway = start().await;
    for role in ["Operator", "operator ", "admin", "*"] {
        let mut params = operator_params();
        params["role"] = json!(role);
        let mut raw = gateway.raw().await;
        raw.challenge().await;
        raw.request("connect", params).await;
        let (error, _) = refused(&mut raw).await;
        assert_eq!(error["message"], "invalid role", "{role}");
    }
    for scope in [
        "admin",
        "node.invoke",
        "*",
        "operator.",
        "operator.a,operator.admin",
    ] {
        let mut params = operator_params();
        params["scopes"] = json!([scope]);
        let mut raw = gateway.raw().await;
        raw.challenge().await;
        raw.request("connect", params).await;
        let (error, _) = refused(&mut raw).await;
        assert_eq!(error["code"], "INVALID_REQUEST", "{scope}");
    }
    // A node has none, whatever it asks.
    let device = gateway.device();
    drop(device.paired_node(&gateway, &[]).await);
    let mut params = node_params();
    params["scopes"] = json!(["operator.admin"]);
    let answer = gateway
        .raw()
        .await
        .connect_as(&device, &gateway, params)
        .await;
    assert_eq!(answer["payload"]["auth"]["scopes"], json!([]), "{answer}");
    gateway.stop().await;
}
