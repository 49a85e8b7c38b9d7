//! The account at a local server, which hears how the protocol begins.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel_kit::{
    Adapter as _, Connection, InMemory, Inbox, Login as _, LoginError, PhoneNumber, Stop,
};
use futures_util::{SinkExt as _, StreamExt as _};
use pairing_core::{AccountId, Entropy, EntropyError, ManualClock, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use whatsapp_rust::Jid;
use whatsapp_rust::traits::DeviceStore as _;
use whatsapp_rust::wacore::types::message::{EditAttribute, MessageInfo};
use whatsapp_rust::waproto::whatsapp as wa;

use super::hook::{Hook, said};
use super::trouble::Troubles;
use super::{Surroundings, WhatsAppWeb};
use crate::said::Me;

/// Nothing here takes that long.
const NEVER: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Same;

impl Entropy for Same {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        bytes.fill(7);
        Ok(())
    }
}

/// A server that takes connections, passes on how each begins, and closes it.
async fn server() -> (String, mpsc::UnboundedReceiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws/chat", listener.local_addr().unwrap());
    let (begun, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let origin = Arc::new(Mutex::new(String::new()));
            let seen = Arc::clone(&origin);
            #[expect(clippy::result_large_err, reason = "the library's type")]
            let look = move |request: &Request, response: Response| {
                let found = request.headers().get("origin");
                let found = found.map(|value| value.to_str().unwrap().to_owned());
                *seen.lock().unwrap() = found.unwrap_or_default();
                Ok(response)
            };
            let mut socket = tokio_tungstenite::accept_hdr_async(tcp, look)
                .await
                .unwrap();
            if let Some(Ok(Message::Binary(bytes))) = socket.next().await {
                let origin = origin.lock().unwrap().clone();
                let _ = begun.send((origin, bytes.to_vec()));
            }
            let _ = socket.close(None).await;
            // Until the other side has said goodbye, too.
            while let Some(Ok(_)) = socket.next().await {}
            let _ = socket.flush().await;
        }
    });
    (url, heard)
}

fn account(dir: &std::path::Path, url: &str) -> WhatsAppWeb {
    let surroundings = Surroundings::new(
        dir.join("keys"),
        Arc::new(InMemory::default()),
        Arc::new(ManualClock::new(Timestamp::from_millis(1_795_000_000_000))),
        Arc::new(Same),
    );
    WhatsAppWeb::at(AccountId::default(), surroundings, url).unwrap()
}

/// Waits until the status says so.
async fn until(web: &WhatsAppWeb, is: impl Fn(&channel_kit::Status) -> bool) {
    let waiting = async {
        while !is(&web.status()) {
            tokio::task::yield_now().await;
        }
    };
    let waited = timeout(NEVER, waiting).await;
    assert!(waited.is_ok(), "{:?}", web.status());
}

