//! The webhook at the server.

use channel_bluebubbles::WebhookUrl;
use test_support::Logs;

use crate::rig::{Rig, Running};

const URL: &str = "http://192.168.1.5:18789/bluebubbles-webhook";
const WHOLE: &str = "http://192.168.1.5:18789/bluebubbles-webhook?password=hunter2%20%26%20co";

fn registering(rig: &Rig) -> Running {
    Running::run(rig.account().register(WebhookUrl::parse(URL).unwrap()), 16)
}

#[tokio::test]
async fn it_is_registered_once_and_with_the_password_that_counts() {
    let rig = Rig::new().await;
    let others = "http://192.168.1.9/other";
    rig.server.add_webhook(others);
    rig.server.add_webhook(&format!("{URL}?password=old"));
    let running = registering(&rig);
    rig.server.requested("POST webhook").await;
    assert_eq!(rig.server.webhooks(), [others, WHOLE]);
    running.stop().await;
    let running = registering(&rig);
    rig.server.requested("GET webhook").await;
    rig.server.requested("GET webhook").await;
    running.stop().await;
    assert_eq!(rig.server.webhooks(), [others, WHOLE]);
    assert_eq!(rig.server.requests("POST webhook"), 0);
}

#[tokio::test]
async fn a_server_that_refuses_is_named_once_and_messages_come() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    rig.server.refuse(500, "Server Error", "no webhooks");
    let running = registering(&rig);
    logs.until("bluebubbles: the webhook cannot be registered", 1)
        .await;
    assert!(logs.text().contains("no webhooks") && !logs.text().contains("hunter2"));
    running.stop().await;
}

#[tokio::test]
async fn without_a_url_nothing_is_registered() {
    let rig = Rig::new().await;
    let running = rig.listening().await;
    running.stop().await;
    assert_eq!(rig.server.requests("GET webhook"), 0);
}
