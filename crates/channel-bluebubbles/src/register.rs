//! Registering the webhook at the server.

use channel_kit::http::Body;
use serde_json::{Value, json};

use crate::BlueBubbles;
use crate::api::CallError;

const WEBHOOK: &str = "webhook";

/// Has the server deliver new messages to this URL, which gets the password as its query. One that was registered with
/// another password is replaced.
pub(crate) async fn register(account: &BlueBubbles, url: &str) -> Result<(), CallError> {
    let (api, within) = (&account.api, account.pace.call);
    let wanted = format!("{url}?password={}", &*api.password().in_query());
    let known = api.get((WEBHOOK, WEBHOOK), within).await?;
    let known = known
        .as_array()
        .ok_or(CallError::Malformed { method: WEBHOOK })?;
    let mut is_there = false;
    for webhook in known {
        let its = webhook["url"].as_str().unwrap_or_default();
        if its == wanted && delivers_messages(webhook) && !is_there {
            is_there = true;
        } else if its.split('?').next() == Some(url)
            && let Some(id) = webhook["id"].as_u64()
        {
            let path = format!("{WEBHOOK}/{id}");
            api.delete((WEBHOOK, &path), within).await?;
        }
    }
    if !is_there {
        let body = json!({ "url": wanted, "events": ["new-message"] });
        api.post(WEBHOOK, Body::json(&body), within).await?;
    }
    Ok(())
}

/// Whether a webhook is told of new messages. Some versions of the server have the list as text.
fn delivers_messages(webhook: &Value) -> bool {
    let is_it =
        |event: &Value| event == "new-message" || event == "*" || event["value"] == "new-message";
    match &webhook["events"] {
        Value::Array(events) => events.iter().any(is_it),
        Value::String(text) => text.contains("new-message") || text.contains('*'),
        _ => false,
    }
}
