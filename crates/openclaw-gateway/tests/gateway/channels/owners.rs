//! Commands: for owners, in a chat with the bot alone, and for nobody else.

use std::sync::{Arc, Mutex};

use channel_kit::{BoxFuture, Incoming, MessageId, Pressed, Target};
use gateway_channels::{OwnerCommands, OwnerMessage};

use super::fake::{Fake, direct, in_chat, in_group};
use super::{adding, all_of, heard, with};
use crate::support::start_with;

/// Takes what begins with a slash for a command, and notes who gave it.
#[derive(Debug, Default)]
struct Noting(Mutex<Vec<String>>);

impl OwnerCommands for Noting {
    fn message<'a>(&'a self, owner: &'a OwnerMessage, text: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let is_command = text.starts_with('/');
            if is_command {
                let note = format!("{} {} {text}", owner.account.as_str(), owner.sender);
                self.0.lock().unwrap().push(note);
                owner
                    .adapter
                    .send(&owner.chat, &channel_kit::Outgoing::text("done"))
                    .await
                    .unwrap();
            }
            is_command
        })
    }

    fn pressed<'a>(&'a self, owner: &'a OwnerMessage, pressed: &'a Pressed) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let note = format!("{} pressed {}", owner.sender, pressed.data);
            self.0.lock().unwrap().push(note);
        })
    }
}

fn pressed(sender: &str) -> Incoming {
    Incoming::Pressed(Pressed::new(
        sender,
        MessageId("m1".to_owned()),
        Target::chat("900"),
        "approve:1",
    ))
}

#[tokio::test]
async fn t21_t111_t114_commands_are_for_owners_and_text_for_everybody_else() {
    let (fake, commands) = (
        Fake::new("telegram", "default"),
        Arc::new(Noting::default()),
    );
    let settings = with(
        "commands: { ownerAllowFrom: ['telegram:1', 'discord:2', 3, 'telegram:6'] },
         channels: { telegram: { allowFrom: [1, 2, 3], blockFrom: [6] } }",
    );
    let gateway = start_with(settings, |builder| {
        adding(builder.owner_commands(commands.clone()), &[&fake])
    })
    .await;
    let mut operator = gateway.asks(&["operator.messages"]).await;
    // Approved by pairing, which makes nobody an owner.
    gateway.allows("default", "4");
    fake.says(direct("1", "/pair")).await;
    assert_eq!(fake.next().await.1, "done");
    for sender in ["2", "3", "4"] {
        fake.says(direct(sender, "/pair")).await;
        assert_eq!(heard(&mut operator).await["sender"], sender);
    }
    // A stranger learns nothing but that they may ask.
    fake.says(in_chat("900", direct("5", "/pair"))).await;
    assert!(fake.next().await.1.contains("Pairing code"));
    fake.says(in_chat("900", direct("6", "/pair"))).await;
    // Others would see the answer in a group.
    fake.says(in_group("1", "/pair")).await;
    let event = heard(&mut operator).await;
    assert_eq!(
        (&event["isDirect"], &event["text"]),
        (&false.into(), &"/pair".into())
    );
    // A text that another bot made is a message, whatever it says.
    let mut made = direct("1", "/pair approve t114");
    made.via_bot = true;
    fake.says(made).await;
    assert_eq!(heard(&mut operator).await["text"], "/pair approve t114");
    // What is no command is a message.
    fake.says(direct("1", "hello")).await;
    assert_eq!(heard(&mut operator).await["text"], "hello");
    for sender in ["2", "3", "4", "5", "6", "", "1"] {
        fake.put(pressed(sender)).await;
    }
    all_of("900", &fake, "1", &mut operator).await;
    let notes = std::mem::take(&mut *commands.0.lock().unwrap());
    assert_eq!(notes, ["default 1 /pair", "1 pressed approve:1"]);
    assert_eq!(gateway.outcome("not-owner"), 4);
    // Nobody is spoken to where direct messages are off.
    gateway.handle.reload(with(
        "commands: { ownerAllowFrom: ['telegram:1'] },
         channels: { telegram: { dmPolicy: 'disabled' } }",
    ));
    fake.says(in_chat("900", direct("1", "/pair"))).await;
    fake.put(pressed("1")).await;
    gateway
        .handle
        .reload(with("channels: { telegram: { enabled: false } }"));
    fake.running(false).await;
    assert!(commands.0.lock().unwrap().is_empty());
    gateway.stop().await;
}
