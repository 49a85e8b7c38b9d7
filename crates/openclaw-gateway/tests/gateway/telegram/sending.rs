//! What goes out: text, pictures, buttons, and taking them back.

use std::time::Duration;

use channel_kit::{Adapter, Button, MessageId, Outgoing, SendError, Target};
use serde_json::json;

use super::server::Answer;
use super::{Rig, chat};

fn button(label: &str, data: &str) -> Button {
    Button::new(label, data)
}

#[tokio::test]
async fn plain_text_without_previews() {
    let rig = Rig::new().await;
    let text = "<b>*no* _markup_</b> https://example.com \u{202e}😀";
    let adapter = rig.adapter();
    let sent = adapter.send(&chat(555), &Outgoing::text(text)).await;
    assert_eq!(sent.unwrap(), MessageId("2".to_owned()));
    let call = rig.api.called("sendMessage").await;
    assert_eq!(
        call.params,
        json!({ "chat_id": 555, "text": text, "link_preview_options": { "is_disabled": true } })
    );
    adapter
        .send(&chat(5), &Outgoing::text("more"))
        .await
        .unwrap();
    assert_eq!(rig.api.sent().await, (5, "more".to_owned()));
}

#[tokio::test]
async fn into_a_thread_and_to_a_chat_with_a_name() {
    let rig = Rig::new().await;
    let thread = Target::chat("-1009007199254740993").thread("12".to_owned());
    let name = Target::chat("@the_group");
    let adapter = rig.adapter();
    adapter.send(&thread, &Outgoing::text("a")).await.unwrap();
    adapter.send(&name, &Outgoing::text("b")).await.unwrap();
    let call = rig.api.called("sendMessage").await;
    assert_eq!(call.params["chat_id"], -1_009_007_199_254_740_993_i64);
    assert_eq!(call.params["message_thread_id"], 12);
    let call = rig.api.called("sendMessage").await;
    assert_eq!(call.params["chat_id"], "@the_group");
}

#[tokio::test]
async fn a_chat_that_cannot_be_one_is_not_asked_for() {
    let rig = Rig::new().await;
    let adapter = rig.adapter();
    for (to, thread) in [
        ("", None),
        ("ann", None),
        ("@", None),
        ("@a/b", None),
        ("5", Some("x")),
    ] {
        let target = Target::chat(to).thread(thread.map(str::to_owned));
        let failed = adapter
            .send(&target, &Outgoing::text("a"))
            .await
            .unwrap_err();
        assert!(matches!(failed, SendError::Chat { .. }), "{failed}");
    }
    assert_eq!(rig.api.count("sendMessage"), 0);
}

#[tokio::test]
async fn a_long_text_takes_several_and_all_are_taken_back() {
    let rig = Rig::new().await;
    let adapter = rig.adapter();
    let line = format!("{}\n", "😀".repeat(1023));
    let mut what = Outgoing::text(line.repeat(3));
    what.buttons = vec![button("Yes", "y")];
    let sent = adapter.send(&chat(555), &what).await.unwrap();
    let first = rig.api.called("sendMessage").await.params;
    let second = rig.api.called("sendMessage").await.params;
    assert_eq!(first["text"], format!("{line}{}", "😀".repeat(1023)));
    assert_eq!(second["text"], line);
    assert!(first.get("reply_markup").is_none() && second.get("reply_markup").is_some());

    adapter.delete(&chat(555), &sent).await.unwrap();
    for id in [2, 3] {
        let call = rig.api.called("deleteMessage").await;
        assert_eq!(call.params, json!({ "chat_id": 555, "message_id": id }));
    }
}

#[tokio::test]
async fn nothing_cannot_be_said() {
    let rig = Rig::new().await;
    for text in ["", " \n"] {
        let sent = rig.adapter().send(&chat(555), &Outgoing::text(text)).await;
        assert!(matches!(sent, Err(SendError::Unable)));
    }
    assert_eq!(rig.api.count("sendMessage"), 0);
}

