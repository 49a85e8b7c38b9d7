//! Requests of legacy nodes.

use pairing_core::device::{NodeAsked, NodeId, NodeInfo};

use crate::Fixture;
use crate::bot::{Bot, owner};

fn asks(bot: &Bot, info: &NodeInfo) -> NodeAsked {
    let node = NodeId::parse("pi").unwrap();
    bot.pairing.nodes().request(&node, info, false).unwrap()
}

fn info(name: Option<&str>, commands: &[&str]) -> NodeInfo {
    NodeInfo {
        display_name: name.map(str::to_owned),
        platform: name.map(|_| "linux".to_owned()),
        caps: name.map(|_| "camera".to_owned()).into_iter().collect(),
        commands: commands.iter().map(|name| (*name).to_owned()).collect(),
        ..NodeInfo::default()
    }
}

fn waiting(bot: &Bot) -> NodeInfo {
    let mut pending = bot.pairing.nodes().list(&owner()).unwrap().pending;
    assert_eq!(pending.len(), 1);
    pending.remove(0).info
}

pub(crate) fn t124_what_a_node_does_not_say_again_stays_and_so_does_the_id(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let whole = info(Some("Pi"), &["a", "b"]);
    let first = asks(&bot, &whole);
    let again = asks(&bot, &NodeInfo::default());
    assert!(!again.is_new && again.superseded.is_none());
    assert_eq!(
        (&again.request.id, waiting(&bot)),
        (&first.request.id, whole)
    );
    // Fewer commands are the same request, for those alone, at once.
    let fewer = asks(&bot, &info(None, &["b"]));
    assert_eq!(fewer.request.id, first.request.id);
    assert_eq!(waiting(&bot), info(Some("Pi"), &["b"]));
    // More are another, and the owner who saw the first approves nothing.
    let more = asks(&bot, &info(None, &["b", "c"]));
    assert_eq!(more.superseded, Some(first.request.id.clone()));
    assert_eq!(waiting(&bot), info(Some("Pi"), &["b", "c"]));
    let nodes = bot.pairing.nodes();
    nodes.approve(&first.request.id, &owner()).unwrap_err();
    let approved = nodes.approve(&more.request.id, &owner()).unwrap();
    assert_eq!(approved.node.info, info(Some("Pi"), &["b", "c"]));
}

pub(crate) fn a_newer_name_of_a_node_is_shown_with_the_next_refresh(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let first = asks(&bot, &info(Some("Pi"), &["a"]));
    bot.wait(9_999);
    asks(&bot, &info(Some("Attic"), &["a"]));
    assert_eq!(waiting(&bot).display_name.as_deref(), Some("Pi"));
    bot.wait(1);
    let again = asks(&bot, &info(Some("Attic"), &["a"]));
    assert_eq!(again.request.id, first.request.id);
    assert_eq!(waiting(&bot).display_name.as_deref(), Some("Attic"));
}
