//! Property tests: arbitrary input never causes a panic, and parsed values serialise to the same again.

use gateway_protocol::{
    ConnectParams, DetailCode, ErrorShape, Event, Request, RequestFrame, Response, ServerFrame,
};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Generates any JSON of limited depth.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Only multiples of 1/4: others would be rounded when read into a number, as only this test does.
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..5).prop_map(object),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z]{0,3}",
        Just("req".to_owned()),
        Just("res".to_owned()),
        Just("event".to_owned()),
    ]
}

fn object(members: Vec<(String, Value)>) -> Value {
    Value::Object(members.into_iter().collect::<Map<_, _>>())
}

/// Generates an object with these members, each present or absent, and mostly valid.
fn like(members: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, right)| {
            let value =
                prop_oneof![40 => right.prop_map(Some), 1 => json().prop_map(Some), 1 => Just(None)];
            value.prop_map(move |value| (name.to_owned(), value))
        })
        .collect();
    let more = prop_oneof![20 => Just(None), 1 => (text(), json()).prop_map(Some)];
    (members, more)
        .prop_map(|(members, more)| {
            let there = members
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)));
            object(there.chain(more).collect())
        })
        .boxed()
}

fn value(
    strategy: impl Strategy<Value = impl Into<Value> + std::fmt::Debug + 'static> + 'static,
) -> BoxedStrategy<Value> {
    strategy.prop_map(Into::into).boxed()
}

fn word() -> BoxedStrategy<Value> {
    value("[a-z|.]{1,8}")
}

fn words() -> BoxedStrategy<Value> {
    value(prop::collection::vec("[a-z.]{1,8}", 0..4))
}

fn request() -> BoxedStrategy<Value> {
    like(vec![
        ("type", value(Just("req"))),
        ("id", word()),
        ("method", word()),
        ("params", json().boxed()),
    ])
}

fn server_frame() -> BoxedStrategy<Value> {
    let error = like(vec![
        (
            "code",
            value(prop_oneof![Just("NOT_PAIRED"), Just("INVALID_REQUEST")]),
        ),
        ("message", word()),
        ("details", json().boxed()),
        ("retryable", value(any::<bool>())),
        ("retryAfterMs", value(any::<u32>())),
    ]);
    like(vec![
        ("type", value(prop_oneof![Just("res"), Just("event")])),
        ("id", word()),
        ("ok", value(any::<bool>())),
        ("event", word()),
        ("payload", json().boxed()),
        ("error", error),
        ("seq", value(any::<u32>())),
    ])
}

fn connect() -> BoxedStrategy<Value> {
    let client = like(vec![
        (
            "id",
            value(prop_oneof![Just("cli"), Just("node-host"), Just("mine")]),
        ),
        ("displayName", word()),
        ("version", word()),
        ("platform", word()),
        ("deviceFamily", word()),
        ("modelIdentifier", word()),
        (
            "mode",
            value(prop_oneof![Just("cli"), Just("node"), Just("mine")]),
        ),
        ("instanceId", word()),
    ]);
    let device = like(vec![
        ("id", word()),
        ("publicKey", word()),
        ("signature", word()),
        ("signedAt", value(-9..i64::MAX)),
        ("nonce", word()),
    ]);
    let auth = like(vec![
        ("token", word()),
        ("deviceToken", word()),
        ("bootstrapToken", word()),
        ("password", word()),
    ]);
    like(vec![
        ("minProtocol", value(0..9u32)),
        ("maxProtocol", value(0..9u32)),
        ("client", client),
        ("caps", words()),
        ("commands", words()),
        ("permissions", like(vec![("camera", value(any::<bool>()))])),
        ("pathEnv", word()),
        ("role", word()),
        ("scopes", words()),
        ("device", device),
        ("auth", auth),
        ("locale", word()),
        ("userAgent", word()),
    ])
}

fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

/// Serialises a parsed request as its sender would.
fn written(request: &Request) -> Value {
    json!(RequestFrame {
        id: &request.id,
        method: &request.method,
        params: request.params.as_deref(),
    })
}