#[tokio::test]
async fn buttons_side_by_side() {
    let rig = Rig::new().await;
    let mut what = Outgoing::text("Let it in?");
    what.buttons = vec![button("Approve", "a:1"), button("Reject", "r:1")];
    rig.adapter().send(&chat(555), &what).await.unwrap();
    let call = rig.api.called("sendMessage").await;
    assert_eq!(
        call.params["reply_markup"],
        json!({ "inline_keyboard": [[
            { "text": "Approve", "callback_data": "a:1" },
            { "text": "Reject", "callback_data": "r:1" },
        ]] })
    );
    what.buttons = vec![button("Long", &"x".repeat(65))];
    let sent = rig.adapter().send(&chat(555), &what).await;
    assert!(matches!(sent, Err(SendError::Unable)));
}

#[tokio::test]
async fn a_picture_with_a_caption() {
    let rig = Rig::new().await;
    let png: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let mut what = Outgoing::text("scan this");
    what.picture = Some(png.clone());
    what.buttons = vec![button("Done", "d")];
    what.is_secret = true;
    let to = chat(555).thread("12".to_owned());
    let sent = rig.adapter().send(&to, &what).await.unwrap();
    assert_eq!(sent, MessageId("2".to_owned()));
    let call = rig.api.called("sendPhoto").await;
    assert_eq!(call.picture, Some(png));
    assert_eq!(
        call.params,
        json!({
            "chat_id": "555", "message_thread_id": "12", "caption": "scan this",
            "protect_content": "true",
            "reply_markup": r#"{"inline_keyboard":[[{"callback_data":"d","text":"Done"}]]}"#,
        })
    );
}

#[tokio::test]
async fn a_text_that_is_no_caption_follows_its_picture() {
    let rig = Rig::new().await;
    let mut what = Outgoing::text("x".repeat(1025));
    what.picture = Some(vec![1]);
    let sent = rig.adapter().send(&chat(555), &what).await.unwrap();
    assert_eq!(sent, MessageId("2,3".to_owned()));
    let photo = rig.api.called("sendPhoto").await;
    assert_eq!(photo.params, json!({ "chat_id": "555" }));
    let text = rig.api.called("sendMessage").await;
    assert_eq!(text.params["text"], what.text);
}

#[tokio::test]
async fn a_secret_text_can_be_copied() {
    let rig = Rig::new().await;
    let mut what = Outgoing::text("code");
    what.is_secret = true;
    rig.adapter().send(&chat(555), &what).await.unwrap();
    let call = rig.api.called("sendMessage").await;
    assert!(call.params.get("protect_content").is_none());
}

#[tokio::test]
async fn who_cannot_be_written_to_is_told_from_what_does_not_work_now() {
    let rig = Rig::new().await;
    let adapter = rig.adapter();
    for (answer, is_chat) in [
        (
            Answer::Error(403, "Forbidden: bot was blocked by the user"),
            true,
        ),
        (
            Answer::Error(400, "Bad Request: chat not found\u{1b}[31m"),
            true,
        ),
        (Answer::Error(401, "Unauthorized"), false),
        (Answer::Raw(200, "{".to_owned()), false),
        (Answer::Result(json!({})), false),
        (Answer::HangUp, false),
    ] {
        rig.api.answers("sendMessage", answer);
        let failed = adapter
            .send(&chat(555), &Outgoing::text("a"))
            .await
            .unwrap_err();
        assert_eq!(
            matches!(failed, SendError::Chat { .. }),
            is_chat,
            "{failed}"
        );
        assert!(is_chat || matches!(failed, SendError::Unavailable { .. }));
        assert!(!failed.to_string().contains('\u{1b}'));
    }
    assert_eq!(rig.api.count("sendMessage"), 6, "it may have been done");
}

#[tokio::test]
async fn a_server_that_is_not_well_is_asked_a_few_times() {
    let rig = Rig::new().await;
    let adapter = rig.adapter();
    let unwell = || {
        let answers = [
            Answer::Error(500, "Internal Server Error"),
            Answer::Raw(502, "<html>".to_owned()),
        ];
        for answer in answers {
            rig.api.answers("sendMessage", answer);
        }
    };
    unwell();
    adapter
        .send(&chat(555), &Outgoing::text("a"))
        .await
        .unwrap();
    assert_eq!(rig.api.count("sendMessage"), 3);
    unwell();
    rig.api
        .answers("sendMessage", Answer::Error(503, "Unavailable"));
    let failed = adapter.send(&chat(555), &Outgoing::text("a")).await;
    assert!(matches!(failed, Err(SendError::Unavailable { .. })));
    assert_eq!(rig.api.count("sendMessage"), 6);
}

