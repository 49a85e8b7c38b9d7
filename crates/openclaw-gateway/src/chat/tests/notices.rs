//! Owners are told of requests, and decide by a button.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pairing_core::Approver;
use pairing_core::device::RequestId;

use super::chat::{EVERYTHING, LOCAL, Phone, Shown, World};
use channel_kit::Abilities;
use test_support::Logs;

async fn with_notices() -> World {
    World::with(
        ("", &format!("{LOCAL} pairing: {{ notify: true }}")),
        EVERYTHING,
        None,
    )
    .await
}

/// The message with buttons, by its number.
fn notice(shown: &[Shown]) -> Option<(usize, Shown)> {
    let mut all = shown.iter().enumerate();
    let found = all.find(|(_, shown)| !shown.what.buttons.is_empty() && !shown.replaced);
    found.map(|(number, shown)| (number, shown.clone()))
}

fn settled(number: usize) -> impl FnMut(&[Shown]) -> Option<String> {
    move |shown| shown[number].replaced.then(|| shown[number].text.clone())
}

#[tokio::test]
async fn a_button_decides_exactly_that_request_once() {
    let world = with_notices().await;
    let one = world.stranger("2");
    world.clock.advance(Duration::from_secs(1));
    let two = world.stranger("3");
    let (first, shown) = world.chats.until(notice).await;
    assert!(
        shown.text.contains("telegram sender 2") && shown.chat == "1",
        "{}",
        shown.text
    );
    let [approve, reject] = shown.buttons().try_into().unwrap();
    assert!(approve.len() <= 64 && !approve.contains(&one) && !approve.contains(&two));
    world
        .chats
        .until(|shown| (shown.len() == 2).then_some(()))
        .await;
    world.presses(first, &approve).await;
    assert!(world.is_allowed("2") && !world.is_allowed("3"));
    let text = world.chats.until(settled(first)).await;
    assert!(
        text.starts_with("Approved by telegram:1: telegram sender 2"),
        "{text}"
    );
    // Too late, and the other way round.
    world.presses(first, &reject).await;
    world.presses(first, &approve).await;
    assert!(world.is_allowed("2"));
    assert_eq!(world.chats.all()[first].text, text);
    assert_eq!(world.chats.all().len(), 2);
    world.stop().await;
}

#[tokio::test]
async fn a_device_is_let_in_by_a_button() {
    let world = with_notices().await;
    let code = world.code().await;
    let phone = Phone::new(1);
    phone.asks(&code).await;
    let (number, shown) = world.chats.until(notice).await;
    for part in [
        "New request: device ",
        "operator.write",
        "It came with a setup code.",
    ] {
        assert!(shown.text.contains(part), "{}", shown.text);
    }
    world.presses(number, &shown.buttons()[0]).await;
    phone.comes(&code).await;
    world.stop().await;
}

#[tokio::test]
async fn what_was_decided_elsewhere_is_shown() {
    let world = with_notices().await;
    let owner = Approver::terminal("ann");
    let code = world.stranger("2");
    let (number, shown) = world.chats.until(notice).await;
    world
        .pairing
        .channel("telegram")
        .unwrap()
        .approve(&code, &owner)
        .unwrap();
    let text = world.chats.until(settled(number)).await;
    assert!(
        text.starts_with("Approved by terminal:ann: telegram sender 2"),
        "{text}"
    );
    // A button that was pressed late changes nothing.
    world.presses(number, &shown.buttons()[1]).await;
    assert!(world.is_allowed("2"));
    assert_eq!(world.chats.all()[number].text, text);

    let request = Phone::new(1).asks(&world.code().await).await;
    let (number, _) = world.chats.until(notice).await;
    let request = RequestId::parse(&request).unwrap();
    world.pairing.devices().reject(&request, &owner).unwrap();
    let text = world.chats.until(settled(number)).await;
    assert!(text.starts_with("Rejected: device "), "{text}");
    world.stop().await;
}

/// Row 122: the feed cannot tell of a request that was made and decided between two of its readings.
#[tokio::test]
async fn t122_a_request_that_the_feed_never_saw_is_shown_as_decided() {
    let mut world = with_notices().await;
    let owner = Approver::terminal("ann");
    world.pause().await;
    for (sender, decision) in [("2", "Approved by terminal:ann"), ("3", "Rejected")] {
        let code = world.stranger(sender);
        world.commands.look(false).await;
        let number = world.chats.all().len() - 1;
        let channel = world.pairing.channel("telegram").unwrap();
        if sender == "2" {
            channel.approve(&code, &owner).unwrap();
        } else {
            channel.reject(&code, &owner).unwrap();
        }
        // Nothing listens to the feed, so this look is all that there is.
        world.commands.look(false).await;
        let shown = &world.chats.all()[number];
        let expected = format!("{decision}: telegram sender {sender}");
        assert!(
            shown.replaced && shown.text.starts_with(&expected),
            "{shown:?}"
        );
    }
    world.stop().await;
}

