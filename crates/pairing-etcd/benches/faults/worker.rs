//! One gateway: senders and devices that come and go, and an owner who decides.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pairing_core::device::{Credential, Role, SecretToken};
use pairing_core::{
    Account, Approver, Channels, Clock, ConnectError, Connection, DecisionError, DeviceError,
    Limits, Pairing, RequestError, Requested, Timestamp,
};
use pairing_etcd::{EtcdStore, Settings};
use pairing_fs::{SystemClock, SystemEntropy};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::PREFIX;
use crate::history::{Came, Event, What, now};
use crate::phone::{connecting, identity};

/// How long approved senders are served while there is no majority; short, so that it is met.
pub(crate) const GRACE: Duration = Duration::from_secs(3);

/// How long a code lives; short, so that codes expire.
pub(crate) const CODE_LIFETIME: Duration = Duration::from_secs(8);

/// How far each worker's clock is ahead of the one before it.
const APART: Duration = Duration::from_millis(700);

/// How far clocks may be apart.
pub(crate) const SKEW: Duration = Duration::from_secs(60);

pub(crate) const ACCOUNTS: [&str; 3] = ["default", "work", "home"];

struct AheadClock(Duration);

impl Clock for AheadClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + self.0
    }
}

pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default().with_clock_skew(SKEW);
    limits.code_lifetime = CODE_LIFETIME;
    limits
}

struct Worker {
    number: u64,
    pairing: Pairing,
    random: ChaCha20Rng,
    shared: PathBuf,
    history: BufWriter<File>,
    next: u64,
    owner: Approver,
}

/// `worker <number> <seed> <endpoints> <seconds> <directory>`.
pub(crate) fn run(words: &[String]) {
    let [number, seed, endpoints, seconds, shared] = words else {
        panic!("five words")
    };
    let number: u64 = number.parse().unwrap();
    let seed: u64 = seed.parse().unwrap();
    let settings = Settings::new(endpoints.split(',')).unwrap();
    let settings = settings.prefix(PREFIX).unwrap().grace(GRACE);
    let store = EtcdStore::open(&settings).unwrap();
    let clock = AheadClock(APART * u32::try_from(number).unwrap());
    let pairing = Pairing::with(store, clock, SystemEntropy, Channels::builtin(), limits());
    let shared = PathBuf::from(shared);
    let history = File::create(shared.join(format!("history-{number}"))).unwrap();
    let mut worker = Worker {
        number,
        pairing,
        random: ChaCha20Rng::seed_from_u64(seed << 8 | number),
        shared,
        history: BufWriter::new(history),
        next: 0,
        owner: Approver::terminal("ann"),
    };
    let until = Instant::now() + Duration::from_secs(seconds.parse().unwrap());
    while Instant::now() < until {
        worker.step();
    }
    worker.history.flush().unwrap();
}

