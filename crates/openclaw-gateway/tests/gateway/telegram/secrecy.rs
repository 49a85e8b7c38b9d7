//! The token is in every URL, and nowhere else: whatever fails, it is not shown.

use std::sync::Arc;
use std::time::Duration;

use channel_kit::{Adapter, MessageId, Outgoing};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::server::{Answer, BOT_SECRET, BOT_TOKEN};
use super::{Bot, Rig, chat};
use test_support::Logs;

/// Calls everything there is, and gives what can be seen of the failures.
async fn everything(adapter: &Arc<impl Adapter>) -> String {
    let mut what = Outgoing::text("a");
    let id = MessageId("1".to_owned());
    let mut shown = format!("{adapter:?} {what:?}");
    let failed = adapter.send(&chat(5), &what).await.unwrap_err();
    shown += &format!("{failed} {failed:?}");
    what.picture = Some(vec![1]);
    let failed = adapter.send(&chat(5), &what).await.unwrap_err();
    shown += &format!("{failed} {failed:?}");
    let failed = adapter.delete(&chat(5), &id).await.unwrap_err();
    shown += &format!("{failed} {failed:?}");
    let failed = adapter.replace(&chat(5), &id, "b").await.unwrap_err();
    shown + &format!("{failed} {failed:?}")
}

fn is_hidden(shown: &str) {
    assert!(
        !shown.contains(BOT_SECRET) && !shown.contains("secret"),
        "{shown}"
    );
}

#[tokio::test]
async fn not_when_the_server_refuses_and_repeats_the_token() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let echo = "no such path: /bot4242:AAE-this_part_is_secret/getMe";
    for status in [400, 403, 404, 409, 429, 500] {
        let mut rig = Rig::new().await;
        rig.pace.patience = Duration::ZERO;
        for method in [
            "sendMessage",
            "sendPhoto",
            "deleteMessage",
            "editMessageText",
        ] {
            rig.api.answers(method, Answer::Error(status, echo));
        }
        is_hidden(&everything(&Arc::new(rig.adapter())).await);
        if status != 404 {
            rig.api.answers("getMe", Answer::Error(status, echo));
        }
        rig.api.answers("getUpdates", Answer::Error(status, echo));
        rig.api
            .answers("setMyCommands", Answer::Error(status, echo));
        rig.api.answers("getUpdates", Answer::Error(401, echo));
        rig.run().ended().await;
    }
    assert!(
        logs.count("WARN") > 4 && logs.count("ERROR") >= 6,
        "{}",
        logs.text()
    );
    is_hidden(&logs.text());
}

#[tokio::test]
async fn not_when_what_answers_is_no_bot_api() {
    let logs = Logs::default();
    let _guard = logs.listen();
    for (status, body) in [
        (200, BOT_TOKEN),
        (502, BOT_TOKEN),
        (302, BOT_TOKEN),
        (200, "{}"),
    ] {
        let mut rig = Rig::new().await;
        rig.pace.patience = Duration::ZERO;
        for method in [
            "sendMessage",
            "sendPhoto",
            "deleteMessage",
            "editMessageText",
            "getMe",
        ] {
            rig.api
                .answers(method, Answer::Raw(status, body.to_owned()));
        }
        // Taking back and replacing have no result that could be wrong, but these are.
        is_hidden(&everything(&Arc::new(rig.adapter())).await);
        rig.api
            .answers("getUpdates", Answer::Raw(status, body.to_owned()));
        rig.api
            .answers("getUpdates", Answer::Error(401, "Unauthorized"));
        rig.run().ended().await;
    }
    is_hidden(&logs.text());
}

#[tokio::test]
async fn not_when_nobody_answers() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let mut rig = Rig::new().await;
    rig.pace.call = Duration::from_millis(500);
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = held.local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_at = silent.local_addr().unwrap();
    let garbage = garbage().await;
    for root in [
        format!("http://{nobody}"),
        format!("https://{nobody}"),
        // Silent, also in the middle of a handshake.
        format!("http://{silent_at}"),
        format!("https://{silent_at}"),
        // No HTTP, and no TLS.
        format!("http://{garbage}"),
        format!("https://{garbage}"),
    ] {
        let adapter = Arc::new(rig.adapter_at(&root, BOT_TOKEN));
        is_hidden(&everything(&adapter).await);
        let bot = Bot::run(rig.adapter_at(&root, BOT_TOKEN), 1);
        let before = logs.count("WARN");
        logs.until("WARN", before + 1).await;
        bot.stop().await;
    }
    is_hidden(&logs.text());
}

/// Something that answers, and does not speak HTTP.
async fn garbage() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.write_all(b"\x00\xff/bot garbage\r\n\r\n").await;
            let _ = socket.read(&mut [0; 64]).await;
        }
    });
    address
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let rig = Rig::new().await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = elsewhere.local_addr().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("http://{}", server.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = server.accept().await.unwrap();
        let _ = socket.read(&mut [0; 2048]).await;
        let answer = format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{address}/\r\ncontent-length: 0\r\n\r\n"
        );
        socket.write_all(answer.as_bytes()).await.unwrap();
        // It stays open.
        let _ = socket.read(&mut [0; 64]).await;
    });
    let adapter = rig.adapter_at(&root, BOT_TOKEN);
    let failed = adapter
        .send(&chat(5), &Outgoing::text("a"))
        .await
        .unwrap_err();
    assert!(failed.to_string().contains("307"), "{failed}");
    let asked = tokio::time::timeout(Duration::ZERO, elsewhere.accept()).await;
    assert!(asked.is_err(), "the token went elsewhere");
}

#[tokio::test]
async fn what_people_write_is_not_logged() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let mut bot = rig.run();
    rig.api.says(555, "between us");
    rig.api.push(json!({ "message": { "text": "between us" } }));
    bot.text().await;
    bot.adapter
        .send(&chat(555), &Outgoing::text("between us"))
        .await
        .unwrap();
    rig.api.confirmed().await;
    bot.stop().await;
    assert_eq!(logs.count("between us"), 0, "{}", logs.text());
}
