//! Tests of calls, events, and the end of a connection.

use std::time::Duration;

use gateway_client::{CallError, ClientEvent};
use gateway_protocol::{DetailCode, Empty, ErrorShape, Response};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::gateway::{connected, operator};

#[tokio::test]
async fn answers_find_their_calls_in_any_order() {
    let (client, _events, mut peer) = connected(operator()).await;
    let script = async {
        let (first, second) = (peer.request().await, peer.request().await);
        for request in [second, first] {
            let params: Value = serde_json::from_str(request.params.unwrap().get()).unwrap();
            peer.answer("unknown", json!(0)).await;
            peer.answer(&request.id, json!([request.method, params]))
                .await;
        }
    };
    let (one, two, ()) = tokio::join!(
        client.call::<_, Value>("one", json!({ "a": 1 })),
        client.call::<_, Value>("two", Empty {}),
        script,
    );
    assert_eq!(one.unwrap(), json!(["one", { "a": 1 }]));
    assert_eq!(two.unwrap(), json!(["two", {}]));
}

#[tokio::test]
async fn refusals_come_as_they_were_sent() {
    let (client, _events, mut peer) = connected(operator()).await;
    let refusal = ErrorShape::invalid(
        DetailCode::MissingScope,
        "missing scope: operator.pairing\u{1b}[2J",
    );
    let script = async {
        let request = peer.request().await;
        let response = Response::<()>::new(&request.id, Err(&refusal));
        peer.send(serde_json::to_string(&response).unwrap()).await;
    };
    let (called, ()) = tokio::join!(client.call::<_, Value>("x", Empty {}), script);
    let error = called.unwrap_err();
    assert_eq!(
        error.to_string(),
        r"missing scope: operator.pairing\u{1b}[2J"
    );
    assert!(matches!(error, CallError::Refused(shape) if shape == refusal));
}