/// Removes a null member, which is equivalent to an absent one.
fn without_null(mut value: Value, name: &str) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|member, value| member != name || !value.is_null());
    }
    value
}

fn said(frame: &ServerFrame) -> Option<Value> {
    match frame {
        ServerFrame::Response { id, answer } => {
            let answer = answer.as_ref().map(Option::as_deref);
            Some(match answer {
                Ok(payload) => json!(Response {
                    id,
                    ok: true,
                    payload,
                    error: None
                }),
                Err(error) => json!(Response::<()>::new(id, Err(error))),
            })
        }
        ServerFrame::Event {
            event,
            payload,
            seq,
        } => Some(json!(Event {
            event,
            payload: payload.as_deref(),
            seq: *seq,
            state_version: None,
        })),
        _ => None,
    }
}

fn check_server_frame(message: &[u8]) -> bool {
    let Some(first) = ServerFrame::parse(message).ok().as_ref().and_then(said) else {
        return false;
    };
    let again = ServerFrame::parse(first.to_string().as_bytes()).unwrap();
    assert_eq!(said(&again), Some(first));
    true
}

fn check_connect(params: &RawValue) -> bool {
    let Ok(read) = ConnectParams::parse(Some(params)) else {
        return false;
    };
    let again = ConnectParams::parse(Some(&raw(&json!(read)))).unwrap();
    assert_eq!(again, read);
    true
}

proptest! {
    #[test]
    fn no_bytes_make_anything_panic(bytes: Vec<u8>, text in any::<String>()) {
        for message in [&*bytes, text.as_bytes()] {
            let _ = Request::parse(message);
            check_server_frame(message);
        }
        if let Ok(params) = RawValue::from_string(text) {
            check_connect(&params);
        }
    }

    #[test]
    fn requests_say_the_same_again(sent in prop_oneof![request(), json().boxed()]) {
        let text = sent.to_string();
        if let Ok(read) = Request::parse(text.as_bytes()) {
            prop_assert_eq!(written(&read), without_null(sent, "params"));
        }
    }

    #[test]
    fn what_a_gateway_says_is_read_as_it_was_meant(sent in prop_oneof![server_frame(), json().boxed()]) {
        check_server_frame(sent.to_string().as_bytes());
    }

    #[test]
    fn connect_params_say_the_same_again(sent in prop_oneof![connect(), json().boxed()]) {
        check_connect(&raw(&sent));
    }

    #[test]
    fn a_refused_connect_says_nothing_of_its_values(mut sent in connect()) {
        // Covers every place where a secret can appear, also by mistake.
        sent["auth"] = json!({ "token": ["hunter2"], "password": "hunter2" });
        let refused = ConnectParams::parse(Some(&raw(&sent))).unwrap_err();
        prop_assert!(!refused.message.contains("hunter2"), "{}", refused.message);
        prop_assert!(refused.message.starts_with("invalid connect params: "));
    }
}

/// Checks that the generators also produce accepted input; otherwise the tests would prove nothing.
#[test]
fn enough_of_it_is_read() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut draw = |strategy: BoxedStrategy<Value>, read: &dyn Fn(&Value) -> bool| {
        let read = (0..200).filter(|_| read(&strategy.new_tree(&mut runner).unwrap().current()));
        read.count()
    };
    let requests = draw(request(), &|sent| {
        Request::parse(sent.to_string().as_bytes()).is_ok()
    });
    let frames = draw(server_frame(), &|sent| {
        check_server_frame(sent.to_string().as_bytes())
    });
    let connects = draw(connect(), &|sent| check_connect(&raw(sent)));
    assert!(
        requests > 40 && frames > 40 && connects > 20,
        "{requests} {frames} {connects}"
    );
}

#[test]
fn errors_say_the_same_again() {
    let error =
        ErrorShape::unavailable(DetailCode::Internal, "later").with_details(json!({ "a": 1 }));
    let error = error.retry_after(std::time::Duration::from_millis(7));
    let again: ErrorShape = serde_json::from_value(json!(error)).unwrap();
    assert_eq!(again, error);
}
