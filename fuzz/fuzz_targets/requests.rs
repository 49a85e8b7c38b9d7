//! Whatever an operator with every scope asks for, a line at a time: each line is answered, and the
//! connection stays one of the protocol.

use openclaw_gateway::fuzzing::{Rig, TOKEN};
use serde_json::json;

thread_local! {
    static RIG: Rig = Rig::new().expect("a runtime");
}

target!(|lines: &str| {
    let connect = json!({
        "type": "req", "id": "connect", "method": "connect",
        "params": {
            "minProtocol": 3, "maxProtocol": 4,
            "client": { "id": "cli", "version": "1", "platform": "linux", "mode": "cli" },
            "scopes": ["operator.admin"], "auth": { "token": TOKEN },
        },
    });
    let connect = connect.to_string();
    // Fewer than would be cut off for being refused too often.
    let lines = lines.lines().take(500);
    let texts: Vec<_> = std::iter::once(connect.as_str()).chain(lines).collect();
    let answers = RIG.with(|rig| rig.requests(&texts)).expect("the protocol");
    assert_eq!(answers.len(), texts.len());
    assert_eq!(answers[0]["payload"]["type"], "hello-ok");
    for answer in answers {
        assert!(answer["id"].is_string());
        assert_eq!(answer["ok"] == true, answer["error"].is_null());
    }
});