/// The first frame: the protocol's name and version, then the client's hello.
fn is_beginning((origin, bytes): &(String, Vec<u8>)) -> bool {
    origin == "https://web.whatsapp.com" && bytes.starts_with(b"WA") && bytes.len() > 40
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_opens_the_protocol_and_says_when_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let (url, mut begun) = server().await;
    for number in [None, Some(PhoneNumber::parse("+15559990000").unwrap())] {
        let by_number = number.is_some();
        let web = account(dir.path(), &url).by_code(number);
        assert_eq!(web.how().contains("phone number"), by_number);
        let linked = timeout(NEVER, web.link("OpenClaw", &|step| panic!("{step:?}"))).await;
        let error = linked.unwrap().unwrap_err();
        assert!(matches!(error, LoginError::Unavailable { .. }), "{error:?}");
        assert!(is_beginning(&begun.recv().await.unwrap()));
    }
    // Nobody is there.
    let web = account(dir.path(), "ws://127.0.0.1:1/ws/chat");
    let linked = timeout(NEVER, web.link("OpenClaw", &|step| panic!("{step:?}"))).await;
    let error = linked.unwrap().unwrap_err().to_string();
    assert_eq!(
        error,
        "WhatsApp cannot be reached: no connection can be made"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_waits_for_its_phone_and_connects_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let (url, mut begun) = server().await;
    let web = Arc::new(account(dir.path(), &url));
    let (inbox, _received) = Inbox::new(4);
    let (stop, stopped) = Stop::new();
    let running = tokio::spawn(Arc::clone(&web).run(inbox, stopped));
    until(&web, |status| {
        status.last_error.as_deref() == Some("no phone has linked this account")
    })
    .await;
    assert_eq!(web.status().connection, Connection::Failing);
    // What a phone would have done.
    {
        let _in_use = web.in_use.lock().await;
        let keys = web.open().await.unwrap();
        keys.store().create().await.unwrap();
        let mut device = keys.store().load().await.unwrap().unwrap();
        device.pn = Some(Jid::pn_device("15559990000", 7));
        keys.store().save(&device).await.unwrap();
    }
    // A second login finds that out, and wakes the account.
    let linked = web
        .link("OpenClaw", &|step| panic!("{step:?}"))
        .await
        .unwrap();
    assert!(linked.account == "+15559990000" && linked.remark.is_some());
    for _ in 0..2 {
        let first = timeout(NEVER, begun.recv()).await.unwrap().unwrap();
        assert!(is_beginning(&first), "{first:?}");
    }
    until(&web, |status| {
        status
            .last_error
            .as_deref()
            .is_some_and(|error| error.starts_with("no connection: "))
    })
    .await;
    // Meanwhile nobody else can use the keys, and nothing can be sent.
    assert!(web.live().is_none() && web.probe().await.is_err());
    stop.stop();
    timeout(NEVER, running).await.unwrap().unwrap();
    assert_eq!(web.status().connection, Connection::Stopped);
    assert!(web.open().await.is_ok());
}

#[tokio::test]
async fn a_message_is_handed_on_once_and_after_a_restart_too() {
    let dir = tempfile::tempdir().unwrap();
    let web = Arc::new(account(dir.path(), "ws://127.0.0.1:1/"));
    let (inbox, mut received) = Inbox::new(4);
    let mut info = MessageInfo::default();
    info.source.chat = "15550001111@s.whatsapp.net".parse().unwrap();
    info.source.sender = "15550001111:3@s.whatsapp.net".parse().unwrap();
    info.id = "3EB0".into();
    let text = |text: &str| wa::Message {
        conversation: Some(text.to_owned()),
        ..wa::Message::default()
    };
    let me = Me::default();
    for _restart in 0..2 {
        let seen = channel_kit::Seen::new(NEVER, 8).load(&*web.seen, &web.mark());
        let troubles = Arc::new(Troubles::new(web.account()));
        let hook = Hook::new(Arc::clone(&web), inbox.clone(), seen, troubles);
        for _repeat in 0..2 {
            assert!(hook.hand_on(said(&text("hello"), &info, None), &me).await);
        }
        // No message of a person: an empty one, and one that changes another.
        assert!(
            hook.hand_on(said(&wa::Message::default(), &info, None), &me)
                .await
        );
    }
    let Some(channel_kit::Incoming::Message(inbound)) = received.try_recv() else {
        panic!("it is handed on");
    };
    assert_eq!(
        (inbound.sender.as_str(), inbound.text.as_str()),
        ("+15550001111", "hello")
    );
    assert!(received.try_recv().is_none());
    // Whoever has hidden their number is named in the status.
    info.source.chat = "111111111111111@lid".parse().unwrap();
    info.source.sender = "111111111111111@lid".parse().unwrap();
    let troubles = Arc::new(Troubles::new(web.account()));
    let seen = channel_kit::Seen::new(NEVER, 8);
    let hook = Hook::new(Arc::clone(&web), inbox, seen, troubles);
    assert!(hook.hand_on(said(&text("psst"), &info, None), &me).await);
    assert!(web.status().last_error.unwrap().contains("does not tell"));
    let known = Some("15550001111".to_owned());
    assert!(hook.hand_on(said(&text("hi"), &info, known), &me).await);
    let Some(channel_kit::Incoming::Message(inbound)) = received.try_recv() else {
        panic!("it is handed on");
    };
    assert_eq!(
        (inbound.sender.as_str(), inbound.chat.chat.as_str()),
        ("+15550001111", "+15550001111")
    );
    // Nobody listens any more: it stays with WhatsApp.
    drop(received);
    info.id = "3EB1".into();
    assert!(
        !hook
            .hand_on(
                said(&text("more"), &info, Some("15550001111".to_owned())),
                &me
            )
            .await
    );
}

#[test]
fn edits_deletions_and_reactions_are_no_messages_and_wrapped_texts_are() {
    let info = MessageInfo::default();
    let text = |message: wa::Message| said(&message, &info, None).text;
    let plain = || wa::Message {
        conversation: Some("hello".to_owned()),
        ..wa::Message::default()
    };
    let wrapped = |message: wa::Message| wa::message::FutureProofMessage {
        message: message.into(),
    };
    let disappearing = |message: wa::Message| wa::Message {
        ephemeral_message: wrapped(message).into(),
        ..wa::Message::default()
    };
    let from_phone = |message: wa::Message| wa::Message {
        device_sent_message: wa::message::DeviceSentMessage {
            message: message.into(),
            ..Default::default()
        }
        .into(),
        ..wa::Message::default()
    };
    let picture = |caption: Option<&str>| wa::Message {
        image_message: wa::message::ImageMessage {
            caption: caption.map(str::to_owned),
            ..Default::default()
        }
        .into(),
        ..wa::Message::default()
    };
    for (message, expected) in [
        (plain(), "hello"),
        (disappearing(plain()), "hello"),
        (from_phone(disappearing(plain())), "hello"),
        (picture(Some("look")), "look"),
        (picture(None), ""),
    ] {
        assert_eq!(text(message).as_deref(), Some(expected));
    }
    let edit = || wa::Message {
        edited_message: wrapped(plain()).into(),
        ..wa::Message::default()
    };
    let deletion = wa::Message {
        protocol_message: wa::message::ProtocolMessage::default().into(),
        ..wa::Message::default()
    };
    let reaction = wa::Message {
        reaction_message: wa::message::ReactionMessage {
            text: Some("+".to_owned()),
            ..Default::default()
        }
        .into(),
        ..wa::Message::default()
    };
    for none in [
        wa::Message::default(),
        edit(),
        disappearing(edit()),
        from_phone(disappearing(edit())),
        deletion,
        reaction,
    ] {
        assert_eq!(text(none), None);
    }
    // The stanza names an edit, too; and a group is none of ours.
    let edited = MessageInfo {
        edit: EditAttribute::MessageEdit,
        ..MessageInfo::default()
    };
    assert_eq!(said(&plain(), &edited, None).text, None);
    let mut group = MessageInfo::default();
    group.source.is_group = true;
    assert_eq!(said(&plain(), &group, None).text, None);
}
