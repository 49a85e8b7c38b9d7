//! The way that is recommended for phones, from `/pair` to a node that is connected.

use pairing_core::device::SetupProfile;

use super::chat::{Phone, World};

#[tokio::test]
async fn a_phone_is_paired_without_leaving_the_chat() {
    let world = World::new().await;
    // 1, 2: an instruction, and apart from it nothing but the code.
    let answers = world.says("/pair").await;
    let [instruction, code] = answers.as_slice() else {
        panic!("{answers:?}")
    };
    assert!(instruction.text.contains("/pair approve") && !instruction.what.is_secret);
    assert!(code.what.is_secret && !instruction.text.contains(&code.text));
    let code = gateway_protocol::SetupCode::decode(&code.text).unwrap();
    // 3, 4: the phone connects with what was pasted, and waits.
    let phone = Phone::new(1);
    let request = phone.asks(&code).await;
    assert_eq!(phone.asks(&code).await, request);
    // 5.
    let said = world.answer("/pair approve").await;
    assert!(
        said.starts_with("Approved by telegram:1: device "),
        "{said}"
    );
    assert!(
        said.contains(
            "as operator: look at everything but the texts of direct messages (operator.read)"
        ),
        "{said}"
    );
    let (node, _events) = phone.comes(&code).await;
    assert_eq!(world.parts.clients.sessions.count(), 1);
    drop(node);
    world.stop().await;
}

#[tokio::test]
async fn t40_t45_a_code_asks_for_little_unless_the_owner_says_so() {
    let world = World::new().await;
    for (text, profile) in [
        ("/pair", SetupProfile::Limited),
        ("/pair node", SetupProfile::Node),
        ("/pair full", SetupProfile::Full),
        ("/pair qr", SetupProfile::Limited),
        ("/pair qr full", SetupProfile::Full),
    ] {
        let instruction = world.says(text).await.swap_remove(0).text;
        assert_eq!(
            instruction.contains("operator.admin"),
            profile == SetupProfile::Full
        );
        let mut tokens = world.pairing.devices().pairing_tokens().unwrap();
        tokens.sort_by_key(|token| token.issued_at);
        assert_eq!(tokens.last().unwrap().profile, profile, "{text}");
        assert_eq!(
            tokens.last().unwrap().chat.as_deref(),
            Some("telegram/default/1")
        );
        world.clock.advance(std::time::Duration::from_secs(1));
    }
    world.stop().await;
}

#[tokio::test]
async fn t21_whoever_is_no_owner_has_written_ordinary_text() {
    let world = World::new().await;
    let code = world.code().await;
    let phone = Phone::new(1);
    let request = phone.asks(&code).await;
    let before = world.chats.all().len();
    // Approved by pairing is no owner.
    let dm = world.stranger("2");
    let owner = pairing_core::Approver::terminal("ann");
    world
        .pairing
        .channel("telegram")
        .unwrap()
        .approve(&dm, &owner)
        .unwrap();
    for sender in ["2", "3"] {
        let stranger = world.spoke(sender, "1");
        for text in [
            "/pair",
            "/pair qr",
            "/pair approve",
            &format!("/pair approve {request}"),
            &format!("/pair reject {request}"),
            "/pair pending",
            "/pair status",
            "/pair cleanup",
            "/pair notify on",
            "/pair help",
        ] {
            assert!(!world.commands.message(&stranger, text).await, "{text}");
        }
        let pressed = channel_kit::Pressed::new(
            sender,
            channel_kit::MessageId("0".to_owned()),
            stranger.chat.clone(),
            format!("pair:a:device:{request}"),
        );
        world.commands.pressed(&stranger, &pressed).await;
    }
    assert_eq!(world.chats.all().len(), before);
    assert_eq!(world.waiting(), [request]);
    assert_eq!(world.pairing.devices().pairing_tokens().unwrap().len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn t12_t21_without_owners_nobody_is_one() {
    let world = World::with(("", ""), super::chat::EVERYTHING, None).await;
    assert!(
        !world
            .commands
            .message(&world.spoke("1", "1"), "/pair")
            .await
    );
    assert!(world.chats.all().is_empty());
    world.stop().await;
}

#[tokio::test]
async fn ordinary_text_of_an_owner_goes_on() {
    let world = World::new().await;
    for text in ["hello", "/pairs", "pair", ""] {
        assert!(!world.commands.message(&world.spoke("1", "1"), text).await);
    }
    let help = world.answer("/pair what").await;
    assert!(help.contains("/pair notify on|once|off|status"), "{help}");
    world.stop().await;
}

#[tokio::test]
async fn t67_the_sender_is_told_through_the_account_they_wrote_to_or_it_is_said_why_not() {
    let world = World::new().await;
    let url = format!("ws://127.0.0.1:{}", world.port);
    let url = gateway_protocol::GatewayUrl::parse(&url).unwrap();
    let connect = gateway_client::Connect::to(url).token("secret".to_owned().into());
    let (client, _events) = connect
        .scopes(pairing_core::ScopeSet::admin())
        .open()
        .await
        .unwrap();
    let approve = |code: String, account: &'static str, notify: bool| {
        let params = serde_json::json!({
            "channel": "telegram", "code": code, "accountId": account, "notify": notify,
        });
        let client = &client;
        async move {
            let answer: serde_json::Value = client.call("pairing.approve", &params).await.unwrap();
            answer
        }
    };
    let told = approve(world.stranger("2"), "default", true).await;
    assert_eq!(
        (&told["notified"], &told["notNotified"]),
        (&true.into(), &().into())
    );
    let [shown] = world.chats.all().try_into().unwrap();
    assert!(
        shown.chat == "2" && shown.text.contains("access approved"),
        "{shown:?}"
    );
    let untold = approve(world.stranger("3"), "default", false).await;
    assert_eq!(untold["notified"], serde_json::Value::Null);
    // What fails is said, and undoes nothing.
    *world.chats.fails_from.lock().unwrap() = Some(0);
    let failed = approve(world.stranger("4"), "default", true).await;
    assert_eq!(failed["notified"], false);
    assert!(
        failed["notNotified"].as_str().unwrap().contains("rain"),
        "{failed}"
    );
    assert!(world.is_allowed("4"));
    let work = world
        .pairing
        .channel("telegram")
        .unwrap()
        .account("work")
        .unwrap();
    let pairing_core::Requested::Created(asked) = work.request_or_reuse("5").unwrap() else {
        panic!("it has to ask")
    };
    let failed = approve(asked.request.code.as_str().to_owned(), "work", true).await;
    assert_eq!(failed["notified"], false);
    assert_eq!(world.chats.all().len(), 1);
    world.stop().await;
}
