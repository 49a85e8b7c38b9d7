//! Whatever comes over a WebSocket, the gateway answers by its protocol, and nobody who does not know the
//! secret comes in. The first byte says whether the client may know it.

use openclaw_gateway::fuzzing::{Heard, Rig};

thread_local! {
    static RIG: Rig = Rig::new().expect("a runtime");
}

target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else {
        return;
    };
    let is_known = first % 2 == 0;
    let heard = RIG.with(|rig| rig.connection(bytes, is_known));
    let heard = heard.expect("the protocol");
    let mut answers = 0;
    let mut is_in = false;
    for (index, heard) in heard.iter().enumerate() {
        let Heard::Json(frame) = heard else {
            continue;
        };
        if index == 0 {
            assert_eq!(frame["event"], "connect.challenge");
        }
        if frame["type"] == "res" {
            answers += 1;
            is_in |= frame["payload"]["type"] == "hello-ok";
            assert_eq!(frame["ok"] == true, frame["error"].is_null());
        }
    }
    assert!(is_known || !is_in, "nobody knows the secret");
    // Who is not in is answered once.
    assert!(is_in || answers <= 1);
});
