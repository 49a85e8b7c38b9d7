//! A gateway with iMessage, as its configuration makes it, against a stand-in for `imsg`.

mod accounts;
mod whole;

use serde_json::Value;
use test_support::imsg::Imsg;

pub(super) const OWNER: &str = "owner@example.org";

/// What is sent to somebody next, and to whom.
pub(super) async fn sent(imsg: &Imsg) -> (String, String) {
    let call = imsg.called("send").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&call["to"]), text(&call["text"]))
}
