//! How much may be sent, before `hello-ok` and after it.

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

use crate::refusals::connect;
use crate::support::{Raw, operator_params, settings, start, start_with};

/// A request of exactly so many bytes.
fn padded(method: &str, id: &str, params: &Value, bytes: usize) -> String {
    let frame = json!({ "type": "req", "id": id, "method": method, "params": params }).to_string();
    assert!(frame.len() <= bytes);
    " ".repeat(bytes - frame.len()) + &frame
}

fn too_big() -> Value {
    json!({ "close": 1009, "reason": "frame too large" })
}

/// Sends a message in fragments.
async fn fragments(raw: &mut Raw, text: &str, most: usize) {
    let chunks: Vec<_> = text.as_bytes().chunks(most).collect();
    for (index, chunk) in chunks.iter().enumerate() {
        let kind = if index == 0 {
            Data::Text
        } else {
            Data::Continue
        };
        let is_last = index + 1 == chunks.len();
        let frame = Frame::message(chunk.to_vec(), OpCode::Data(kind), is_last);
        // The gateway may have closed by now.
        if raw.0.send(Message::Frame(frame)).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn t97_before_hello_ok_a_message_has_64_kib_at_most() {
    let gateway = start().await;
    let at_most = padded("connect", "1", &operator_params(), 64 << 10);
    let more = padded("connect", "1", &operator_params(), (64 << 10) + 1);
    let mut raw = gateway.raw().await;
    raw.challenge().await;
    raw.send(at_most.clone()).await;
    assert_eq!(raw.answer().await["ok"], true);
    let mut raw = gateway.raw().await;
    raw.challenge().await;
    raw.send(more.clone()).await;
    assert_eq!(raw.next().await, too_big());

    // In fragments it is the same.
    let mut raw = gateway.raw().await;
    raw.challenge().await;
    fragments(&mut raw, &at_most, 10_000).await;
    assert_eq!(raw.answer().await["ok"], true);
    let mut raw = gateway.raw().await;
    raw.challenge().await;
    fragments(&mut raw, &more, 10_000).await;
    assert_eq!(raw.next().await, too_big());
    gateway.stop().await;
}

#[tokio::test]
async fn after_hello_ok_a_message_has_as_much_as_was_said() {
    let limits = "limits: { maxPayloadBytes: 200000 }";
    let gateway = start_with(settings(limits), |builder| builder).await;
    for in_fragments in [false, true] {
        let mut raw = gateway.raw().await;
        let hello = raw
            .connect_as(&gateway.device(), &gateway, operator_params())
            .await;
        assert_eq!(hello["payload"]["policy"]["maxPayload"], 200_000);
        for (bytes, is_answered) in [(200_000, true), (200_001, false)] {
            let text = padded("health", "2", &json!({}), bytes);
            if in_fragments {
                fragments(&mut raw, &text, 70_000).await;
            } else {
                raw.send(text).await;
            }
            let answer = raw.answer().await;
            if is_answered {
                assert_eq!(answer["ok"], true, "{answer}");
            } else {
                assert_eq!(answer, too_big());
            }
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn after_hello_ok_25_mib_are_taken_and_no_more() {
    let gateway = start().await;
    let mut raw = gateway.raw().await;
    raw.connect_as(&gateway.device(), &gateway, operator_params())
        .await;
    raw.send(padded("health", "2", &json!({}), 25 << 20)).await;
    assert_eq!(raw.answer().await["ok"], true);
    // What is announced is refused before it is there.
    let mut head = vec![0x81, 0xff];
    head.extend(((25_u64 << 20) + 1).to_be_bytes());
    head.extend([0; 4]);
    raw.0.get_mut().write_all(&head).await.unwrap();
    assert_eq!(raw.answer().await, too_big());
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_announced_before_hello_ok_is_refused_before_it_is_there() {
    let gateway = start().await;
    for length in [(64_u64 << 10) + 1, u64::from(u32::MAX), u64::MAX >> 1] {
        let mut raw = gateway.raw().await;
        raw.challenge().await;
        let mut head = vec![0x81, 0xff];
        head.extend(length.to_be_bytes());
        head.extend([0; 4]);
        raw.0.get_mut().write_all(&head).await.unwrap();
        assert_eq!(raw.next().await, too_big(), "{length}");
    }
    gateway.stop().await;
}

/// Clients that do not wait for `hello-ok` lose nothing, however it is cut up on the way.
#[tokio::test]
async fn what_is_sent_right_behind_connect_is_answered_after_it() {
    let gateway = start().await;
    for bytes_more in [0, 1000, 100_000] {
        let mut raw = gateway.raw().await;
        let nonce = raw.challenge().await;
        let mut params = operator_params();
        let device = gateway.device();
        params["device"] = device.claim(&nonce, gateway.pairing.now(), &params);
        let health = |id: &str| padded("health", id, &json!({}), 100 + bytes_more);
        for text in [connect(&params), health("2"), health("3")] {
            raw.0.feed(Message::text(text)).await.unwrap();
        }
        raw.0
            .feed(Message::Ping(vec![1, 2, 3].into()))
            .await
            .unwrap();
        raw.0.flush().await.unwrap();
        let hello = raw.next().await;
        assert_eq!(hello["payload"]["type"], "hello-ok", "{hello}");
        for id in ["2", "3"] {
            let answer = raw.answer().await;
            assert_eq!((&answer["id"], &answer["ok"]), (&json!(id), &json!(true)));
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn control_frames_before_connect_are_no_first_frame() {
    let gateway = start().await;
    let mut raw = gateway.raw().await;
    raw.challenge().await;
    for _ in 0..100 {
        raw.message(Message::Ping(vec![0; 125].into())).await;
        raw.message(Message::Pong(vec![].into())).await;
    }
    raw.send(connect(&operator_params())).await;
    assert_eq!(raw.answer().await["ok"], true);
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_no_websocket_frame_ends_the_connection() {
    let gateway = start().await;
    // Without a mask; a reserved bit; a reserved opcode; a fragmented ping; text that is no UTF-8;
    // a continuation of nothing.
    for bytes in [
        &[0x81, 0x01, b'{'][..],
        &[0xc1, 0x80, 0, 0, 0, 0],
        &[0x83, 0x80, 0, 0, 0, 0],
        &[0x09, 0x80, 0, 0, 0, 0],
        &[0x81, 0x81, 0, 0, 0, 0, 0xff],
        &[0x80, 0x81, 0, 0, 0, 0, b'{'],
    ] {
        for is_in in [false, true] {
            let mut raw = gateway.raw().await;
            if is_in {
                raw.connect(operator_params()).await;
            } else {
                raw.challenge().await;
            }
            raw.0.get_mut().write_all(bytes).await.unwrap();
            let end = raw.answer().await;
            assert!(end["close"].is_number(), "{bytes:02x?}: {end}");
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_close_is_answered_whatever_came_before_it() {
    let gateway = start().await;
    for is_in in [false, true] {
        let mut raw = gateway.raw().await;
        if is_in {
            raw.connect(operator_params()).await;
            for id in ["2", "3"] {
                let text = padded("health", id, &json!({}), 100);
                raw.0.feed(Message::text(text)).await.unwrap();
            }
        } else {
            raw.challenge().await;
        }
        let close = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        raw.0.feed(Message::Close(Some(close))).await.unwrap();
        raw.0.flush().await.unwrap();
        let mut end = raw.answer().await;
        while end["type"] == "res" {
            end = raw.answer().await;
        }
        assert_eq!(end["close"], 1000, "{end}");
    }
    gateway.stop().await;
}