impl Worker {
    fn step(&mut self) {
        match self.draw(100) {
            0..25 => self.ask(),
            25..45 => self.approve(),
            45..53 => self.revoke(),
            53..80 => self.admit(),
            80..84 => self.pair(),
            84..98 => self.come_back(),
            _ => self.revoke_device(),
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random.next_u64() % below
    }

    fn gate(&mut self) -> Account {
        let at = usize::try_from(self.draw(ACCOUNTS.len() as u64)).unwrap();
        let channel = self.pairing.channel("telegram").unwrap();
        channel.account(ACCOUNTS[at]).unwrap()
    }

    /// Notes what came of an operation.
    fn note(&mut self, what: What, subject: &str, begin: u64, came: Came) {
        let event = Event {
            what,
            subject: subject.to_owned(),
            begin,
            end: now(),
            came,
        };
        serde_json::to_writer(&mut self.history, &event).unwrap();
        self.history.write_all(b"\n").unwrap();
    }

    /// A sender that is new to every gateway.
    fn ask(&mut self) {
        self.next += 1;
        let sender = (10_000_000 * (self.number + 1) + self.next).to_string();
        let gate = self.gate();
        let begin = now();
        let came = match gate.request_or_reuse(sender.as_str()) {
            Ok(Requested::Created(_)) => Came::Yes,
            Ok(_) => Came::No,
            Err(RequestError::Store(_)) => Came::Unknown,
            Err(error) => panic!("{error:?}"),
        };
        self.note(What::Ask, &subject(&gate, &sender), begin, came);
    }

    fn approve(&mut self) {
        let gate = self.gate();
        let Ok(pending) = gate.pending() else { return };
        if pending.requests.is_empty() {
            return;
        }
        let at = usize::try_from(self.draw(pending.requests.len() as u64)).unwrap();
        let request = &pending.requests[at];
        let begin = now();
        let came = match gate.approve(request.code.as_str(), &self.owner) {
            Ok(_) => Came::Yes,
            Err(DecisionError::Store(_)) => Came::Unknown,
            Err(_) => Came::No,
        };
        let subject = subject(&gate, request.sender.as_str());
        self.note(What::Approve, &subject, begin, came);
    }

    /// One of those who are in.
    fn somebody(&mut self, gate: &Account) -> Option<String> {
        let allowed = gate.allowed().ok()?.entries;
        let at = self.draw(allowed.len().max(1) as u64);
        let entry = allowed.get(usize::try_from(at).unwrap())?;
        Some(entry.entry.as_str().to_owned())
    }

    fn revoke(&mut self) {
        let gate = self.gate();
        let Some(sender) = self.somebody(&gate) else {
            return;
        };
        // Written down beforehand, so that others go on asking for them.
        let path = self.shared.join("gone").join(subject(&gate, &sender));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        let begin = now();
        let came = match gate.revoke(&sender, &self.owner) {
            Ok(Some(_)) => Came::Yes,
            Ok(None) => Came::No,
            Err(_) => Came::Unknown,
        };
        self.note(What::Revoke, &subject(&gate, &sender), begin, came);
    }

    /// A message of somebody who is in, or was.
    fn admit(&mut self) {
        let gate = self.gate();
        let gone = names(&self.shared.join("gone"));
        let of_gate = format!("{}-", gate.id().as_str());
        let gone: Vec<_> = gone
            .iter()
            .filter_map(|name| name.strip_prefix(&of_gate))
            .collect();
        let sender = if self.draw(2) == 0 && !gone.is_empty() {
            let at = usize::try_from(self.draw(gone.len() as u64)).unwrap();
            gone[at].to_owned()
        } else if let Some(sender) = self.somebody(&gate) {
            sender
        } else {
            return;
        };
        let begin = now();
        let came = match gate.is_allowed(&sender) {
            Ok(true) => Came::Yes,
            Ok(false) => Came::No,
            Err(_) => Came::Unknown,
        };
        self.note(What::Admit, &subject(&gate, &sender), begin, came);
    }

    fn pair(&mut self) {
        self.next += 1;
        let number = 10_000_000 * (self.number + 1) + self.next;
        let begin = now();
        let came = match self.pair_device(number) {
            Ok(Some(token)) => {
                let path = self.shared.join("devices").join(number.to_string());
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                // Whole at once: others read it.
                fs::write(path.with_extension("new"), token.expose()).unwrap();
                fs::rename(path.with_extension("new"), path).unwrap();
                Came::Yes
            }
            Ok(None) => Came::No,
            Err(()) => Came::Unknown,
        };
        self.note(What::Pair, &number.to_string(), begin, came);
    }

    fn pair_device(&self, number: u64) -> Result<Option<SecretToken>, ()> {
        let devices = self.pairing.devices();
        let connecting = connecting(&self.pairing, number);
        let Ok(Connection::Asked(asked)) = devices.connect(&connecting, Credential::Shared) else {
            return Err(());
        };
        match devices.approve(&asked.request.id, &self.owner) {
            Ok(_) => {}
            Err(DeviceError::Store(_)) => return Err(()),
            Err(_) => return Ok(None),
        }
        match devices.connect(&connecting, Credential::Shared) {
            Ok(Connection::Admitted { minted, .. }) => Ok(minted.map(|minted| minted.token)),
            _ => Err(()),
        }
    }

    fn some_device(&mut self) -> Option<(u64, SecretToken)> {
        let mut known = BTreeMap::new();
        let dir = self.shared.join("devices");
        for name in names(&dir) {
            if let Ok(number) = name.parse::<u64>() {
                known.insert(number, dir.join(name));
            }
        }
        let at = self.draw(known.len().max(1) as u64);
        let (number, path) = known.into_iter().nth(usize::try_from(at).unwrap())?;
        let token = fs::read_to_string(path).ok()?;
        Some((number, SecretToken::parse(&token).unwrap()))
    }

    fn come_back(&mut self) {
        let Some((number, token)) = self.some_device() else {
            return;
        };
        let connecting = connecting(&self.pairing, number);
        let begin = now();
        let came = match self
            .pairing
            .devices()
            .connect(&connecting, Credential::DeviceToken(&token))
        {
            Ok(Connection::Admitted { .. }) => Came::Yes,
            Ok(Connection::Asked(_)) | Err(ConnectError::Credential(_)) => Came::No,
            Err(_) => Came::Unknown,
        };
        self.note(What::Return, &number.to_string(), begin, came);
    }

    fn revoke_device(&mut self) {
        let Some((number, _)) = self.some_device() else {
            return;
        };
        let id = identity(number).id();
        let begin = now();
        let came = match self.pairing.devices().revoke(id, Role::Node, &self.owner) {
            Ok(_) => Came::Yes,
            Err(DeviceError::Store(_)) => Came::Unknown,
            Err(_) => Came::No,
        };
        self.note(What::RevokeDevice, &number.to_string(), begin, came);
    }
}

/// A sender at an account, as one name.
fn subject(gate: &Account, sender: &str) -> String {
    format!("{}-{sender}", gate.id().as_str())
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect()
}
