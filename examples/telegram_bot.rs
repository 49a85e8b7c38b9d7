//! A Telegram bot that admits approved senders only: `channel-telegram` and `pairing-core`, without a gateway.
//!
//! ```sh
//! TELEGRAM_BOT_TOKEN=… cargo run -p examples --example telegram_bot -- ./state
//! ```
//!
//! A stranger gets a code. Approve it with
//! `cargo run -p openclaw-cli -- --state-dir ./state pairing approve telegram <CODE>`, and the bot answers.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use channel_kit::{Adapter, InMemory, Inbound, Inbox, Incoming, Outgoing, Stop};
use channel_telegram::{ApiRoot, BotToken, Surroundings, Telegram};
use pairing_core::{Account, AccountId, Admission, Requested, Sender};
use pairing_fs::{StateDir, SystemClock, SystemEntropy};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let state = std::env::args()
        .nth(1)
        .ok_or("usage: telegram_bot <state-dir>")?;
    let token = std::env::var("TELEGRAM_BOT_TOKEN")?;
    let token = BotToken::parse(&token).ok_or("TELEGRAM_BOT_TOKEN is not a bot's token")?;
    let pairing = pairing_fs::open(&StateDir::at(state));
    let account = pairing.channel("telegram")?.account("default")?;
    // A restart forgets which messages were received; a real bot saves that in a file.
    let (saved, clock) = (Arc::new(InMemory::default()), Arc::new(SystemClock));
    let surroundings = Surroundings::new(saved, clock, Arc::new(SystemEntropy));
    let bot = Telegram::new(
        AccountId::default(),
        token,
        ApiRoot::default(),
        surroundings,
    )?;
    let bot = Arc::new(bot);
    let (inbox, mut received) = Inbox::new(16);
    let (_stop, stopped) = Stop::new();
    tokio::spawn(bot.clone().run(inbox, stopped));
    while let Some(incoming) = received.recv().await {
        let Incoming::Message(message) = incoming else {
            continue;
        };
        let (chat, account) = (message.chat.clone(), account.clone());
        // The store waits for the disk, so it is asked on the blocking pool.
        let answer = tokio::task::spawn_blocking(move || answer(&account, &message)).await?;
        if let Some(text) = answer
            && let Err(error) = bot.send(&chat, &Outgoing::text(text)).await
        {
            writeln!(std::io::stderr(), "cannot answer: {error}")?;
        }
    }
    Ok(())
}

/// The answer to a message, if there is one. An error admits nobody.
fn answer(account: &Account, message: &Inbound) -> Option<String> {
    let is_speech = message.authenticated && !message.from_me && !message.from_bot;
    if !is_speech || message.historical || !message.is_direct {
        return None;
    }
    match account.admit(&message.sender).ok()? {
        Admission::Approved(_) => Some(format!("You said: {}", message.text)),
        Admission::Refused(_) => match account
            .request_or_reuse(Sender::new(&message.sender))
            .ok()?
        {
            Requested::Created(created) => Some(created.reply),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use channel_kit::Target;
    use pairing_core::{Approver, ManualClock, MemoryStore, Pairing, Timestamp};

    use super::*;

    fn says(sender: &str) -> Inbound {
        let mut message =
            Inbound::new("1", sender, Target::chat(sender), Timestamp::from_millis(0));
        message.is_direct = true;
        message.text = "hello".to_owned();
        message.authenticated = true;
        message
    }

    #[test]
    fn a_stranger_gets_a_code_once_and_an_answer_after_approval() {
        let clock = ManualClock::new(Timestamp::from_millis(1_800_000_000_000));
        let pairing = Pairing::new(MemoryStore::new(), clock, SystemEntropy);
        let account = pairing
            .channel("telegram")
            .unwrap()
            .account("default")
            .unwrap();
        let reply = answer(&account, &says("42")).unwrap();
        let code = account.pending().unwrap().requests[0].code;
        assert!(reply.contains(code.as_str()), "{reply}");
        assert_eq!(answer(&account, &says("42")), None);
        let flaws: [fn(&mut Inbound); 3] = [
            |other| other.is_direct = false,
            |other| other.authenticated = false,
            |other| other.from_bot = true,
        ];
        for spoil in flaws {
            let mut other = says("43");
            spoil(&mut other);
            assert_eq!(answer(&account, &other), None);
        }
        account
            .approve(code.as_str(), &Approver::terminal("ann"))
            .unwrap();
        assert_eq!(answer(&account, &says("42")).unwrap(), "You said: hello");
        assert_eq!(account.pending().unwrap().requests.len(), 0);
    }
}