#[tokio::test]
async fn too_many_are_waited_for_within_reason() {
    let mut rig = Rig::new().await;
    rig.pace.patience = Duration::from_secs(10);
    let adapter = rig.adapter();
    rig.api.answers("sendMessage", Answer::Later(0));
    rig.api.answers("sendMessage", Answer::Later(1));
    let begun = tokio::time::Instant::now();
    adapter
        .send(&chat(555), &Outgoing::text("a"))
        .await
        .unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(rig.api.count("sendMessage"), 3);

    // Nobody waits that long, and it is said at once.
    rig.api.answers("sendMessage", Answer::Later(3600));
    let failed = adapter
        .send(&chat(555), &Outgoing::text("a"))
        .await
        .unwrap_err();
    assert!(matches!(failed, SendError::Unavailable { .. }), "{failed}");
    assert_eq!(rig.api.count("sendMessage"), 4);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_no_reason_to_wait() {
    let mut rig = Rig::new().await;
    rig.pace.call = Duration::from_millis(20);
    rig.api.answers("sendMessage", Answer::Silence);
    let failed = rig.adapter().send(&chat(555), &Outgoing::text("a")).await;
    assert!(matches!(failed, Err(SendError::Unavailable { .. })));
}

#[tokio::test]
async fn taking_back_what_is_gone_and_what_is_too_old() {
    let rig = Rig::new().await;
    let adapter = rig.adapter();
    let id = MessageId("9".to_owned());
    let gone = Answer::Error(400, "Bad Request: message to delete not found");
    rig.api.answers("deleteMessage", gone);
    adapter.delete(&chat(555), &id).await.unwrap();
    let old = Answer::Error(400, "Bad Request: message can't be deleted for everyone");
    rig.api.answers("deleteMessage", old);
    let failed = adapter.delete(&chat(555), &id).await;
    assert!(matches!(failed, Err(SendError::Unable)));
    let failed = adapter.delete(&chat(555), &MessageId("x".to_owned())).await;
    assert!(matches!(failed, Err(SendError::Unable)));
    assert_eq!(rig.api.count("deleteMessage"), 2);
}

#[tokio::test]
async fn what_is_replaced_loses_its_buttons() {
    let rig = Rig::new().await;
    let adapter = rig.adapter();
    let id = MessageId("8,9".to_owned());
    adapter.replace(&chat(555), &id, "Approved.").await.unwrap();
    let call = rig.api.called("editMessageText").await;
    assert_eq!(
        call.params,
        json!({
            "chat_id": 555, "message_id": 9, "text": "Approved.",
            "link_preview_options": { "is_disabled": true },
        })
    );
    let same = Answer::Error(400, "Bad Request: message is not modified: …");
    rig.api.answers("editMessageText", same);
    adapter.replace(&chat(555), &id, "Approved.").await.unwrap();
    let gone = Answer::Error(400, "Bad Request: message to edit not found");
    rig.api.answers("editMessageText", gone);
    let failed = adapter.replace(&chat(555), &id, "Approved.").await;
    assert!(matches!(failed, Err(SendError::Chat { .. })));
}

#[tokio::test]
async fn under_a_picture_the_caption_is_replaced() {
    let rig = Rig::new().await;
    let picture = Answer::Error(400, "Bad Request: there is no text in the message to edit");
    rig.api.answers("editMessageText", picture);
    let id = MessageId("9".to_owned());
    rig.adapter()
        .replace(&chat(555), &id, "Used.")
        .await
        .unwrap();
    let call = rig.api.called("editMessageCaption").await;
    assert_eq!(
        call.params,
        json!({ "chat_id": 555, "message_id": 9, "caption": "Used." })
    );
}
