//! Setup codes, from issue to the tokens that they lead to.

use pairing_core::Approver;
use pairing_core::device::SetupProfile;
use serde_json::{Value, json};

use crate::support::{
    Device, Running, node_params, operator_params, settings_of, start, start_with,
};

/// The token of a new setup code.
fn issue(gateway: &Running, profile: SetupProfile) -> String {
    let owner = Approver::terminal("ann");
    let devices = gateway.pairing.devices();
    let (token, _) = devices.issue_pairing_token(profile, None, &owner).unwrap();
    token.expose().to_owned()
}

fn as_node(auth: Value) -> Value {
    let mut params = node_params();
    params["maxProtocol"] = json!(4);
    params["commands"] = json!([]);
    params["auth"] = auth;
    params
}

fn as_operator(auth: Value) -> Value {
    let mut params = operator_params();
    params["maxProtocol"] = json!(4);
    params["scopes"] = json!([
        "operator.approvals",
        "operator.read",
        "operator.talk.secrets",
        "operator.write"
    ]);
    params["auth"] = auth;
    params
}

async fn connect(gateway: &Running, device: &Device, params: Value) -> Value {
    gateway
        .raw()
        .await
        .connect_as(device, gateway, params)
        .await
}

fn request_of(asked: &Value) -> String {
    let details = &asked["error"]["details"];
    assert_eq!(details["code"], "PAIRING_REQUIRED", "{asked}");
    details["requestId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn t40_t43_a_code_leads_one_device_to_the_tokens_of_its_profile() {
    let gateway = start().await;
    for field in ["bootstrapToken", "token"] {
        let code = issue(&gateway, SetupProfile::Limited);
        let auth = json!({ field: code });
        let (device, thief) = (gateway.device(), gateway.device());

        // Both connections of a phone ask together, for all of the profile.
        let asked = request_of(&connect(&gateway, &device, as_node(auth.clone())).await);
        let again = request_of(&connect(&gateway, &device, as_operator(auth.clone())).await);
        assert_eq!(asked, again);

        // The code is now this device's: another key is told that it is used.
        let refused = connect(&gateway, &thief, as_node(auth.clone())).await;
        let expected = match field {
            "token" => "AUTH_TOKEN_MISMATCH",
            _ => "AUTH_BOOTSTRAP_TOKEN_INVALID",
        };
        assert_eq!(refused["error"]["details"]["code"], expected, "{refused}");

        gateway.approve(&asked);
        let node = connect(&gateway, &device, as_node(auth.clone())).await;
        assert_eq!(
            node["payload"]["auth"]["method"], "bootstrap-token",
            "{node}"
        );
        let operator = connect(&gateway, &device, as_operator(auth.clone())).await;
        assert_eq!(
            operator["payload"]["auth"]["scopes"],
            as_operator(json!({}))["scopes"]
        );
        let token = |hello: &Value| {
            hello["payload"]["auth"]["deviceToken"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let (node, operator) = (token(&node), token(&operator));
        assert_ne!(node, operator);

        // Each is good for its role, and its first use ends the code.
        let hello = connect(&gateway, &device, as_node(json!({ "deviceToken": node }))).await;
        assert_eq!(
            hello["payload"]["auth"]["method"], "device-token",
            "{hello}"
        );
        let hello = connect(&gateway, &device, as_operator(json!({ "token": operator }))).await;
        assert_eq!(
            hello["payload"]["auth"]["method"], "device-token",
            "{hello}"
        );
        let used = connect(&gateway, &device, as_node(auth.clone())).await;
        assert_eq!(used["error"]["details"]["code"], expected, "{used}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn t41_a_code_asks_for_no_more_than_its_profile() {
    let gateway = start().await;
    let code = issue(&gateway, SetupProfile::Node);
    let auth = json!({ "bootstrapToken": code });
    let device = gateway.device();
    // Not in a role that is not in it.
    let refused = connect(&gateway, &device, as_operator(auth.clone())).await;
    assert_eq!(
        refused["error"]["details"]["code"],
        "AUTH_BOOTSTRAP_TOKEN_INVALID"
    );
    let asked = request_of(&connect(&gateway, &device, as_node(auth)).await);
    let owner = Approver::terminal("ann");
    let pending = gateway.pairing.devices().list(&owner).unwrap().pending;
    assert_eq!(pending[0].id.to_string(), asked);
    assert!(pending[0].ask.scopes.is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn t43_a_code_without_a_proof_is_not_used_up() {
    let gateway = start().await;
    let code = issue(&gateway, SetupProfile::Node);
    let params = as_node(json!({ "bootstrapToken": code }));
    // Without a device, and with a broken signature.
    let refused = gateway.raw().await.connect(params.clone()).await;
    assert_eq!(refused["error"]["message"], "device identity required");
    let thief = gateway.device();
    let mut raw = gateway.raw().await;
    raw.challenge().await;
    let mut forged = params.clone();
    forged["device"] = thief.claim("another nonce", gateway.pairing.now(), &params);
    raw.request("connect", forged).await;
    assert_eq!(
        raw.answer().await["error"]["message"],
        "device nonce mismatch"
    );
    request_of(&connect(&gateway, &gateway.device(), params).await);
    gateway.stop().await;
}

#[tokio::test]
async fn a_code_that_has_expired_is_told_apart_from_nothing() {
    let gateway = start().await;
    let code = issue(&gateway, SetupProfile::Node);
    gateway.clock.0.advance(std::time::Duration::from_secs(601));
    let params = as_node(json!({ "bootstrapToken": code }));
    let refused = connect(&gateway, &gateway.device(), params).await;
    assert_eq!(
        refused["error"]["message"],
        "unauthorized: setup code used or expired (ask for a new one)"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn t39_a_code_is_known_by_an_id_that_is_no_secret_until_it_is_ended() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let asked = json!({ "url": "wss://a.example", "profile": "node" });
    let issued = admin.call("device.pair.setupCode", asked).await.unwrap();
    let id = &issued["setupCodeId"];
    assert_eq!(id.as_str().unwrap().len(), 16);
    let code = issued["setupCode"].as_str().unwrap();
    assert!(!code.contains(id.as_str().unwrap()));
    let code = gateway_protocol::SetupCode::decode(code).unwrap();
    let auth = json!({ "bootstrapToken": code.token.expose() });

    // A request says by which code it came, in the list and in the event.
    let (phone, other) = (gateway.device(), gateway.device());
    request_of(&connect(&gateway, &phone, as_node(auth.clone())).await);
    let asks = admin.event("device.pair.requested").await;
    assert_eq!(&asks["setupCodeId"], id);
    gateway.node_asks(&other, &[]).await;
    assert_eq!(
        admin.event("device.pair.requested").await["setupCodeId"],
        json!(null)
    );
    let list = admin.call("device.pair.list", json!({})).await.unwrap();
    let pending = list["pending"].as_array().unwrap();
    for request in pending {
        let is_phone = request["deviceId"] == phone.id();
        assert_eq!(request.get("setupCodeId"), is_phone.then_some(id));
    }

    let end = json!({ "setupCodeId": id });
    // Who may not issue any ends none.
    let keeper = &["operator.pairing"];
    let mut keeper = gateway.operator_device(&gateway.device(), keeper).await;
    let ended = |ended: bool| json!({ "setupCodeId": id, "ended": ended });
    let method = "device.pair.setupCode.end";
    assert_eq!(keeper.call(method, end.clone()).await, Ok(ended(false)));
    assert_eq!(admin.call(method, end.clone()).await, Ok(ended(true)));
    assert_eq!(admin.call(method, end).await, Ok(ended(false)));
    let nonsense = json!({ "setupCodeId": "no\nid" });
    let answer = admin.call(method, nonsense).await.unwrap();
    assert_eq!(answer["ended"], false);
    let refused = connect(&gateway, &phone, as_node(auth)).await;
    assert_eq!(
        refused["error"]["details"]["code"],
        "AUTH_BOOTSTRAP_TOKEN_INVALID"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn t49_without_an_address_a_code_carries_the_one_that_is_configured() {
    let public = "plugins: { entries: { 'device-pair': { config: { publicUrl: \
                  'wss://gateway.example.com' } } } }";
    let gateway = start_with(settings_of("", public), |builder| builder).await;
    let mut admin = gateway.admin().await;
    let issued = admin.call("device.pair.setupCode", json!({})).await;
    let issued = issued.unwrap();
    assert_eq!(issued["gatewayUrl"], "wss://gateway.example.com");
    assert_eq!(issued.get("qr"), None);
    gateway.stop().await;

    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let refused = admin.refused("device.pair.setupCode", json!({})).await;
    assert!(
        refused.starts_with("INVALID_REQUEST no setup code: no address is known")
            && refused.contains("device-pair.config.publicUrl"),
        "{refused}"
    );
    // Nor is there one that nobody knows of.
    let issued = gateway.pairing.devices().pairing_tokens().unwrap();
    assert!(issued.is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn a_code_is_drawn_where_that_is_asked_for() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let asked = json!({ "url": "wss://a.example", "qr": true });
    let issued = admin.call("device.pair.setupCode", asked).await.unwrap();
    let rows = issued["qr"].as_array().unwrap();
    let row = |y: usize| rows[y].as_str().unwrap();
    let dark = |x: usize, y: usize| row(y).as_bytes()[x] == b'1';
    assert!((0..rows.len()).all(|y| row(y).len() == rows.len()));
    // Without a border: the first corner begins at once.
    assert!(row(0).starts_with("11111110") && row(1).starts_with("10000010"));
    let border = 4;
    let side = rows.len() + 2 * border;
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side * 4, side * 4, |x, y| {
        let at = |at: usize| (at / 4).checked_sub(border).filter(|at| *at < rows.len());
        match at(x).zip(at(y)) {
            Some((x, y)) if dark(x, y) => 0,
            _ => 255,
        }
    });
    let (_, read) = image.detect_grids()[0].decode().unwrap();
    assert_eq!(read, issued["setupCode"].as_str().unwrap());
    gateway.stop().await;
}
