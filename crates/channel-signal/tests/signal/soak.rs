//! Disconnections all the time: each message is received once, in order, and memory stays flat.
//!
//! Runs for some seconds; for longer where `SOAK_SECONDS` says so.
//! signal-cli sends an event once, and nobody acknowledges it: what is on its way while the gateway stops is lost. So a
//! restart begins when everything has come.

use channel_kit::Inbound;
use channel_signal::Signal;
use test_support::signal::Person;
use test_support::{RunningAdapter, Soaked, soak};

use crate::rig::{Rig, Running};

const PEOPLE: [Person; 8] = [
    person("+15550002000", "00000000-0000-4000-8000-000000000010"),
    person("+15550002001", "00000000-0000-4000-8000-000000000011"),
    person("+15550002002", "00000000-0000-4000-8000-000000000012"),
    person("+15550002003", "00000000-0000-4000-8000-000000000013"),
    person("+15550002004", "00000000-0000-4000-8000-000000000014"),
    person("+15550002005", "00000000-0000-4000-8000-000000000015"),
    person("+15550002006", "00000000-0000-4000-8000-000000000016"),
    person("+15550002007", "00000000-0000-4000-8000-000000000017"),
];

const fn person(number: &'static str, uuid: &'static str) -> Person {
    Person {
        number: Some(number),
        uuid,
        name: "Somebody",
    }
}

impl Soaked for Rig {
    type Adapter = Signal;

    fn run(&self) -> RunningAdapter<Signal> {
        Running::run(self.account(), 16)
    }

    async fn connected(&self) {
        self.signal.opened(1).await;
    }

    fn storms(&self) -> usize {
        4
    }

    fn storm(&self, which: usize) {
        match which {
            0 => self.signal.close_streams(),
            1 => {
                self.signal.close_streams();
                self.signal.answer_with(502);
            }
            2 => drop(self.signal.raw(b"event:receive\ndata:{half\n\n")),
            _ => {
                self.signal.raw(b"data:{\"envelope\":{}}\n");
                self.signal.close_streams();
            }
        }
    }

    fn says(&self, _: Option<&RunningAdapter<Signal>>, chat: usize, text: &str) {
        self.signal.says(PEOPLE[chat], text);
    }

    fn chat_of(&self, inbound: &Inbound) -> usize {
        let is_theirs = |person: &Person| person.number == Some(inbound.sender.as_str());
        PEOPLE.iter().position(is_theirs).unwrap()
    }

    async fn left(&self) {
        self.signal.left().await;
    }

    async fn settle(&self) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_received_once_and_in_order() {
    soak(&Rig::new().await).await;
}
