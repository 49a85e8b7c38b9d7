//! What nobody's chat program would send.

use super::fake::{Fake, direct, in_chat};
use super::{all_of, behind, heard, telegram};

#[tokio::test]
async fn names_texts_and_ids_that_make_no_sense() {
    let fake = Fake::new("telegram", "default");
    let gateway = behind(telegram("allowFrom: [1]"), &[&fake]).await;
    let mut operator = gateway.asks(&["operator.messages"]).await;
    let long = "9".repeat(100_000);
    for sender in [
        "",
        "*",
        "@ann",
        "1\n2",
        "-1",
        "tg:",
        "\u{202e}1",
        long.as_str(),
    ] {
        fake.says(in_chat("900", direct(sender, "hello"))).await;
    }
    for id in ["", "1\u{7}", "\u{85}", long.as_str()] {
        let mut message = direct("1", "hello");
        id.clone_into(&mut message.id);
        fake.says(message).await;
        fake.says(in_chat(id, direct("1", "hello"))).await;
        let mut message = direct("1", "hello");
        message.chat.thread = Some(id.to_owned());
        fake.says(message).await;
    }
    all_of("900", &fake, "1", &mut operator).await;
    all_of("1", &fake, "1", &mut operator).await;
    assert_eq!(gateway.outcome("no-sender"), 8);
    assert!(gateway.waiting("default").is_empty());
    assert_eq!(fake.sent(), 0);
    // Ids that do not fit in 53 bits stay what they are.
    let large = "18446744073709551617";
    fake.says(direct(large, "hello")).await;
    assert_eq!(fake.next().await.0.chat, large);
    assert_eq!(gateway.waiting("default")[0].sender.as_str(), large);
    gateway.stop().await;
}

#[tokio::test]
async fn a_text_of_a_hundred_kilobytes_is_cut_and_says_so() {
    let fake = Fake::new("telegram", "default");
    let gateway = behind(telegram("allowFrom: [1], handOverFirst: true"), &[&fake]).await;
    let mut operator = gateway.asks(&["operator.messages"]).await;
    let mut message = direct("1", &format!("x{}", "ä".repeat(50_000)));
    message.meta = (0..1000)
        .map(|n| (format!("k{n}\u{7}"), "v\u{1b}".repeat(10_000)))
        .collect();
    fake.says(message).await;
    let event = heard(&mut operator).await;
    let text = event["text"].as_str().unwrap();
    assert_eq!((text.len(), &event["truncated"]), (65_535, &true.into()));
    let meta = event["meta"].as_object().unwrap();
    assert_eq!(meta.len(), 16);
    assert!(
        meta.values()
            .all(|value| value.as_str().unwrap().chars().count() <= 256)
    );
    // Control characters in a text are the text's: it goes out as JSON.
    fake.says(direct("1", "\u{0}\u{1b}[2J\u{202e}")).await;
    let event = heard(&mut operator).await;
    assert_eq!(event["text"], "\u{0}\u{1b}[2J\u{202e}");
    assert!(event.get("truncated").is_none());
    gateway.stop().await;
}