#[tokio::test]
async fn an_answer_of_another_shape_is_an_error_that_does_not_repeat_it() {
    let (client, _events, mut peer) = connected(operator()).await;
    let script = async {
        let request = peer.request().await;
        peer.answer(&request.id, json!("hunter2")).await;
    };
    let (called, ()) = tokio::join!(client.call::<_, u64>("x", Empty {}), script);
    let error = called.unwrap_err();
    assert!(matches!(error, CallError::Answer(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_call_waits_only_so_long_and_the_connection_stays() {
    let (client, _events, mut peer) = connected(operator()).await;
    let calling = tokio::spawn({
        let client = client.clone();
        let limit = Duration::from_secs(5);
        async move {
            client
                .call_with_timeout::<_, Value>("slow", Empty {}, limit)
                .await
        }
    });
    let slow = peer.request().await;
    tokio::time::pause();
    let error = calling.await.unwrap().unwrap_err();
    tokio::time::resume();
    assert!(matches!(error, CallError::Timeout(_)), "{error:?}");

    let script = async {
        peer.answer(&slow.id, json!("too late")).await;
        let request = peer.request().await;
        peer.answer(&request.id, json!("in time")).await;
    };
    let (called, ()) = tokio::join!(client.call::<_, String>("next", Empty {}), script);
    assert_eq!(called.unwrap(), "in time");
}

#[tokio::test]
async fn calls_end_with_the_connection_and_say_how_it_ended() {
    let (client, mut events, mut peer) = connected(operator()).await;
    let script = async {
        peer.request().await;
        peer.close(1008, "revoked").await;
        assert!(
            peer.message().await.unwrap().is_close(),
            "the close frame is answered"
        );
    };
    let (called, ()) = tokio::join!(client.call::<_, Value>("x", Empty {}), script);
    let CallError::Closed(closed) = called.unwrap_err() else {
        panic!()
    };
    assert_eq!((closed.code, closed.reason.as_str()), (1008, "revoked"));
    assert_eq!(client.closed().await, closed);
    assert!(events.next().await.is_none());
    let again = client.call::<_, Value>("x", Empty {}).await.unwrap_err();
    assert!(matches!(again, CallError::Closed(again) if again == closed));
}

#[tokio::test]
async fn a_connection_that_breaks_off_ends_calls_too() {
    let (client, _events, mut peer) = connected(operator()).await;
    let script = async {
        peer.request().await;
        drop(peer);
    };
    let (called, ()) = tokio::join!(client.call::<_, Value>("x", Empty {}), script);
    assert!(matches!(called.unwrap_err(), CallError::Closed(closed) if closed.code == 1006));
}

#[tokio::test]
async fn what_is_too_large_is_not_sent() {
    let mut hello = operator();
    hello["policy"]["maxPayload"] = 1000.into();
    let (client, _events, _peer) = connected(hello).await;
    let large = json!({ "text": "x".repeat(1000) });
    let error = client.call::<_, Value>("x", large).await.unwrap_err();
    assert!(
        matches!(
            error,
            CallError::TooLarge {
                found: 1001..,
                at_most: 1000
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn too_large_a_message_ends_the_connection() {
    let (client, _events, mut peer) = connected(operator()).await;
    let sending = tokio::spawn(async move {
        // The client may disconnect before all of it has been sent.
        let large = "x".repeat(gateway_protocol::MAX_PAYLOAD + 1);
        peer.try_send(Message::text(large)).await;
        peer
    });
    assert_eq!(client.closed().await.code, 1009);
    sending.await.unwrap();
}

#[tokio::test]
async fn events_are_read_by_their_types() {
    let (_client, mut events, mut peer) = connected(operator()).await;
    peer.event("tick", json!({ "ts": 5 })).await;
    peer.event(
        "shutdown",
        json!({ "reason": "update", "restartExpectedMs": 9 }),
    )
    .await;
    peer.event(
        "device.pair.resolved",
        json!({ "requestId": "5d252984-4a7d-44a8-bbab-70c72575c383",
        "deviceId": "15eef72ff15d1a91a6aa964a144fde0002b3bf191cc05da41538a49da7a7653f",
        "decision": "approved", "ts": 1 }),
    )
    .await;
    peer.event("tick", json!("no tick")).await;
    peer.event("something.new", json!({ "a": [1] })).await;
    peer.event(
        "node.invoke.request",
        json!({ "id": "1", "nodeId": "n", "command": "c",
        "paramsJSON": "{}" }),
    )
    .await;

    let mut next = async || events.next().await.unwrap();
    assert!(matches!(next().await, ClientEvent::Tick(tick) if tick.ts == 5));
    assert!(matches!(next().await, ClientEvent::Shutdown(end) if end.reason == "update"));
    assert!(matches!(next().await, ClientEvent::DeviceResolved(_)));
    assert!(matches!(next().await, ClientEvent::Other { event, .. } if event == "tick"));
    let new = next().await;
    assert!(matches!(new, ClientEvent::Other { payload, .. } if payload == json!({ "a": [1] })));
    assert!(matches!(next().await, ClientEvent::InvokeRequest(request) if request.command == "c"));
}

#[tokio::test]
async fn events_that_nobody_reads_hold_up_no_answer() {
    let (client, mut events, mut peer) = connected(operator()).await;
    let script = async {
        let request = peer.request().await;
        for number in 0..1000 {
            peer.event("flood", json!(number)).await;
        }
        peer.answer(&request.id, json!("through")).await;
    };
    let (called, ()) = tokio::join!(client.call::<_, String>("x", Empty {}), script);
    assert_eq!(called.unwrap(), "through");
    assert!(matches!(
        events.next().await,
        Some(ClientEvent::Missed(744))
    ));
    let oldest = events.next().await;
    assert!(matches!(oldest, Some(ClientEvent::Other { payload, .. }) if payload == json!(744)));
}

#[tokio::test]
async fn messages_that_are_no_frames_are_passed_over_and_pings_answered() {
    let (client, _events, mut peer) = connected(operator()).await;
    let script = async {
        for odd in ["", "{", "[]", "null", r#"{"type":"res"}"#, r#"{"type":7}"#] {
            peer.send(odd).await;
        }
        peer.send(Message::binary(vec![0xff, 0xfe])).await;
        peer.send(Message::Ping("there?".into())).await;
        let (mut ponged, mut request) = (false, None);
        while !ponged || request.is_none() {
            match peer.message().await.unwrap() {
                Message::Pong(text) => ponged = text == "there?",
                message => request = gateway_protocol::Request::parse(&message.into_data()).ok(),
            }
        }
        peer.answer(&request.unwrap().id, json!("alive")).await;
    };
    let (called, ()) = tokio::join!(client.call::<_, String>("x", Empty {}), script);
    assert_eq!(called.unwrap(), "alive");
}

#[tokio::test]
async fn a_gateway_that_is_silent_for_two_intervals_is_given_up() {
    let mut hello = operator();
    hello["policy"]["tickIntervalMs"] = 10_000.into();
    let (client, mut events, mut peer) = connected(hello).await;
    let start = tokio::time::Instant::now();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(15)).await;
    tokio::time::resume();
    peer.event("tick", json!({ "ts": 1 })).await;
    assert!(matches!(events.next().await, Some(ClientEvent::Tick(_))));
    // Only ticks count as a sign of life.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(5)).await;
    tokio::time::resume();
    peer.event("presence", json!({ "presence": [] })).await;
    assert!(matches!(
        events.next().await,
        Some(ClientEvent::Presence(_))
    ));
    tokio::time::pause();
    let closed = client.closed().await;
    assert_eq!(
        (closed.code, closed.reason.as_str()),
        (1006, "no tick for 20 s")
    );
    assert!(start.elapsed() >= Duration::from_secs(35));
    assert!(
        start.elapsed() < Duration::from_secs(37),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn closing_is_said_to_the_gateway_and_ends_every_clone() {
    let (client, mut events, mut peer) = connected(operator()).await;
    let other = client.clone();
    let script = async {
        let Some(Message::Close(Some(frame))) = peer.message().await else {
            panic!()
        };
        assert_eq!(u16::from(frame.code), 1000);
        assert!(peer.message().await.is_none());
    };
    let (closed, ()) = tokio::join!(client.close(), script);
    assert_eq!(closed.code, 1000);
    assert_eq!(other.closed().await, closed);
    assert!(events.next().await.is_none());
    assert_eq!(client.close().await, closed);
}

#[tokio::test]
async fn a_gateway_that_does_not_read_cannot_hold_a_client() {
    let (client, _events, peer) = connected(operator()).await;
    let calling = tokio::spawn({
        let client = client.clone();
        let large = json!("x".repeat(20 * 1024 * 1024));
        async move { client.call::<_, Value>("x", large).await }
    });
    tokio::task::yield_now().await;
    let closing = tokio::spawn(async move { client.close().await });
    tokio::task::yield_now().await;
    tokio::time::pause();
    assert_eq!(closing.await.unwrap().code, 1000);
    assert!(matches!(calling.await.unwrap(), Err(CallError::Closed(_))));
    drop(peer);
}

#[tokio::test]
async fn the_connection_lasts_as_long_as_somebody_holds_it() {
    let (client, mut events, mut peer) = connected(operator()).await;
    drop(client);
    peer.event("tick", json!({ "ts": 1 })).await;
    assert!(matches!(events.next().await, Some(ClientEvent::Tick(_))));
    drop(events);
    assert!(peer.message().await.unwrap().is_close());
    assert!(peer.message().await.is_none());
}