/// Row 122: a notice whose sending takes long, about a request that an owner decides meanwhile in another chat.
#[tokio::test]
async fn t122_a_notice_that_is_being_sent_while_its_request_is_decided_shows_the_decision() {
    let mut world = with_notices().await;
    world.says_in("7", "/pair notify on").await;
    world.pause().await;
    world.stranger("2");
    let before = world.chats.all().len();
    world.chats.held.send_replace(true);
    let commands = world.commands.clone();
    let look = tokio::spawn(async move { commands.look(false).await });
    let sent = |shown: &[Shown]| shown.get(before).map(Shown::buttons);
    let buttons = world.chats.until(sent).await;
    // The same request's button, in a message of before.
    world.presses(0, &buttons[0]).await;
    assert!(world.is_allowed("2"));
    world.chats.held.send_replace(false);
    look.await.unwrap();
    for number in before..world.chats.all().len() {
        let shown = &world.chats.all()[number];
        assert!(
            shown
                .text
                .starts_with("Approved by telegram:1: telegram sender 2"),
            "{shown:?}"
        );
    }
    world.stop().await;
}

/// Nothing is lost between a decision and the message that shows it.
#[tokio::test]
async fn t122_a_notice_that_could_not_be_replaced_is_replaced_later() {
    let mut world = with_notices().await;
    let code = world.stranger("2");
    let (first, _) = world.chats.until(notice).await;
    world.pause().await;
    world.chats.keeps_all.store(true, Ordering::SeqCst);
    let owner = Approver::terminal("ann");
    let channel = world.pairing.channel("telegram").unwrap();
    channel.approve(&code, &owner).unwrap();
    world.commands.look(true).await;
    world.commands.show_again().await;
    assert_eq!(world.chats.kept.load(Ordering::SeqCst), 2);
    assert!(!world.chats.all()[first].replaced);
    world.chats.keeps_all.store(false, Ordering::SeqCst);
    world.commands.show_again().await;
    let shown = &world.chats.all()[first];
    assert!(
        shown.replaced && !shown.text.starts_with("New request"),
        "{shown:?}"
    );
    // Once is enough.
    world.chats.keeps_all.store(true, Ordering::SeqCst);
    world.commands.show_again().await;
    assert_eq!(world.chats.kept.load(Ordering::SeqCst), 2);
    world.stop().await;
}

#[tokio::test]
async fn buttons_of_before_a_restart_work_and_gone_ones_are_shown_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let files = Some(dir.path().to_owned());
    let more = format!("{LOCAL} pairing: {{ notify: true }}");
    let mut world = World::with(("", &more), EVERYTHING, files).await;
    world.stranger("2");
    let (first, shown) = world.chats.until(notice).await;
    world.pause().await;
    let bob = world.stranger("3");
    world.resume();
    // Not told twice, and what came meanwhile is told.
    let second = world.chats.until(|shown| shown.get(1).cloned()).await;
    assert!(second.text.contains("telegram sender 3"), "{}", second.text);
    world.presses(first, &shown.buttons()[0]).await;
    assert!(world.is_allowed("2"));
    world.pause().await;
    let owner = Approver::terminal("ann");
    world
        .pairing
        .channel("telegram")
        .unwrap()
        .reject(&bob, &owner)
        .unwrap();
    world.resume();
    let text = world.chats.until(settled(1)).await;
    assert!(
        text.contains("telegram sender 3") && text.contains("waits no more"),
        "{text}"
    );
    assert_eq!(world.chats.all().len(), 2);
    world.stop().await;
}

#[tokio::test]
async fn nobody_is_told_unless_asked_for() {
    let world = World::new().await;
    world.stranger("2");
    let on = world.answer("/pair notify on").await;
    assert!(
        on.starts_with("This chat is told of every request."),
        "{on}"
    );
    world.stranger("3");
    world
        .chats
        .until(|shown| {
            shown
                .iter()
                .any(|s| s.text.contains("sender 3"))
                .then_some(())
        })
        .await;
    let off = world.answer("/pair notify off").await;
    assert!(off.contains("not told"), "{off}");
    world.stranger("4");
    let status = world.answer("/pair notify status").await;
    assert!(status.contains("not told"), "{status}");
    world.commands.look(false).await;
    let told = world.chats.all();
    assert!(!told.iter().any(|shown| shown.text.contains("sender 4")));
    world.stop().await;
}

