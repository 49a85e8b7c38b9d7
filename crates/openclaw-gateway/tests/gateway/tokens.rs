//! `device.token.rotate` and `device.token.revoke`: who may, and who gets a token.

use serde_json::json;

use crate::support::{operator_params, start};
use crate::talk::{ADMIN, revoked};

/// May decide about pairing, and is not admin.
const KEEPER: &[&str] = &["operator.pairing", "operator.read"];

#[tokio::test]
async fn t6_revoking_over_the_wire_is_bounded_by_the_caller() {
    let gateway = start().await;
    let device = gateway.device();
    let mut owner = gateway.operator_device(&device, ADMIN).await;
    let mut keeper = gateway.asks(KEEPER).await;
    for method in ["device.token.revoke", "device.token.rotate"] {
        let params = json!({ "deviceId": device.id(), "role": "operator" });
        assert_eq!(
            keeper.refused(method, params).await,
            "INVALID_REQUEST unknown deviceId/role"
        );
    }
    assert_eq!(owner.call("health", json!({})).await.unwrap()["ok"], true);
    gateway.stop().await;
}

#[tokio::test]
async fn t5_t7_a_device_that_rotates_itself_gets_its_token_and_then_its_close() {
    let gateway = start().await;
    let device = gateway.device();
    let mut own = gateway.operator_device(&device, KEEPER).await;
    let params = json!({ "deviceId": device.id(), "role": "operator" });
    let answer = own.call("device.token.rotate", params).await.unwrap();
    let token = answer["token"].as_str().unwrap();
    assert_eq!(token.len(), 43);
    assert_eq!(own.closed().await, revoked());

    let mut old = operator_params();
    old["scopes"] = json!(KEEPER);
    let mut new = old.clone();
    new["auth"] = json!({ "token": token });
    let again = gateway.enter(&device, new).await;
    assert_eq!(again.hello["auth"]["deviceToken"], json!(null));
    gateway.stop().await;
}

#[tokio::test]
async fn t5_t7_nobody_else_gets_a_token_by_rotating() {
    let gateway = start().await;
    let device = gateway.device();
    let mut own = gateway.operator_device(&device, KEEPER).await;
    let mut admin = gateway.admin().await;
    let params = json!({ "deviceId": device.id(), "role": "operator" });
    let answer = admin
        .call("device.token.rotate", params.clone())
        .await
        .unwrap();
    assert_eq!(answer["token"], json!(null));
    assert_eq!(own.closed().await, revoked());

    // Nor does the device itself, where only the shared secret speaks for it.
    let mut by_secret = operator_params();
    by_secret["scopes"] = json!(KEEPER);
    let mut own = gateway.enter(&device, by_secret).await;
    let answer = own.call("device.token.rotate", params).await.unwrap();
    assert_eq!(answer["token"], json!(null));
    assert_eq!(own.closed().await, revoked());
    gateway.stop().await;
}
