//! Setup codes in chats: where they lead, and that they do not stay.

use gateway_protocol::SetupCode;
use std::time::Duration;

use rqrr::PreparedImage;

use super::chat::{EVERYTHING, LOCAL, Phone, World};
use channel_kit::Abilities;

fn issued(world: &World) -> usize {
    world.pairing.devices().pairing_tokens().unwrap().len()
}

/// Whether the message with this code was deleted. A notice may have come between it and others.
fn is_deleted(world: &World, code: &SetupCode) -> bool {
    let text = code.encode();
    let shown = world.chats.all();
    let mut of_code = shown.iter().filter(|shown| shown.text == *text);
    of_code.next().expect("it was sent").deleted
}

fn scanned(png: &[u8]) -> String {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let size = usize::try_from(reader.next_frame(&mut pixels).unwrap().width).unwrap();
    let mut image = PreparedImage::prepare_from_greyscale(size, size, |x, y| pixels[y * size + x]);
    image.detect_grids()[0].decode().unwrap().1
}

#[tokio::test]
async fn t39_t47_a_picture_holds_the_code_and_is_secret() {
    let world = World::new().await;
    let shown = world.says("/pair qr").await;
    let picture = shown[1].what.picture.clone().unwrap();
    assert!(shown[1].what.is_secret && shown[1].text.is_empty());
    let code = SetupCode::decode(&scanned(&picture)).unwrap();
    assert_eq!(code.url.as_str(), format!("ws://127.0.0.1:{}", world.port));
    let token = world.pairing.devices().pairing_tokens().unwrap().remove(0);
    assert!(token.hash.matches(&code.token));
    world.stop().await;
}

#[tokio::test]
async fn t51_without_pictures_it_is_drawn() {
    let world = World::with(("", LOCAL), Abilities::default(), None).await;
    let shown = world.says("/pair qr").await;
    assert!(shown[1].text.contains('▀') && !shown[1].text.contains('\u{1b}'));
    assert!(shown[1].text.lines().all(|line| line.chars().count() <= 80));
    assert!(
        shown[0].text.contains("Delete it here"),
        "{}",
        shown[0].text
    );
    world.stop().await;
}

#[tokio::test]
async fn t48_t49_t50_nothing_is_issued_without_an_address() {
    let owner = "commands: { ownerAllowFrom: ['telegram:1'] },";
    let url = |url: &str| {
        format!(
            "{owner} plugins: {{ entries: {{ 'device-pair': {{ config: {{ publicUrl: '{url}' }} }} }} }}"
        )
    };
    let off = format!("{owner} plugins: {{ entries: {{ 'device-pair': {{ enabled: false }} }} }}");
    for (gateway, more, said) in [
        ("", owner, "publicUrl"),
        ("bind: 'lan'", owner, "gateway.bind"),
        ("", off.as_str(), "device-pair.enabled is false"),
        ("", &url("ws://gateway.example.org"), "no phone could use"),
        (
            "",
            &url("wss://gateway.example.org:70000"),
            "no phone could use",
        ),
        ("", &url("ws://0.0.0.0:1"), "no phone could use"),
    ] {
        let world = World::with((gateway, more), EVERYTHING, None).await;
        for text in ["/pair", "/pair qr"] {
            let answer = world.answer(text).await;
            assert!(
                answer.starts_with("No setup code") && answer.contains(said),
                "{answer}"
            );
        }
        assert_eq!(issued(&world), 0);
        let status = world.answer("/pair status").await;
        assert!(status.contains(said), "{status}");
        world.stop().await;
    }
}

#[tokio::test]
async fn t49_a_code_that_was_not_delivered_does_not_count() {
    let world = World::new().await;
    for fails_from in [0, 2] {
        *world.chats.fails_from.lock().unwrap() = Some(fails_from);
        let answers = world.says("/pair").await;
        assert!(
            answers
                .last()
                .unwrap()
                .text
                .contains("could not be delivered")
        );
        assert_eq!(issued(&world), 0);
    }
    world.stop().await;
}

#[tokio::test]
async fn t47_a_used_code_is_deleted_from_the_chat() {
    let world = World::new().await;
    let code = world.code().await;
    assert!(!world.chats.all()[1].deleted);
    Phone::new(1).asks(&code).await;
    world
        .chats
        .until(|shown| shown[1].deleted.then_some(()))
        .await;
    assert!(!world.chats.all()[0].deleted);
    world.stop().await;
}

#[tokio::test]
async fn t47_a_code_that_is_over_is_deleted_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let files = Some(dir.path().to_owned());
    let mut world = World::with(("", LOCAL), EVERYTHING, files).await;
    let code = world.code().await;
    let kept = std::fs::read_to_string(dir.path().join("chat-messages.json")).unwrap();
    assert!(
        !kept.contains(code.token.expose()) && kept.contains("sha256:"),
        "{kept}"
    );
    world.pause().await;
    world.clock.advance(Duration::from_secs(601));
    world.resume();
    world
        .chats
        .until(|shown| shown[1].deleted.then_some(()))
        .await;
    world.stop().await;
}

#[tokio::test]
async fn cleanup_ends_what_this_chat_has_not_used() {
    let world = World::new().await;
    let used = world.code().await;
    Phone::new(1).asks(&used).await;
    let unused = world.code().await;
    let elsewhere = world.code_in("5").await;
    let said = world.answer("/pair cleanup").await;
    assert!(said.contains("1 unused setup code of this chat"), "{said}");
    let tokens = world.pairing.devices().pairing_tokens().unwrap();
    let left: Vec<_> = tokens
        .iter()
        .filter_map(|token| token.chat.as_deref())
        .collect();
    assert_eq!(
        (left.len(), left.contains(&"telegram/default/5")),
        (2, true)
    );
    assert!(is_deleted(&world, &unused) && !is_deleted(&world, &elsewhere));
    let status = world.answer("/pair status").await;
    assert!(
        status.contains("Unused setup codes of this chat: 0."),
        "{status}"
    );
    assert!(
        status.contains("Waiting: 1 device and 0 senders."),
        "{status}"
    );
    world.stop().await;
}