#[tokio::test]
async fn an_owner_who_cannot_be_told_is_tried_again_and_that_is_said_once() {
    let mut world = with_notices().await;
    world.pause().await;
    world.stranger("2");
    let logs = Logs::default();
    let _guard = logs.listen();
    for _ in 0..3 {
        *world.chats.fails_from.lock().unwrap() = Some(0);
        world.commands.look(false).await;
    }
    assert_eq!(logs.count("an owner cannot be told"), 1, "{}", logs.text());
    assert!(world.chats.all().is_empty());
    world.commands.look(false).await;
    assert!(notice(&world.chats.all()).is_some());
    world.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_for_a_while_is_not_told_again() {
    let mut world = with_notices().await;
    world.pause().await;
    world.stranger("2");
    world.commands.look(false).await;
    world.commands.alert(&[], false).await;
    world.commands.look(false).await;
    assert_eq!(world.chats.all().len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn once_is_for_the_next_request() {
    let mut world = World::new().await;
    world.stranger("2");
    world.clock.advance(Duration::from_secs(1));
    world.says("/pair notify once").await;
    world.stranger("3");
    let (_, told) = world.chats.until(notice).await;
    assert!(told.text.contains("sender 3"), "{}", told.text);
    world.pause().await;
    let here = world.commands.notices_here(&world.spoke("1", "1")).await;
    assert!(here.contains("not told"), "{here}");
    world.stranger("4");
    world.commands.look(false).await;
    assert!(
        !world
            .chats
            .all()
            .iter()
            .any(|shown| shown.text.contains("sender 4"))
    );
    world.stop().await;
}

#[tokio::test]
async fn the_file_of_real_installs_is_read_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device-pair-notify.json");
    let text = r#"{
  "subscribers": [
    { "to": "1", "mode": "persistent", "addedAtMs": 1771000000000, "messageThreadId": 7, "x": 1 },
    { "to": "66", "accountId": "default", "mode": "once", "addedAtMs": 1771000000000 }
  ],
  "notifiedRequestIds": { "0f0e": 1771000000001 },
  "y": [2]
}"#;
    std::fs::write(&path, text).unwrap();
    let world = World::with(("", LOCAL), EVERYTHING, Some(dir.path().to_owned())).await;
    world.stranger("2");
    let (_, told) = world.chats.until(notice).await;
    // Whoever is no owner any more is told nothing.
    assert_eq!((told.chat.as_str(), world.chats.all().len()), ("1", 1));
    world.says("/pair notify on").await;
    let kept: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(kept["y"][0], 2);
    assert_eq!(kept["subscribers"][0]["x"], 1);
    assert_eq!(kept["subscribers"][0]["messageThreadId"], 7);
    assert_eq!(kept["subscribers"][2]["mode"], "persistent");
    world.stop().await;
}

#[tokio::test]
async fn t71_a_file_that_cannot_be_read_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device-pair-notify.json");
    std::fs::write(&path, "[1").unwrap();
    let world = World::with(("", LOCAL), EVERYTHING, Some(dir.path().to_owned())).await;
    let said = world.answer("/pair notify on").await;
    assert!(
        said.contains("told of every request") && said.contains("forgotten"),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "[1");
    world.stop().await;
}

#[tokio::test]
async fn without_buttons_it_is_said_how_to_decide() {
    let more = format!("{LOCAL} pairing: {{ notify: true }}");
    let world = World::with(("", &more), Abilities::default(), None).await;
    let code = world.stranger("2");
    let told = world.chats.until(|shown| shown.first().cloned()).await;
    assert!(
        told.text.contains(&format!("/pair approve {code}")),
        "{}",
        told.text
    );
    world.stop().await;
}

#[tokio::test]
async fn buttons_of_nothing_do_nothing() {
    let world = World::new().await;
    for data in [
        "",
        "pair:a:",
        "pair:x:device:1",
        "pair:a:code:1",
        "pair:a:sender:zz",
        "päir:a:",
    ] {
        world.presses(0, data).await;
    }
    assert!(world.chats.all().is_empty());
    world.stop().await;
}

/// However many ask, owners get a few messages about single requests, and one that says how many more there are.
#[tokio::test]
async fn t110_notices_of_many_requests_are_gathered() {
    let world = with_notices().await;
    let ask = |number: usize| {
        let channel = world.pairing.channel("telegram").unwrap();
        let account = channel.account(&format!("account{}", number / 3)).unwrap();
        account
            .request_or_reuse(format!("{}", 1000 + number).as_str())
            .unwrap();
    };
    let told = |shown: &[Shown]| {
        let about = shown.iter().map(|shown| {
            let (first, rest) = shown.text.split_once(' ').unwrap();
            if rest.starts_with("more request") {
                first.parse::<usize>().unwrap()
            } else {
                usize::from(first == "New")
            }
        });
        about.sum::<usize>()
    };
    (0..15).for_each(ask);
    world
        .chats
        .until(|shown| (told(shown) > 5).then_some(()))
        .await;
    world.clock.advance(Duration::from_secs(60));
    ask(15);
    world
        .chats
        .until(|shown| (told(shown) == 16).then_some(()))
        .await;
    let shown = world.chats.all();
    assert!(shown.len() <= 5 + 1 + 2 + 1, "{} messages", shown.len());
    world.stop().await;
}
